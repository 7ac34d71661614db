//! The connections to one origin: those that wait for a request, and how a new one is made.
//!
//! An HTTP/1.1 connection is reused by the thread that opened it: elsewhere its bytes would cross between
//! cores. Whether an origin speaks HTTP/2 is learnt from a TLS handshake and remembered.

use std::collections::VecDeque;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::http1::Http1;
use super::http2_connection::Http2;
use super::room::Room;
use super::{Alpn, check_breaker, dial};
use crate::authority::Scheme;
use crate::counters::Gauge;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::route::Upstream;

/// How long a connection may wait for its next request: less than the 5 s of Node's servers, which most dev
/// servers are, lest a request meets a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(4);
/// How long an HTTP/2 connection may carry no new request before it is let go.
const IDLE_HTTP2: Duration = Duration::from_secs(60);
/// How many idle connections an origin may have on each thread: as many as a page's HTTP/2 streams may need.
const MAX_IDLE: usize = 256;

/// The sending end of a connection, of either version.
pub(super) enum Sender {
    Http1(Box<Http1>),
    Http2(Http2),
}

/// Where a sender comes from.
pub(super) enum Taken {
    /// It has carried requests before: its upstream may be about to close it.
    Kept(Sender),
    /// It has been dialled for this request.
    New(Sender),
}

/// The connections to one origin.
#[derive(Default)]
pub(super) struct Origin {
    state: Mutex<State>,
    /// The HTTP/1.1 ones, those that are being dialled included.
    open: Gauge,
}

#[derive(Default)]
struct State {
    protocol: Option<Protocol>,
    room: Room,
    /// Few, so that looking for one takes no time.
    threads: Vec<(ThreadId, Own)>,
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

/// What belongs to one thread.
#[derive(Default)]
struct Own {
    /// The one used last is at the end.
    idle: Vec<Idle>,
    /// Requests that would take one.
    waiting: VecDeque<oneshot::Sender<Box<Http1>>>,
}

struct Idle {
    connection: Box<Http1>,
    since: Instant,
}

impl Idle {
    fn is_usable(&mut self) -> bool {
        self.since.elapsed() < IDLE && self.connection.is_usable()
    }
}

/// An HTTP/2 connection, with streams or without.
struct Shared {
    connection: Http2,
    used: Instant,
}

impl Shared {
    fn is_usable(&self) -> bool {
        self.used.elapsed() < IDLE_HTTP2 && self.connection.is_usable()
    }
}

impl Origin {
    /// One that keeps no connection.
    pub(super) fn closed() -> Self {
        let state = State { closed: true, ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    pub(super) fn take(&self) -> Option<Sender> {
        let mut state = self.state.lock();
        if let Some(shared) = state.shared.as_mut().filter(|shared| shared.is_usable()) {
            shared.used = Instant::now();
            return Some(Sender::Http2(shared.connection.clone()));
        }
        let idle = &mut state.own().idle;
        while let Some(mut idle) = idle.pop() {
            if idle.is_usable() {
                return Some(Sender::Http1(idle.connection));
            }
        }
        None
    }

    /// Dials, once there is room for one more connection. As long as the origin may turn out to speak HTTP/2, where
    /// one is enough for all, others wait for the dial in progress; if it fails, each goes on by itself.
    pub(super) async fn connect(
        &self,
        exchange: &Exchange,
        upstream: &Upstream,
    ) -> Result<Taken, ProxyError> {
        let mut _dialling = None;
        if upstream.scheme == Scheme::Https && self.protocol() != Some(Protocol::Http1) {
            match self.begin_dialling() {
                Ok(guard) => _dialling = Some(guard),
                Err(other) => {
                    check_breaker(exchange.context(), upstream)?;
                    other.cancelled().await;
                    if let Some(sender) = self.take() {
                        return Ok(Taken::Kept(sender));
                    }
                }
            }
        }
        if let Some(returned) = self.make_room(exchange, upstream).await? {
            return Ok(Taken::Kept(Sender::Http1(returned)));
        }
        self.dial(exchange, upstream).await.map(Taken::New)
    }

    /// Waits until there is room for one more connection, unless one falls idle before.
    async fn make_room(
        &self,
        exchange: &Exchange,
        upstream: &Upstream,
    ) -> Result<Option<Box<Http1>>, ProxyError> {
        let begun = self.state.lock().wait(self.open.now());
        let Some((turn, mut returned)) = begun else { return Ok(None) };
        let waiting = Waiting(self);
        check_breaker(exchange.context(), upstream)?;
        if let Ok(outcome) = timeout_at(turn.into(), &mut returned).await {
            return Ok(outcome.ok());
        }
        let postponed = self.state.lock().room.postpone(turn, Instant::now());
        if let Some(turn) = postponed
            && let Ok(outcome) = timeout_at(turn.into(), returned).await
        {
            return Ok(outcome.ok());
        }
        drop(waiting);
        self.state.lock().room.grow(self.open.now(), Instant::now());
        Ok(None)
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
        let open = self.open.enter();
        let dialled = dial(proxy, context, upstream, Alpn::Any).await?;
        if !dialled.http2 {
            self.state.lock().protocol = Some(Protocol::Http1);
            return Ok(Sender::Http1(Box::new(Http1::new(dialled.stream, proxy).among(open))));
        }
        let connection = Http2::begin(dialled.stream, proxy, context).await?;
        let mut state = self.state.lock();
        state.protocol = Some(Protocol::Http2);
        state.shared = Some(Shared { connection: connection.clone(), used: Instant::now() });
        Ok(Sender::Http2(connection))
    }

    fn protocol(&self) -> Option<Protocol> {
        self.state.lock().protocol
    }

    /// Forgets an HTTP/2 connection that takes no more requests, unless another has taken its place.
    pub(super) fn forget(&self, gone: &Http2) {
        self.state.lock().shared.take_if(|shared| shared.connection.is(gone));
    }

    /// Closes connections that have waited too long; whether any is left.
    pub(super) fn close_idle(&self) -> bool {
        let mut state = self.state.lock();
        state.threads.retain_mut(|(_, own)| own.close_idle());
        state.shared = state.shared.take().filter(Shared::is_usable);
        state.room.shrink(self.open.now());
        state.shared.is_some() || !state.threads.is_empty()
    }

    pub(super) fn keep(&self, connection: Box<Http1>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.own().keep(connection);
        }
    }

    /// Closes what is not in use, for good.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.shared = None;
        state.threads.clear();
    }
}

impl State {
    #[expect(clippy::indexing_slicing, reason = "it has been found there, or put there")]
    fn own(&mut self) -> &mut Own {
        let id = thread::current().id();
        let known = self.threads.iter().position(|(thread, _)| *thread == id);
        let place = known.unwrap_or_else(|| {
            self.threads.push((id, Own::default()));
            self.threads.len() - 1
        });
        &mut self.threads[place].1
    }

    /// Begins a wait for room beside the connections that are `open`, where there is none: until when, unless one is
    /// returned.
    fn wait(&mut self, open: u64) -> Option<(Instant, oneshot::Receiver<Box<Http1>>)> {
        let turn = self.room.wait(open, Instant::now())?;
        let (waiting, returned) = oneshot::channel();
        self.own().waiting.push_back(waiting);
        Some((turn, returned))
    }
}

impl Own {
    /// Gives a connection that is free to whoever has waited longest.
    fn keep(&mut self, mut connection: Box<Http1>) {
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting.send(connection) {
                Ok(()) => return,
                Err(unwanted) => connection = unwanted,
            }
        }
        if self.idle.len() < MAX_IDLE {
            self.idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Closes connections that have waited too long; whether anything is left.
    fn close_idle(&mut self) -> bool {
        self.idle.retain_mut(Idle::is_usable);
        self.waiting.retain(|waiting| !waiting.is_closed());
        !self.idle.is_empty() || !self.waiting.is_empty()
    }
}

/// A request that waits for room, for as long as it does.
struct Waiting<'a>(&'a Origin);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state.lock().room.leave();
    }
}
