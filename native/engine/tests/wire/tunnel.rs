//! Bytes through a tunnel: all of them, in order, both ways, to the end of either.

use std::time::Duration;

use tabport_engine::{ServerOptions, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::harness::{Context, Origin, Peer, Proxy, pattern};

const LIMIT: Duration = Duration::from_millis(400);

async fn open(proxy: &Proxy, context: &Context, origin: &Origin) -> (Peer, Peer) {
    let client = proxy.tunnel(context, &origin.address().to_string()).await;
    (client, origin.accept().await)
}

#[tokio::test]
async fn half_close_is_carried_and_the_other_way_stays_open() {
    const SIZE: usize = 4 << 20;
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let payload = pattern(SIZE, 0);

    let (mut client, mut upstream) = open(&proxy, &context, &origin).await;
    client.send("the end").await;
    client.finish().await;
    assert_eq!(upstream.rest().await, b"the end");
    let ((), received) = tokio::join!(upstream.send(&payload), client.take(SIZE));
    assert!(received == payload);
    upstream.finish().await;
    assert_eq!(client.rest().await, b"");

    let (mut client, mut upstream) = open(&proxy, &context, &origin).await;
    upstream.send("the end").await;
    upstream.finish().await;
    assert_eq!(client.rest().await, b"the end");
    let ((), received) = tokio::join!(client.send(&payload), upstream.take(SIZE));
    assert!(received == payload);
    client.finish().await;
    assert_eq!(upstream.rest().await, b"");
    proxy.until("no tunnel is left", |stats| stats.tunnels == 0).await;
}

#[tokio::test]
async fn half_close_is_carried_through_an_upgrade() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    client
        .send(context.ask("GET http://localhost/", "Connection: Upgrade\r\nUpgrade: x\r\n"))
        .await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await;
    client.head().await;
    client.send("up").await;
    client.finish().await;
    assert_eq!(upstream.rest().await, b"up");
    upstream.send("down").await;
    upstream.finish().await;
    assert_eq!(client.rest().await, b"down");
}

#[tokio::test]
async fn a_half_closed_tunnel_is_reaped_by_its_own_limit() {
    for idle in [None, Some(Duration::from_secs(3600))] {
        let timeouts = Timeouts { half_close: LIMIT, idle, ..Timeouts::default() };
        let proxy = Proxy::with(ServerOptions { timeouts, ..ServerOptions::default() });
        let origin = Origin::start().await;
        let context = proxy.context();
        let (mut client, mut upstream) = open(&proxy, &context, &origin).await;
        client.finish().await;
        let begun = Instant::now();
        assert_eq!(upstream.rest().await, b"");
        // While bytes move, it is not reaped.
        let mut pace = tokio::time::interval(LIMIT / 4);
        for _ in 0..12 {
            pace.tick().await;
            upstream.send("x").await;
            client.expect("x").await;
        }
        assert!(begun.elapsed() > 2 * LIMIT);
        assert_eq!(client.rest().await, b"", "reaped with idle {idle:?}");
        proxy.until("it is reaped", |stats| stats.tunnels == 0).await;
    }
}

#[tokio::test]
async fn a_silent_half_closed_tunnel_is_reaped_although_idle_is_longer() {
    let timeouts = Timeouts {
        half_close: LIMIT,
        idle: Some(Duration::from_secs(3600)),
        ..Timeouts::default()
    };
    let proxy = Proxy::with(ServerOptions { timeouts, ..ServerOptions::default() });
    let origin = Origin::start().await;
    let context = proxy.context();
    let (mut client, mut upstream) = open(&proxy, &context, &origin).await;
    upstream.send("so that the tunnel is under way").await;
    client.take(31).await;
    client.finish().await;
    assert_eq!(upstream.rest().await, b"");
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn an_idle_tunnel_is_let_go_and_one_that_moves_is_not() {
    let timeouts = Timeouts { idle: Some(LIMIT), ..Timeouts::default() };
    let proxy = Proxy::with(ServerOptions { timeouts, ..ServerOptions::default() });
    let origin = Origin::start().await;
    let context = proxy.context();
    let (mut client, mut upstream) = open(&proxy, &context, &origin).await;
    let mut pace = tokio::time::interval(LIMIT / 4);
    for _ in 0..12 {
        pace.tick().await;
        client.send("x").await;
        upstream.expect("x").await;
    }
    assert_eq!(client.rest().await, b"");
    assert_eq!(upstream.rest().await, b"");
}

#[tokio::test]
async fn many_small_writes_keep_their_order() {
    const WRITES: u32 = 10_000;
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let (mut client, mut upstream) = open(&proxy, &context, &origin).await;
    let expected: Vec<u8> = (0..WRITES).flat_map(u32::to_be_bytes).collect();
    let write = async {
        for number in 0..WRITES {
            client.send(number.to_be_bytes()).await;
        }
    };
    let ((), received) = tokio::join!(write, upstream.take(expected.len()));
    assert!(received == expected);
}

#[tokio::test]
async fn bulk_goes_both_ways_at_once() {
    const SIZE: usize = 64 << 20;
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let (client, upstream) = open(&proxy, &context, &origin).await;
    let (up, down) = (pattern(SIZE, 1), pattern(SIZE, 2));
    let (client, upstream) =
        tokio::join!(exchange(client.0, &up, SIZE), exchange(upstream.0, &down, SIZE));
    assert!(upstream == up, "bytes to the upstream were changed");
    assert!(client == down, "bytes to the client were changed");
    proxy.until("the tunnel ends", |stats| stats.tunnels == 0).await;
    let total = proxy.server.stats().total;
    assert_eq!((total.bytes_up, total.bytes_down), (SIZE as u64, SIZE as u64));
}

/// Sends and receives at the same time, to the end of both.
async fn exchange(socket: TcpStream, send: &[u8], size: usize) -> Vec<u8> {
    let (mut read, mut write) = socket.into_split();
    let mut received = Vec::with_capacity(size);
    let write = async {
        write.write_all(send).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let both = async { tokio::join!(write, read.read_to_end(&mut received)).1.unwrap() };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("bulk ends");
    received
}

#[tokio::test]
async fn either_peer_that_does_not_read_holds_the_other_back() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let (mut client, mut upstream) = open(&proxy, &context, &origin).await;
    let (up, down) = tokio::join!(client.fill(), upstream.fill());
    assert!(up < 24 << 20 && down < 24 << 20, "{up} up, {down} down were taken");
}

#[tokio::test]
async fn a_reset_ends_the_tunnel() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let (client, mut upstream) = open(&proxy, &context, &origin).await;
    client.reset();
    assert_eq!(upstream.ends_soon().await, b"");
    let (mut client, upstream) = open(&proxy, &context, &origin).await;
    upstream.reset();
    assert_eq!(client.ends_soon().await, b"");
    proxy.until("no tunnel is left", |stats| stats.tunnels == 0).await;
}
