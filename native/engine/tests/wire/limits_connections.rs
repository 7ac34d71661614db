//! How many connections a server takes, and what becomes of those beyond.

use std::num::NonZeroU32;

use tabport_engine::{Event, Limits, ServerOptions};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::harness::{DEADLINE, Origin, Peer, Proxy, status};

const TURNED_AWAY: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    proxy-status: tabport; error=http_request_denied\r\n\
    retry-after: 1\r\n\
    content-length: 49\r\n\
    connection: close\r\n\r\n\
    the proxy has as many connections as it may have\n";

fn connections(count: u32) -> Proxy {
    let limits = Limits { connections: NonZeroU32::new(count), ..Limits::default() };
    Proxy::with(ServerOptions { limits, ..ServerOptions::default() })
}

/// A connection that is known to be served.
async fn served(proxy: &Proxy) -> Peer {
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 407);
    client
}

/// Connects until the place that is being given up is free.
async fn served_soon(proxy: &Proxy) -> Peer {
    let connecting = async {
        loop {
            let mut client = proxy.connect().await;
            client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            if status(&client.response().await.0) == 407 {
                return client;
            }
        }
    };
    timeout(DEADLINE, connecting).await.expect("a place becomes free")
}

#[tokio::test]
async fn connections_beyond_the_limit_are_503_before_they_have_said_anything() {
    let proxy = connections(2);
    let (first, _second) = (served(&proxy).await, served(&proxy).await);
    for _ in 0..3 {
        let mut third = proxy.connect().await;
        third.expect(TURNED_AWAY).await;
        assert_eq!(third.rest().await, b"");
    }
    let stats = proxy.server.stats();
    assert_eq!((stats.connections, stats.total.connections), (2, 2));
    let error = Event::Error {
        request_id: None,
        context_id: None,
        code: "http_request_denied",
        authority: None,
        message: "the proxy has as many connections as it may have".to_owned(),
    };
    assert_eq!(proxy.events().into_iter().filter(|event| *event == error).count(), 3);
    drop(first);
    served_soon(&proxy).await;
}

#[tokio::test]
async fn one_that_is_turned_away_can_read_why_whatever_it_sends() {
    let proxy = connections(1);
    let _served = served(&proxy).await;
    for early in ["", "GET http://localhost/ HTTP/1.1\r\n"] {
        let mut client = proxy.connect().await;
        client.send(early).await;
        client.expect(TURNED_AWAY).await;
        // A connection that was closed with its answer would be reset by the first of these.
        for _ in 0..100 {
            client.send("X-Header: the rest of a request that was on its way\r\n").await;
        }
        client.finish().await;
        let mut rest = Vec::new();
        let end = client.0.read_to_end(&mut rest).await;
        assert_eq!(end.expect("an orderly end"), 0);
    }
}

#[tokio::test]
async fn a_connection_that_has_become_a_tunnel_keeps_its_place_until_it_ends() {
    let (proxy, origin) = (connections(1), Origin::start().await);
    let context = proxy.context();
    let mut tunnel = proxy.tunnel(&context, &origin.address().to_string()).await;
    let mut upstream = origin.accept().await;
    proxy.until("it counts as a tunnel", |stats| stats.connections == 0).await;
    proxy.connect().await.expect(TURNED_AWAY).await;
    tunnel.send("still there").await;
    upstream.expect("still there").await;
    proxy.server.release_context(&context.id).unwrap();
    tunnel.ends_soon().await;
    served_soon(&proxy).await;
}

#[tokio::test]
async fn those_that_are_turned_away_and_stay_keep_nobody_out_and_end_with_the_server() {
    let proxy = connections(1);
    let held = served(&proxy).await;
    let mut staying = Vec::new();
    for _ in 0..200 {
        staying.push(proxy.connect().await);
    }
    for client in &mut staying {
        client.expect(TURNED_AWAY).await;
    }
    drop(held);
    let mut client = served_soon(&proxy).await;
    proxy.server.stop();
    client.ends_soon().await;
}
