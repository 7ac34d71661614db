//! Rows 23 to 25: clients that make an HTTP/2 server work for nothing. Each is told to calm down, or is held
//! back, long before it has had its way, and others are served meanwhile.

use std::time::Duration;

use tabport_engine::{ServerOptions, Timeouts};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, OK, PING,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, block, ended_with, frame, frames, get, greet, next, post,
};
use super::support::{Findings, LOCAL, Recorder, converse};
use crate::harness::{Context, Origin, Peer, Proxy};

/// What the sockets' buffers may take, at most.
const BOUND: usize = 24 << 20;
const MANY: u32 = 100_000;

/// The stream numbers of so many requests.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

async fn set_up() -> (Proxy, Recorder, Context) {
    let (proxy, origin) = (Proxy::start(), Recorder::start().await);
    let context = proxy.routed(origin.url());
    (proxy, origin, context)
}

/// Another client is served as ever.
async fn is_served(proxy: &Proxy, context: &Context) {
    let mut client = proxy.connect().await;
    client.send(context.get(&format!("http://{LOCAL}/"))).await;
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn row_23_rapid_reset() {
    let (proxy, _origin, context) = set_up().await;
    let cancel = 8_u32.to_be_bytes();
    let flood = streams(MANY)
        .flat_map(|stream| [get(&context, stream), frame(RST_STREAM, 0, stream, &cancel)])
        .collect::<Vec<_>>();
    let client = greet(&proxy, b"").await;
    let flood = flood.concat();
    let told = tokio::join!(converse(client.0, &flood), is_served(&proxy, &context)).0;
    assert!(ended_with(&frames(&told), ENHANCE_YOUR_CALM), "{:?}", frames(&told).last());
    let served = proxy.server.stats().total.requests;
    assert!(served < u64::from(MANY) / 100, "{served} of them became requests");
    proxy.until("all of them end", |stats| stats.requests == 0).await;
}

/// A page that is left cancels what it has asked for, and its browser has one connection for all pages.
#[tokio::test]
async fn row_23_a_page_that_is_left_is_no_rapid_reset() {
    let (proxy, _origin, context) = set_up().await;
    let mut client = greet(&proxy, b"").await;
    let cancel = 8_u32.to_be_bytes();
    let asked: Vec<_> = streams(150).map(|stream| get(&context, stream)).collect();
    let left: Vec<_> = streams(150).map(|stream| frame(RST_STREAM, 0, stream, &cancel)).collect();
    client.send([asked.concat(), left.concat(), get(&context, 301)].concat()).await;
    let answer = next(&mut client, &[DATA]).await;
    assert_eq!((answer.stream, answer.payload.as_slice()), (301, b"ok".as_slice()));
}

type Provoke<'a> = &'a dyn Fn(u32) -> Vec<u8>;

/// Known as `MadeYouReset` (CVE-2025-8671): the client has the server reset its streams.
#[tokio::test]
async fn row_23_resets_that_the_server_is_made_to_send() {
    const TRIES: u32 = 20_000;
    let (proxy, _origin, context) = set_up().await;
    let mut findings = Findings::default();
    let most = (i32::MAX).to_be_bytes();
    let ways: [(&str, Provoke<'_>); 4] = [
        ("a window that grows too large", &|stream| {
            let update = frame(WINDOW_UPDATE, 0, stream, &most);
            [get(&context, stream), update.clone(), update].concat()
        }),
        ("more content than told", &|stream| {
            let post = post(&context, stream, &[("content-length", "1")]);
            [post, frame(DATA, END_STREAM, stream, b"12")].concat()
        }),
        ("a request that is malformed", &|stream| post(&context, stream, &[("te", "gzip")])),
        ("a window that grows by nothing", &|stream| {
            [get(&context, stream), frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
        }),
    ];
    for (way, provoke) in ways {
        let client = greet(&proxy, b"").await;
        let flood = streams(TRIES).flat_map(provoke).collect::<Vec<_>>();
        let told = frames(&converse(client.0, &flood).await);
        let resets = told.iter().filter(|it| it.kind == RST_STREAM).count();
        let calm = told.last().is_some_and(|last| last.kind == GOAWAY);
        findings.check(way, calm && resets <= 1100, &format!("{resets} resets, {:?}", told.last()));
        is_served(&proxy, &context).await;
    }
    findings.none();
    proxy.until("all of them end", |stats| stats.requests == 0).await;
}

#[tokio::test]
async fn row_24_field_blocks_that_do_not_end() {
    let (proxy, origin, context) = set_up().await;
    for piece in [&[0x90; 16_384][..], &[0x90], &[]] {
        let mut client = greet(&proxy, b"").await;
        let begin = frame(HEADERS, END_STREAM, 1, &block(&context, "GET", &[]));
        client.send(begin).await;
        for _ in 0..6 {
            client.send(frame(CONTINUATION, 0, 1, piece)).await;
        }
        // Nothing more is sent: 96 KiB at most have been enough.
        assert_eq!(next(&mut client, &[GOAWAY]).await.code(), ENHANCE_YOUR_CALM);
        client.ends_soon().await;
    }
    proxy.server.release_context(&context.id).unwrap();
    assert!(origin.end().await.is_empty(), "the origin was dialled");
}

/// Sends the same bytes, and reads nothing, until the proxy takes no more of them.
async fn is_held_back(client: &mut Peer, piece: &[u8]) -> bool {
    let pieces = piece.repeat((64 << 10) / piece.len());
    let mut taken = 0;
    while let Ok(written) = timeout(Duration::from_millis(400), client.0.write(&pieces)).await {
        let Ok(written @ 1..) = written else { return true };
        taken += written;
        if taken > BOUND {
            return false;
        }
    }
    true
}

/// What asks for an answer is answered before more is read: no queue of answers grows for one who reads none.
#[tokio::test]
async fn row_25_settings_and_pings_without_end() {
    let (proxy, _origin, context) = set_up().await;
    for piece in [frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1]), frame(PING, 0, 0, b"and more")] {
        let mut client = greet(&proxy, b"").await;
        assert!(is_held_back(&mut client, &piece).await, "nothing holds {piece:?} back");
        is_served(&proxy, &context).await;
    }
}

#[tokio::test]
async fn row_25_data_that_is_none() {
    let (proxy, _origin, context) = set_up().await;
    let mut client = greet(&proxy, b"").await;
    client.send(post(&context, 1, &[])).await;
    let told = converse(client.0, &frame(DATA, 0, 1, b"").repeat(10_000)).await;
    assert!(ended_with(&frames(&told), ENHANCE_YOUR_CALM), "{:?}", frames(&told).last());
    is_served(&proxy, &context).await;
}

/// One octet names a field of four kilobytes: eight thousand of them are thirty megabytes.
#[tokio::test]
async fn row_25_a_field_block_that_swells() {
    let (proxy, origin, context) = set_up().await;
    let kept = [b"\x40\x01x\x7f\x81\x1e".as_slice(), &[b'y'; 3968]].concat();
    let swollen = |by: usize| {
        let all = [block(&context, "GET", &[]), kept.clone(), vec![0xBE; by]].concat();
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &all)
    };
    let mut client = greet(&proxy, b"").await;
    client.send(swollen(20)).await;
    let answer = next(&mut client, &[HEADERS]).await;
    assert!(!answer.payload.contains(&OK), "{answer:?}");
    let client = greet(&proxy, b"").await;
    let told = frames(&converse(client.0, &swollen(8000)).await);
    assert!(ended_with(&told, ENHANCE_YOUR_CALM), "{told:?}");
    proxy.server.release_context(&context.id).unwrap();
    assert!(origin.end().await.is_empty(), "the origin was dialled");
}

/// A client that opens no window holds its streams' upstreams back, and they end with it.
#[tokio::test]
async fn row_25_windows_that_stay_shut() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = greet(&proxy, &[0, 4, 0, 0, 0, 0]).await;
    let mut upstreams = Vec::new();
    for stream in streams(4) {
        client.send(get(&context, stream)).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
        let taken = upstream.fill().await;
        assert!(taken < BOUND, "{taken} bytes were taken for nobody");
        upstreams.push(upstream);
    }
    drop(client);
    for mut upstream in upstreams {
        upstream.ends_soon().await;
    }
}

/// With a limit on silence, it need not wait for the client to leave.
#[tokio::test]
async fn row_25_windows_that_stay_shut_for_too_long() {
    let idle = Some(Duration::from_millis(100));
    let timeouts = Timeouts { idle, ..Timeouts::default() };
    let proxy = Proxy::with(ServerOptions { timeouts, ..ServerOptions::default() });
    let origin = Origin::start().await;
    let context = proxy.routed(origin.url());
    let mut client = greet(&proxy, &[0, 4, 0, 0, 0, 0]).await;
    client.send(get(&context, 1)).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok").await;
    upstream.ends_soon().await;
    proxy.until("the exchange has ended", |stats| stats.requests == 0).await;
}
