//! What the embedder is told: one event for each exchange, at its end, and by the name that both peers know.

use tabport_engine::{Event, Outcome};

use super::set_up;
use crate::harness::{field, status};

#[tokio::test]
async fn row_43_an_exchange_that_becomes_a_tunnel_ends_with_it() {
    let (proxy, origin) = set_up().await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let mut client = proxy.connect().await;
    client.send(format!("GET /ws?k=1 HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n")).await;
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    let id = field(&head, "x-request-id").unwrap();
    upstream.send(format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n")).await;
    assert_eq!(status(&client.head().await), 101);
    client.send("ping!").await;
    upstream.expect("ping!").await;
    let is_exchange = |event: &Event| matches!(event, Event::Request { .. });
    assert!(!proxy.events().iter().any(is_exchange), "it has not ended");
    drop(client);
    upstream.rest().await;
    drop(upstream);
    proxy.until("it ends", |stats| stats.requests + stats.tunnels == 0).await;
    assert_eq!(proxy.server.stats().total.bytes_up, 5, "nothing is counted twice");
    let exchange = proxy.events().into_iter().find(is_exchange).expect("it has ended");
    let Event::Request { request_id, status, bytes_up, path, upgraded, outcome, .. } = exchange
    else {
        panic!("{exchange:?}");
    };
    assert_eq!(request_id.as_deref(), Some(id));
    assert_eq!((status, bytes_up, &*path), (101, 5, "/ws"));
    assert_eq!((upgraded, outcome), (true, Outcome::Complete));
}

#[tokio::test]
async fn row_43_an_error_has_the_name_of_its_exchange() {
    let (proxy, origin) = set_up().await;
    drop(origin);
    let mut client = proxy.connect().await;
    client.send("GET /x?k=1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-1\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 502);
    proxy.until("it ends", |stats| stats.requests == 0).await;
    let named = proxy.events().into_iter().filter(|event| match event {
        Event::Request { request_id, error, path, .. } => {
            assert_eq!((*error, &**path), (Some("connection_refused"), "/x"));
            request_id.as_deref() == Some("id-1")
        }
        Event::Error { request_id, .. } => request_id.as_deref() == Some("id-1"),
        _ => false,
    });
    assert_eq!(named.count(), 2);
}
