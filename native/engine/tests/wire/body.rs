//! Bodies on their way: streamed, held back by a slow peer, and never ended cleanly when they were cut.

use crate::harness::{Context, Origin, Peer, Proxy, field, pattern, status};

/// A response whose head has gone through.
async fn begun(proxy: &Proxy, context: &Context, origin: &Origin, fields: &str) -> (Peer, Peer) {
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).await;
    assert_eq!(status(&client.head().await), 200);
    (client, upstream)
}

#[tokio::test]
async fn an_event_arrives_before_the_stream_ends() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for framing in ["transfer-encoding: chunked\r\n", ""] {
        let fields = format!("content-type: text/event-stream\r\n{framing}");
        let (mut client, mut upstream) = begun(&proxy, &context, &origin, &fields).await;
        for number in 1..4 {
            let event = format!("data: {number}\n\n");
            let chunk = format!("{:x}\r\n{event}\r\n", event.len());
            upstream.send(if framing.is_empty() { &event } else { &chunk }).await;
            client.expect(chunk).await;
        }
    }
}

#[tokio::test]
async fn request_bytes_arrive_as_they_are_sent() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.ask(&format!("POST {}/", origin.url()), "Content-Length: 6\r\n")).await;
    let mut upstream = origin.accept().await;
    assert_eq!(field(&upstream.head().await, "content-length"), Some("6"));
    client.send("abc").await;
    upstream.expect("abc").await;
    // The upstream may answer before it has all of it.
    upstream.answer("early").await;
    assert_eq!(client.response().await.1, "early");
    client.send("def").await;
    upstream.expect("def").await;
}

#[tokio::test]
async fn a_large_body_goes_through_whole_both_ways() {
    const SIZE: usize = 16 << 20;
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let bytes = pattern(SIZE, 0);
    let mut client = proxy.connect().await;
    let fields = format!("Content-Length: {SIZE}\r\n");
    client.send(context.ask(&format!("POST {}/", origin.url()), &fields)).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let ((), received) = tokio::join!(client.send(&bytes), upstream.take(SIZE));
    assert!(received == bytes, "the request's body was changed");
    upstream.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n")).await;
    client.head().await;
    let ((), received) = tokio::join!(upstream.send(&bytes), client.take(SIZE));
    assert!(received == bytes, "the response's body was changed");
    proxy.until("the exchange ends", |stats| stats.requests == 0).await;
    let total = proxy.server.stats().total;
    assert_eq!((total.bytes_up, total.bytes_down), (SIZE as u64, SIZE as u64));
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_upstream_back() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for fields in ["content-length: 1073741824\r\n", ""] {
        let (client, mut upstream) = begun(&proxy, &context, &origin, fields).await;
        let taken = upstream.fill().await;
        assert!(taken < 24 << 20, "{taken} bytes were taken for a client that does not read");
        drop(client);
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_read_holds_the_client_back() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let fields = "Content-Length: 1073741824\r\n";
    client.send(context.ask(&format!("POST {}/", origin.url()), fields)).await;
    let _upstream = origin.accept().await;
    let taken = client.fill().await;
    assert!(taken < 24 << 20, "{taken} bytes were taken for an upstream that does not read");
}

#[tokio::test]
async fn a_response_cut_short_does_not_end_cleanly() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let cut = [
        ("content-length: 10\r\n", "abc", "abc"),
        ("transfer-encoding: chunked\r\n", "3\r\nabc\r\n", "3\r\nabc\r\n"),
        ("transfer-encoding: chunked\r\n", "5\r\nabc", "3\r\nabc\r\n"),
    ];
    for (fields, sent, received) in cut {
        for by_reset in [false, true] {
            let (mut client, mut upstream) = begun(&proxy, &context, &origin, fields).await;
            upstream.send(sent).await;
            client.expect(received).await;
            if by_reset {
                upstream.reset();
            } else {
                drop(upstream);
            }
            assert_eq!(client.ends_soon().await, b"", "{fields} cut");
        }
    }
}

#[tokio::test]
async fn a_request_cut_short_does_not_end_cleanly() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let cut = [
        ("Content-Length: 10\r\n", "abc", "abc"),
        ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", "3\r\nabc\r\n"),
    ];
    for (fields, sent, received) in cut {
        for by_reset in [false, true] {
            let mut client = proxy.connect().await;
            client.send(context.ask(&format!("POST {}/", origin.url()), fields)).await;
            client.send(sent).await;
            let mut upstream = origin.accept().await;
            upstream.head().await;
            upstream.expect(received).await;
            if by_reset {
                client.reset();
            } else {
                drop(client);
            }
            assert_eq!(upstream.ends_soon().await, b"", "{fields} cut");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_upstream_along() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for upgrade in ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"] {
        let mut client = proxy.connect().await;
        client.send(context.ask(&format!("GET {}/", origin.url()), upgrade)).await;
        let mut waiting = origin.accept().await;
        waiting.head().await;
        drop(client);
        assert_eq!(waiting.ends_soon().await, b"", "before the response's head");
    }

    let (client, mut sending) = begun(&proxy, &context, &origin, "content-length: 1000\r\n").await;
    drop(client);
    assert_eq!(sending.ends_soon().await, b"", "amid the response's body");
    let (client, mut silent) =
        begun(&proxy, &context, &origin, "transfer-encoding: chunked\r\n").await;
    client.reset();
    assert_eq!(silent.ends_soon().await, b"", "amid a silent stream");
    proxy.until("all exchanges end", |stats| stats.requests == 0 && stats.connections == 0).await;
}
