//! Looking into a tunnel to a routed loopback target.
//!
//! What the client sends first decides. Plain HTTP, which is how Chromium speaks `ws://`, is served as
//! requests of the context that opened the tunnel; everything else is relayed unread to where the route
//! leads. The bytes that were looked at are not lost.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use hyper::upgrade::OnUpgrade;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::connection::{self, Connection};
use crate::context::Context;
use crate::event::TunnelKind;
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
}

impl Interception {
    pub(crate) fn spawn(self, downstream: OnUpgrade) {
        let proxy = Arc::clone(&self.proxy);
        let released = self.context.released.clone();
        proxy.tasks.spawn(async move {
            released.run_until_cancelled(self.run(downstream)).await;
        });
    }

    async fn run(self, downstream: OnUpgrade) {
        let Ok(upgraded) = downstream.await else { return };
        let mut stream = Stream::from_upgraded(upgraded);
        let limit = self.proxy.timeouts.request_head;
        match timeout(limit, opens_with_http(&mut stream)).await {
            Ok(Ok(true)) => self.serve(stream).await,
            Ok(Ok(false)) => self.relay(stream).await,
            Ok(Err(_)) | Err(_) => {}
        }
    }

    async fn serve(self, stream: Stream) {
        let connection = Connection::inside(&self.proxy, self.context, self.asked);
        connection::serve(stream, connection).await;
    }

    /// The client already has its 200: when the route fails now, the tunnel just ends.
    async fn relay(self, stream: Stream) {
        let Self { proxy, context, asked, upstream } = self;
        match upstream::open_tunnel(&proxy, &context, &upstream, &asked).await {
            Ok(dialled) => {
                Tunnel::open(&proxy, &context, TunnelKind::Connect, asked.to_string())
                    .run(stream, dialled)
                    .await;
            }
            Err(error) => respond::report(&proxy, Some((&context, &asked.to_string())), &error),
        }
    }
}

/// A request line begins with a method, and those in use are upper-case letters. TLS begins with 0x16.
async fn opens_with_http(stream: &mut Stream) -> io::Result<bool> {
    let mut read = BytesMut::new();
    if stream.read_buf(&mut read).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let http = read.first().is_some_and(u8::is_ascii_uppercase);
    stream.give_back(read.freeze());
    Ok(http)
}
