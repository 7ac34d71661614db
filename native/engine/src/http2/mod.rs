//! HTTP/2 (RFC 9113), over the crate h2: the frames are its, and what becomes of them is decided here.
//!
//! Each stream of a client is a request like any other, in a task of its own (`stream`). A CONNECT that is answered 200
//! turns its stream into bytes, which `tunnel` reads and writes. `received` and `sending` are the two halves of a stream,
//! towards clients and upstreams alike.

mod keep_alive;
pub(crate) mod limits;
mod malformed;
mod parting;
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
use keep_alive::Heard;
pub(crate) use keep_alive::Watched;
pub(crate) use received::Received;
pub(crate) use reply::{Interim, Reply};
pub(crate) use sending::Sending;
pub(crate) use tunnel::Tunnel;

/// Serves a connection until either side ends it. A client without streams is told to go after a while, lest it hold
/// the connection for ever by answering PINGs; so is one of a server that drains. One that does not answer to that, and
/// so does not go, is left in the end. A forward proxy ends everything at once, and need not watch for it.
pub(crate) async fn serve(
    mut stream: Stream,
    connection: Arc<Connection>,
) -> Result<(), h2::Error> {
    let proxy = Arc::clone(&connection.proxy);
    let limit = proxy.timeouts.request_head;
    let begun = timeout(limit, malformed::begins_with_settings(&mut stream)).await;
    let Ok(Ok(true)) = begun else { return Ok(()) };
    let fresh = connection.take_fresh();
    let (stream, heard) = Watched::of_client(stream);
    let mut serving = builder(&proxy).handshake::<_, Bytes>(stream).await?;
    let _counted = proxy.face.shared().map(|shared| shared.http2.enter());
    drop(fresh);
    let open = Gauge::default();
    let mut leaving = pin!(leaves(&proxy, &open));
    let mut overdue = pin!(overdue(&proxy, &open, &heard));
    let mut gone = pin!(limits::KEEP_ALIVE.until_gone(heard.clone(), serving.ping_pong(), || true));
    let (mut told, mut left) = (false, false);
    loop {
        tokio::select! {
            biased;
            accepted = serving.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, reply) = accepted?;
                heard.rests(false);
                let stream = stream::serve(Arc::clone(&connection), request, reply, open.enter());
                proxy.tasks.spawn(stream);
            }
            () = leaving.as_mut(), if !told => {
                told = true;
                heard.rests(open.now() == 0 && heard.is_silent_for(parting::SILENCE));
                serving.graceful_shutdown();
            }
            () = overdue.as_mut(), if told && !left => {
                left = true;
                serving.abrupt_shutdown(Reason::NO_ERROR);
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

/// Ready when a connection is to be told to go.
async fn leaves(proxy: &Proxy, open: &Gauge) {
    tokio::select! {
        () = idle(open, proxy.timeouts.request_head) => {}
        () = proxy.draining.cancelled(), if proxy.face.shared().is_some() => {}
    }
}

/// Ready when a client that was told to go is not waited for any longer. It has had time to say that it knows, has no
/// stream, and has taken all that it was sent; some only look when they ask again.
async fn overdue(proxy: &Proxy, open: &Gauge, heard: &Heard) {
    const MOMENT: Duration = Duration::from_millis(100);
    let in_drain = async {
        proxy.draining.cancelled().await;
        idle(open, MOMENT).await;
    };
    tokio::select! {
        () = idle(open, proxy.timeouts.request_head) => {}
        () = in_drain => {}
    }
    while heard.is_behind() {
        idle(open, MOMENT).await;
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
