//! A reverse proxy that drains.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tabport_engine::{
    Access, BufferLimits, Event, Face, GatewayOptions, Phase, ReverseProxyOptions, ServerOptions,
    Token,
};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, timeout};

use super::{options, set_up, start};
use crate::gateway::{gateway, options as gateway_options};
use crate::gateway_drain::{drain, is_refused};
use crate::harness::{DEADLINE, Origin, Proxy, field, status};
use crate::tls_client::config;

/// How long somebody who has just connected may take.
const LATECOMERS: Duration = Duration::from_secs(1);
/// How long somebody does take, within that, on a machine that has much else to do.
const A_WHILE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn row_42_nothing_to_wait_for_takes_no_time() {
    // A machine that has much else to do may be late now and then, but not always.
    let mut waited = Vec::new();
    while waited.iter().all(|time| *time >= Duration::from_millis(200)) {
        assert!(waited.len() < 10, "{waited:?}");
        let (proxy, origin) = set_up().await;
        let mut client = proxy.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        origin.answer("ok").await;
        client.response().await;
        let begun = Instant::now();
        drain(&proxy, DEADLINE).await.unwrap();
        waited.push(begun.elapsed());
    }
}

/// While the one thread is busy, more come than it accepts at a stretch: the rest waits in the system's queue, and would
/// be reset with the listening socket.
#[tokio::test]
async fn row_42_and_44_who_was_let_in_by_the_system_is_answered() {
    let (go_on, busy) = channel();
    let busy = Mutex::new(busy);
    let sink = move |event| {
        if let Event::Connection { connection_id: 1, phase: Phase::Opened } = event {
            busy.lock().unwrap().recv().unwrap();
        }
    };
    let proxy = Proxy::with(ServerOptions {
        face: Face::ReverseProxy(options("http://upstream.invalid")),
        workers: 1,
        on_event: Some(Arc::new(sink)),
        ..ServerOptions::default()
    });
    let mut clients = Vec::new();
    for _ in 0..300 {
        let mut client = proxy.connect().await;
        client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        clients.push(client);
    }
    let server = proxy.server.clone();
    let draining = tokio::spawn(async move { server.drain(DEADLINE).await });
    tokio::task::yield_now().await;
    go_on.send(()).unwrap();
    for client in &mut clients {
        assert_eq!(status(&client.response().await.0), 200);
    }
    timeout(DEADLINE / 2, draining).await.expect("it has ended").unwrap();
}

/// One thread has accepted it, and gives it to another, which has something else to do.
#[tokio::test]
async fn row_42_and_44_a_client_on_its_way_to_a_thread_is_answered() {
    const ASK: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let (go_on, busy) = channel();
    let (tell, mut told) = unbounded_channel();
    let busy = Mutex::new(busy);
    let sink = move |event| {
        if let Event::Connection { connection_id: 1, phase: Phase::Closed } = event {
            tell.send(()).unwrap();
            busy.lock().unwrap().recv().unwrap();
        }
    };
    let proxy = Proxy::with(ServerOptions {
        face: Face::ReverseProxy(options("http://upstream.invalid")),
        workers: 2,
        on_event: Some(Arc::new(sink)),
        ..ServerOptions::default()
    });
    let mut first = proxy.connect().await;
    first.send(ASK).await;
    first.response().await;
    drop(first);
    timeout(DEADLINE, told.recv()).await.expect("a thread is busy").unwrap();
    // The other one keeps the next, and the one after that is for the first.
    let mut second = proxy.connect().await;
    second.send(ASK).await;
    second.response().await;
    let mut third = proxy.connect().await;
    third.send(ASK).await;
    tokio::time::sleep(A_WHILE).await;
    let draining = drain(&proxy, DEADLINE);
    tokio::time::sleep(A_WHILE).await;
    go_on.send(()).unwrap();
    assert_eq!(status(&third.response().await.0), 200);
    timeout(DEADLINE / 2, draining).await.expect("it has ended").unwrap();
}

/// Whoever was let in before, and takes its time to ask, is answered, and told that it was the last time.
#[tokio::test]
async fn row_42_and_44_a_client_that_has_just_connected_is_answered() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    let draining = drain(&proxy, DEADLINE);
    is_refused(&proxy).await;
    tokio::time::sleep(A_WHILE).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    tokio::time::sleep(LATECOMERS).await;
    assert!(!draining.is_finished(), "it waits for what is in flight");
    upstream.answer("ok").await;
    let (head, body) = client.response().await;
    assert_eq!((field(&head, "connection"), &*body), (Some("close"), "ok"));
    timeout(DEADLINE / 2, draining).await.expect("it has ended").unwrap();
}

/// Closed at once, its connection would be reset, and what it has been answered might be lost.
#[tokio::test]
async fn row_42_a_client_that_still_sends_has_time_to_hear_its_answer() {
    let buffer_requests = Some(BufferLimits { body: 8, all: 8 });
    let proxy =
        start(ReverseProxyOptions { buffer_requests, ..options("http://upstream.invalid") });
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let draining = drain(&proxy, DEADLINE);
    is_refused(&proxy).await;
    client.send("9\r\nnine long\r\n").await;
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.send("1\r\nx\r\n").await;
    }
    assert_eq!(status(&client.response().await.0), 413);
    drop(client);
    timeout(DEADLINE / 2, draining).await.expect("it has ended").unwrap();
}

/// The handshake is not over when it begins to drain.
#[tokio::test]
async fn row_42_and_44_a_client_that_still_shakes_hands_is_answered() {
    let origin = Origin::start().await;
    let face = Face::ReverseProxy(options(&origin.url()));
    let proxy = Proxy::with(ServerOptions { face, secure: true, ..ServerOptions::default() });
    let trusting = config(&proxy.server.certificate_authority().pem, &["http/1.1"]);
    let client = proxy.connect().await;
    let draining = drain(&proxy, DEADLINE);
    is_refused(&proxy).await;
    tokio::time::sleep(A_WHILE).await;
    let mut client = client.shake_hands("localhost", trusting).await.expect("it shakes hands");
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (head, _) = client.response().await;
    assert_eq!((status(&head), field(&head, "connection")), (200, Some("close")));
    timeout(DEADLINE / 2, draining).await.expect("it has ended").unwrap();
}

/// It is told no more than that it may go: nobody waits for it to ask again.
#[tokio::test]
async fn row_42_who_has_been_refused_and_is_kept_alive_is_not_waited_for() {
    let mut waited = Vec::new();
    while waited.iter().all(|time| *time >= Duration::from_millis(200)) {
        assert!(waited.len() < 10, "{waited:?}");
        let access =
            Access::Restricted { trusted: Vec::new(), tokens: vec![Token::new("t").unwrap()] };
        let proxy = gateway(GatewayOptions { access, ..gateway_options() });
        let mut client = proxy.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(status(&client.response().await.0), 407);
        let begun = Instant::now();
        drain(&proxy, DEADLINE).await.unwrap();
        waited.push(begun.elapsed());
    }
}
