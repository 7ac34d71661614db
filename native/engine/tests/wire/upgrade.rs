//! Upgrades: the upstream's own answer decides.

use crate::harness::{Context, Origin, Peer, Proxy, field, status};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

async fn ask(
    proxy: &Proxy,
    context: &Context,
    origin: &Origin,
    fields: &str,
) -> (Peer, Peer, String) {
    let mut client = proxy.connect().await;
    client.send(context.ask(&format!("GET ws://{}/ws?t=1", origin.address()), fields)).await;
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    (client, upstream, head)
}

#[tokio::test]
async fn the_upstreams_101_is_relayed_with_what_it_agreed_to() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let fields = format!(
        "{UPGRADE}Sec-WebSocket-Protocol: vite-hmr, other\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
         Origin: http://localhost:3000\r\nProxy-Connection: keep-alive\r\n"
    );
    let (mut client, mut upstream, head) = ask(&proxy, &context, &origin, &fields).await;
    assert!(head.starts_with("GET /ws?t=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "host"), Some(origin.address().to_string().as_str()));
    assert_eq!(field(&head, "upgrade"), Some("websocket"));
    assert!(field(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
    assert_eq!(field(&head, "sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(field(&head, "sec-websocket-protocol"), Some("vite-hmr, other"));
    assert_eq!(
        field(&head, "sec-websocket-extensions"),
        Some("permessage-deflate; client_max_window_bits")
    );
    assert_eq!(field(&head, "origin"), Some("http://localhost:3000"));
    for gone in ["proxy-authorization", "proxy-connection"] {
        assert_eq!(field(&head, gone), None, "{head}");
    }
    upstream
        .send(format!(
            "{SWITCHED}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
             Sec-WebSocket-Protocol: vite-hmr\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        ))
        .await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert_eq!(field(&head, "upgrade"), Some("websocket"));
    assert!(field(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
    assert_eq!(field(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(field(&head, "sec-websocket-protocol"), Some("vite-hmr"));
    assert_eq!(field(&head, "sec-websocket-extensions"), Some("permessage-deflate"));
    assert_eq!(field(&head, "transfer-encoding"), None);
    assert_eq!(field(&head, "content-length"), None);
    client.send(b"\x01\x00\xff up").await;
    upstream.expect(b"\x01\x00\xff up").await;
    upstream.send("down").await;
    client.expect("down").await;
    proxy.until("one tunnel", |stats| stats.tunnels == 1).await;
    drop(upstream);
    assert_eq!(client.ends_soon().await, b"");
    drop(client);
    proxy.until("no tunnel", |stats| stats.tunnels == 0).await;
}

#[tokio::test]
async fn bytes_that_come_with_the_heads_are_kept() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let early = "x".repeat(100_000);
    let mut client = proxy.connect().await;
    client
        .send(format!("{}{early}", context.ask(&format!("GET {}/", origin.url()), UPGRADE)))
        .await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send(format!("{SWITCHED}\r\n{early}")).await;
    assert_eq!(status(&client.head().await), 101);
    assert_eq!(client.take(early.len()).await, early.as_bytes());
    assert_eq!(upstream.take(early.len()).await, early.as_bytes());
}

#[tokio::test]
async fn nothing_reaches_the_upstream_before_its_101() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let unauthenticated = format!("GET {}/ HTTP/1.1\r\nHost: a\r\n\r\n", origin.url());
    let request = context.ask(&format!("GET {}/", origin.url()), UPGRADE);
    client.send(format!("{request}{unauthenticated}")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").await;
    assert_eq!(client.response().await.1, "no");
    assert_eq!(upstream.rest().await, b"");
    assert_eq!(
        status(&client.response().await.0),
        407,
        "what followed is a request like any other"
    );
}

#[tokio::test]
async fn a_refusal_is_relayed_and_the_connection_stays_sane() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let (mut client, mut upstream, _) = ask(&proxy, &context, &origin, UPGRADE).await;
    upstream
        .send(
            "HTTP/1.1 403 Forbidden\r\nX-Why: origin\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
             Content-Length: 6\r\n\r\nno way",
        )
        .await;
    let (head, body) = client.response().await;
    assert_eq!((status(&head), body.as_str()), (403, "no way"));
    assert_eq!(field(&head, "x-why"), Some("origin"));
    assert!(head.contains("set-cookie: a=1\r\nset-cookie: b=2\r\n"), "{head}");
    drop(upstream);
    for (fields, answer) in [("", "plain"), (UPGRADE, "again")] {
        client.send(context.ask(&format!("GET {}/", origin.url()), fields)).await;
        origin.answer(answer).await;
        assert_eq!(client.response().await.1, answer);
        proxy.until("the exchange ends", |stats| stats.requests == 0).await;
    }
    assert_eq!(proxy.server.stats().total.tunnels, 0);
}

#[tokio::test]
async fn a_switch_to_what_was_not_asked_for_is_502() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
    ] {
        let (mut client, mut upstream, _) = ask(&proxy, &context, &origin, UPGRADE).await;
        upstream.send(answer).await;
        assert_eq!(status(&client.response().await.0), 502, "{answer:?}");
        assert_eq!(upstream.rest().await, b"");
    }
    proxy.until("no tunnel", |stats| stats.total.tunnels == 0).await;
}

#[tokio::test]
async fn an_upgrade_whose_upstream_fails_is_502() {
    let proxy = Proxy::start();
    let origin = Origin::start().await;
    let context = proxy.context();
    let (mut client, upstream, _) = ask(&proxy, &context, &origin, UPGRADE).await;
    drop(upstream);
    assert_eq!(status(&client.response().await.0), 502);
    let url = origin.url();
    drop(origin);
    client.send(context.ask(&format!("GET {url}/"), UPGRADE)).await;
    let (head, _) = client.response().await;
    assert_eq!(field(&head, "proxy-status"), Some("tabport; error=connection_refused"));
}

/// It would change this hop alone (RFC 9110, section 7.8), past authentication of what follows.
#[tokio::test]
async fn h2c_is_ignored() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for protocols in ["h2c", "H2C", "h2c, h2c", "h2c\r\nUpgrade: h2c"] {
        let mut client = proxy.connect().await;
        let fields = format!(
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocols}\r\nHTTP2-Settings: AAMAAABk\r\n"
        );
        client.send(context.ask(&format!("GET {}/", origin.url()), &fields)).await;
        let (upstream, head) = origin.answer("as 1.1").await;
        for gone in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(field(&head, gone), None, "{protocols:?}: {head}");
        }
        assert_eq!(client.response().await.1, "as 1.1");
        drop(upstream);
        proxy.until("it is gone", |stats| stats.upstream_connections == 0).await;
    }
}

#[tokio::test]
async fn h2c_beside_another_protocol_is_not_offered() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for protocols in ["h2c, websocket", "websocket, h2c", "websocket\r\nUpgrade: h2c"] {
        let fields = format!("Connection: Upgrade\r\nUpgrade: {protocols}\r\n");
        let (mut client, mut upstream, head) = ask(&proxy, &context, &origin, &fields).await;
        assert!(!head.contains("h2c"), "{protocols:?}: {head}");
        upstream
            .send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
            .await;
        assert_eq!(status(&client.head().await), 502, "{protocols:?}");
    }
}

#[tokio::test]
async fn an_upgrade_field_that_connection_does_not_name_is_ignored() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let (mut client, mut upstream, head) =
        ask(&proxy, &context, &origin, "Upgrade: websocket\r\n").await;
    assert_eq!(field(&head, "upgrade"), None, "{head}");
    upstream.answer("plain").await;
    assert_eq!(client.response().await.1, "plain");
}

#[tokio::test]
async fn an_http_1_0_client_cannot_upgrade() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client
        .send(format!("GET {}/ HTTP/1.0\r\n{}{UPGRADE}\r\n", origin.url(), context.field()))
        .await;
    let (_, head) = origin.answer("plain").await;
    assert_eq!(field(&head, "upgrade"), None, "{head}");
    assert_eq!(client.response().await.1, "plain");
}
