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
use crate::context::{Carrier, Context};
use crate::counters::Counted;
use crate::event::{Event, Phase};
use crate::limits::Slot;
use crate::server::Proxy;
use crate::stream::Stream;
use crate::target::Target;
use crate::{http1, http2, tls};

/// RFC 9113, section 3.4.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What is read to tell protocols apart: enough for a request's head to come with it.
pub(crate) const FIRST_READ: usize = 16 * 1024;

/// What the requests of one downstream connection share.
pub(crate) struct Connection {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) identity: Identity,
    pub(crate) memory: Mutex<Memory>,
    closed: CancellationToken,
    counted: Counted,
    fresh: Mutex<Option<Counted>>,
}

/// Whose requests a connection carries.
pub(crate) enum Identity {
    /// Every request says so itself, by its credentials.
    PerRequest,
    /// Those of somebody whom the server does not know apart from others.
    Peer(Peer),
    /// Those of the context that opened the tunnel around this connection.
    Tunnel { context: Arc<Context>, target: Target, slot: Slot },
}

/// Where a connection comes from.
pub(crate) struct Peer {
    pub(crate) address: Option<Arc<str>>,
    /// Whether it is an address that the server's options trust.
    pub(crate) is_trusted: bool,
}

/// What is known of the version of HTTP that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Its first bytes will tell.
    Unknown,
    /// Agreed on by ALPN.
    Http1,
    /// Agreed on by ALPN.
    Http2,
}

impl Connection {
    /// A connection from the listening socket.
    pub(crate) fn accepted(proxy: &Arc<Proxy>, identity: Identity) -> Arc<Self> {
        let counted = proxy.counters.connections.enter();
        let fresh = Some(proxy.counters.fresh.enter());
        Self::new(proxy, identity, proxy.stopping.child_token(), (counted, fresh))
    }

    /// A connection inside an intercepted tunnel: it ends with the context that opened it.
    pub(crate) fn inside(
        proxy: &Arc<Proxy>,
        context: &Arc<Context>,
        target: Target,
        slot: Slot,
        counted: Counted,
    ) -> Arc<Self> {
        let closed = context.released.child_token();
        let context = Arc::clone(context);
        Self::new(proxy, Identity::Tunnel { context, target, slot }, closed, (counted, None))
    }

    fn new(
        proxy: &Arc<Proxy>,
        identity: Identity,
        closed: CancellationToken,
        (counted, fresh): (Counted, Option<Counted>),
    ) -> Arc<Self> {
        let connection_id = counted.number();
        proxy.emit(|| Event::Connection { phase: Phase::Opened, connection_id });
        Arc::new(Self {
            proxy: Arc::clone(proxy),
            identity,
            memory: Mutex::default(),
            closed,
            counted,
            fresh: Mutex::new(fresh),
        })
    }

    /// What counts it among those that a drain waits for, since they have only just connected: until it is dropped.
    pub(crate) fn take_fresh(&self) -> Option<Counted> {
        self.fresh.lock().take()
    }

    /// Its client is given a moment to notice that it ends: a drain waits for that, until what this returns is dropped.
    pub(crate) fn leaves(&self) -> Counted {
        self.memory.lock().begin();
        self.proxy.counters.leaving.enter()
    }

    /// What the tunnel around this connection was opened to.
    pub(crate) fn tunnel(&self) -> Option<&Target> {
        match &self.identity {
            Identity::PerRequest | Identity::Peer(_) => None,
            Identity::Tunnel { target, .. } => Some(target),
        }
    }

    /// Where it comes from, if it does not come through a tunnel, and that matters.
    pub(crate) fn peer(&self) -> Option<&Peer> {
        match &self.identity {
            Identity::Peer(peer) => Some(peer),
            Identity::PerRequest | Identity::Tunnel { .. } => None,
        }
    }

    /// The place of the tunnel around this connection.
    pub(crate) fn tunnel_slot(&self) -> Option<Slot> {
        match &self.identity {
            Identity::PerRequest | Identity::Peer(_) => None,
            Identity::Tunnel { slot, .. } => Some(slot.clone()),
        }
    }

    /// What carries a context's exchanges here, to be cut with it: an HTTP/2 connection may carry the streams
    /// of several contexts, so there it is each stream by itself.
    pub(crate) fn carry(&self, context: &Arc<Context>, is_stream: bool) -> Arc<Carrier> {
        if is_stream {
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

/// Serves a connection from the listening socket, inside TLS where that is secure.
pub(crate) async fn accept(stream: Stream, connection: Arc<Connection>) {
    let Some(config) = connection.proxy.tls.config(&connection.proxy.certificates) else {
        return serve(stream, Protocol::Unknown, connection).await;
    };
    let limit = connection.proxy.timeouts.tls_handshake;
    let handshake = tls::accept(stream, config, limit);
    match connection.closed.clone().run_until_cancelled(handshake).await {
        Some(Ok((stream, protocol))) => serve(stream, protocol, connection).await,
        Some(Err(error)) => tracing::debug!(%error, "a client's TLS handshake failed"),
        None => {}
    }
}

/// Serves a connection until either peer, its context or the server ends it.
///
/// The type is erased because an intercepted tunnel leads back here.
pub(crate) fn serve(
    stream: Stream,
    protocol: Protocol,
    connection: Arc<Connection>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let closed = connection.closed.clone();
        // Pinned here: handed over, it would be kept twice.
        let speaking = pin!(speak(stream, protocol, connection));
        closed.run_until_cancelled(speaking).await;
    })
}

async fn speak(mut stream: Stream, protocol: Protocol, connection: Arc<Connection>) {
    let http2 = match protocol {
        Protocol::Unknown => {
            let limit = connection.proxy.timeouts.request_head;
            let preface = opens_with_preface(&mut stream, &connection.proxy);
            let Ok(Ok(preface)) = timeout(limit, preface).await else { return };
            preface
        }
        Protocol::Http1 => false,
        Protocol::Http2 => true,
    };
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
