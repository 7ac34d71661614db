//! Row 28: whoever does not read holds the sender back, by bytes counted at the sender.

use super::support::{Face, LOCAL};
use crate::harness::{Context, Origin, Peer, Proxy, pattern, status};

/// What the sockets' own buffers may take, at most; the proxy adds next to nothing.
const BOUND: usize = 24 << 20;
const GIB: usize = 1 << 30;
const SWITCHED: &str = "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

async fn holds_back(sender: &mut Peer, what: &str) {
    let taken = sender.fill().await;
    assert!(taken < BOUND, "{what}: {taken} bytes were taken for nobody");
}

async fn begun(proxy: &Proxy, context: &Context, origin: &Origin, fields: &str) -> (Peer, Peer) {
    let mut client = proxy.connect().await;
    client.send(Face::Absolute.post(context, fields)).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    (client, upstream)
}

#[tokio::test]
async fn row_28_a_slow_reader_of_a_response() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for head in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {GIB}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{GIB:x}\r\n"),
        "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
    ] {
        let (client, mut upstream) = begun(&proxy, &context, &origin, "").await;
        upstream.send(&head).await;
        holds_back(&mut upstream, &head).await;
        drop(client);
    }
}

#[tokio::test]
async fn row_28_a_stalled_origin() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for (fields, begin) in [
        (format!("Content-Length: {GIB}\r\n"), String::new()),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("{GIB:x}\r\n")),
    ] {
        let (mut client, _upstream) = begun(&proxy, &context, &origin, &fields).await;
        client.send(begin).await;
        holds_back(&mut client, &fields).await;
    }
}

#[tokio::test]
async fn row_28_tunnels_both_ways() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    for context in [proxy.context(), proxy.routed(origin.url())] {
        let mut client = proxy.tunnel(&context, &origin.address().to_string()).await;
        client.send("\x01").await;
        let mut upstream = origin.accept().await;
        upstream.expect("\x01").await;
        holds_back(&mut client, "up").await;
        holds_back(&mut upstream, "down").await;
    }
}

#[tokio::test]
async fn row_28_upgrades_both_ways_and_before_the_answer() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    client.send(Face::Upgrade.ask(&context, "GET", "/", "")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    holds_back(&mut client, "before the 101").await;
    upstream.send(SWITCHED).await;
    holds_back(&mut upstream, "after the 101").await;
}

/// Requests that nobody has come to yet are not read ahead.
#[tokio::test]
async fn row_28_pipelined_requests() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    let request = Face::Absolute.ask(&context, "GET", "/", "");
    client.send(request.repeat(100)).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    holds_back(&mut client, "behind an unanswered request").await;
    assert_eq!(proxy.server.stats().total.requests, 1);
}

/// Bytes for a tunnel whose upstream's gateway has not answered.
#[tokio::test]
async fn row_28_a_tunnel_that_is_not_open_yet() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.create(Some(tabport_engine::RouteFields {
        cmux_proxy_origin: Some(origin.url()),
        ..Default::default()
    }));
    let mut client = proxy.tunnel(&context, LOCAL).await;
    client.send("\x01").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    holds_back(&mut client, "before the gateway's answer").await;
}

/// Held back is not lost: a reader who resumes gets every byte.
#[tokio::test]
async fn row_28_a_reader_that_resumes_gets_all_of_it() {
    const SIZE: usize = 32 << 20;
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let (mut client, mut upstream) = begun(&proxy, &context, &origin, "").await;
    let body = pattern(SIZE, 5);
    upstream.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
    let reader = async {
        assert_eq!(status(&client.head().await), 200);
        let mut all = Vec::new();
        for _ in 0..8 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            all.extend(client.take(SIZE / 8).await);
        }
        all
    };
    let ((), received) = tokio::join!(upstream.send(&body), reader);
    assert!(received == body, "the body was changed");
}
