//! One downstream connection: HTTP/2 if it opens with the preface, HTTP/1.1 otherwise.
//!
//! The same code serves what is inside an intercepted tunnel; such a connection knows its context from the
//! CONNECT that opened it, and its requests need no credentials of their own.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::authenticate::Memory;
use crate::authority::Authority;
use crate::context::{Carrier, Context};
use crate::counters::Counted;
use crate::event::{Event, Phase};
use crate::limits::Slot;
use crate::server::Proxy;
use crate::stream::Stream;
use crate::{http1, http2};

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
        if http2::is_stream() {
            return context.carried_by_streams();
        }
        context.carried_by(self.closed.clone())
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
        if let Err(error) = http2::serve(stream, connection).await {
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
