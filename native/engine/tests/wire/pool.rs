//! Upstream connections kept for the next request.

use bytes::Bytes;
use http::Method;

use crate::harness::{Origin, Peer, Proxy, status};
use crate::stream::{answered, begin, speak, text};

#[tokio::test]
async fn an_upstream_connection_is_reused() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let (mut upstream, _) = origin.answer("0").await;
    assert_eq!(client.response().await.1, "0");
    for number in 1..50 {
        let body = "x".repeat(number);
        let chunked = format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{number:x}\r\n{body}\r\n0\r\n\r\n"
        );
        client.send(context.get(&origin.url())).await;
        upstream.head().await;
        upstream.send(&chunked).await;
        client.expect(chunked).await;
    }
    origin.was_never_dialled().await;
    assert_eq!(proxy.server.stats().upstream_connections, 1);
}

#[tokio::test]
async fn a_connection_the_origin_has_closed_meanwhile_is_replaced() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    for number in 0..50 {
        let fields = "Content-Length: 4\r\n";
        let request = context.ask(&format!("POST {}/", origin.url()), fields);
        client.send(format!("{request}body")).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.expect("body").await;
        upstream.answer("ok").await;
        assert_eq!(client.response().await.1, "ok", "{number}");
        proxy.until("the exchange ends", |stats| stats.requests == 0).await;
        if number % 2 == 0 {
            upstream.reset();
        } else {
            drop(upstream);
        }
    }
}

/// The origin's idle limit and our next request may meet half-way: nothing is wrong with either.
#[tokio::test]
async fn a_reused_connection_that_closes_without_an_answer_is_retried() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let (mut upstream, _) = origin.answer("one").await;
    assert_eq!(client.response().await.1, "one");

    client.send(context.get(&origin.url())).await;
    upstream.head().await;
    drop(upstream);
    let accepted = tokio::select! {
        (head, _) = client.response() => panic!("not retried: {head}"),
        accepted = origin.answer("two") => accepted,
    };
    assert!(accepted.1.starts_with("GET / HTTP/1.1\r\n"));
    assert_eq!(client.response().await.1, "two");
}

#[tokio::test]
async fn a_request_with_a_body_is_not_sent_twice() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let (mut upstream, _) = origin.answer("one").await;
    assert_eq!(client.response().await.1, "one");

    let request = context.ask(&format!("POST {}/", origin.url()), "Content-Length: 4\r\n");
    client.send(format!("{request}body")).await;
    upstream.head().await;
    upstream.expect("body").await;
    drop(upstream);
    assert_eq!(status(&client.response().await.0), 502);
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_connection_whose_body_was_not_read_is_not_reused() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let mut first = origin.accept().await;
    first.head().await;
    first.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc").await;
    client.head().await;
    client.expect("abc").await;
    drop(client);
    first.ends_soon().await;
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    origin.answer("new").await;
    assert_eq!(client.response().await.1, "new");
}

#[tokio::test]
async fn a_connection_with_bytes_nobody_asked_for_is_not_reused() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let (mut upstream, _) = origin.answer("one").await;
    upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await;
    assert_eq!(client.response().await.1, "one");
    upstream.rest().await;
    client.send(context.get(&origin.url())).await;
    origin.answer("two").await;
    assert_eq!(client.response().await.1, "two");
}

#[tokio::test]
async fn an_origin_that_says_close_is_not_reused() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    for body in ["a", "b"] {
        client.send(context.get(&origin.url())).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream
            .send(format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\n{body}"
            ))
            .await;
        let (head, received) = client.response().await;
        assert_eq!(received, body);
        assert!(!head.contains("connection"), "the client's connection is its own: {head}");
        assert_eq!(upstream.rest().await, b"");
    }
}

#[tokio::test]
async fn no_context_rides_on_anothers_connection() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let contexts = [proxy.context(), proxy.context()];
    let mut client = proxy.connect().await;
    let mut upstreams = Vec::<Peer>::new();
    for context in &contexts {
        client.send(context.get(&origin.url())).await;
        upstreams.push(origin.answer("ok").await.0);
        assert_eq!(client.response().await.1, "ok");
        proxy.until("the exchange ends", |stats| stats.requests == 0).await;
    }
    for (context, upstream) in contexts.iter().zip(&mut upstreams) {
        client.send(context.get(&origin.url())).await;
        upstream.head().await;
        upstream.answer(&context.id).await;
        assert_eq!(client.response().await.1, context.id);
    }
    assert_eq!(proxy.server.stats().upstream_connections, 2);
}

/// More than an origin is trusted to take at once.
#[tokio::test]
async fn however_many_requests_wait_for_answers_each_is_sent() {
    const REQUESTS: usize = 200;
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let mut asked = Vec::new();
    for _ in 0..REQUESTS {
        let (response, mut body) = begin(&mut sender, Some(&context), Method::GET, &origin.url());
        body.send_data(Bytes::new(), true).unwrap();
        asked.push(response);
    }
    let mut upstreams = Vec::new();
    while upstreams.len() < REQUESTS {
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstreams.push(upstream);
    }
    for upstream in &mut upstreams {
        upstream.answer("ok").await;
    }
    for response in asked {
        assert_eq!(text(answered(response).await).await.0, "ok");
    }
}
