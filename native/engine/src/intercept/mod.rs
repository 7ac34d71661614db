//! Looking into a tunnel to a routed loopback target.
//!
//! What the client sends first decides. Plain HTTP, which is how Chromium speaks `ws://`, is served as
//! requests of the context that opened the tunnel; so is what is inside TLS, after a handshake for the name
//! that the tunnel was opened to. Everything else is relayed unread to where the route leads. The bytes that
//! were looked at are not lost.

pub(crate) mod opening;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::timeout;

use crate::authority::{Authority, Scheme};
use crate::connection::{self, Connection, FIRST_READ, Protocol};
use crate::context::Context;
use crate::counters::Counted;
use crate::error::ProxyError;
use crate::event::TunnelKind;
use crate::limits::Slot;
use crate::respond;
use crate::route::Upstream;
use crate::server::Proxy;
use crate::stream::Stream;
use crate::target::Target;
use crate::tls;
use crate::tunnel::Tunnel;
use crate::upstream;
use opening::{Look, Opening};

/// A tunnel that has been answered 200, before its first byte.
pub(crate) struct Interception {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) context: Arc<Context>,
    pub(crate) asked: Authority,
    pub(crate) upstream: Upstream,
    pub(crate) slot: Slot,
}

impl Interception {
    /// Looks at what comes, and serves or relays it, in a task of its own, until the context is released.
    pub(crate) fn spawn(self, stream: Stream) {
        let (tasks, released) = (self.proxy.tasks.clone(), self.context.released.clone());
        tasks.spawn(released.run_until_cancelled_owned(self.run(stream)));
    }

    async fn run(self, mut stream: Stream) {
        // Whoever says nothing is counted, too.
        let counted = self.proxy.counters.connections.enter();
        let opening = timeout(self.proxy.timeouts.request_head, opening_of(&mut stream)).await;
        let Ok(Ok(opening)) = opening else { return };
        match opening {
            Opening::Text => self.serve(stream, Scheme::Http, Protocol::Unknown, counted).await,
            Opening::ClientHello => self.shake_hands(stream, counted).await,
            Opening::Other => {
                drop(counted);
                self.relay(stream).await;
            }
        }
    }

    /// Shows a certificate for the host that the tunnel was opened to, whatever name the client's TLS asks for.
    async fn shake_hands(self, stream: Stream, counted: Counted) {
        let Self { proxy, asked, .. } = &self;
        let handshake = async {
            let config = proxy.certificates.for_host(&asked.host, proxy.http2)?;
            let limit = proxy.timeouts.tls_handshake;
            tls::accept(stream, config, limit).await.map_err(ProxyError::Handshake)
        };
        match handshake.await {
            Ok((stream, protocol)) => self.serve(stream, Scheme::Https, protocol, counted).await,
            Err(error) => self.report(&error),
        }
    }

    async fn serve(self, stream: Stream, scheme: Scheme, protocol: Protocol, counted: Counted) {
        let Self { proxy, context, asked: authority, slot, .. } = self;
        let target = Target { scheme, authority };
        let inside = Connection::inside(&proxy, &context, target, slot, counted);
        connection::serve(stream, protocol, inside).await;
    }

    /// The client already has its 200: when the route fails now, the tunnel just ends.
    async fn relay(self, stream: Stream) {
        let Self { proxy, context, asked, upstream, slot } = &self;
        match upstream::open_tunnel(proxy, context, upstream, asked).await {
            Ok(dialled) => {
                Tunnel::open(proxy, context, TunnelKind::Connect, asked.to_string())
                    .holding(slot.clone())
                    .spawn(stream, dialled);
            }
            Err(error) => self.report(&error),
        }
    }

    fn report(&self, error: &ProxyError) {
        let asked = self.asked.to_string();
        respond::report(&self.proxy, Some((&self.context, &asked)), None, error);
    }
}

/// Reads as far as it takes to tell, and gives the bytes back.
async fn opening_of(stream: &mut Stream) -> io::Result<Opening> {
    let (mut look, mut read) = (Look::default(), BytesMut::new());
    let opening = loop {
        let before = read.len();
        if poll_fn(|cx| stream.poll_read_more(cx, &mut read, FIRST_READ)).await? == 0 {
            break if read.is_empty() { None } else { Some(Opening::Other) };
        }
        if let Some(opening) = look.at(read.get(before..).unwrap_or_default()) {
            break Some(opening);
        }
    };
    stream.give_back(read.freeze());
    opening.ok_or(io::ErrorKind::UnexpectedEof.into())
}
