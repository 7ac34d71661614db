//! A connection to an HTTP/2 upstream: how it begins, what runs it until its context is released, and how a request
//! finds a place among its streams.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::Request;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::counters::{Counted, Gauge};
use crate::error::ProxyError;
use crate::http2::{Watched, limits};
use crate::server::Proxy;
use crate::stream::Stream;

/// How many streams an upstream is taken to allow before it has said.
const STREAMS_AT_FIRST: usize = 100;

/// A connection that requests can be sent over. It ends once it is let go of, with the last stream.
#[derive(Clone)]
pub(super) struct Http2 {
    /// Locked by whoever is next to have a place, so that others wait for it in turn, and their requests are still
    /// theirs.
    sender: Arc<Mutex<SendRequest<Bytes>>>,
    /// Told when whoever was next has left.
    left: Arc<Notify>,
    streams: Arc<Gauge>,
    ended: CancellationToken,
}

/// A stream that a request has been sent on.
pub(super) struct Asked {
    pub(super) response: ResponseFuture,
    pub(super) sending: SendStream<Bytes>,
    /// It is one of the connection's streams for as long as it is open.
    pub(super) open: Counted,
}

impl Http2 {
    /// Makes a stream of bytes that has been agreed to speak HTTP/2 ready for requests.
    pub(super) async fn begin(
        stream: Stream,
        proxy: &Proxy,
        context: &Context,
    ) -> Result<Self, ProxyError> {
        let (stream, heard) = Watched::new(stream);
        let (sender, mut connection) = builder().handshake(stream).await.map_err(failed)?;
        let http2 = Self {
            sender: Arc::new(Mutex::new(sender)),
            left: Arc::default(),
            streams: Arc::default(),
            ended: CancellationToken::new(),
        };
        let streams = Arc::clone(&http2.streams);
        let reset =
            reset_whose_client_has_left(Arc::downgrade(&http2.sender), Arc::clone(&http2.left));
        let gone =
            limits::KEEP_ALIVE.until_gone(heard, connection.ping_pong(), move || streams.now() > 0);
        let (released, ended) = (context.released.clone(), http2.ended.clone().drop_guard());
        let counted = proxy.counters.upstream_connections.enter();
        proxy.tasks.spawn(async move {
            let running = async {
                tokio::select! {
                    outcome = connection => outcome,
                    () = gone => Err(Reason::NO_ERROR.into()),
                    never = reset => match never {},
                }
            };
            if let Some(Err(error)) = released.run_until_cancelled(running).await {
                tracing::debug!(%error, "an upstream connection ended early");
            }
            drop((ended, counted));
        });
        Ok(http2)
    }

    /// Whether the two are one.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.sender, &other.sender)
    }

    /// Whether it may take another request, as far as is known.
    pub(super) fn is_usable(&self) -> bool {
        !self.ended.is_cancelled()
    }

    /// Sends a request's head once there is a place for it. A request that fails here has not been sent.
    pub(super) async fn ask(&self, request: Request<()>, ends: bool) -> Result<Asked, ProxyError> {
        let mut sender = self.sender.lock().await;
        poll_fn(|cx| sender.poll_ready(cx)).await.map_err(failed)?;
        let (response, sending) = sender.send_request(request, ends).map_err(failed)?;
        let open = self.streams.enter();
        // Until it has its place, nobody else may wait for one: h2 wakes only who has waited for a stream last. What
        // fails here fails the response, too, which knows whether the request had been sent.
        let mut next = Next { left: &self.left, has_place: false };
        let _ = poll_fn(|cx| sender.poll_ready(cx)).await;
        next.has_place = true;
        Ok(Asked { response, sending, open })
    }
}

/// Whoever is next to have a place.
struct Next<'a> {
    left: &'a Notify,
    has_place: bool,
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        if !self.has_place {
            self.left.notify_one();
        }
    }
}

/// h2 lets go of a stream that waits for its place, and so resets it, only once somebody asks for the next.
async fn reset_whose_client_has_left(
    sender: Weak<Mutex<SendRequest<Bytes>>>,
    left: Arc<Notify>,
) -> Infallible {
    loop {
        left.notified().await;
        let Some(sender) = sender.upgrade() else { continue };
        let mut sender = sender.lock().await;
        // What fails here has ended the connection.
        let _ = poll_fn(|cx| sender.poll_ready(cx)).await;
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(STREAMS_AT_FIRST)
        .initial_window_size(limits::STREAM_WINDOW)
        .initial_connection_window_size(limits::CONNECTION_WINDOW)
        .max_header_list_size(limits::RESPONSE_HEAD);
    builder
}

/// What a failure of an upstream's connection, or stream, means to whoever waits for the response.
pub(super) fn failed(error: h2::Error) -> ProxyError {
    if error.is_library() {
        ProxyError::UpstreamProtocol("it is not HTTP/2")
    } else {
        ProxyError::UpstreamClosed(io::Error::other(error))
    }
}
