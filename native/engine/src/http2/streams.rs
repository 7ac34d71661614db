//! The streams of an HTTP/2 connection: each ends with the context that it turns out to belong to, or when nobody
//! takes its response.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{self, Poll};
use std::time::Duration;

use hyper::Method;
use hyper::rt::Executor;
use tokio::task::futures::TaskLocalFuture;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::connection::Connection;
use crate::context::Context;
use crate::counters::{Counted, Gauge};
use crate::exchange::Exchange;
use crate::http1::Deadline;

tokio::task_local! {
    /// The stream that this task serves.
    static STREAM: Arc<Served>;
}

/// What is known of a stream.
#[derive(Default)]
struct Served {
    /// What ends it, once it is known whose it is.
    ends_by: OnceLock<CancellationToken>,
    /// How many frames its response has had so far, the head included.
    frames: AtomicUsize,
    /// What it carries; a request's body may move while nothing comes of the response.
    exchange: OnceLock<Weak<Exchange>>,
}

impl Served {
    fn moved(&self) -> u64 {
        let exchange = self.exchange.get().and_then(Weak::upgrade);
        exchange.map_or(0, |exchange| exchange.moved())
    }
}

/// Lets the HTTP/2 stream that this task serves, if it does, end with a context. One that becomes a tunnel can
/// also be reset by itself.
pub(crate) fn ends_with(context: &Context, method: &Method) {
    let released = || match *method {
        Method::CONNECT => context.released.child_token(),
        _ => context.released.clone(),
    };
    let _ = STREAM.try_with(|stream| stream.ends_by.set(released()));
}

/// The stream that this task serves, if it does, carries this exchange.
pub(crate) fn carries(exchange: &Arc<Exchange>) {
    let _ = STREAM.try_with(|stream| stream.exchange.set(Arc::downgrade(exchange)));
}

/// The stream that this task serves has another frame to send.
pub(crate) fn has_answered() {
    let _ = STREAM.try_with(|stream| stream.frames.fetch_add(1, Relaxed));
}

/// Whether this task serves an HTTP/2 stream.
pub(crate) fn is_stream() -> bool {
    STREAM.try_with(|_| ()).is_ok()
}

/// What ends the stream that this task serves.
pub(super) fn ends_by() -> CancellationToken {
    STREAM.try_with(|stream| stream.ends_by.get().cloned()).ok().flatten().unwrap_or_default()
}

/// Runs the streams of an HTTP/2 connection.
#[derive(Clone)]
pub(super) struct Streams {
    connection: Arc<Connection>,
    open: Arc<Gauge>,
}

impl Streams {
    pub(super) fn of(connection: &Arc<Connection>) -> Self {
        Self { connection: Arc::clone(connection), open: Arc::default() }
    }

    /// Ready once there has been no stream for a while: at least this long, and at most twice.
    pub(super) async fn idle(self, limit: Duration) {
        loop {
            let before = self.open.total();
            let was_idle = self.open.now() == 0;
            tokio::time::sleep(limit).await;
            if was_idle && self.open.total() == before {
                return;
            }
        }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        // What a stream spawns is the sending half of its tunnel: each ends with the other.
        let parent = STREAM.try_with(Arc::clone);
        let sends = parent.is_ok();
        let stream = parent.unwrap_or_default();
        self.connection.proxy.tasks.spawn(Serving {
            future: Box::pin(STREAM.scope(Arc::clone(&stream), future)),
            stream,
            sends,
            released: None,
            // A tunnel has a limit of its own.
            idle: self.connection.proxy.timeouts.idle.filter(|_| !sends),
            seen: (0, 0),
            deadline: Deadline::default(),
            _counted: self.open.enter(),
        });
    }
}

/// A stream being served, until its context is released or its response has stood still for too long: because
/// nothing comes of it, or because the client opens no window, which hyper waits for without asking anybody.
struct Serving<F> {
    future: Pin<Box<TaskLocalFuture<Arc<Served>, F>>>,
    stream: Arc<Served>,
    sends: bool,
    released: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    idle: Option<Duration>,
    /// Frames, and bytes of either body.
    seen: (usize, u64),
    deadline: Deadline,
    _counted: Counted,
}

impl<F: Future<Output = ()>> Future for Serving<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let known = self.released.is_some();
        if known && self.poll_released(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.future.as_mut().poll(cx).is_ready() {
            if let (true, Some(ends_by)) = (self.sends, self.stream.ends_by.get()) {
                ends_by.cancel();
            }
            return Poll::Ready(());
        }
        if !known && self.poll_released(cx).is_ready() {
            return Poll::Ready(());
        }
        self.poll_silence(cx)
    }
}

impl<F> Serving<F> {
    fn poll_released(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let Some(ends_by) = self.stream.ends_by.get() else { return Poll::Pending };
        let wait = || Box::pin(ends_by.clone().cancelled_owned());
        self.released.get_or_insert_with(wait).as_mut().poll(cx)
    }

    fn poll_silence(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let frames = self.stream.frames.load(Relaxed);
        if self.idle.is_none() || frames == 0 {
            return Poll::Pending;
        }
        let seen = (frames, self.stream.moved());
        if std::mem::replace(&mut self.seen, seen) != seen {
            self.deadline.restart(self.idle);
        }
        self.deadline.poll(cx)
    }
}
