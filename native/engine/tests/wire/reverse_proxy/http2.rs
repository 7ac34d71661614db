//! HTTP/2 on either side.

use bytes::Bytes;
use http::{Request, Version};
use tabport_engine::{Face, ReverseProxyOptions, ServerOptions};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{options, passed, set_up, start};
use crate::harness::{DEADLINE, Origin, Proxy, status};
use crate::http2_upstream::{accept, answer, next};
use crate::stream::{answered, speak, text};
use crate::tls::CertificateAuthority;

async fn speak_to(proxy: &Proxy) -> h2::client::SendRequest<Bytes> {
    speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await
}

#[tokio::test]
async fn row_39_a_request_becomes_one_of_1_1() {
    let origin = Origin::start().await;
    let proxy = start(ReverseProxyOptions {
        rewrite_host: false,
        ..options(&format!("{}/base", origin.url()))
    });
    let mut sender = speak_to(&proxy).await;
    for (target, sent) in [
        ("http://a.test:8787/a/../b//c/%2e%2e?", "/base/a/../b//c/%2e%2e?"),
        ("http://a.test:8787/x?x=%7B{}&&", "/base/x?x=%7B{}&&"),
        ("http://a.test:8787/caf\u{e9};v=1", "/base/caf\u{c3}\u{a9};v=1"),
    ] {
        let request = Request::get(target)
            .header("b-second", "1")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("x-forwarded-for", "1.1.1.1")
            .header("te", "trailers");
        let (response, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
        let mut upstream = origin.accept().await;
        let head = passed(&mut upstream).await;
        assert_eq!(head.first, format!("GET {sent} HTTP/1.1"));
        let expected = [
            "b-second: 1",
            "cookie: a=1; b=2",
            "TE: trailers",
            "Host: a.test:8787",
            "connection: te",
        ];
        assert_eq!(head.others, expected);
        let own = ["x-forwarded-for: 1.1.1.1, 127.0.0.1", "X-Forwarded-Proto: http"];
        assert_eq!(head.own[..2], own);
        assert_eq!(head.own[2], "X-Forwarded-Host: a.test:8787");
        upstream.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
        let response = answered(response).await;
        assert_eq!(response.headers()["x-request-id"].len(), 36);
        assert_eq!(text(response).await.0, "ok");
    }
}

#[tokio::test]
async fn row_39_a_hundred_streams_at_once() {
    let (proxy, origin) = set_up().await;
    let mut sender = speak_to(&proxy).await;
    let mut responses = Vec::new();
    for number in 0..100 {
        let request = Request::get(format!("http://a/{number}")).body(()).unwrap();
        sender = timeout(DEADLINE, sender.ready()).await.unwrap().unwrap();
        responses.push(sender.send_request(request, true).unwrap().0);
    }
    let mut upstreams = Vec::new();
    for _ in 0..100 {
        let mut upstream = origin.accept().await;
        let head = passed(&mut upstream).await;
        upstreams.push((head.first, upstream));
    }
    for (first, mut upstream) in upstreams.into_iter().rev() {
        upstream.answer(&first).await;
    }
    for (number, response) in responses.into_iter().enumerate() {
        let answer = text(answered(response).await).await.0;
        assert_eq!(answer, format!("GET /{number} HTTP/1.1"));
    }
}

#[tokio::test]
async fn row_39_events_and_trailers_arrive_as_they_are_sent() {
    let (proxy, origin) = set_up().await;
    let mut sender = speak_to(&proxy).await;
    let request = Request::get("http://a/").body(()).unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let mut body = answered(response).await.into_body();
    for number in 0..10 {
        upstream.send(format!("9\r\ndata: {number}\n\n\r\n")).await;
        let event = timeout(DEADLINE, body.data()).await.expect("an event").unwrap().unwrap();
        assert_eq!(event, format!("data: {number}\n\n"));
    }
    upstream.send("0\r\nX-Sum: 1\r\n\r\n").await;
    assert!(timeout(DEADLINE, body.data()).await.unwrap().is_none());
    assert_eq!(body.trailers().await.unwrap().unwrap()["x-sum"], "1");
}

#[tokio::test]
async fn row_12_and_14_reserved_paths_and_connect_over_http_2() {
    let (proxy, origin) = set_up().await;
    let mut sender = speak_to(&proxy).await;
    for (method, uri, expected) in [
        ("GET", "http://a/healthz", 200),
        ("HEAD", "http://a/healthz?x", 200),
        ("POST", "http://a/healthz", 405),
        ("CONNECT", "a.test:443", 501),
    ] {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        let (response, _) = sender.send_request(request, true).unwrap();
        assert_eq!(answered(response).await.status(), expected, "{method} {uri}");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn row_40_an_upstream_with_https_is_asked_in_http_2_unless_that_is_off() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("origin.test", &["h2", "http/1.1"]).await;
    for upstream_http2 in [true, false] {
        let options = ReverseProxyOptions {
            upstream_http2,
            rewrite_host: upstream_http2,
            ..options("https://origin.test/base")
        };
        let face = Face::ReverseProxy(options);
        let trusting = ca.options(&[("origin.test:443", &origin)]);
        let proxy = Proxy::with(ServerOptions { face, ..trusting });
        let mut client = proxy.connect().await;
        client.send("GET /../x? HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: 1\r\n\r\n").await;
        if upstream_http2 {
            let mut upstream = accept(&origin).await;
            let (request, mut respond) = next(&mut upstream).await;
            assert_eq!(request.version(), Version::HTTP_2);
            assert_eq!(request.uri(), "https://origin.test/base/../x?");
            assert_eq!(request.headers()["x-forwarded-host"], "a.test");
            assert_eq!(request.headers().len(), 4, "{:?}", request.headers());
            answer(&mut respond, "ok");
            let (head, body) = crate::http2_upstream::response(&mut client, &mut upstream).await;
            assert_eq!((status(&head), &*body), (200, "ok"));
        } else {
            let (_, head) = origin.answer("ok").await;
            assert!(head.starts_with("GET /base/../x? HTTP/1.1\r\nhost: a.test\r\n"), "{head}");
            assert_eq!(client.response().await.1, "ok");
        }
    }
}

/// The client's `:authority` may be what the upstream is told, too.
#[tokio::test]
async fn row_11_and_40_from_http_2_to_http_2() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("origin.test", &["h2"]).await;
    let options = ReverseProxyOptions { rewrite_host: false, ..options("https://origin.test") };
    let face = Face::ReverseProxy(options);
    let proxy = Proxy::with(ServerOptions { face, ..ca.options(&[("origin.test:443", &origin)]) });
    let mut sender = speak_to(&proxy).await;
    let request = Request::get("http://a.test:8787/x").body(()).unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let mut upstream = accept(&origin).await;
    let (request, mut respond) = next(&mut upstream).await;
    assert_eq!(request.uri(), "https://a.test:8787/x");
    answer(&mut respond, "ok");
    let asking = async { text(answered(response).await).await };
    let got = tokio::select! { got = asking => got, _ = upstream.accept() => panic!("another") };
    assert_eq!(got.0, "ok");
}

/// What the crate http takes for no URI is asked for in HTTP/1.1, beside the connection that speaks HTTP/2.
#[tokio::test]
async fn row_40_a_target_that_http_2_cannot_be_asked_for_passes_byte_for_byte() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("origin.test", &["h2", "http/1.1"]).await;
    let face = Face::ReverseProxy(options("https://origin.test"));
    let proxy = Proxy::with(ServerOptions { face, ..ca.options(&[("origin.test:443", &origin)]) });
    let mut client = proxy.connect().await;
    let mut http2 = None;
    for target in [&b"/a<b>?c"[..], b"/a`b?c"] {
        client.send([b"POST ", target, b" HTTP/1.1\r\nHost: a\r\n"].concat()).await;
        client.send("Content-Length: 4\r\n\r\nbody").await;
        if http2.is_none() {
            http2 = Some(accept(&origin).await);
        }
        let mut upstream = origin.accept().await;
        upstream.expect([b"POST ", target, b" HTTP/1.1\r\n"].concat()).await;
        upstream.head().await;
        upstream.expect("body").await;
        upstream.answer("ok").await;
        assert_eq!(client.response().await.1, "ok");
    }
    client.send("GET /else HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let upstream = http2.as_mut().unwrap();
    answer(&mut next(upstream).await.1, "else");
    assert_eq!(crate::http2_upstream::response(&mut client, upstream).await.1, "else");
}

#[tokio::test]
async fn row_13_the_health_of_an_upstream_that_speaks_nothing_else() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("origin.test", &["h2"]).await;
    let face = Face::ReverseProxy(options("https://origin.test"));
    let proxy = Proxy::with(ServerOptions { face, ..ca.options(&[("origin.test:443", &origin)]) });
    let mut client = proxy.connect().await;
    client.send("GET /healthz/upstream HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = accept(&origin).await;
    let (request, mut respond) = next(&mut upstream).await;
    assert_eq!(request.uri(), "https://origin.test/healthz");
    answer(&mut respond, "well");
    tokio::spawn(async move { while let Some(Ok(_)) = upstream.accept().await {} });
    assert_eq!(status(&client.response().await.0), 200);
}
