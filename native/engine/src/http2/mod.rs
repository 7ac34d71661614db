//! HTTP/2 (RFC 9113), over the crate h2: the frames are its, and what becomes of them is decided here.
//!
//! Each stream of a client is a request like any other, in a task of its own (`stream`). A CONNECT that is answered 200
//! turns its stream into bytes, which `tunnel` reads and writes. `received` and `sending` are the two halves of a stream,
//! towards clients and upstreams alike.

mod keep_alive;
pub(crate) mod limits;
mod malformed;
mod received;
mod reply;
mod sending;
mod stream;
mod tunnel;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::Builder;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::counters::Gauge;
use crate::server::Proxy;
use crate::stream::Stream;
pub(crate) use keep_alive::Watched;
pub(crate) use received::Received;
pub(crate) use reply::{Interim, Reply};
pub(crate) use sending::Sending;
pub(crate) use tunnel::Tunnel;

/// Serves a connection until either side ends it. A client without streams is told to go after a while, lest it hold
/// the connection for ever by answering PINGs; so is one of a gateway that drains. One that does not answer to that,
/// and so does not go, is left after as long again. A forward proxy ends everything at once, and need not watch for it.
pub(crate) async fn serve(
    mut stream: Stream,
    connection: Arc<Connection>,
) -> Result<(), h2::Error> {
    let proxy = Arc::clone(&connection.proxy);
    let limit = proxy.timeouts.request_head;
    let begun = timeout(limit, malformed::begins_with_settings(&mut stream)).await;
    let Ok(Ok(true)) = begun else { return Ok(()) };
    let fresh = connection.take_fresh();
    let (stream, heard) = Watched::new(stream);
    let mut serving = builder(&proxy).handshake::<_, Bytes>(stream).await?;
    let _counted = proxy.face.shared().map(|shared| shared.http2.enter());
    drop(fresh);
    let open = Gauge::default();
    let mut told = false;
    let mut leaving = pin!(leaves(&proxy, &open, told));
    let mut gone = pin!(limits::KEEP_ALIVE.until_gone(heard, serving.ping_pong(), || true));
    loop {
        tokio::select! {
            biased;
            accepted = serving.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, reply) = accepted?;
                let stream = stream::serve(Arc::clone(&connection), request, reply, open.enter());
                proxy.tasks.spawn(stream);
            }
            () = leaving.as_mut() => {
                if std::mem::replace(&mut told, true) {
                    return Err(Reason::NO_ERROR.into());
                }
                serving.graceful_shutdown();
                leaving.set(leaves(&proxy, &open, told));
            }
            () = gone.as_mut() => return Err(Reason::NO_ERROR.into()),
        }
    }
}

fn builder(proxy: &Proxy) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(limits::STREAM_WINDOW)
        .initial_connection_window_size(limits::CONNECTION_WINDOW)
        .max_concurrent_streams(limits::STREAMS)
        .max_send_buffer_size(limits::SEND_BUFFER)
        .max_pending_accept_reset_streams(limits::RESETS_AHEAD)
        .max_local_error_reset_streams(Some(limits::ERRORS))
        .max_header_list_size(proxy.limits.head_bytes)
        .enable_connect_protocol();
    builder
}

/// Ready when a connection is to be told to go; or, where it has been told, to be left.
async fn leaves(proxy: &Proxy, open: &Gauge, told: bool) {
    tokio::select! {
        () = idle(open, proxy.timeouts.request_head) => {}
        () = proxy.draining.cancelled(), if !told && proxy.face.shared().is_some() => {}
    }
}

/// Ready once there has been no stream for a while: at least this long, and at most twice.
async fn idle(open: &Gauge, limit: Duration) {
    loop {
        let before = open.total();
        let was_idle = open.now() == 0;
        tokio::time::sleep(limit).await;
        if was_idle && open.total() == before {
            return;
        }
    }
}
