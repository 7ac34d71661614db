//! Bodies on their way: what is sent arrives at once, in either direction. The test of that is shown to fail on a proxy
//! that waits for more.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::set_up;
use crate::harness::{Origin, Peer};

#[tokio::test]
async fn row_26_the_first_half_is_there_before_the_second_is_sent() {
    let (proxy, origin) = set_up().await;
    for (framing, halves) in [
        ("Content-Length: 8", ["half", "half"]),
        ("Transfer-Encoding: chunked", ["4\r\nhalf\r\n", "4\r\nhalf\r\n0\r\n\r\n"]),
    ] {
        let mut client = proxy.connect().await;
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{}", halves[0])).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.expect(halves[0]).await;
        client.send(halves[1]).await;
        upstream.expect(halves[1]).await;
        upstream.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
        assert_eq!(client.response().await.1, "ok");
    }
}

/// Events as a model's API sends them; each must be there soon after it was sent, and before the next is.
async fn events_are_prompt(proxy: SocketAddr, origin: &Origin) -> Result<(), &'static str> {
    const SOON: Duration = Duration::from_millis(50);
    let mut client = Peer::connect(proxy).await;
    client.send("GET /v1/stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    upstream.send(head).await;
    timeout(SOON, client.head()).await.map_err(|_| "the head is late")?;
    for number in 0..20 {
        let event = format!("data: {{\"delta\":\"{number} \u{1f600}\"}}\n\n");
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        upstream.send(&chunk).await;
        timeout(SOON, client.expect(&chunk)).await.map_err(|_| "an event is late")?;
    }
    upstream.send("0\r\n\r\n").await;
    client.expect("0\r\n\r\n").await;
    Ok(())
}

#[tokio::test]
async fn row_27_every_event_arrives_when_it_is_sent() {
    let (proxy, origin) = set_up().await;
    assert_eq!(events_are_prompt(proxy.server.local_addr(), &origin).await, Ok(()));
}

/// A proxy that passes on a response once it has all of it.
async fn buffering(origin: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let (mut client, mut upstream) = (Peer(socket), Peer::connect(origin).await);
        upstream.send(client.head().await).await;
        let whole = upstream.rest().await;
        client.send(whole).await;
    });
    (address, serving)
}

#[tokio::test]
async fn row_27_a_proxy_that_waits_for_more_fails_the_test() {
    let origin = Origin::start().await;
    let (address, serving) = buffering(origin.address()).await;
    assert_eq!(events_are_prompt(address, &origin).await, Err("the head is late"));
    serving.abort();
}
