//! Looking into a tunnel to a routed loopback target.
//!
//! What the client sends first decides. Plain HTTP, which is how Chromium speaks `ws://`, is served as
//! requests of the context that opened the tunnel; everything else is relayed unread to where the route
//! leads. The bytes that were looked at are not lost.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::connection::{self, Connection, FIRST_READ};
use crate::context::Context;
use crate::event::TunnelKind;
use crate::limits::Slot;
use crate::respond;
use crate::route::Upstream;
use crate::server::Proxy;
use crate::stream::Stream;
use crate::tunnel::Tunnel;
use crate::upstream;

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
        // Made before it is known to be one, so that a silent client is counted.
        let (context, asked) = (Arc::clone(&self.context), self.asked.clone());
        let connection = Connection::inside(&self.proxy, context, asked, self.slot.clone());
        let limit = self.proxy.timeouts.request_head;
        match timeout(limit, opens_with_http(&mut stream)).await {
            Ok(Ok(true)) => connection::serve(stream, connection).await,
            Ok(Ok(false)) => {
                drop(connection);
                self.relay(stream).await;
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }

    /// The client already has its 200: when the route fails now, the tunnel just ends.
    async fn relay(self, stream: Stream) {
        let Self { proxy, context, asked, upstream, slot } = self;
        match upstream::open_tunnel(&proxy, &context, &upstream, &asked).await {
            Ok(dialled) => {
                Tunnel::open(&proxy, &context, TunnelKind::Connect, asked.to_string())
                    .holding(slot)
                    .spawn(stream, dialled);
            }
            Err(error) => respond::report(&proxy, Some((&context, &asked.to_string())), &error),
        }
    }
}

/// Whatever could pass for text is a request, well-formed or not: what is relayed unread must not mean one to
/// a server that is less strict. TLS begins with 0x16.
async fn opens_with_http(stream: &mut Stream) -> io::Result<bool> {
    let mut first = BytesMut::new();
    poll_fn(|cx| stream.poll_read_more(cx, &mut first, FIRST_READ)).await?;
    let text = |byte: &u8| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~');
    let opens = first.first().map(text).ok_or(io::ErrorKind::UnexpectedEof)?;
    stream.give_back(first.freeze());
    Ok(opens)
}
