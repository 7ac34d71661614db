//! CONNECT: what is dialled before it is answered, and what is looked into.

use crate::harness::{Origin, Proxy, field, status};

#[tokio::test]
async fn a_websocket_inside_connect_is_a_request_of_its_context() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(format!("http://{}", origin.address()));
    let mut client = proxy.connect().await;
    client
        .send(format!(
            "CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n",
            context.field()
        ))
        .await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    client
        .send(
            "GET /ws HTTP/1.1\r\nHost: localhost:3000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: vite-hmr\r\n\r\n",
        )
        .await;
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /ws HTTP/1.1\r\n"), "{head}");
    upstream
        .send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Protocol: vite-hmr\r\n\r\nearly",
        )
        .await;
    let head = client.head().await;
    assert_eq!(status(&head), 101, "{head}");
    assert!(head.contains("vite-hmr"), "{head}");
    client.expect("early").await;
    client.send("up").await;
    upstream.expect("up").await;
    proxy.server.release_context(&context.id).unwrap();
    assert_eq!(client.rest().await, b"");
    assert_eq!(upstream.rest().await, b"");
}

#[tokio::test]
async fn other_bytes_are_relayed_to_where_the_route_leads() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(format!("http://{}", origin.address()));
    let mut client = proxy.connect().await;
    client
        .send(format!(
            "CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n\x16\x03\x01early",
            context.field()
        ))
        .await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.expect(b"\x16\x03\x01early").await;
    client.finish().await;
    assert_eq!(upstream.rest().await, b"");
    upstream.send(vec![7; 1 << 20]).await;
    upstream.finish().await;
    assert_eq!(client.rest().await.len(), 1 << 20);
}

#[tokio::test]
async fn a_tunnel_is_dialled_before_it_is_answered() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.connect(&origin.address().to_string())).await;
    let mut upstream = origin.accept().await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    // Here nobody looks into the bytes, and either side may speak first.
    upstream.send("220 ready\r\n").await;
    client.expect("220 ready\r\n").await;
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    upstream.expect("GET / HTTP/1.1\r\n\r\n").await;
}

#[tokio::test]
async fn a_tunnel_to_nobody_is_502_and_the_connection_is_kept() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let closed = Origin::start().await.address();
    let mut client = proxy.connect().await;
    for (authority, token) in
        [(closed.to_string(), "connection_refused"), ("name.invalid:443".to_owned(), "dns_error")]
    {
        client.send(context.connect(&authority)).await;
        let (head, _) = client.response().await;
        assert_eq!(status(&head), 502);
        let expected = format!("tabport; error={token}");
        assert_eq!(field(&head, "proxy-status"), Some(expected.as_str()));
        assert_eq!(field(&head, "connection"), None);
    }
    client.send(context.connect(&origin.address().to_string())).await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    client.send("x").await;
    origin.accept().await.expect("x").await;
    assert_eq!(proxy.server.stats().total.tunnels, 1);
}

#[tokio::test]
async fn bytes_in_the_connects_own_segment_are_kept() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let early = "early".repeat(20_000);
    let unrouted = proxy.context();
    let mut client = proxy.connect().await;
    client.send(format!("{}{early}", unrouted.connect(&origin.address().to_string()))).await;
    assert_eq!(origin.accept().await.take(early.len()).await, early.as_bytes());

    let routed = proxy.routed(origin.url());
    let request = "GET /early HTTP/1.1\r\nHost: localhost:3000\r\n\r\n";
    let mut client = proxy.connect().await;
    client.send(format!("{}{request}", routed.connect("localhost:3000"))).await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    let (_, head) = origin.answer("ok").await;
    assert!(head.starts_with("GET /early HTTP/1.1\r\n"), "{head}");
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn a_head_that_arrives_byte_by_byte_is_read() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    for byte in context.connect("localhost:3000").bytes() {
        client.send([byte]).await;
    }
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    for byte in "PUT /x HTTP/1.1\r\nHost: localhost:3000\r\nContent-Length: 0\r\n\r\n".bytes() {
        client.send([byte]).await;
    }
    let (_, head) = origin.answer("ok").await;
    assert!(head.starts_with("PUT /x HTTP/1.1\r\n"), "{head}");
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn an_intercepted_tunnel_serves_many_requests() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    let request = |number: u32| {
        format!(
            "GET /{number} HTTP/1.1\r\nHost: localhost:3000\r\nProxy-Authorization: Basic wrong\r\n\r\n"
        )
    };
    client.send(request(0)).await;
    let (mut upstream, head) = origin.answer("0").await;
    assert!(head.starts_with("GET /0 ") && !head.contains("wrong"), "{head}");
    assert_eq!(client.response().await.1, "0");
    client.send(format!("{}{}", request(1), request(2))).await;
    for number in ["1", "2"] {
        assert!(upstream.head().await.starts_with(&format!("GET /{number} ")));
        upstream.answer(number).await;
        assert_eq!(client.response().await.1, number);
    }
    client.send("POST /3 HTTP/1.1\r\nHost: localhost:3000\r\nContent-Length: 2\r\n\r\nhi").await;
    let head = upstream.head().await;
    assert!(!head.to_lowercase().contains("proxy-authorization"), "{head}");
    upstream.expect("hi").await;
    upstream.answer("3").await;
    assert_eq!(client.response().await.1, "3");
}

#[tokio::test]
async fn a_malformed_request_inside_a_tunnel_is_400() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Host\r\n\r\n",
        "NOT HTTP\r\n\r\n",
    ] {
        let mut client = proxy.tunnel(&context, "localhost:3000").await;
        client.send(request).await;
        assert_eq!(status(&client.response().await.0), 400, "{request:?}");
        assert_eq!(client.rest().await, b"");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_connect_with_a_body_is_400() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let target = format!("CONNECT {}", origin.address());
    for (fields, body) in [
        ("Content-Length: 5\r\n", "hello"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let mut client = proxy.connect().await;
        client.send(format!("{}{body}", context.ask(&target, fields))).await;
        assert_eq!(status(&client.response().await.0), 400, "{fields}");
    }
    origin.was_never_dialled().await;

    let mut client = proxy.connect().await;
    client.send(format!("{}hello", context.ask(&target, "Content-Length: 0\r\n"))).await;
    assert_eq!(status(&client.head().await), 200);
    origin.accept().await.expect("hello").await;
}

#[tokio::test]
async fn a_method_after_an_empty_line_or_in_lower_case_is_a_request_too() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for prelude in ["\r\n", "\r\n\r\n", ""] {
        let mut client = proxy.tunnel(&context, "localhost:3000").await;
        let request = format!("get /x HTTP/1.1\r\nHost: localhost:3000\r\n{}", context.field());
        client.send(format!("{prelude}{request}X-Cmux-Port-Internal: 1\r\n\r\n")).await;
        let (_, head) = origin.answer("ok").await;
        assert!(head.starts_with("get /x HTTP/1.1\r\n"), "{head}");
        assert!(!head.to_lowercase().contains("proxy-auth"), "{head}");
        assert!(!head.to_lowercase().contains("x-cmux"), "{head}");
    }
}

#[tokio::test]
async fn a_silent_tunnel_that_would_be_looked_into_is_counted_as_a_connection() {
    let proxy = Proxy::start();
    let context = proxy.routed("http://127.0.0.1:1");
    let client = proxy.tunnel(&context, "localhost:3000").await;
    proxy.until("it counts", |stats| stats.connections == 1 && stats.requests == 0).await;
    drop(client);
    proxy.until("it is gone", |stats| stats.connections == 0).await;
}
