//! Row 20: nothing that one tab has opened upstream serves another.

use std::collections::HashMap;

use rustls::HandshakeKind::{Full, Resumed};

use super::message::messages;
use super::support::Recorder;
use crate::harness::{Context, Proxy};
use crate::tls::CertificateAuthority;

fn request(context: &Context, url: &str, path: &str) -> String {
    context.ask(&format!("GET {url}{path}"), &format!("X-Tab: {}\r\n", context.id))
}

/// Which tab has sent what on each connection.
async fn tabs(origin: Recorder) -> Vec<Vec<String>> {
    let connections = origin.end().await;
    let tabs = connections.iter().map(|bytes| {
        let requests = messages(bytes).unwrap();
        requests.iter().map(|request| request.all("x-tab").concat()).collect()
    });
    tabs.collect()
}

/// Two tabs share one client connection, and ask the same origin in turn.
#[tokio::test]
async fn row_20_a_pooled_connection_serves_one_context() {
    let (proxy, origin) = (Proxy::start(), Recorder::start().await);
    let (url, contexts) = (origin.url(), [(); 3].map(|()| proxy.context()));
    let mut client = proxy.connect().await;
    for number in 0..30 {
        let context = &contexts[number * 7 % 3];
        client.send(request(context, &url, "/")).await;
        assert_eq!(client.response().await.1, "ok");
    }
    for context in &contexts {
        proxy.server.release_context(&context.id).unwrap();
    }
    let tabs = tabs(origin).await;
    assert!(tabs.iter().all(|tabs| tabs.iter().all(|tab| *tab == tabs[0])), "{tabs:?}");
    assert_eq!(tabs.concat().len(), 30);
    assert!(tabs.len() < 30, "connections are reused: otherwise this would prove nothing");
}

/// Many at once, each on a connection of its own.
#[tokio::test]
async fn row_20_contexts_under_load_are_not_mixed() {
    let (proxy, origin) = (Proxy::start(), Recorder::start().await);
    let (url, contexts) = (origin.url(), [(); 4].map(|()| proxy.context()));
    let mut clients = Vec::new();
    for number in 0..32 {
        clients.push((&contexts[number % 4], proxy.connect().await));
    }
    for round in 0..8 {
        for (context, client) in &mut clients {
            client.send(request(context, &url, &format!("/{round}"))).await;
        }
        for (_, client) in &mut clients {
            assert_eq!(client.response().await.1, "ok");
        }
    }
    for context in &contexts {
        proxy.server.release_context(&context.id).unwrap();
    }
    let tabs = tabs(origin).await;
    let mut counts = HashMap::new();
    for tab in tabs.concat() {
        *counts.entry(tab).or_insert(0) += 1;
    }
    assert!(counts.len() == 4 && counts.values().all(|count| *count == 64), "{counts:?}");
    assert!(tabs.iter().all(|tabs| tabs.iter().all(|tab| *tab == tabs[0])), "{tabs:?}");
}

/// The tab that comes after another of the same number does not inherit what that one had open.
#[tokio::test]
async fn row_20_a_new_context_inherits_no_connection() {
    let (proxy, origin) = (Proxy::start(), Recorder::start().await);
    let url = origin.url();
    for _ in 0..3 {
        let context = proxy.context();
        let mut client = proxy.connect().await;
        client.send(request(&context, &url, "/")).await;
        assert_eq!(client.response().await.1, "ok");
        proxy.server.release_context(&context.id).unwrap();
    }
    assert_eq!(tabs(origin).await.len(), 3);
}

/// A resumed TLS session would tell an origin, and a tab, what another tab has visited.
#[tokio::test]
async fn row_20_a_tls_session_is_resumed_by_its_context_alone() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("origin.test", &["http/1.1"]).await;
    let proxy = Proxy::with(ca.options(&[("origin.test:443", &origin)]));
    let (one, other) = (proxy.context(), proxy.context());
    let mut kinds = Vec::new();
    for context in [&one, &one, &other, &one, &other] {
        let mut client = proxy.connect().await;
        client.send(context.get("https://origin.test/")).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        kinds.push(upstream.0.get_ref().1.handshake_kind().unwrap());
        let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
        upstream.send(answer).await;
        assert_eq!(client.response().await.1, "ok");
        upstream.rest().await;
    }
    assert_eq!(kinds, [Full, Resumed, Full, Resumed, Resumed]);
}
