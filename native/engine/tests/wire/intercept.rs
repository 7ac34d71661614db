//! TLS inside a tunnel to a routed loopback name: shaken hands with in process, and served like any request.

use bytes::Bytes;
use http::Method;
use tabport_engine::{RouteFields, ServerOptions, Timeouts};

use crate::harness::{Origin, Peer, Proxy, field, pattern, status};
use crate::stream::{answered, begin, send_all, speak, text, whole};
use crate::tls::CertificateAuthority;
use crate::tls_client::{config, hello};

const GET: &str = "GET /a/../b?c HTTP/1.1\r\nHost: localhost:3000\r\n\r\n";

#[tokio::test]
async fn http_1_1_inside_tls_needs_no_credentials_of_its_own() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for alpn in [&["http/1.1"][..], &[]] {
        let mut client = proxy.inside(&context, "localhost:3000", alpn).await;
        assert_eq!(client.agreed(), alpn.first().map(|name| name.as_bytes()));
        client.send(GET).await;
        let (_upstream, head) = origin.answer("ok").await;
        assert!(head.starts_with("GET /a/../b?c HTTP/1.1\r\n"), "{head}");
        assert_eq!(field(&head, "host"), Some(origin.address().to_string().as_str()));
        assert_eq!(client.response().await.1, "ok");
    }
}

#[tokio::test]
async fn http_2_inside_tls_multiplexes() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let client = proxy.inside(&context, "localhost:3000", &["h2", "http/1.1"]).await;
    assert_eq!(client.agreed(), Some(&b"h2"[..]));
    let mut sender = speak(client.0).await;
    let ask = |sender: &mut _, path: &str| {
        let (response, mut body) =
            begin(sender, None, Method::GET, &format!("https://localhost:3000{path}"));
        body.send_data(Bytes::new(), true).unwrap();
        response
    };
    let (first, second) = (ask(&mut sender, "/1"), ask(&mut sender, "/2"));
    let (mut one, mut two) = (origin.accept().await, origin.accept().await);
    let (head_one, head_two) = (one.head().await, two.head().await);
    assert!(head_one.starts_with("GET /1 ") && head_two.starts_with("GET /2 "), "{head_one}");
    two.answer("two").await;
    assert_eq!(text(answered(second).await).await.0, "two");
    one.answer("one").await;
    assert_eq!(text(answered(first).await).await.0, "one");
}

#[tokio::test]
async fn the_port_that_was_asked_for_is_kept() {
    let (proxy, gateway) = (Proxy::start(), Origin::start().await);
    let context = proxy.create(Some(RouteFields {
        cmux_proxy_origin: Some(gateway.url()),
        ..RouteFields::default()
    }));
    for (authority, port) in [("localhost:443", "443"), ("localhost:3000", "3000")] {
        let mut client = proxy.inside(&context, authority, &["http/1.1"]).await;
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let (_upstream, head) = gateway.answer("ok").await;
        assert_eq!(field(&head, "x-cmux-port-internal"), Some(port));
        assert_eq!(client.response().await.1, "ok");
    }
}

#[tokio::test]
async fn another_authority_inside_is_misdirected() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let client = proxy.inside(&context, "localhost:3000", &["h2"]).await;
    let mut sender = speak(client.0).await;
    for url in ["https://localhost:3001/", "https://example.com/", "http://localhost/"] {
        let (response, mut body) = begin(&mut sender, None, Method::GET, url);
        body.send_data(Bytes::new(), true).unwrap();
        assert_eq!(answered(response).await.status(), 421, "{url}");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn every_loopback_host_gets_a_certificate_of_its_own() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for host in ["localhost", "LOCALHOST", "app.localhost", "127.0.0.1", "127.1.2.3", "[::1]"] {
        let mut client = proxy.inside(&context, &format!("{host}:3000"), &["http/1.1"]).await;
        client.send("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").await;
        let _upstream = origin.answer("ok").await;
        assert_eq!(client.response().await.1, "ok", "{host}");
    }
}

/// A client that names another host in its handshake still sees who it is really connected to.
#[tokio::test]
async fn the_name_in_the_handshake_changes_nothing() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let trusting = || config(&proxy.server.certificate_authority().pem, &["http/1.1"]);
    for name in ["other.localhost", "example.com"] {
        let client = proxy.tunnel(&context, "localhost:3000").await;
        let refusal = client.shake_hands(name, trusting()).await.err().unwrap();
        assert!(refusal.to_string().contains("not valid for name"), "{refusal}");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_hello_may_come_byte_by_byte_and_with_more_behind_it() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    let trusting = config(&proxy.server.certificate_authority().pem, &["http/1.1"]);
    let name = "localhost".try_into().unwrap();
    let mut tls = rustls::ClientConnection::new(trusting.into(), name).unwrap();
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).unwrap();
    for record in in_records_of(&hello, 100) {
        for byte in record {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
    }
    let answer = client.take(5).await;
    assert_eq!(answer[..2], [0x16, 3], "the server's handshake begins");
}

/// The same handshake message in more and smaller records.
fn in_records_of(hello: &[u8], size: usize) -> Vec<Vec<u8>> {
    let split = |piece: &[u8]| {
        let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
        [&hello[..3], &length, piece].concat()
    };
    hello[5..].chunks(size).map(split).collect()
}

#[tokio::test]
async fn what_is_not_a_hello_is_relayed_to_the_byte() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let early: [&[u8]; 4] =
        [b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff", b"\x00\x01", b"\xff"];
    for bytes in early {
        let mut client = proxy.tunnel(&context, "localhost:3000").await;
        client.send(bytes).await;
        let mut upstream = origin.accept().await;
        assert_eq!(upstream.take(bytes.len()).await, bytes);
    }
}

/// Python's `http.server` takes all of these for white space before a method.
#[tokio::test]
async fn what_only_a_lenient_server_takes_for_a_request_is_not_relayed() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for first in *b"\t\x0b\x0c \x1c\x1d\x1e\x1f\x85\xa0" {
        let mut client = proxy.tunnel(&context, "localhost:3000").await;
        client
            .send([&[first][..], b"GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n"].concat())
            .await;
        assert_eq!(status(&client.head().await), 400, "{first:#x}");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn half_a_hello_that_ends_is_relayed() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send(b"\x16\x03\x01\x02\x00\x01").await;
    client.finish().await;
    assert_eq!(origin.accept().await.rest().await, b"\x16\x03\x01\x02\x00\x01");
}

#[tokio::test]
async fn a_hello_or_a_handshake_that_stalls_ends_in_time() {
    let short = std::time::Duration::from_millis(100);
    let timeouts = Timeouts { request_head: short, tls_handshake: short, ..Timeouts::default() };
    let (proxy, origin) = (
        Proxy::with(ServerOptions { timeouts, ..ServerOptions::default() }),
        Origin::start().await,
    );
    let context = proxy.routed(origin.url());
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send(b"\x16\x03\x01\x02\x00\x01").await;
    assert_eq!(client.ends_soon().await, b"");
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send(hello(&proxy, &[])).await;
    assert_eq!(client.ends_soon().await[..2], [0x16, 3]);
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn an_unrouted_contexts_tls_is_its_own() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("localhost", &["http/1.1"]).await;
    let proxy = Proxy::with(ca.options(&[]));
    let context = proxy.context();
    let client = proxy.tunnel(&context, &format!("localhost:{}", origin.tcp.port())).await;
    let trusting = config(&proxy.server.certificate_authority().pem, &["http/1.1"]);
    let ((), refused) =
        tokio::join!(origin.is_refused(), client.shake_hands("localhost", trusting));
    assert!(refused.is_err(), "the proxy's authority has signed for an unrouted context");
}

#[tokio::test]
async fn ten_mebibytes_pass_both_ways_over_http_2_inside() {
    const SIZE: usize = 10 << 20;
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut sender = speak(proxy.inside(&context, "localhost:443", &["h2"]).await.0).await;
    let sent = pattern(SIZE, 7);
    let (response, mut body) = begin(&mut sender, None, Method::POST, "https://localhost/");
    let upload = send_all(&mut body, Bytes::from(sent.clone()));
    let serve = async {
        let mut upstream = origin.accept().await;
        assert_eq!(field(&upstream.head().await, "transfer-encoding"), Some("chunked"));
        let received = chunks(&mut upstream).await;
        upstream.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
        upstream.send(&received).await;
    };
    let receive = async { whole(answered(response).await).await.0 };
    let ((), (), received) = tokio::join!(upload, serve, receive);
    assert!(received == sent, "the bytes are not the same");
}

/// The content of a body in chunks.
async fn chunks(upstream: &mut Peer) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let mut size = Vec::new();
        while !size.ends_with(b"\r\n") {
            size.extend(upstream.take(1).await);
        }
        let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
        content.extend(upstream.take(size).await);
        upstream.expect("\r\n").await;
        if size == 0 {
            return content;
        }
    }
}

#[tokio::test]
async fn releasing_the_context_ends_what_is_inside() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut old = proxy.inside(&context, "localhost:3000", &["http/1.1"]).await;
    let mut new = speak(proxy.inside(&context, "localhost:3000", &["h2"]).await.0).await;
    let (response, _body) = begin(&mut new, None, Method::POST, "https://localhost:3000/");
    let _upstream = origin.accept().await;
    proxy.server.release_context(&context.id).unwrap();
    assert_eq!(old.ends_soon().await, b"");
    let answer = response.await.map(|answer| answer.status());
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn a_failure_is_told_inside() {
    let proxy = Proxy::start();
    let down = Origin::start().await;
    let context = proxy.routed(down.url());
    drop(down);
    let mut client = proxy.inside(&context, "localhost:3000", &["http/1.1"]).await;
    client.send(GET).await;
    assert_eq!(status(&client.response().await.0), 502);
    let mut sender = speak(proxy.inside(&context, "localhost:3000", &["h2"]).await.0).await;
    let (response, mut body) = begin(&mut sender, None, Method::GET, "https://localhost:3000/");
    body.send_data(Bytes::new(), true).unwrap();
    assert_eq!(answered(response).await.status(), 502);
}
