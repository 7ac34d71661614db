//! Either side breaking off: the other hears of it soon, and never takes it for an end.

use std::time::Duration;

use tabport_engine::{Event, Outcome};
use tokio::time::timeout;

use super::set_up;
use crate::harness::{Peer, Proxy};

/// The one exchange that has ended.
async fn ended(proxy: &Proxy) -> (Option<String>, Outcome, Option<&'static str>) {
    proxy.until("it ends", |stats| stats.requests == 0).await;
    let found = proxy.events().into_iter().find_map(|event| match event {
        Event::Request { request_id, outcome, error, .. } => Some((request_id, outcome, error)),
        _ => None,
    });
    found.expect("an exchange")
}

async fn streaming(proxy: &Proxy, origin: &crate::harness::Origin) -> (Peer, Peer) {
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-1\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n").await;
    client.head().await;
    client.expect("2\r\nab\r\n").await;
    (client, upstream)
}

#[tokio::test]
async fn row_28_an_upstream_hears_of_a_client_that_has_gone() {
    let (proxy, origin) = set_up().await;
    let (client, mut upstream) = streaming(&proxy, &origin).await;
    drop(client);
    upstream.ends_soon().await;
    assert_eq!(ended(&proxy).await, (Some("id-1".to_owned()), Outcome::Aborted, None));

    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    drop(client);
    upstream.ends_soon().await;
}

#[tokio::test]
async fn row_29_a_response_that_is_broken_off_does_not_look_whole() {
    for reset in [false, true] {
        let (proxy, origin) = set_up().await;
        let (mut client, upstream) = streaming(&proxy, &origin).await;
        if reset {
            upstream.reset();
        } else {
            drop(upstream);
        }
        let rest = timeout(Duration::from_secs(1), client.rest()).await.expect("it ends soon");
        assert_eq!(rest, b"", "no last chunk");
        let told = Some("http_response_incomplete");
        assert_eq!(ended(&proxy).await, (Some("id-1".to_owned()), Outcome::Aborted, told));
    }
}
