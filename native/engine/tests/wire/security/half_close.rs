//! Row 29: one end of a tunnel that is finished loses nothing of the other, and does not keep it for ever.

use std::time::Duration;

use tabport_engine::{RouteFields, ServerOptions, Timeouts};

use super::support::Face;
use crate::harness::{Context, Origin, Peer, Proxy, pattern, status};

const SIZE: usize = 4_194_304;
const LIMIT: Duration = Duration::from_millis(400);
const SWITCHED: &str = "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

/// The kinds of tunnel there are.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Plain,
    Routed,
    Gateway,
    Upgrade,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Plain, Self::Routed, Self::Gateway, Self::Upgrade];

    fn context(self, proxy: &Proxy, origin: &Origin) -> Context {
        match self {
            Self::Plain => proxy.context(),
            Self::Routed | Self::Upgrade => proxy.routed(origin.url()),
            Self::Gateway => proxy.create(Some(RouteFields {
                cmux_proxy_origin: Some(origin.url()),
                ..RouteFields::default()
            })),
        }
    }

    /// A tunnel through which one byte has gone each way.
    async fn open(self, proxy: &Proxy, context: &Context, origin: &Origin) -> (Peer, Peer) {
        let mut client = match self {
            Self::Upgrade => {
                let mut client = proxy.connect().await;
                client.send(Face::Upgrade.ask(context, "GET", "/", "")).await;
                client
            }
            _ => proxy.tunnel(context, &origin.address().to_string()).await,
        };
        client.send("\x01").await;
        let mut upstream = origin.accept().await;
        match self {
            Self::Gateway => {
                upstream.head().await;
                upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
            }
            Self::Upgrade => {
                upstream.head().await;
                upstream.send(SWITCHED).await;
                assert_eq!(status(&client.head().await), 101);
            }
            Self::Plain | Self::Routed => {}
        }
        upstream.expect("\x01").await;
        upstream.send("\x15").await;
        client.expect("\x15").await;
        (client, upstream)
    }
}

#[tokio::test]
async fn row_29_half_close_loss() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let reply = pattern(SIZE, 6);
    for kind in Kind::ALL {
        let context = kind.context(&proxy, &origin);
        for client_ends_first in [true, false] {
            let (client, upstream) = kind.open(&proxy, &context, &origin).await;
            let (mut first, mut second) =
                if client_ends_first { (client, upstream) } else { (upstream, client) };
            first.send("the end").await;
            first.finish().await;
            assert_eq!(second.rest().await, b"the end", "{kind:?}");
            let send = async {
                second.send(&reply).await;
                second.finish().await;
            };
            let ((), received) = tokio::join!(send, first.rest());
            assert_eq!(received.len(), SIZE, "{kind:?}");
            assert!(received == reply, "{kind:?}: other bytes");
        }
    }
    proxy.until("no tunnel is left", |stats| stats.tunnels == 0).await;
}

/// The client has ended its side before it was even told that the tunnel is open.
#[tokio::test]
async fn row_29_an_end_that_comes_with_the_connect() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let reply = pattern(SIZE, 7);
    for context in [proxy.context(), proxy.routed(origin.url())] {
        let mut client = proxy.connect().await;
        client.send(context.connect(&origin.address().to_string()) + "\x16all").await;
        client.finish().await;
        let mut upstream = origin.accept().await;
        assert_eq!(upstream.rest().await, b"\x16all");
        client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
        let send = async {
            upstream.send(&reply).await;
            upstream.finish().await;
        };
        let ((), received) = tokio::join!(send, client.rest());
        assert!(received == reply, "{} bytes arrived", received.len());
    }
    proxy.until("no tunnel is left", |stats| stats.tunnels == 0).await;
}

/// A peer that never says another word gets its share of time, and then all is given back.
#[tokio::test]
async fn row_29_half_close_leak() {
    let timeouts = Timeouts { half_close: LIMIT, ..Timeouts::default() };
    let proxy = Proxy::with(ServerOptions { timeouts, ..ServerOptions::default() });
    let origin = Origin::start().await;
    for kind in Kind::ALL {
        let context = kind.context(&proxy, &origin);
        let mut tunnels = Vec::new();
        for number in 0..20 {
            let (mut client, mut upstream) = kind.open(&proxy, &context, &origin).await;
            if number % 2 == 0 {
                client.finish().await;
            } else {
                upstream.finish().await;
            }
            tunnels.push((client, upstream));
        }
        proxy.until("all are reaped", |stats| stats.tunnels == 0).await;
        for (mut client, mut upstream) in tunnels {
            assert_eq!(client.rest().await, b"", "{kind:?}");
            assert_eq!(upstream.rest().await, b"", "{kind:?}");
        }
    }
    proxy.until("nothing is left", |stats| stats.connections + stats.requests == 0).await;
}
