//! Uploads to upstreams that speak HTTP/2: whose turn it is, and how long nothing may move.

use std::time::Duration;

use h2::RecvStream;
use http::Method;
use tabport_engine::Timeouts;
use tokio::time::{interval, sleep, timeout};

use crate::harness::{Context, DEADLINE, Proxy, status};
use crate::http2_upstream::{URL, Upstream, accept, answer, next, response, set_up_with};
use crate::stream::{answered, begin, speak, text};
use crate::tls::TlsOrigin;

/// Short enough to wait for, long enough for a busy machine to do its work in.
const LIMIT: Duration = Duration::from_millis(400);

/// Where bodies may not stand still, but an answer may take its time.
async fn impatient() -> (Proxy, Context, TlsOrigin) {
    set_up_with(Timeouts { idle: Some(LIMIT), ..Timeouts::default() }).await
}

/// Serves the connection until this stream of it has been reset.
async fn is_reset(body: &mut RecvStream, upstream: &mut Upstream) {
    let end = async {
        loop {
            match body.data().await {
                Some(Ok(_)) => {}
                end => return end,
            }
        }
    };
    tokio::select! {
        end = timeout(DEADLINE, end) => {
            let end = end.expect("the stream ends");
            assert!(matches!(&end, Some(Err(error)) if error.is_reset()), "{end:?}");
        }
        other = upstream.accept() => panic!("the connection ended: {other:?}"),
    }
}

#[tokio::test]
async fn an_upload_that_stands_still_is_408_and_resets_its_stream_alone() {
    let (proxy, context, origin) = impatient().await;
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    let mut upstream = accept(&origin).await;
    answer(&mut next(&mut upstream).await.1, "one");
    assert_eq!(response(&mut client, &mut upstream).await.1, "one");
    for (fields, part) in [
        ("Content-Length: 9\r\n", "hello"),
        ("Content-Length: 9\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
    ] {
        let mut client = proxy.connect().await;
        client.send(format!("{}{part}", context.ask(&format!("POST {URL}"), fields))).await;
        let (request, _waiting) = next(&mut upstream).await;
        let (head, _) = response(&mut client, &mut upstream).await;
        assert_eq!(status(&head), 408, "{head}");
        is_reset(&mut request.into_body(), &mut upstream).await;
        assert_eq!(client.rest().await, b"");
    }
    client.send(context.get(URL)).await;
    answer(&mut next(&mut upstream).await.1, "two");
    assert_eq!(response(&mut client, &mut upstream).await.1, "two");
}

#[tokio::test]
async fn an_http2_clients_upload_that_stands_still_is_408_and_resets_its_stream_alone() {
    let (proxy, context, origin) = impatient().await;
    let mut sender = speak(proxy.connect().await.0).await;
    let (waiting, mut body) = begin(&mut sender, Some(&context), Method::POST, URL);
    body.send_data("hello".into(), false).unwrap();
    let mut upstream = accept(&origin).await;
    let (request, _waiting) = next(&mut upstream).await;
    tokio::select! {
        response = answered(waiting) => assert_eq!(response.status(), 408),
        other = upstream.accept() => panic!("the connection ended: {other:?}"),
    }
    is_reset(&mut request.into_body(), &mut upstream).await;
    let (waiting, mut body) = begin(&mut sender, Some(&context), Method::POST, URL);
    body.send_data("hello".into(), true).unwrap();
    let (_, mut respond) = next(&mut upstream).await;
    answer(&mut respond, "still");
    tokio::spawn(async move { while let Some(Ok(_)) = upstream.accept().await {} });
    assert_eq!(text(answered(waiting).await).await.0, "still");
}

#[tokio::test]
async fn an_upload_that_the_upstream_does_not_take_is_504() {
    let (proxy, context, origin) = impatient().await;
    let large = vec![b'x'; 1 << 20];
    let mut client = proxy.connect().await;
    let fields = format!("Content-Length: {}\r\n", 2 * large.len());
    client.send(context.ask(&format!("POST {URL}"), &fields)).await;
    let mut upstream = accept(&origin).await;
    let (_request, _waiting) = next(&mut upstream).await;
    client.send(&large).await;
    assert_eq!(status(&response(&mut client, &mut upstream).await.0), 504);

    let mut sender = speak(proxy.connect().await.0).await;
    let (waiting, mut body) = begin(&mut sender, Some(&context), Method::POST, URL);
    body.send_data(large.into(), false).unwrap();
    let (_request, _waiting) = next(&mut upstream).await;
    tokio::select! {
        response = answered(waiting) => assert_eq!(response.status(), 504),
        other = upstream.accept() => panic!("the connection ended: {other:?}"),
    }
}

#[tokio::test]
async fn an_upload_that_moves_is_not_late_nor_is_the_answer_to_it() {
    let (proxy, context, origin) = impatient().await;
    let mut client = proxy.connect().await;
    client.send(context.ask(&format!("POST {URL}"), "Content-Length: 8\r\n")).await;
    let mut upstream = accept(&origin).await;
    let (_, mut respond) = next(&mut upstream).await;
    let mut sender = speak(proxy.connect().await.0).await;
    let (waiting, mut body) = begin(&mut sender, Some(&context), Method::POST, URL);
    let (_, mut other) = next(&mut upstream).await;
    tokio::spawn(async move { while let Some(Ok(_)) = upstream.accept().await {} });
    let mut pace = interval(LIMIT / 4);
    for piece in 1..=8 {
        pace.tick().await;
        client.send("x").await;
        body.send_data("x".into(), piece == 8).unwrap();
    }
    sleep(2 * LIMIT).await;
    answer(&mut respond, "one");
    assert_eq!(client.response().await.1, "one");
    answer(&mut other, "two");
    assert_eq!(text(answered(waiting).await).await.0, "two");
}

/// Those that wait for a place among the streams are still whole, but of the first it is not known whether it has been
/// sent: the connection does not say which requests it has looked at.
#[tokio::test]
async fn uploads_that_wait_for_a_place_go_over_another_connection_when_theirs_closes() {
    let (proxy, context, origin) = set_up_with(Timeouts::default()).await;
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    let mut one_at_a_time = h2::server::Builder::new();
    one_at_a_time.max_concurrent_streams(1);
    let mut upstream: Upstream = one_at_a_time.handshake(origin.accept().await.0).await.unwrap();
    answer(&mut next(&mut upstream).await.1, "so many");
    assert_eq!(response(&mut client, &mut upstream).await.1, "so many");
    client.send(context.ask(&format!("POST {URL}"), "")).await;
    let waiting = next(&mut upstream).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = proxy.connect().await;
        let request = context.ask(&format!("POST {URL}"), "Content-Length: 5\r\n");
        client.send(format!("{request}hello")).await;
        clients.push(client);
        let none = timeout(LIMIT, upstream.accept()).await;
        assert!(none.is_err(), "another stream: {none:?}");
    }
    drop((waiting, upstream));
    let (head, _) = clients.remove(0).response().await;
    assert_eq!(status(&head), 502, "{head}");
    let mut upstream = accept(&origin).await;
    let again = [next(&mut upstream).await, next(&mut upstream).await];
    tokio::spawn(async move { while let Some(Ok(_)) = upstream.accept().await {} });
    for (request, mut respond) in again {
        assert_eq!(request.into_body().data().await.unwrap().unwrap(), "hello");
        answer(&mut respond, "whole");
    }
    for client in &mut clients {
        assert_eq!(client.response().await.1, "whole");
    }
}
