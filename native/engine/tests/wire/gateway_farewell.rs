//! How a gateway that drains ends a WebSocket: each end gets a Close that says 1001, between two frames, and has the time
//! to answer it.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use h2::ext::Protocol;
use http::{Method, Request};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::gateway::{gateway, options};
use crate::gateway_drain::{drain, is_refused};
use crate::harness::{DEADLINE, Origin, Peer, Proxy, field, status};
use crate::stream::{answered, speak};

/// "Going away" (RFC 6455, section 7.4.1), from a server.
const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];
/// The same from a client whose key is zero.
const MASKED: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// Two ends of an upgraded connection.
async fn open(proxy: &Proxy, origin: &Origin, protocol: &str) -> (Peer, Peer) {
    let mut client = proxy.connect().await;
    let upgrade = format!("Connection: Upgrade\r\nUpgrade: {protocol}\r\n");
    let routing = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}{routing}\r\n")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send(format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n")).await;
    assert_eq!(status(&client.head().await), 101);
    (client, upstream)
}

/// Reads the Close of a client, whatever its key.
async fn expect_masked_close(upstream: &mut Peer) {
    let close = upstream.take(8).await;
    let [0x88, 0x82, ref key @ .., high, low] = close[..] else { panic!("{close:?}") };
    assert_eq!(u16::from_be_bytes([high ^ key[0], low ^ key[1]]), 1001);
}

#[tokio::test]
async fn both_ends_are_told_1001_and_end_as_they_answer() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let (mut client, mut upstream) = open(&proxy, &origin, "WebSocket").await;
    client.send(b"\x81\x82\x01\x02\x03\x04ab").await;
    upstream.expect(b"\x81\x82\x01\x02\x03\x04ab").await;
    upstream.send(b"\x81\x02ok").await;
    client.expect(b"\x81\x02ok").await;
    let draining = drain(&proxy, DEADLINE);
    client.expect(GOING_AWAY).await;
    expect_masked_close(&mut upstream).await;
    client.send(MASKED).await;
    assert_eq!(client.ends_soon().await, b"", "its upstream is not waited for");
    assert!(!draining.is_finished(), "the upstream has time to answer");
    upstream.send(GOING_AWAY).await;
    assert_eq!(upstream.ends_soon().await, b"");
    timeout(DEADLINE / 2, draining).await.expect("it waits for nothing more").unwrap();
}

#[tokio::test]
async fn a_frame_that_has_begun_ends_before_the_close() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let (mut client, mut upstream) = open(&proxy, &origin, "websocket").await;
    upstream.send(b"\x82\x7e\x01\x00half").await;
    client.expect(b"\x82\x7e\x01\x00half").await;
    client.send(b"\x82").await;
    upstream.expect(b"\x82").await;
    let draining = drain(&proxy, DEADLINE);
    is_refused(&proxy).await;
    let rest = [b'.'; 0x100 - 4];
    upstream.send([&rest[..], b"\x81\x08nobody's"].concat()).await;
    client.expect(rest).await;
    client.expect(GOING_AWAY).await;
    client.send(b"\x81\x00\x00\x00\x00a\x81\x80\x00\x00\x00\x00").await;
    upstream.expect(b"\x81\x00\x00\x00\x00a").await;
    expect_masked_close(&mut upstream).await;
    client.send(MASKED).await;
    upstream.send(GOING_AWAY).await;
    assert_eq!(client.ends_soon().await, b"");
    assert_eq!(upstream.ends_soon().await, b"");
    timeout(DEADLINE / 2, draining).await.expect("it waits for nothing more").unwrap();
}

#[tokio::test]
async fn who_has_said_close_is_not_told_again_and_who_ends_is_not_waited_for() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let (mut client, mut upstream) = open(&proxy, &origin, "websocket").await;
    client.send(MASKED).await;
    upstream.expect(MASKED).await;
    let draining = drain(&proxy, DEADLINE);
    client.expect(GOING_AWAY).await;
    assert_eq!(client.ends_soon().await, b"");
    upstream.finish().await;
    assert_eq!(upstream.ends_soon().await, b"");
    timeout(DEADLINE / 2, draining).await.expect("it waits for nothing more").unwrap();
}

#[tokio::test]
async fn who_does_not_answer_is_cut_off_and_so_is_what_is_no_websocket() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let (mut silent, mut upstream) = open(&proxy, &origin, "websocket").await;
    let (mut other, mut behind) = open(&proxy, &origin, "tcp").await;
    let (begun, draining) = (Instant::now(), drain(&proxy, DEADLINE));
    assert_eq!(other.ends_soon().await, b"");
    assert_eq!(behind.ends_soon().await, b"");
    timeout(DEADLINE / 2, draining).await.expect("two seconds are the limit").unwrap();
    assert!(begun.elapsed() > Duration::from_secs(1), "they had no time to answer");
    assert_eq!(silent.ends_soon().await, GOING_AWAY);
    expect_masked_close(&mut upstream).await;
}

#[tokio::test]
async fn a_stop_says_nothing() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let (mut client, mut upstream) = open(&proxy, &origin, "websocket").await;
    let begun = Instant::now();
    proxy.server.stop();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!((client.rest().await, upstream.rest().await), (vec![], vec![]));
}

/// RFC 8441: the frames are the same.
#[tokio::test]
async fn a_websocket_over_http2_is_told_too() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let socket = TcpStream::connect(proxy.server.local_addr()).await.unwrap();
    let mut sender = speak(socket).await;
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://a/ws")
        .header("x-cmux-port-internal", origin.port())
        .extension(Protocol::from_static("websocket"));
    let (response, mut up) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    let mut upstream = origin.accept().await;
    let key = field(&upstream.head().await, "sec-websocket-key").unwrap().to_owned();
    let accept = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, accept.as_bytes()));
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    upstream
        .send(format!(
            "HTTP/1.1 101 Switching Protocols\r\n{upgrade}Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ))
        .await;
    let mut body = answered(response).await.into_body();
    let draining = drain(&proxy, DEADLINE);
    let mut data = async || timeout(DEADLINE, body.data()).await.expect("it is told").transpose();
    assert_eq!(data().await.unwrap().as_deref(), Some(&GOING_AWAY[..]));
    expect_masked_close(&mut upstream).await;
    up.send_data(Bytes::copy_from_slice(&MASKED), false).unwrap();
    let rest = data().await.expect("the stream is ended, and not reset");
    assert_eq!(rest.unwrap_or_default(), "");
    upstream.send(GOING_AWAY).await;
    assert_eq!(upstream.ends_soon().await, b"");
    timeout(DEADLINE / 2, draining).await.expect("it waits for nothing more").unwrap();
}
