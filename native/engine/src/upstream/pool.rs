//! One context's upstream connections, kept for its next request.
//!
//! Each context has a pool of its own, so no connection is ever shared between tabs. An HTTP/1.1
//! connection is reused by the thread that opened it: elsewhere its bytes would cross between cores. Whether
//! an origin speaks HTTP/2 is learnt from its first TLS handshake and remembered.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::HOST;
use hyper::rt::Executor;
use hyper::{Request, Response, Uri, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Alpn, Tls, dial, drive, failed, origin_form, while_moving};
use crate::authority::{Authority, Scheme};
use crate::body::RequestBody;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::route::Upstream;

/// How long a connection may wait for its next request. Shorter than most servers wait themselves.
const IDLE: Duration = Duration::from_secs(15);
/// How many idle connections an origin may have.
const MAX_IDLE: usize = 64;

/// The upstream connections of one context.
#[derive(Default)]
pub(crate) struct Pool {
    origins: Mutex<HashMap<(Scheme, Authority), Arc<Origin>>>,
    tls: Tls,
}

impl Pool {
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Sends a request over a connection that is ready, or a new one. A request that a connection closed
    /// by its peer has not taken is sent over the next.
    pub(crate) async fn send(
        &self,
        exchange: &Exchange,
        upstream: &Upstream,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Option<Lease>), ProxyError> {
        let proxy = &exchange.connection.proxy;
        let origin = self.origin(upstream);
        loop {
            let (mut sender, reused) = match origin.take() {
                Some(sender) => (sender, true),
                None => (origin.connect(exchange, upstream).await?, false),
            };
            sender.prepare(&mut request, upstream);
            let response = sender.send(request);
            let limit = proxy.timeouts.response_head;
            match while_moving(limit, || exchange.bytes_up(), response).await {
                None => return Err(ProxyError::ResponseTimeout),
                Some(Ok(response)) => return Ok((response, Lease::of(sender, origin))),
                Some(Err(mut failure)) => match failure.take_message() {
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(failed(&exchange.context, failure.into_error())),
                },
            }
        }
    }

    /// Closes connections that have waited too long, and forgets origins without any.
    pub(crate) fn close_idle(&self) {
        self.origins.lock().retain(|_, origin| {
            let mut state = origin.state.lock();
            state.idle.retain(|idle| idle.since.elapsed() < IDLE && !idle.sender.is_closed());
            let shared = state.shared.as_ref().is_some_and(|shared| !shared.is_closed());
            shared || !state.idle.is_empty() || Arc::strong_count(origin) > 1
        });
    }

    fn origin(&self, upstream: &Upstream) -> Arc<Origin> {
        let key = (upstream.scheme, upstream.authority.clone());
        Arc::clone(self.origins.lock().entry(key).or_default())
    }
}

/// The connections to one origin.
struct Origin {
    state: Mutex<State>,
    /// Held while dialling as long as the origin may turn out to speak HTTP/2, where one connection is
    /// enough for all who wait.
    dialling: Semaphore,
}

#[derive(Default)]
struct State {
    protocol: Option<Protocol>,
    idle: Vec<Idle>,
    shared: Option<http2::SendRequest<RequestBody>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

struct Idle {
    sender: http1::SendRequest<RequestBody>,
    thread: ThreadId,
    since: Instant,
}

impl Default for Origin {
    fn default() -> Self {
        Self { state: Mutex::default(), dialling: Semaphore::new(1) }
    }
}

impl Origin {
    fn take(&self) -> Option<Sender> {
        let mut state = self.state.lock();
        if let Some(shared) = state.shared.as_ref().filter(|shared| !shared.is_closed()) {
            return Some(Sender::Http2(shared.clone()));
        }
        let here = thread::current().id();
        while let Some(at) = state.idle.iter().rposition(|idle| idle.thread == here) {
            let idle = state.idle.swap_remove(at);
            if idle.sender.is_ready() {
                return Some(Sender::Http1(idle.sender));
            }
        }
        None
    }

    async fn connect(
        &self,
        exchange: &Exchange,
        upstream: &Upstream,
    ) -> Result<Sender, ProxyError> {
        let mut alone = None;
        if upstream.scheme == Scheme::Https && self.protocol() != Some(Protocol::Http1) {
            alone = self.dialling.acquire().await.ok();
            if let Some(sender) = self.take() {
                return Ok(sender);
            }
            if self.protocol() == Some(Protocol::Http1) {
                alone = None;
            }
        }
        let sender = self.dial(exchange, upstream).await;
        drop(alone);
        sender
    }

    async fn dial(&self, exchange: &Exchange, upstream: &Upstream) -> Result<Sender, ProxyError> {
        let (proxy, context) = (&exchange.connection.proxy, &exchange.context);
        let dialled = dial(proxy, context, upstream, Alpn::Any).await?;
        let io = TokioIo::new(dialled.stream);
        if dialled.http2 {
            let executor = UntilReleased(context.released.clone());
            let handshake = http2_client(executor).handshake(io).await;
            let (sender, connection) = handshake.map_err(|error| failed(context, error))?;
            drive(proxy, context, connection);
            let mut state = self.state.lock();
            state.protocol = Some(Protocol::Http2);
            state.shared = Some(sender.clone());
            Ok(Sender::Http2(sender))
        } else {
            let handshake = http1::handshake(io).await;
            let (sender, connection) = handshake.map_err(|error| failed(context, error))?;
            drive(proxy, context, connection);
            self.state.lock().protocol = Some(Protocol::Http1);
            Ok(Sender::Http1(sender))
        }
    }

    fn protocol(&self) -> Option<Protocol> {
        self.state.lock().protocol
    }

    fn keep(&self, sender: http1::SendRequest<RequestBody>) {
        let mut state = self.state.lock();
        if state.idle.len() < MAX_IDLE {
            state.idle.push(Idle { sender, thread: thread::current().id(), since: Instant::now() });
        }
    }
}

fn http2_client(executor: UntilReleased) -> http2::Builder<UntilReleased> {
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

impl Sender {
    /// Gives the request the form its protocol asks for.
    fn prepare(&self, request: &mut Request<RequestBody>, upstream: &Upstream) {
        match self {
            Self::Http1(_) => {
                *request.version_mut() = Version::HTTP_11;
                *request.uri_mut() = origin_form(request.uri());
            }
            Self::Http2(_) => {
                *request.version_mut() = Version::HTTP_2;
                if let Some(uri) = absolute_form(request.uri(), upstream) {
                    request.headers_mut().remove(HOST);
                    *request.uri_mut() = uri;
                }
            }
        }
    }

    async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

fn absolute_form(uri: &Uri, upstream: &Upstream) -> Option<Uri> {
    let mut parts = origin_form(uri).into_parts();
    parts.scheme = upstream.scheme.as_str().parse().ok();
    parts.authority = upstream.authority_field().parse().ok();
    Uri::from_parts(parts).ok()
}

/// An HTTP/1.1 connection in use; given back once its response has been read.
pub(crate) struct Lease {
    sender: http1::SendRequest<RequestBody>,
    origin: Arc<Origin>,
}

impl Lease {
    fn of(sender: Sender, origin: Arc<Origin>) -> Option<Self> {
        match sender {
            Sender::Http1(sender) => Some(Self { sender, origin }),
            Sender::Http2(_) => None,
        }
    }

    /// Keeps the connection for the next request, as soon as it can take one.
    pub(crate) fn give_back(mut self) {
        if self.sender.is_ready() {
            self.origin.keep(self.sender);
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if self.sender.ready().await.is_ok() {
                    self.origin.keep(self.sender);
                }
            });
        }
    }
}

/// Runs what an HTTP/2 connection spawns, until the context is released.
#[derive(Clone)]
struct UntilReleased(CancellationToken);

impl<F> Executor<F> for UntilReleased
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let future: Pin<Box<F>> = Box::pin(future);
        drop(tokio::spawn(self.0.clone().run_until_cancelled_owned(future)));
    }
}
