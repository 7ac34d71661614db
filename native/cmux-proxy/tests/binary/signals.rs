//! How signals end it.

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::gateway::Gateway;
use crate::harness::{DEADLINE, Origin, Peer, status};

/// A request that its server has taken, and not answered yet.
async fn in_flight(gateway: &Gateway, origin: &Origin) -> (Peer, Peer) {
    let mut client = gateway.connect().await;
    let port = origin.port();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n\r\n")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    (client, upstream)
}

async fn refuses(gateway: &Gateway) {
    let refused = async { while TcpStream::connect(gateway.address()).await.is_ok() {} };
    timeout(DEADLINE, refused).await.expect("connections are refused");
}

#[tokio::test]
async fn sigterm_and_sigint_let_what_is_in_flight_end() {
    for signal in ["TERM", "INT"] {
        let (mut gateway, origin) = (Gateway::start(&[]).await, Origin::start().await);
        let (mut client, mut upstream) = in_flight(&gateway, &origin).await;
        gateway.signal(signal).await;
        refuses(&gateway).await;
        assert!(!gateway.has_ended());
        upstream.answer("late").await;
        assert_eq!(client.response().await.1, "late");
        let (code, log) = gateway.ended().await;
        assert_eq!(code, Some(0), "{log}");
    }
}

#[tokio::test]
async fn the_limit_ends_what_does_not() {
    let gateway = Gateway::start(&["--graceful-shutdown-timeout", "200ms"]).await;
    let origin = Origin::start().await;
    let (mut client, _upstream) = in_flight(&gateway, &origin).await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.ended().await.0, Some(0));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let (gateway, origin) =
        (Gateway::start(&["--graceful-shutdown-timeout", "1h"]).await, Origin::start().await);
    let (_client, _upstream) = in_flight(&gateway, &origin).await;
    gateway.signal("TERM").await;
    refuses(&gateway).await;
    let told = Instant::now();
    gateway.signal("INT").await;
    assert_eq!(gateway.ended().await.0, Some(1));
    assert!(told.elapsed() < DEADLINE / 2);
}

#[tokio::test]
async fn sighup_ends_nothing() {
    let (gateway, origin) = (Gateway::start(&[]).await, Origin::start().await);
    let (mut client, mut upstream) = in_flight(&gateway, &origin).await;
    gateway.signal("HUP").await;
    upstream.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);
    gateway.signal("TERM").await;
    let (code, log) = gateway.ended().await;
    assert_eq!(code, Some(0));
    assert!(log.contains("there is no token to read again"), "{log}");
}
