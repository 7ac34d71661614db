//! A gateway that drains: nothing new begins, what has begun ends well, and then it stops.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout};

use crate::gateway::{gateway, options};
use crate::harness::{DEADLINE, Origin, Peer, Proxy, field, status};
use crate::stream::{answered, speak, text};

pub(crate) fn drain(proxy: &Proxy, limit: Duration) -> JoinHandle<()> {
    let server = proxy.server.clone();
    tokio::spawn(async move {
        server.drain(limit).await;
        spawn_blocking(move || server.stop()).await.unwrap();
    })
}

async fn ask(client: &mut Peer, origin: &Origin, fields: &str) {
    let port = origin.port();
    let request =
        format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n{fields}\r\n");
    client.send(request).await;
}

pub(crate) async fn is_refused(proxy: &Proxy) {
    let refused = async { while TcpStream::connect(proxy.server.local_addr()).await.is_ok() {} };
    timeout(DEADLINE, refused).await.expect("connections are refused");
}

#[tokio::test]
async fn what_is_in_flight_ends_well_and_what_waits_is_ended() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let [mut busy, mut waiting] = [proxy.connect().await, proxy.connect().await];
    ask(&mut waiting, &origin, "").await;
    origin.answer("ok").await;
    assert_eq!(status(&waiting.response().await.0), 200);
    ask(&mut busy, &origin, "").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let draining = drain(&proxy, DEADLINE);
    is_refused(&proxy).await;
    assert_eq!(waiting.ends_soon().await, b"");
    assert!(!draining.is_finished(), "it does not wait for the request in flight");
    upstream.answer("late").await;
    let (head, body) = busy.response().await;
    assert_eq!((field(&head, "connection"), &*body), (Some("close"), "late"));
    timeout(DEADLINE / 2, draining).await.expect("it waits for nothing more").unwrap();
}

#[tokio::test]
async fn who_has_connected_may_still_ask_for_a_moment() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let [mut late, mut silent] = [proxy.connect().await, proxy.connect().await];
    proxy.until("both are connected", |stats| stats.connections == 2).await;
    let draining = drain(&proxy, DEADLINE);
    is_refused(&proxy).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    ask(&mut late, &origin, "").await;
    origin.answer("ok").await;
    let (head, body) = late.response().await;
    assert_eq!((field(&head, "connection"), &*body), (Some("close"), "ok"));
    timeout(DEADLINE / 2, draining).await.expect("who says nothing is not waited for").unwrap();
    assert_eq!(silent.ends_soon().await, b"");
}

#[tokio::test]
async fn http2_clients_are_told_to_go_and_their_streams_end_well() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let mut sender = speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await;
    let request = http::Request::builder()
        .uri("http://a/")
        .header("x-cmux-port-internal", origin.port())
        .body(())
        .unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let draining = drain(&proxy, DEADLINE);
    is_refused(&proxy).await;
    upstream.answer("late").await;
    assert_eq!(text(answered(response).await).await.0, "late");
    timeout(DEADLINE / 2, draining).await.expect("it waits for nothing more").unwrap();
}

#[tokio::test]
async fn an_http2_client_that_does_not_answer_holds_it_until_the_limit() {
    let proxy = gateway(options());
    let mut client = proxy.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    proxy.until("it is served", |stats| stats.connections == 1).await;
    let (begun, limit) = (Instant::now(), Duration::from_secs(2));
    timeout(DEADLINE, drain(&proxy, limit)).await.expect("the limit ends it").unwrap();
    assert!(begun.elapsed() < 2 * limit, "it took {:?}", begun.elapsed());
    client.rest().await;
}

#[tokio::test]
async fn upgraded_connections_end_at_once_and_other_tunnels_have_until_the_limit() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let [mut upgraded, mut tunnel] = [proxy.connect().await, proxy.connect().await];
    ask(&mut upgraded, &origin, "Connection: Upgrade\r\nUpgrade: tcp\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    upstream.send(switch).await;
    assert_eq!(status(&upgraded.head().await), 101);
    let port = origin.port();
    tunnel
        .send(format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nX-Cmux-Port-Internal: {port}\r\n\r\n"))
        .await;
    tunnel.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    let mut behind = origin.accept().await;

    let (begun, limit) = (Instant::now(), Duration::from_secs(2));
    let draining = drain(&proxy, limit);
    assert_eq!(upgraded.ends_soon().await, b"");
    assert_eq!(upstream.ends_soon().await, b"");
    tunnel.send("still").await;
    behind.expect("still").await;
    timeout(DEADLINE, draining).await.expect("the limit ends it").unwrap();
    assert!(begun.elapsed() >= limit);
    assert_eq!(tunnel.ends_soon().await, b"");
}

#[tokio::test]
async fn a_stop_cuts_it_short() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let mut client = proxy.connect().await;
    ask(&mut client, &origin, "").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let draining = drain(&proxy, Duration::MAX);
    is_refused(&proxy).await;
    assert!(!draining.is_finished());
    proxy.server.stop();
    timeout(DEADLINE / 2, draining).await.expect("it has been stopped").unwrap();
}
