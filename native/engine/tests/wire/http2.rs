//! HTTP/2 by prior knowledge, on the same port.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use tabport_engine::ServerOptions;
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Origin, Peer, Proxy, field, pattern};
use crate::stream::{answered, begin, get, is_ended, send_all, speak, text, whole};

#[tokio::test]
async fn a_request_becomes_one_of_http_1_1() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut sender = speak(proxy.connect().await.0).await;
    let request = Request::builder()
        .uri("http://localhost:3000/a/../b?c=%20")
        .header("proxy-authorization", format!("Basic {}", context.credentials))
        .header("cookie", "a=1")
        .header("cookie", "b=2; c=3")
        .header("te", "trailers")
        .header("x-cmux-port-internal", "22")
        .body(())
        .unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /a/../b?c=%20 HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "host"), Some(origin.address().to_string().as_str()));
    assert_eq!(field(&head, "cookie"), Some("a=1; b=2; c=3"));
    assert_eq!(head.matches("cookie").count(), 1, "{head}");
    for gone in ["proxy-authorization", "x-cmux-port-internal", ":authority", ":path"] {
        assert!(!head.to_lowercase().contains(gone), "{head}");
    }
    upstream
        .send(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\n\
             Transfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        )
        .await;
    let response = answered(response).await;
    assert_eq!(response.status(), 200);
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    for gone in ["connection", "keep-alive", "transfer-encoding", "x-named"] {
        assert!(!response.headers().contains_key(gone), "{gone}");
    }
    assert_eq!(text(response).await.0, "ok");
}

#[tokio::test]
async fn a_body_and_its_trailers_go_through() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let request = Request::post(format!("{}/", origin.url()))
        .header("proxy-authorization", format!("Basic {}", context.credentials))
        .header("trailer", "x-sum")
        .body(())
        .unwrap();
    let (response, mut body) = sender.send_request(request, false).unwrap();
    body.send_data("hello".into(), false).unwrap();
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "42".parse().unwrap())]);
    body.send_trailers(trailers).unwrap();
    let mut upstream = origin.accept().await;
    assert_eq!(field(&upstream.head().await, "transfer-encoding"), Some("chunked"));
    upstream.expect("5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n").await;
    upstream
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-back: 7\r\n\r\n")
        .await;
    let (body, trailers) = text(answered(response).await).await;
    assert_eq!(body, "ok");
    assert_eq!(trailers.unwrap()["x-back"], "7");
}

/// Several times the windows of stream and connection, both ways.
#[tokio::test]
async fn large_bodies_go_through_whole() {
    const SIZE: usize = 40 << 20;
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let sent = pattern(SIZE, 3);
    let (response, mut body) =
        begin(&mut sender, Some(&context), Method::CONNECT, &origin.address().to_string());
    let mut upstream = origin.accept().await;
    let response = answered(response).await;
    let bytes = Bytes::from(sent.clone());
    let ((), received) = tokio::join!(send_all(&mut body, bytes), upstream.rest());
    assert!(received == sent, "what went up a tunnel was changed");
    drop((response, body, upstream));

    let (response, mut body) = begin(&mut sender, Some(&context), Method::GET, &origin.url());
    body.send_data(Bytes::new(), true).unwrap();
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    let response = answered(response).await;
    let sending = async {
        upstream.send(&sent).await;
        upstream.finish().await;
    };
    let ((), received) = tokio::join!(sending, whole(response));
    assert!(received.0 == sent, "what came down a stream was changed");
}

#[tokio::test]
async fn every_stream_says_who_asks() {
    let (proxy, a, b) = (Proxy::start(), Origin::start().await, Origin::start().await);
    let contexts = [proxy.routed(a.url()), proxy.routed(b.url())];
    let mut sender = speak(proxy.connect().await.0).await;
    for method in [Method::GET, Method::POST] {
        let (response, _body) = begin(&mut sender, None, method, "http://localhost:3000/");
        let response = answered(response).await;
        assert_eq!(response.status(), 407);
        assert_eq!(response.headers()["proxy-authenticate"], "Basic realm=\"tabport\"");
    }
    let (response, _body) = begin(&mut sender, None, Method::CONNECT, "localhost:3000");
    assert_eq!(answered(response).await.status(), 407);
    for (context, origin, body) in [(&contexts[0], &a, "a"), (&contexts[1], &b, "b")] {
        let ask = get(&mut sender, context, "http://localhost:3000/");
        let (response, _) = tokio::join!(ask, origin.answer(body));
        assert_eq!(text(response).await.0, body);
    }
    proxy.server.release_context(&contexts[0].id).unwrap();
    assert_eq!(get(&mut sender, &contexts[0], "http://localhost:3000/").await.status(), 407);
    a.was_never_dialled().await;
    assert_eq!(proxy.server.stats().total.connections, 1);
}

#[tokio::test]
async fn the_authority_outranks_the_host_field() {
    let (proxy, origin, other) = (Proxy::start(), Origin::start().await, Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let request = Request::get(format!("{}/", origin.url()))
        .header("host", other.address().to_string())
        .header("proxy-authorization", format!("Basic {}", context.credentials))
        .body(())
        .unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let (_, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "host"), Some(origin.address().to_string().as_str()));
    assert_eq!(head.to_lowercase().matches("host:").count(), 1);
    assert_eq!(answered(response).await.status(), 200);
    other.was_never_dialled().await;
}

/// Without an authority nothing says by which scheme: https must not become http.
#[tokio::test]
async fn a_request_without_an_authority_is_400() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let mut sender = speak(proxy.connect().await.0).await;
    // The version that has h2 leave the authority out.
    let request = |context: &Context| {
        http::Request::builder()
            .version(http::Version::HTTP_11)
            .uri("/x")
            .header("host", origin.address().to_string())
            .header("proxy-authorization", format!("Basic {}", context.credentials))
            .body(())
            .unwrap()
    };
    let (response, _) = sender.send_request(request(&proxy.context()), true).unwrap();
    let response = answered(response).await;
    assert_eq!(response.status(), 400);
    assert!(text(response).await.0.contains(":authority"));
    origin.was_never_dialled().await;

    let (response, _) = sender.send_request(request(&proxy.routed(origin.url())), true).unwrap();
    origin.answer("by the route's scheme").await;
    assert_eq!(answered(response).await.status(), 200);
}

#[tokio::test]
async fn a_stream_may_be_a_tunnel() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let (response, mut up) =
        begin(&mut sender, Some(&context), Method::CONNECT, &origin.address().to_string());
    up.send_data("early".into(), false).unwrap();
    let mut upstream = origin.accept().await;
    upstream.expect("early").await;
    let response = answered(response).await;
    assert_eq!(response.status(), 200);
    let mut down = response.into_body();
    upstream.send(vec![7; 1 << 20]).await;
    let mut received = 0;
    while received < 1 << 20 {
        let data = timeout(DEADLINE, down.data()).await.unwrap().unwrap().unwrap();
        down.flow_control().release_capacity(data.len()).unwrap();
        received += data.len();
    }
    up.send_data("the end".into(), true).unwrap();
    assert_eq!(upstream.rest().await, b"the end");
    upstream.send("bye").await;
    upstream.finish().await;
    assert_eq!(timeout(DEADLINE, down.data()).await.unwrap().unwrap().unwrap(), "bye");
    assert!(is_ended(&mut down).await);
    proxy.until("the tunnel ends", |stats| stats.tunnels == 0 && stats.total.tunnels == 1).await;
}

#[tokio::test]
async fn a_tunnel_to_nobody_is_502() {
    let proxy = Proxy::start();
    let closed = Origin::start().await.address();
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let (response, _up) = begin(&mut sender, Some(&context), Method::CONNECT, &closed.to_string());
    let response = answered(response).await;
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["proxy-status"], "tabport; error=connection_refused");
}

#[tokio::test]
async fn an_intercepted_tunnel_may_carry_http2() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let client = proxy.tunnel(&context, "localhost:3000").await;
    let mut sender = speak(client.0).await;
    let big = "x".repeat(300_000);
    for body in ["one", "two", &big] {
        let (response, mut own) = begin(&mut sender, None, Method::GET, "http://localhost:3000/x");
        own.send_data(Bytes::new(), true).unwrap();
        let (upstream, head) = origin.answer(body).await;
        assert!(head.starts_with("GET /x HTTP/1.1\r\n"), "{head}");
        assert_eq!(text(answered(response).await).await.0, body);
        drop(upstream);
        proxy.until("it is gone", |stats| stats.upstream_connections == 0).await;
    }
    let (response, _own) = begin(&mut sender, None, Method::GET, "http://localhost:3001/");
    assert_eq!(answered(response).await.status(), 421);
}

#[tokio::test]
async fn a_hundred_streams_go_at_once() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut sender = speak(proxy.connect().await.0).await;
    let mut responses = Vec::new();
    for number in 0..100 {
        let uri = format!("http://localhost:3000/{number}");
        sender = sender.ready().await.unwrap();
        let (response, mut body) = begin(&mut sender, Some(&context), Method::GET, &uri);
        body.send_data(Bytes::new(), true).unwrap();
        responses.push(response);
    }
    // All hundred are in flight before the first is answered.
    let mut upstreams = Vec::<(Peer, String)>::new();
    for _ in 0..100 {
        let mut upstream = origin.accept().await;
        let head = upstream.head().await;
        upstreams.push((upstream, head.split(' ').nth(1).unwrap().to_owned()));
    }
    for (upstream, path) in upstreams.iter_mut().rev() {
        upstream.answer(path).await;
    }
    for (number, response) in responses.into_iter().enumerate() {
        assert_eq!(text(answered(response).await).await.0, format!("/{number}"));
    }
    proxy.until("all end", |stats| stats.requests == 0 && stats.total.requests == 100).await;
}

#[tokio::test]
async fn a_stream_the_client_resets_ends_its_upstream_alone() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let (waiting, mut body) = begin(&mut sender, Some(&context), Method::GET, &origin.url());
    let mut upstream = origin.accept().await;
    upstream.head().await;
    body.send_reset(h2::Reason::CANCEL);
    drop(waiting);
    assert_eq!(upstream.ends_soon().await, b"");
    let url = origin.url();
    let (response, _) = tokio::join!(get(&mut sender, &context, &url), origin.answer("other"));
    assert_eq!(text(response).await.0, "other");
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let options = ServerOptions { http2: false, ..ServerOptions::default() };
    let (proxy, origin) = (Proxy::with(options), Origin::start().await);
    let mut client = proxy.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let rest = client.rest().await;
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"), "{rest:?}");
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    origin.answer("1.1").await;
    assert_eq!(client.response().await.1, "1.1");
}
