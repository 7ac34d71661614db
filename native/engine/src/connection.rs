//! One downstream connection: HTTP/2 if it opens with the preface, HTTP/1.1 otherwise.
//!
//! The same code serves what is inside an intercepted tunnel; such a connection knows its context from the
//! CONNECT that opened it, and its requests need no credentials of their own.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use hyper::body::Incoming;
use hyper::header::CONNECTION;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::authenticate::Memory;
use crate::authority::Authority;
use crate::body::ResponseBody;
use crate::client::{Client, Http2Upload};
use crate::context::{Carrier, Context};
use crate::counters::Counted;
use crate::error::ProxyError;
use crate::event::{Event, Phase};
use crate::head::RequestHead;
use crate::limits::Slot;
use crate::request;
use crate::response::Body;
use crate::server::Proxy;
use crate::stream::Stream;
use crate::{http1, http2_limits};

/// RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What is read to tell protocols apart: enough for a request's head to come with it.
pub(crate) const FIRST_READ: usize = 16 * 1024;

/// What the requests of one downstream connection share.
pub(crate) struct Connection {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) identity: Identity,
    pub(crate) memory: Mutex<Memory>,
    closed: CancellationToken,
    counted: Counted,
}

/// Whose requests a connection carries.
pub(crate) enum Identity {
    /// Every request says so itself, by its credentials.
    PerRequest,
    /// Those of the context that opened the tunnel around this connection.
    Tunnel { context: Arc<Context>, authority: Authority, slot: Slot },
}

impl Connection {
    /// A connection from the listening socket.
    pub(crate) fn accepted(proxy: &Arc<Proxy>) -> Arc<Self> {
        Self::new(proxy, Identity::PerRequest, proxy.stopping.child_token())
    }

    /// A connection inside an intercepted tunnel: it ends with the context that opened it.
    pub(crate) fn inside(
        proxy: &Arc<Proxy>,
        context: Arc<Context>,
        authority: Authority,
        slot: Slot,
    ) -> Arc<Self> {
        let closed = context.released.child_token();
        Self::new(proxy, Identity::Tunnel { context, authority, slot }, closed)
    }

    fn new(proxy: &Arc<Proxy>, identity: Identity, closed: CancellationToken) -> Arc<Self> {
        let counted = proxy.counters.connections.enter();
        let connection_id = counted.number();
        proxy.emit(|| Event::Connection { phase: Phase::Opened, connection_id });
        Arc::new(Self {
            proxy: Arc::clone(proxy),
            identity,
            memory: Mutex::default(),
            closed,
            counted,
        })
    }

    /// The authority of the tunnel around this connection.
    pub(crate) fn tunnel(&self) -> Option<&Authority> {
        match &self.identity {
            Identity::PerRequest => None,
            Identity::Tunnel { authority, .. } => Some(authority),
        }
    }

    /// The place of the tunnel around this connection.
    pub(crate) fn tunnel_slot(&self) -> Option<Slot> {
        match &self.identity {
            Identity::PerRequest => None,
            Identity::Tunnel { slot, .. } => Some(slot.clone()),
        }
    }

    /// What carries a context's exchanges here, to be cut with it: an HTTP/2 connection may carry the streams
    /// of several contexts, so there it is each stream by itself.
    pub(crate) fn carry(&self, context: &Arc<Context>) -> Arc<Carrier> {
        match STREAM.try_with(|_| ()) {
            Ok(()) => context.carried_by_streams(),
            Err(_) => context.carried_by(self.closed.clone()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let connection_id = self.counted.number();
        self.proxy.emit(|| Event::Connection { phase: Phase::Closed, connection_id });
    }
}

/// Serves a connection until either peer, its context or the server ends it.
///
/// The type is erased because an intercepted tunnel leads back here.
pub(crate) fn serve(
    stream: Stream,
    connection: Arc<Connection>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let closed = connection.closed.clone();
        // Pinned here: handed over, it would be kept twice.
        let speaking = pin!(speak(stream, connection));
        closed.run_until_cancelled(speaking).await;
    })
}

async fn speak(mut stream: Stream, connection: Arc<Connection>) {
    let limit = connection.proxy.timeouts.request_head;
    let preface = timeout(limit, opens_with_preface(&mut stream, &connection.proxy)).await;
    let Ok(Ok(http2)) = preface else { return };
    if http2 {
        if let Err(error) = serve_http2(stream, connection).await {
            tracing::debug!(%error, "a downstream connection ended early");
        }
    } else if let Err(error) = http1::serve(stream, connection).await {
        tracing::debug!(%error, "a downstream connection ended early");
    }
}

/// Reads only as far as the bytes agree with the preface, and gives them back.
async fn opens_with_preface(stream: &mut Stream, proxy: &Proxy) -> io::Result<bool> {
    if !proxy.http2 {
        return Ok(false);
    }
    let mut read = BytesMut::new();
    while read.len() < PREFACE.len() && PREFACE.starts_with(&read) {
        if poll_fn(|cx| stream.poll_read_more(cx, &mut read, FIRST_READ)).await? == 0 {
            break;
        }
    }
    let preface = read.starts_with(PREFACE);
    stream.give_back(read.freeze());
    Ok(preface)
}

/// Nobody is there to be answered: the stream is reset.
#[derive(Debug, Error)]
#[error("the client went away")]
struct ClientGone;

/// Serves one stream of an HTTP/2 connection.
async fn serve_stream(
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
) -> Result<Response<ResponseBody>, ClientGone> {
    let upgrade = (request.method() == Method::CONNECT).then(|| hyper::upgrade::on(&mut request));
    let is_head = request.method() == Method::HEAD;
    let (parts, body) = request.into_parts();
    let (head, mut upload) = (RequestHead::of_http2(&parts), Http2Upload::new(body));
    let client = Client::Http2(&mut upload);
    let fields = u32::try_from(head.fields.iter().count()).unwrap_or(u32::MAX);
    let response = if fields > connection.proxy.limits.head_fields {
        request::refuse(&connection, &ProxyError::HeadTooLarge)
    } else {
        let response = request::serve(&connection, head, client).await;
        response.ok_or(ClientGone)?
    };
    let reset = STREAM.try_with(|owner| owner.get().cloned()).ok().flatten().unwrap_or_default();
    if let (Some(switch), Some(upgrade)) = (response.switch, upgrade) {
        let tasks = &connection.proxy.tasks;
        tasks.spawn(async move {
            Stream::upgraded(upgrade, reset).await.map(|stream| switch.spawn(stream))
        });
    }
    let own = is_head && matches!(response.body, Body::Own(_));
    let body = if own { Body::Own(Bytes::new()) } else { response.body };
    let idle = connection.proxy.timeouts.idle;
    let mut answer = Response::new(ResponseBody::new(body, upload.take(), response.exchange, idle));
    *answer.status_mut() = response.head.status;
    *answer.headers_mut() = HeaderMap::from(&response.head.fields);
    answer.headers_mut().remove(CONNECTION);
    Ok(answer)
}

async fn serve_http2(stream: Stream, connection: Arc<Connection>) -> hyper::Result<()> {
    let head_bytes = connection.proxy.limits.head_bytes;
    http2::Builder::new(Streams(Arc::clone(&connection)))
        .timer(TokioTimer::new())
        .initial_stream_window_size(http2_limits::STREAM_WINDOW)
        .initial_connection_window_size(http2_limits::CONNECTION_WINDOW)
        .keep_alive_interval(http2_limits::PING_EVERY)
        .keep_alive_timeout(http2_limits::PING_TIMEOUT)
        .max_concurrent_streams(http2_limits::STREAMS)
        .max_header_list_size(head_bytes)
        .auto_date_header(false)
        .serve_connection(
            TokioIo::new(stream),
            // Boxed: it is moved three times before it is polled.
            service_fn(move |request| Box::pin(serve_stream(Arc::clone(&connection), request))),
        )
        .await
}

tokio::task_local! {
    /// What ends the stream that this task serves, once it is known whose it is.
    static STREAM: Arc<OnceLock<CancellationToken>>;
}

/// Lets the HTTP/2 stream that this task serves, if it does, end with a context. One that becomes a tunnel can
/// also be reset by itself.
pub(crate) fn ends_with(context: &Context, method: &Method) {
    let released = || match *method {
        Method::CONNECT => context.released.child_token(),
        _ => context.released.clone(),
    };
    let _ = STREAM.try_with(|owner| owner.set(released()));
}

/// Runs the streams of an HTTP/2 connection, each until its context is released.
#[derive(Clone)]
struct Streams(Arc<Connection>);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        // What a stream spawns is the sending half of its tunnel: each ends with the other.
        let parent = STREAM.try_with(Arc::clone);
        let sends = parent.is_ok();
        let owner = parent.unwrap_or_default();
        let mut stream = Box::pin(STREAM.scope(Arc::clone(&owner), future));
        let mut released: Option<Pin<Box<WaitForCancellationFutureOwned>>> = None;
        self.0.proxy.tasks.spawn(poll_fn(move |cx| {
            if released.as_mut().is_some_and(|released| released.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(());
            }
            let served = stream.as_mut().poll(cx);
            if let (Poll::Ready(()), true, Some(owner)) = (served, sends, owner.get()) {
                owner.cancel();
            }
            if let (Poll::Pending, None, Some(owner)) = (served, &released, owner.get()) {
                let released = released.insert(Box::pin(owner.clone().cancelled_owned()));
                return released.as_mut().poll(cx);
            }
            served
        }));
    }
}
