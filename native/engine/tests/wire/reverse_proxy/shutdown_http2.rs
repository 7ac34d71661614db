//! A reverse proxy that drains, and clients that speak HTTP/2.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep, timeout};

use super::set_up;
use crate::gateway_drain::drain;
use crate::harness::{DEADLINE, Origin, Peer, Proxy};
use crate::security::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, SETTINGS, WINDOW_UPDATE, frame, frames,
    greet, next,
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

/// Some clients look at a connection only when they have something to ask. One that has had time to read what it was sent
/// is not waited for at all.
#[tokio::test]
async fn row_42_a_client_that_does_not_look_is_not_waited_for() {
    const LINGER: Duration = Duration::from_secs(1);
    for (pause, within) in [(Duration::ZERO, DEADLINE / 2), (LINGER * 3 / 2, LINGER)] {
        let (proxy, origin) = set_up().await;
        let (_client, _upstream) = answered(&proxy, &origin).await;
        sleep(pause).await;
        let begun = Instant::now();
        drain(&proxy, DEADLINE).await.unwrap();
        assert!(begun.elapsed() < within, "{pause:?}: {:?}", begun.elapsed());
    }
}

/// A client whose system keeps next to nothing for it, with a window for whatever may come.
async fn slow(proxy: &Proxy) -> Peer {
    const WINDOW: u32 = 1 << 24;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = Peer(socket.connect(proxy.server.local_addr()).await.unwrap());
    let settings = [&[0, 4][..], &WINDOW.to_be_bytes()].concat();
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send(frame(SETTINGS, 0, 0, &settings)).await;
    client.send(frame(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes())).await;
    client
}

/// It says that it reads on while the last of it is on its way, which must not be answered by a reset.
#[tokio::test]
async fn row_42_a_client_that_reads_slowly_gets_all_of_its_response() {
    const LENGTH: usize = 2 << 20;
    let (proxy, origin) = set_up().await;
    let mut client = slow(&proxy).await;
    client.send(get(1)).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let draining = drain(&proxy, DEADLINE);
    next(&mut client, &[GOAWAY]).await;
    let ping = next(&mut client, &[PING]).await;
    client.send(frame(PING, ACK, 0, &ping.payload)).await;
    tokio::spawn(async move { upstream.answer(&"x".repeat(LENGTH)).await });
    let (mut read, mut piece) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let bytes = client.0.read(&mut piece).await.expect("it is not reset");
        read.extend_from_slice(&piece[..bytes]);
        if bytes == 0 {
            break;
        }
        sleep(Duration::from_millis(2)).await;
        let _ = client.0.write_all(&frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())).await;
    }
    let content = frames(&read).into_iter().filter(|it| it.kind == DATA);
    assert_eq!(content.map(|it| it.payload.len()).sum::<usize>(), LENGTH);
    timeout(DEADLINE, draining).await.expect("it has ended").unwrap();
}
