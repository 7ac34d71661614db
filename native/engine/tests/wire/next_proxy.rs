//! Through the next proxy, by CONNECT: it is scripted here, byte for byte.

use std::time::Duration;

use tabport_engine::{ServerOptions, Timeouts, UpstreamProxy};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Origin, Peer, Proxy, field, status};

pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

/// What the proxy asks the next one for, in these tests.
const CONNECT: &str = "CONNECT site.test:80 HTTP/1.1\r\nHost: site.test:80\r\n\r\n";

/// Options with one next proxy.
pub(crate) fn options(url: &str) -> ServerOptions {
    let proxy = UpstreamProxy::Fixed(url.parse().unwrap());
    ServerOptions { upstream_proxy: Some(proxy), ..ServerOptions::default() }
}

/// A proxy, and a next proxy that does what the test says.
pub(crate) async fn chain() -> (Proxy, Origin) {
    let next = Origin::start().await;
    (Proxy::with(options(&next.url())), next)
}

/// Everything that a client can ask for of one upstream.
pub(crate) fn every_way(context: &Context, authority: &str) -> [String; 3] {
    [
        context.get(&format!("http://{authority}/")),
        context.ask(&format!("GET http://{authority}/"), UPGRADE),
        context.connect(authority),
    ]
}

/// Checks that a client is told of a failure: its status, its token and, in plain words, its cause.
pub(crate) async fn is_told(client: &mut Peer, expected: (u16, &str, &str)) {
    let (head, body) = client.response().await;
    let (code, token, text) = expected;
    assert_eq!(status(&head), code, "{head}{body}");
    assert_eq!(field(&head, "proxy-status"), Some(&*format!("tabport; error={token}")), "{body}");
    assert!(body.contains(text), "{body}");
    assert_eq!(field(&head, "proxy-authenticate"), None, "{head}");
}

/// Says something to a peer that may have heard enough and hung up.
pub(crate) async fn say(peer: &mut Peer, bytes: &[u8]) {
    let _ = timeout(DEADLINE, peer.0.write_all(bytes)).await.expect("nobody reads");
}

#[tokio::test]
async fn every_request_goes_by_one_connect() {
    let next = Origin::start().await;
    let url = format!("http://us%65r:p%40ss@{}", next.address());
    let proxy = Proxy::with(options(&url));
    let context = proxy.context();
    let connect = "CONNECT site.test:80 HTTP/1.1\r\nHost: site.test:80\r\n\
                   Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n";

    let mut client = proxy.connect().await;
    client.send(context.get("http://site.test/a?b")).await;
    let mut upstream = next.accept().await;
    upstream.expect(connect).await;
    upstream.send("HTTP/1.1 200 Connection established\r\n\r\n").await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_lowercase().contains("proxy-authorization"), "{head}");
    upstream.answer("one").await;
    assert_eq!(client.response().await.1, "one");

    client.send(context.get("http://site.test/again")).await;
    upstream.expect("GET /again HTTP/1.1\r\n").await;
    upstream.head().await;
    upstream.answer("two").await;
    assert_eq!(client.response().await.1, "two");

    client.send(context.ask("GET ws://site.test/ws", UPGRADE)).await;
    let mut upstream = next.accept().await;
    upstream.expect(connect).await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    upstream.expect("GET /ws HTTP/1.1\r\n").await;
    upstream.head().await;
    upstream.send("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(status(&client.head().await), 101);

    let mut client = proxy.connect().await;
    client.send(context.connect("site.test:80")).await;
    let mut upstream = next.accept().await;
    upstream.expect(connect).await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    client.send("ping").await;
    upstream.expect("ping").await;
    upstream.finish().await;
    assert_eq!(client.rest().await, b"");
    client.finish().await;
    assert_eq!(upstream.rest().await, b"");
}

#[tokio::test]
async fn targets_are_named_as_asked() {
    let (proxy, next) = chain().await;
    let context = proxy.context();
    for (asked, named) in [
        ("http://[2001:db8::1]:8080/", "[2001:db8::1]:8080"),
        ("http://10.0.0.1/", "10.0.0.1:80"),
        ("http://167772161:81/", "10.0.0.1:81"),
        ("http://SITE.test./", "site.test.:80"),
    ] {
        let mut client = proxy.connect().await;
        client.send(context.get(asked)).await;
        let mut upstream = next.accept().await;
        let connect = format!("CONNECT {named} HTTP/1.1\r\nHost: {named}\r\n\r\n");
        upstream.expect(connect).await;
    }
}

#[tokio::test]
async fn what_comes_right_behind_the_answer_is_not_lost() {
    let (proxy, next) = chain().await;
    let context = proxy.context();
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 Connection established\r\n\r\n",
        "HTTP/1.1 299\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        for at_once in [true, false] {
            let mut client = proxy.connect().await;
            client.send(context.connect("site.test:80")).await;
            let mut upstream = next.accept().await;
            upstream.expect(CONNECT).await;
            let bytes = format!("{answer}220 early\r\n");
            let piece = if at_once { bytes.len() } else { 1 };
            for piece in bytes.as_bytes().chunks(piece) {
                upstream.send(piece).await;
                tokio::task::yield_now().await;
            }
            client.expect("HTTP/1.1 200 OK\r\n\r\n220 early\r\n").await;
        }
    }
}

#[tokio::test]
async fn a_refusal_is_a_502_that_says_why() {
    let (proxy, next) = chain().await;
    let context = proxy.context();
    let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(16 * 1024));
    let closed = "the next proxy closed the connection before it answered";
    let invalid = (502, "http_protocol_error", "the next proxy's answer is not valid");
    let cases = [
        (
            "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
            (502, "proxy_configuration_error", "the next proxy asked for credentials"),
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\nblocked",
            (502, "destination_unavailable", "the next proxy refused the tunnel with 403"),
        ),
        (
            "HTTP/1.0 502 Bad Gateway\r\n\r\n",
            (502, "destination_unavailable", "the next proxy refused the tunnel with 502"),
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\n\r\n",
            (502, "destination_unavailable", "the next proxy refused the tunnel with 302"),
        ),
        ("", (502, "connection_terminated", closed)),
        ("HTTP/1.1 200 OK\r\n", (502, "connection_terminated", closed)),
        ("SSH-2.0-OpenSSH\r\n", invalid),
        ("HTTP/1.1 2000 OK\r\n\r\n", invalid),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", invalid),
        ("HTTP/1.1 000 What\r\n\r\n", invalid),
        ("\x05\x00", invalid),
        (&*long, invalid),
        (&*format!("{long}\r\n\r\n"), invalid),
        (&*format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101)), invalid),
    ];
    let mut client = proxy.connect().await;
    for (answer, expected) in cases {
        for request in every_way(&context, "site.test:80") {
            client.send(request).await;
            let mut upstream = next.accept().await;
            upstream.expect(CONNECT).await;
            upstream.send(answer).await;
            if expected.1 == "connection_terminated" {
                upstream.finish().await;
            }
            is_told(&mut client, expected).await;
            assert_eq!(upstream.ends_soon().await, b"", "{answer}: there is no second attempt");
        }
    }
}

#[tokio::test]
async fn credentials_that_are_refused_are_not_asked_of_the_client() {
    let next = Origin::start().await;
    let proxy = Proxy::with(options(&format!("http://u:p@{}", next.address())));
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get("http://site.test/")).await;
    let mut upstream = next.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 407 No\r\n\r\n").await;
    let text = "the next proxy refused the credentials";
    is_told(&mut client, (502, "proxy_configuration_error", text)).await;
}

#[tokio::test]
async fn one_that_cannot_be_reached_is_told_apart_from_the_upstream() {
    let dead = Origin::start().await.address();
    for (url, token, text) in [
        (format!("http://{dead}"), "connection_refused", "the next proxy could not be reached"),
        (format!("socks5://{dead}"), "connection_refused", "the next proxy could not be reached"),
    ] {
        let proxy = Proxy::with(options(&url));
        let mut client = proxy.connect().await;
        for request in every_way(&proxy.context(), "site.test:80") {
            client.send(request).await;
            is_told(&mut client, (502, token, text)).await;
        }
    }
}

#[tokio::test]
async fn one_that_does_not_answer_in_time_is_504() {
    let next = Origin::start().await;
    for (url, part) in [
        (next.url(), ""),
        (next.url(), "HTTP/1.1 200 OK\r\n"),
        (format!("socks5://{}", next.address()), ""),
        (format!("https://{}", next.address()), ""),
    ] {
        let timeouts = Timeouts { connect: Duration::from_millis(400), ..Timeouts::default() };
        let proxy = Proxy::with(ServerOptions { timeouts, ..options(&url) });
        let mut client = proxy.connect().await;
        for request in every_way(&proxy.context(), "site.test:80") {
            client.send(request).await;
            let mut upstream = next.accept().await;
            upstream.send(part).await;
            let text = "the next proxy did not answer in time";
            is_told(&mut client, (504, "connection_timeout", text)).await;
            upstream.rest().await;
        }
    }
}

#[tokio::test]
async fn a_released_context_does_not_wait_for_it() {
    let (proxy, next) = chain().await;
    let context = proxy.context();
    let mut clients = Vec::new();
    for request in every_way(&context, "site.test:80") {
        let mut client = proxy.connect().await;
        client.send(request).await;
        let mut upstream = next.accept().await;
        upstream.expect(CONNECT).await;
        clients.push((client, upstream));
    }
    proxy.server.release_context(&context.id).unwrap();
    for (mut client, mut upstream) in clients {
        client.ends_soon().await;
        upstream.ends_soon().await;
    }
}
