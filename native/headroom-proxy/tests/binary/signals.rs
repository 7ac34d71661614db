//! How signals end it.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::harness::{DEADLINE, Origin, Peer, status};
use crate::program::{Program, program};

/// A request that the upstream has taken, and not answered yet.
async fn in_flight(proxy: &Program, origin: &Origin) -> (Peer, Peer) {
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    (client, upstream)
}

#[tokio::test]
async fn row_42_idle_it_ends_at_once() {
    let origin = Origin::start().await;
    for signal in ["TERM", "INT"] {
        for connected in [false, true] {
            // A machine that has much else to do may be late now and then, but not always.
            let mut waited = Vec::new();
            while waited.iter().all(|time| *time >= Duration::from_millis(200)) {
                assert!(waited.len() < 10, "{waited:?}");
                waited.push(until_ended(&origin, signal, connected).await);
            }
        }
    }
}

/// How long one takes to end that has answered a client, which waits now, if it is still connected.
async fn until_ended(origin: &Origin, signal: &str, connected: bool) -> Duration {
    let mut proxy = Program::to(origin, &[]).await;
    let (mut client, mut upstream) = in_flight(&proxy, origin).await;
    upstream.answer("ok").await;
    client.response().await;
    let waiting = connected.then_some(client);
    proxy.next("forwarded").await;
    let told = Instant::now();
    proxy.signal(signal).await;
    assert_eq!(proxy.ended().await.0, Some(0));
    let waited = told.elapsed();
    drop(waiting);
    waited
}

#[tokio::test]
async fn row_42_what_is_in_flight_ends_well_and_nobody_else_is_let_in() {
    let origin = Origin::start().await;
    let mut proxy = Program::to(&origin, &[]).await;
    let (mut client, mut upstream) = in_flight(&proxy, &origin).await;
    let told = Instant::now();
    proxy.signal("TERM").await;
    let refused = async { while TcpStream::connect(proxy.address).await.is_ok() {} };
    timeout(DEADLINE, refused).await.expect("connections are refused");
    assert!(told.elapsed() < Duration::from_millis(500), "{:?}", told.elapsed());
    assert!(!proxy.has_ended());
    upstream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await;
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        upstream.send(event).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(upstream);
    let response = String::from_utf8(client.rest().await).unwrap();
    assert!(response.contains("connection: close\r\n"), "{response}");
    assert!(response.contains("data: 2") && response.ends_with("0\r\n\r\n"), "{response}");
    assert_eq!(proxy.ended().await.0, Some(0));
}

#[tokio::test]
async fn row_42_the_limit_ends_what_does_not_end_and_a_second_signal_does_not_wait() {
    let origin = Origin::start().await;
    let mut proxy = Program::to(&origin, &["--graceful-shutdown-timeout", "300ms"]).await;
    let (mut client, _upstream) = in_flight(&proxy, &origin).await;
    let told = Instant::now();
    proxy.signal("TERM").await;
    assert_eq!(proxy.ended().await.0, Some(0));
    assert!(told.elapsed() > Duration::from_millis(290) && told.elapsed() < Duration::from_secs(2));
    assert_eq!(client.rest().await, b"");

    let mut proxy = Program::to(&origin, &["--graceful-shutdown-timeout", "1h"]).await;
    let (_client, _upstream) = in_flight(&proxy, &origin).await;
    proxy.signal("TERM").await;
    proxy.next("draining").await;
    let told = Instant::now();
    proxy.signal("INT").await;
    assert_eq!(proxy.ended().await.0, Some(1));
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
}

#[tokio::test]
async fn row_42_a_websocket_may_go_on_until_the_limit() {
    let origin = Origin::start().await;
    let mut proxy = Program::to(&origin, &["--graceful-shutdown-timeout", "3s"]).await;
    let mut client = proxy.connect().await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    client.send(format!("GET /ws HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send(format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n")).await;
    assert_eq!(status(&client.head().await), 101);
    proxy.signal("TERM").await;
    proxy.next("draining").await;
    client.send("last").await;
    upstream.expect("last").await;
    assert_eq!(proxy.ended().await.0, Some(0));
    assert_eq!(client.rest().await, b"");
}

/// Whoever is let in is let in by somebody who can be told to end: the process waits for signals before it listens.
#[tokio::test]
async fn row_42_a_signal_that_comes_with_the_first_client_is_not_lost() {
    let origin = Origin::start().await;
    for _ in 0..20 {
        // Of the family that the other tests leave alone: one of them could be given the port meanwhile.
        let free = std::net::TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap();
        let (listen, upstream) = (free.to_string(), origin.url());
        let mut child = program(&["--listen", &listen, "--upstream", &upstream]).spawn().unwrap();
        let id = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
        let end = async {
            while TcpStream::connect(free).await.is_err() {}
            kill_process(id, Signal::TERM).unwrap();
        };
        let (child, ()) = tokio::join!(child.wait(), end);
        assert_eq!(child.unwrap().code(), Some(0));
    }
}
