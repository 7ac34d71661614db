//! The flags that say how much there may be at once, and how fast.

use crate::gateway::Gateway;
use crate::harness::{Origin, Peer, field, status};

fn get(port: u16, fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n{fields}\r\n")
}

/// Asks for something that the origin answers at once.
async fn served(client: &mut Peer, origin: &Origin) {
    client.send(get(origin.port(), "")).await;
    origin.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);
}

async fn refused(client: &mut Peer, origin: &Origin, expected: u16) -> String {
    client.send(get(origin.port(), "")).await;
    let (head, _) = client.response().await;
    assert_eq!(status(&head), expected);
    head
}

#[tokio::test]
async fn connections() {
    let gateway = Gateway::start(&["--max-connections", "1"]).await;
    let origin = Origin::start().await;
    let mut only = gateway.connect().await;
    served(&mut only, &origin).await;
    let (head, _) = gateway.connect().await.response().await;
    assert_eq!(status(&head), 503);
}

#[tokio::test]
async fn requests_and_tunnels() {
    let gateway = Gateway::start(&["--max-requests", "1", "--max-tunnels", "1"]).await;
    let origin = Origin::start().await;
    let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
    let fields = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
    let connect = format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{fields}\r\n");
    first.send(&connect).await;
    let _upstream = origin.accept().await;
    assert_eq!(status(&first.head().await), 200);
    second.send(&connect).await;
    assert_eq!(status(&second.response().await.0), 503, "a second tunnel");

    second.send(get(origin.port(), "")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    refused(&mut gateway.connect().await, &origin, 503).await;
    upstream.answer("ok").await;
    assert_eq!(status(&second.response().await.0), 200);
}

#[tokio::test]
async fn the_rate_and_what_may_come_at_once() {
    for (flags, at_once) in [
        (&["--max-rate", "1"][..], 1),
        (&["--max-rate", "3"], 3),
        (&["--max-rate", "1", "--max-burst", "2"], 2),
    ] {
        let (gateway, origin) = (Gateway::start(flags).await, Origin::start().await);
        let mut answers = Vec::new();
        // One is given back each second: among many that come at once, one more than may come is soon refused.
        for _ in 0..at_once {
            served(&mut gateway.connect().await, &origin).await;
        }
        for _ in 0..2 {
            let mut client = gateway.connect().await;
            client.send(get(origin.port(), "")).await;
            answers.push(tokio::select! {
                (head, _) = client.response() => status(&head),
                _peer = async { origin.answer("ok").await; std::future::pending::<()>().await } => 0,
            });
        }
        assert!(answers.contains(&429), "{flags:?}: {answers:?}");
    }
}

#[tokio::test]
async fn the_breaker() {
    let flags = ["--breaker-failures", "2", "--breaker-open", "1m"];
    let gateway = Gateway::start(&flags).await;
    let closed = Origin::start().await;
    let port = closed.port();
    drop(closed);
    let mut client = gateway.connect().await;
    for expected in [502, 502, 503] {
        client.send(get(port, "")).await;
        let (head, _) = client.response().await;
        assert_eq!(status(&head), expected);
        if expected == 503 {
            let wait: u32 = field(&head, "retry-after").unwrap().parse().unwrap();
            assert!((30..=60).contains(&wait), "{wait}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn threads() {
    let processors = std::thread::available_parallelism().unwrap().get();
    for (flags, expected) in [(&["--workers", "5"][..], 5), (&[], processors)] {
        let gateway = Gateway::start(flags).await;
        // A thread has its name a moment after it has begun: one that serves has it.
        let workers =
            || gateway.threads().iter().filter(|name| name.starts_with("tabport-")).count();
        let begun = tokio::time::Instant::now();
        while workers() != expected {
            assert!(begun.elapsed() < crate::harness::DEADLINE, "{flags:?}: {}", workers());
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn heads() {
    let origin = Origin::start().await;
    let long = format!("X-A: {}\r\n", "a".repeat(1024));
    for (flags, fields) in
        [(["--max-head-bytes", "1024"], long), (["--max-head-fields", "2"], "X-A: 1\r\n".into())]
    {
        let gateway = Gateway::start(&flags).await;
        served(&mut gateway.connect().await, &origin).await;
        let mut client = gateway.connect().await;
        client.send(get(origin.port(), &fields)).await;
        assert_eq!(status(&client.response().await.0), 431, "{flags:?}");
    }
}
