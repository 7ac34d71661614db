//! How long nothing may move, and what lives on.

use std::time::Duration;

use h2::ext::Protocol;
use http::{Method, Request};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::{options, start_impatient};
use crate::harness::{Origin, Proxy, status};
use crate::stream::{answered, speak, text};
use crate::websocket_http2::accepts;

const LIMIT: Duration = Duration::from_millis(400);

async fn set_up() -> (Proxy, Origin) {
    let origin = Origin::start().await;
    (start_impatient(options(&origin.url()), LIMIT), origin)
}

#[tokio::test]
async fn row_7_an_upstream_that_does_not_answer_is_504() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let asked = Instant::now();
    let _upstream = origin.accept().await;
    assert_eq!(status(&client.response().await.0), 504);
    assert!(asked.elapsed() >= LIMIT && asked.elapsed() < 3 * LIMIT, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn row_7_a_stream_that_keeps_sending_lives_on_in_either_direction() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    for _ in 0..8 {
        sleep(LIMIT / 2).await;
        client.send("x").await;
        upstream.expect("x").await;
    }
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n").await;
    client.head().await;
    for _ in 0..8 {
        sleep(LIMIT / 2).await;
        upstream.send("y").await;
        client.expect("y").await;
    }
}

#[tokio::test]
async fn row_7_a_stream_that_stands_still_is_broken_off() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n").await;
    client.head().await;
    client.expect("1\r\ny\r\n").await;
    let still = Instant::now();
    assert_eq!(client.rest().await, b"");
    assert!(still.elapsed() >= LIMIT / 2 && still.elapsed() < 3 * LIMIT, "{:?}", still.elapsed());
    assert_eq!(upstream.ends_soon().await, b"");
}

#[tokio::test]
async fn row_7_an_upload_that_goes_on_keeps_a_silent_response_alive_over_http_2_too() {
    let (proxy, origin) = set_up().await;
    let mut sender = speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await;
    let request = Request::post("http://a/").body(()).unwrap();
    let (response, mut up) = sender.send_request(request, false).unwrap();
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").await;
    let response = answered(response).await;
    for _ in 0..8 {
        sleep(LIMIT / 2).await;
        up.send_data("x".into(), false).unwrap();
        upstream.expect("1\r\nx\r\n").await;
    }
    upstream.send("ok").await;
    assert_eq!(text(response).await.0, "ok");
}

#[tokio::test]
async fn row_7_a_client_that_stops_sending_is_408() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nx").await;
    let _upstream = origin.accept().await;
    assert_eq!(status(&client.response().await.0), 408);
}

#[tokio::test]
async fn row_7_an_upgraded_stream_of_http_2_may_be_silent_too() {
    let (proxy, origin) = set_up().await;
    let mut sender = speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await;
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://a.test/ws")
        .extension(Protocol::from_static("websocket"))
        .body(())
        .unwrap();
    let (response, mut up) = sender.send_request(request, false).unwrap();
    let mut upstream = origin.accept().await;
    let accept = accepts(&upstream.head().await);
    upstream
        .send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ))
        .await;
    let mut down = answered(response).await.into_body();
    sleep(3 * LIMIT).await;
    up.send_data("ping".into(), false).unwrap();
    upstream.expect("ping").await;
    upstream.send("pong").await;
    assert_eq!(down.data().await.unwrap().unwrap(), "pong");
}

#[tokio::test]
async fn row_7_an_upgraded_connection_may_be_silent_unless_it_is_told_otherwise() {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for upgraded_idle in [None, Some(LIMIT)] {
        let origin = Origin::start().await;
        let mut options = options(&origin.url());
        options.upgraded_idle = upgraded_idle;
        let proxy = start_impatient(options, LIMIT);
        let mut client = proxy.connect().await;
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n")).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n")).await;
        assert_eq!(status(&client.head().await), 101);
        if upgraded_idle.is_some() {
            assert_eq!(client.rest().await, b"");
            continue;
        }
        sleep(3 * LIMIT).await;
        client.send("ping").await;
        upstream.expect("ping").await;
    }
}
