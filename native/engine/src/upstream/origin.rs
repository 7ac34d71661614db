//! The connections to one origin: those that wait for a request, and how a new one is made.
//!
//! An HTTP/1.1 connection is reused by the thread that opened it: elsewhere its bytes would cross between
//! cores. Whether an origin speaks HTTP/2 is learnt from a TLS handshake and remembered.

use std::collections::HashMap;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::http1::Http1;
use super::http2::{RequestBody, failed};
use super::{Alpn, check_breaker, dial, drive};
use crate::authority::Scheme;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::http2::limits;
use crate::route::Upstream;

/// How long a connection may wait for its next request: less than the 5 s of Node's servers, which most dev
/// servers are, lest a request meets a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(4);
/// How long an HTTP/2 connection may carry no new request before it is let go.
const IDLE_HTTP2: Duration = Duration::from_secs(60);
/// How many idle connections an origin may have on each thread: as many as a page's HTTP/2 streams may need.
const MAX_IDLE: usize = 256;

/// The sending end of a connection, of either version.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one")]
pub(super) enum Sender {
    Http1(Http1),
    Http2(http2::SendRequest<RequestBody>),
}

/// The connections to one origin.
#[derive(Default)]
pub(super) struct Origin {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    protocol: Option<Protocol>,
    /// Those of each thread, the one used last at the end.
    idle: HashMap<ThreadId, Vec<Idle>>,
    shared: Option<Shared>,
    /// Cancelled when the dial in progress has ended, well or not.
    dialling: Option<CancellationToken>,
    /// Whether the context is gone: no connection is kept any more.
    closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

struct Idle {
    connection: Http1,
    since: Instant,
}

impl Idle {
    fn is_usable(&mut self) -> bool {
        self.since.elapsed() < IDLE && self.connection.is_usable()
    }
}

/// An HTTP/2 connection, with streams or without.
struct Shared {
    sender: http2::SendRequest<RequestBody>,
    used: Instant,
}

impl Shared {
    fn is_usable(&self) -> bool {
        self.used.elapsed() < IDLE_HTTP2 && !self.sender.is_closed()
    }
}

impl Origin {
    /// One that keeps no connection.
    pub(super) fn closed() -> Self {
        Self { state: Mutex::new(State { closed: true, ..State::default() }) }
    }

    pub(super) fn take(&self) -> Option<Sender> {
        let mut state = self.state.lock();
        if let Some(shared) = state.shared.as_mut().filter(|shared| shared.is_usable()) {
            shared.used = Instant::now();
            return Some(Sender::Http2(shared.sender.clone()));
        }
        let idle = state.idle.entry(thread::current().id()).or_default();
        while let Some(mut idle) = idle.pop() {
            if idle.is_usable() {
                return Some(Sender::Http1(idle.connection));
            }
        }
        None
    }

    /// Dials. As long as the origin may turn out to speak HTTP/2, where one connection is enough for all,
    /// others wait for the dial in progress; if it fails, each goes on by itself.
    pub(super) async fn connect(
        &self,
        exchange: &Exchange,
        upstream: &Upstream,
    ) -> Result<Sender, ProxyError> {
        let mut _dialling = None;
        if upstream.scheme == Scheme::Https && self.protocol() != Some(Protocol::Http1) {
            match self.begin_dialling() {
                Ok(guard) => _dialling = Some(guard),
                Err(other) => {
                    check_breaker(exchange.context(), upstream)?;
                    other.cancelled().await;
                    if let Some(sender) = self.take() {
                        return Ok(sender);
                    }
                }
            }
        }
        self.dial(exchange, upstream).await
    }

    /// Begins a dial that others may wait for, or names the one that is in progress.
    fn begin_dialling(&self) -> Result<DropGuard, CancellationToken> {
        let mut state = self.state.lock();
        match &state.dialling {
            Some(other) if !other.is_cancelled() => Err(other.clone()),
            _ => Ok(state.dialling.insert(CancellationToken::new()).clone().drop_guard()),
        }
    }

    async fn dial(&self, exchange: &Exchange, upstream: &Upstream) -> Result<Sender, ProxyError> {
        let (proxy, context) = (&exchange.connection.proxy, exchange.context());
        let dialled = dial(proxy, context, upstream, Alpn::Any).await?;
        if !dialled.http2 {
            self.state.lock().protocol = Some(Protocol::Http1);
            return Ok(Sender::Http1(Http1::new(dialled.stream, proxy)));
        }
        let (tasks, released) = (proxy.tasks.clone(), context.released.clone());
        let executor = UntilReleased { tasks, released };
        let handshake = http2_client(executor).handshake(TokioIo::new(dialled.stream)).await;
        let (sender, connection) = handshake.map_err(failed)?;
        drive(proxy, context, connection);
        let mut state = self.state.lock();
        state.protocol = Some(Protocol::Http2);
        state.shared = Some(Shared { sender: sender.clone(), used: Instant::now() });
        Ok(Sender::Http2(sender))
    }

    fn protocol(&self) -> Option<Protocol> {
        self.state.lock().protocol
    }

    /// Forgets the HTTP/2 connection: it takes no more requests.
    pub(super) fn forget_shared(&self) {
        self.state.lock().shared = None;
    }

    /// Closes connections that have waited too long; whether any is left.
    pub(super) fn close_idle(&self) -> bool {
        let mut state = self.state.lock();
        state.idle.values_mut().for_each(|idle| idle.retain_mut(Idle::is_usable));
        state.idle.retain(|_, idle| !idle.is_empty());
        state.shared = state.shared.take().filter(Shared::is_usable);
        state.shared.is_some() || !state.idle.is_empty()
    }

    pub(super) fn keep(&self, connection: Http1) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        let idle = state.idle.entry(thread::current().id()).or_default();
        if idle.len() < MAX_IDLE {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Closes what is not in use, for good.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.shared = None;
        state.idle.clear();
    }
}

fn http2_client(executor: UntilReleased) -> http2::Builder<UntilReleased> {
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(limits::STREAM_WINDOW)
        .initial_connection_window_size(limits::CONNECTION_WINDOW)
        .keep_alive_interval(limits::PING_EVERY)
        .keep_alive_timeout(limits::PING_TIMEOUT);
    builder
}

/// Runs what an HTTP/2 connection spawns, until the context is released.
#[derive(Clone)]
struct UntilReleased {
    tasks: TaskTracker,
    released: CancellationToken,
}

impl<F> Executor<F> for UntilReleased
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.tasks.spawn(self.released.clone().run_until_cancelled_owned(future));
    }
}
