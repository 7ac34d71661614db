//! How an HTTP/2 connection to an upstream begins, and what runs it until its context is released.

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::drive;
use super::http2::{RequestBody, failed};
use crate::context::Context;
use crate::error::ProxyError;
use crate::http2::limits;
use crate::server::Proxy;
use crate::stream::Stream;

/// Makes a stream that has been agreed to speak HTTP/2 ready for requests.
pub(super) async fn begin(
    stream: Stream,
    proxy: &Proxy,
    context: &Context,
) -> Result<SendRequest<RequestBody>, ProxyError> {
    let (tasks, released) = (proxy.tasks.clone(), context.released.clone());
    let client = client(UntilReleased { tasks, released });
    let (sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    drive(proxy, context, connection);
    Ok(sender)
}

fn client(executor: UntilReleased) -> Builder<UntilReleased> {
    let mut builder = Builder::new(executor);
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
