//! Upstreams that speak TLS: who is trusted, and which protocol is agreed on.

use bytes::Bytes;
use tabport_engine::{Event, RouteFields};

use crate::harness::{Context, Peer, Proxy, field, status};
use crate::tls::CertificateAuthority;

const AUTHORITY: &str = "cmux-abc-base-3000.cmux.test:443";
const NAME: &str = "cmux-abc-base-3000.cmux.test";

fn morph(proxy: &Proxy) -> Context {
    proxy.create(Some(RouteFields {
        morph_id: Some("abc".to_owned()),
        scope: Some("base".to_owned()),
        domain_suffix: Some("cmux.test".to_owned()),
        ..RouteFields::default()
    }))
}

async fn fails_with(client: &mut Peer, token: &str) {
    let (head, _) = client.response().await;
    assert_eq!(status(&head), 502, "{head}");
    let expected = format!("tabport; error={token}");
    assert_eq!(field(&head, "proxy-status"), Some(expected.as_str()));
}

#[tokio::test]
async fn a_route_leads_through_tls_to_the_name_it_makes() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin(NAME, &["http/1.1"]).await;
    let proxy = Proxy::with(ca.options(&[(AUTHORITY, &origin)]));
    let context = morph(&proxy);
    let mut client = proxy.connect().await;
    client.send(context.get("http://localhost:3000/a/../b?c")).await;
    let (upstream, head) = origin.answer("ok").await;
    assert_eq!(upstream.sni(), Some(NAME));
    assert!(head.starts_with(&format!("GET /a/../b?c HTTP/1.1\r\nhost: {NAME}\r\n")), "{head}");
    assert!(!head.to_lowercase().contains("proxy-authorization"), "{head}");
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_502() {
    let (ca, other) = (CertificateAuthority::new(), CertificateAuthority::new());
    let origin = other.origin(NAME, &["h2", "http/1.1"]).await;
    let proxy = Proxy::with(ca.options(&[(AUTHORITY, &origin)]));
    let context = morph(&proxy);
    let mut client = proxy.connect().await;
    for fields in ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"] {
        client.send(context.ask("GET http://localhost:3000/", fields)).await;
        origin.is_refused().await;
        fails_with(&mut client, "tls_certificate_error").await;
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_502() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("cmux-abc-base-3001.cmux.test", &["http/1.1"]).await;
    let proxy = Proxy::with(ca.options(&[(AUTHORITY, &origin)]));
    let context = morph(&proxy);
    let mut client = proxy.connect().await;
    client.send(context.get("http://localhost:3000/")).await;
    origin.is_refused().await;
    fails_with(&mut client, "tls_certificate_error").await;
    let events = proxy.events();
    let code = events.iter().find_map(|event| match event {
        Event::Error { code, .. } => Some(*code),
        _ => None,
    });
    assert_eq!(code, Some("tls_certificate_error"));
}

#[tokio::test]
async fn an_upstream_that_does_not_speak_tls_is_502() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin(NAME, &[]).await;
    let proxy = Proxy::with(ca.options(&[(AUTHORITY, &origin)]));
    let context = morph(&proxy);
    let mut client = proxy.connect().await;
    client.send(context.get("http://localhost:3000/")).await;
    origin.tcp.accept().await.send("HTTP/1.1 200 OK\r\n\r\n").await;
    fails_with(&mut client, "tls_protocol_error").await;
    client.send(context.get("http://localhost:3000/")).await;
    drop(origin.tcp.accept().await);
    fails_with(&mut client, "tls_protocol_error").await;
}

#[tokio::test]
async fn concurrent_requests_share_one_http2_connection() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin(NAME, &["h2", "http/1.1"]).await;
    let proxy = Proxy::with(ca.options(&[(AUTHORITY, &origin)]));
    let context = morph(&proxy);
    let mut clients = Vec::new();
    for number in 0..8 {
        let mut client = proxy.connect().await;
        let fields = "Connection: keep-alive\r\nKeep-Alive: 5\r\nTE: trailers\r\n";
        client.send(context.ask(&format!("GET http://localhost:3000/{number}"), fields)).await;
        clients.push(client);
    }
    let upstream = origin.accept().await;
    assert_eq!(upstream.alpn(), Some(&b"h2"[..]));
    let mut connection = h2::server::handshake(upstream.0).await.unwrap();
    let mut streams = Vec::new();
    while streams.len() < clients.len() {
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        assert_eq!(request.uri().authority().unwrap(), NAME);
        assert_eq!(request.uri().scheme_str(), Some("https"));
        assert!(!request.headers().contains_key("host"), "{:?}", request.headers());
        assert!(!request.headers().contains_key("proxy-authorization"));
        streams.push((request.uri().path().to_owned(), respond));
    }
    for (path, respond) in &mut streams {
        let response = http::Response::builder().header("content-length", path.len());
        let mut body = respond.send_response(response.body(()).unwrap(), false).unwrap();
        body.send_data(Bytes::from(path.clone()), true).unwrap();
    }
    let serve = tokio::spawn(async move { while let Some(Ok(_)) = connection.accept().await {} });
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.response().await.1, format!("/{number}"));
    }
    assert_eq!(proxy.server.stats().upstream_connections, 1);
    origin.tcp.was_never_dialled().await;
    proxy.server.release_context(&context.id).unwrap();
    serve.await.unwrap();
}

#[tokio::test]
async fn an_origin_without_http2_is_remembered_and_dialled_in_parallel() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin(NAME, &["http/1.1"]).await;
    let proxy = Proxy::with(ca.options(&[(AUTHORITY, &origin)]));
    let context = morph(&proxy);
    let mut clients = [proxy.connect().await, proxy.connect().await, proxy.connect().await];
    for client in &mut clients {
        client.send(context.get("http://localhost:3000/")).await;
    }
    // None of the three is answered before all of them have arrived: they wait for no other.
    let mut upstreams = Vec::new();
    for _ in &clients {
        let mut upstream = origin.accept().await;
        assert_eq!(upstream.alpn(), Some(&b"http/1.1"[..]));
        upstream.head().await;
        upstreams.push(upstream);
    }
    for upstream in &mut upstreams {
        upstream.answer("ok").await;
    }
    for client in &mut clients {
        assert_eq!(client.response().await.1, "ok");
    }
}

#[tokio::test]
async fn an_upgrade_offers_http_1_1_alone() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin(NAME, &["h2", "http/1.1"]).await;
    let proxy = Proxy::with(ca.options(&[(AUTHORITY, &origin)]));
    let context = morph(&proxy);
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client
        .send(
            "GET /ws HTTP/1.1\r\nHost: localhost:3000\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\n\r\nup",
        )
        .await;
    let mut upstream = origin.accept().await;
    assert_eq!(upstream.alpn(), Some(&b"http/1.1"[..]));
    let head = upstream.head().await;
    assert_eq!(field(&head, "upgrade"), Some("websocket"));
    upstream
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\ndown")
        .await;
    assert_eq!(status(&client.head().await), 101);
    client.expect("down").await;
    upstream.expect("up").await;
    client.finish().await;
    assert_eq!(upstream.rest().await, b"");
    upstream.finish().await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn an_absolute_https_target_is_spoken_to_over_tls() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("elsewhere.test", &[]).await;
    let proxy = Proxy::with(ca.options(&[("elsewhere.test:8443", &origin)]));
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get("https://elsewhere.test:8443/x")).await;
    let (upstream, head) = origin.answer("ok").await;
    assert_eq!(upstream.sni(), Some("elsewhere.test"));
    assert_eq!(field(&head, "host"), Some("elsewhere.test:8443"));
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn a_tunnel_leaves_alone_what_is_neither_http_nor_tls() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("localhost", &[]).await;
    let proxy = Proxy::with(ca.options(&[(AUTHORITY, &origin)]));
    let context = morph(&proxy);
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send("\x00\x01\x02hello").await;
    origin.tcp.accept().await.expect("\x00\x01\x02hello").await;
}
