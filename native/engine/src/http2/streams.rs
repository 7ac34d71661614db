//! The streams of an HTTP/2 connection: each ends with the context that it turns out to belong to.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use hyper::Method;
use hyper::rt::Executor;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::connection::Connection;
use crate::context::Context;

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

/// Whether this task serves an HTTP/2 stream.
pub(crate) fn is_stream() -> bool {
    STREAM.try_with(|_| ()).is_ok()
}

/// What ends the stream that this task serves.
pub(super) fn ends_by() -> CancellationToken {
    STREAM.try_with(|owner| owner.get().cloned()).ok().flatten().unwrap_or_default()
}

/// Runs the streams of an HTTP/2 connection, each until its context is released.
#[derive(Clone)]
pub(super) struct Streams(pub(super) Arc<Connection>);

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
