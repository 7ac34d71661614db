//! WebSocket over HTTP/2 (RFC 8441), bridged to an upstream's HTTP/1.1 upgrade.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tabport_engine::{ContextLimits, Event, Limits, ServerOptions, TunnelKind};
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Origin, Peer, Proxy, field};
use crate::stream::{answered, is_ended, speak};

const URL: &str = "https://localhost:3000/ws?t=1";
/// What RFC 8441, section 5, has no use for.
const CLIENTS_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A client inside TLS, inside a tunnel.
async fn inside(proxy: &Proxy, context: &Context) -> SendRequest<Bytes> {
    speak(proxy.inside(context, "localhost:3000", &["h2"]).await.0).await
}

fn ask(
    sender: &mut SendRequest<Bytes>,
    protocol: &'static str,
) -> (ResponseFuture, SendStream<Bytes>) {
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(URL)
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", CLIENTS_KEY)
        .header("sec-websocket-protocol", "vite-hmr, other")
        .header("origin", "https://localhost:3000")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .extension(Protocol::from_static(protocol))
        .body(())
        .unwrap();
    sender.send_request(request, false).unwrap()
}

/// What RFC 6455, section 4.2.2, wants to hear.
pub(crate) fn accepts(head: &str) -> String {
    let key = field(head, "sec-websocket-key").expect("a key");
    assert_eq!(BASE64_STANDARD.decode(key).unwrap().len(), 16);
    assert_eq!(head.matches("sec-websocket-key").count(), 1, "{head}");
    assert_ne!(key, CLIENTS_KEY);
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

async fn switch(upstream: &mut Peer, accept: &str) {
    upstream
        .send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: vite-hmr\r\n\r\n"
        ))
        .await;
}

async fn receive(stream: &mut RecvStream, bytes: usize) -> Vec<u8> {
    let mut received = Vec::new();
    while received.len() < bytes {
        let data = timeout(DEADLINE, stream.data()).await.expect("bytes").unwrap().unwrap();
        stream.flow_control().release_capacity(data.len()).unwrap();
        received.extend_from_slice(&data);
    }
    received
}

#[tokio::test]
async fn it_is_advertised_and_bridged() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut sender = inside(&proxy, &context).await;
    let (response, mut up) = ask(&mut sender, "websocket");
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /ws?t=1 HTTP/1.1\r\n"), "{head}");
    for (name, value) in [
        ("host", origin.address().to_string().as_str()),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "vite-hmr, other"),
        ("origin", "https://localhost:3000"),
        ("cookie", "a=1; b=2"),
    ] {
        assert_eq!(field(&head, name), Some(value), "{head}");
    }
    switch(&mut upstream, &accepts(&head)).await;
    let response = answered(response).await;
    assert!(sender.is_extended_connect_protocol_enabled());
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "vite-hmr");
    for gone in ["sec-websocket-accept", "upgrade", "connection"] {
        assert!(!response.headers().contains_key(gone), "{gone}");
    }
    up.send_data("ping".into(), false).unwrap();
    upstream.expect("ping").await;
    upstream.send("pong").await;
    let mut down = response.into_body();
    assert_eq!(receive(&mut down, 4).await, b"pong");
    up.send_data(Bytes::new(), true).unwrap();
    assert_eq!(upstream.rest().await, b"");
    drop(upstream);
    assert!(is_ended(&mut down).await);
    let kinds = proxy.events().into_iter().filter_map(|event| match event {
        Event::Tunnel { kind, .. } => Some(kind),
        _ => None,
    });
    assert!(kinds.into_iter().all(|kind| kind == TunnelKind::Upgrade));
}

#[tokio::test]
async fn a_wrong_or_missing_proof_is_502() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut sender = inside(&proxy, &context).await;
    // That of the client's key, none, and the right one twice.
    for accept in ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "", "{}\r\nSec-WebSocket-Accept: {}"] {
        let (response, _up) = ask(&mut sender, "websocket");
        let mut upstream = origin.accept().await;
        let right = accepts(&upstream.head().await);
        switch(&mut upstream, &accept.replace("{}", &right)).await;
        assert_eq!(answered(response).await.status(), 502, "{accept:?}");
        upstream.ends_soon().await;
    }
    let told = proxy.events().into_iter().any(|event| matches!(event, Event::Tunnel { .. }));
    assert!(!told && proxy.server.stats().total.tunnels == 0, "none was ever open");
}

#[tokio::test]
async fn a_refusal_is_relayed_and_an_ordinary_answer_is_502() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut sender = inside(&proxy, &context).await;
    for (answer, expected) in [("403 Forbidden", 403), ("302 Found", 302), ("200 OK", 502)] {
        let (response, _up) = ask(&mut sender, "websocket");
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream
            .send(format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\nX-Why: no\r\n\r\nno"))
            .await;
        let response = answered(response).await;
        assert_eq!(response.status(), expected);
        assert_eq!(response.headers().contains_key("x-why"), expected != 502);
    }
}

#[tokio::test]
async fn no_other_protocol_is_bridged() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut sender = inside(&proxy, &context).await;
    let (response, _up) = ask(&mut sender, "connect-udp");
    assert_eq!(answered(response).await.status(), 501);
    origin.was_never_dialled().await;
}

/// One tunnel may carry many: each has a place of its own.
#[tokio::test]
async fn each_counts_as_a_tunnel() {
    let tunnels = std::num::NonZeroU32::new(2);
    let context = ContextLimits { tunnels, ..ContextLimits::default() };
    let limits = Limits { context, ..Limits::default() };
    let proxy = Proxy::with(ServerOptions { limits, ..ServerOptions::default() });
    let origin = Origin::start().await;
    let context = proxy.routed(origin.url());
    let mut sender = inside(&proxy, &context).await;
    let (first, _up) = ask(&mut sender, "websocket");
    let mut upstream = origin.accept().await;
    let accept = accepts(&upstream.head().await);
    switch(&mut upstream, &accept).await;
    assert_eq!(answered(first).await.status(), 200);
    let (second, _up) = ask(&mut sender, "websocket");
    assert_eq!(answered(second).await.status(), 503);
}

#[tokio::test]
async fn releasing_the_context_ends_each() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut sender = inside(&proxy, &context).await;
    let (opening, _up) = ask(&mut sender, "websocket");
    let mut asked = origin.accept().await;
    asked.head().await;
    let (response, _up) = ask(&mut sender, "websocket");
    let mut upstream = origin.accept().await;
    let accept = accepts(&upstream.head().await);
    switch(&mut upstream, &accept).await;
    let mut down = answered(response).await.into_body();
    proxy.until("it is open", |stats| stats.tunnels == 1).await;
    proxy.server.release_context(&context.id).unwrap();
    asked.ends_soon().await;
    upstream.ends_soon().await;
    assert!(is_ended(&mut down).await);
    assert!(timeout(DEADLINE, opening).await.expect("an end").is_err());
    proxy.until("nothing is left", |stats| stats.tunnels + stats.connections == 0).await;
}
