//! A reverse proxy that drains, and clients that speak HTTP/2.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::set_up;
use crate::gateway_drain::drain;
use crate::harness::{DEADLINE, Origin, Peer, Proxy};
use crate::security::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, frame, greet, next,
};

const ACK: u8 = 1;

/// A GET of the host `a`, by the static table but for that (RFC 7541, appendix A).
fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, b"\x82\x86\x84\x41\x01a")
}

/// One that has been answered, and its upstream.
async fn answered(proxy: &Proxy, origin: &Origin) -> (Peer, Peer) {
    let mut client = greet(proxy, &[]).await;
    client.send(get(1)).await;
    let (upstream, _) = origin.answer("ok").await;
    next(&mut client, &[DATA]).await;
    (client, upstream)
}

/// It had not heard yet that it was to go: that takes its answer to a PING (RFC 9113, section 6.8).
#[tokio::test]
async fn row_42_a_request_on_its_way_when_the_client_is_told_to_go_is_answered() {
    let (proxy, origin) = set_up().await;
    let (mut client, mut upstream) = answered(&proxy, &origin).await;
    let draining = drain(&proxy, DEADLINE);
    assert_eq!(next(&mut client, &[GOAWAY]).await.payload[..4], i32::MAX.to_be_bytes());
    let ping = next(&mut client, &[PING]).await;
    sleep(Duration::from_millis(50)).await;
    client.send(get(3)).await;
    client.send(frame(PING, ACK, 0, &ping.payload)).await;
    upstream.head().await;
    upstream.answer("ok").await;
    assert_eq!(next(&mut client, &[DATA]).await.stream, 3);
    assert_eq!(next(&mut client, &[GOAWAY]).await.payload[..4], 3_u32.to_be_bytes());
    drop(client);
    timeout(DEADLINE / 2, draining).await.expect("it has ended").unwrap();
}
