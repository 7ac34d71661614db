//! HTTP/2 connections that nobody asks anything over: they are told to go.

use std::time::Duration;

use http::Request;
use tabport_engine::{Face, ServerOptions, Timeouts};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::gateway::options;
use crate::harness::{DEADLINE, Origin, Proxy};
use crate::stream::{answered, text};

const LIMIT: Duration = Duration::from_millis(200);

fn impatient() -> Proxy {
    let timeouts = Timeouts { request_head: LIMIT, ..Timeouts::default() };
    Proxy::with(ServerOptions {
        timeouts,
        face: Face::Gateway(options()),
        ..ServerOptions::default()
    })
}

#[tokio::test]
async fn one_without_streams_ends_though_its_client_answers_pings() {
    let proxy = impatient();
    let socket = TcpStream::connect(proxy.server.local_addr()).await.unwrap();
    let (mut sender, mut connection) = h2::client::handshake(socket).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let begun = Instant::now();
    let pinging =
        tokio::spawn(async move { while pings.ping(h2::Ping::opaque()).await.is_ok() {} });
    let ended = timeout(DEADLINE, connection).await.expect("it is told to go");
    ended.expect("by a GOAWAY without an error");
    assert!(begun.elapsed() >= LIMIT);
    let request = Request::builder().uri("http://a/").body(()).unwrap();
    assert!(sender.send_request(request, true).is_err());
    timeout(DEADLINE, pinging).await.expect("it has ended").unwrap();
    proxy.until("no connection is left", |stats| stats.connections == 0).await;
}

/// A graceful end waits for the answer to a PING, so that it knows of all streams.
#[tokio::test]
async fn one_whose_client_does_not_answer_is_not_waited_for() {
    let proxy = impatient();
    let mut client = proxy.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let told = client.rest().await;
    let frame = |kind: u8| told.windows(5).any(|bytes| bytes[..2] == [0, 0] && bytes[3] == kind);
    assert!(frame(7) && frame(6), "no GOAWAY or no PING: {told:?}");
    proxy.until("no connection is left", |stats| stats.connections == 0).await;
}

#[tokio::test]
async fn one_with_a_stream_lasts_and_counts_from_its_end() {
    let (proxy, origin) = (impatient(), Origin::start().await);
    let socket = TcpStream::connect(proxy.server.local_addr()).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..2 {
        let request = Request::builder().uri("http://a/");
        let request = request.header("x-cmux-port-internal", origin.port()).body(()).unwrap();
        let (response, _) = sender.send_request(request, true).unwrap();
        let mut upstream = origin.accept().await;
        upstream.head().await;
        sleep(3 * LIMIT).await;
        // Another connection to the origin for the next.
        upstream.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nlate").await;
        drop(upstream);
        assert_eq!(text(answered(response).await).await.0, "late");
        assert!(!connection.is_finished());
    }
    timeout(DEADLINE, connection).await.expect("it is told to go").unwrap().unwrap();
}
