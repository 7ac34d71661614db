//! What the embedder is told.

use std::time::Duration;

use tabport_engine::{Event, Outcome, Phase, TunnelKind};

use crate::harness::{Origin, Proxy};

/// One line for each event, without what differs from run to run.
fn told(proxy: &Proxy) -> Vec<String> {
    proxy.events().iter().map(line).collect()
}

fn line(event: &Event) -> String {
    match event {
        Event::Connection { phase, connection_id } => {
            format!("connection {connection_id} {phase:?}")
        }
        Event::Request {
            method, authority, path, status, bytes_up, bytes_down, outcome, ..
        } => {
            format!("{method} {authority} {path} {status} {bytes_up}/{bytes_down} {outcome:?}")
        }
        Event::Tunnel { phase, tunnel_id, kind, authority, bytes_up, bytes_down, .. } => {
            format!("{kind:?} {tunnel_id} {authority} {bytes_up}/{bytes_down} {phase:?}")
        }
        Event::Error { code, authority, message, .. } => {
            format!("error {code} {} {message}", authority.as_deref().unwrap_or("-"))
        }
    }
}

async fn ended(proxy: &Proxy) {
    proxy
        .until("all is quiet", |stats| stats.requests + stats.tunnels + stats.connections == 0)
        .await;
}

#[tokio::test]
async fn a_request_is_told_once_at_its_end() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    let target = "POST http://localhost:3000/a/b?token=secret";
    client.send(format!("{}hello", context.ask(target, "Content-Length: 5\r\n"))).await;
    origin.answer("good bye").await;
    assert_eq!(client.response().await.1, "good bye");
    client.send(context.get("http://tabport.invalid/?x")).await;
    client.head().await;
    drop(client);
    ended(&proxy).await;
    assert_eq!(
        told(&proxy),
        [
            "connection 1 Opened",
            "POST localhost:3000 /a/b 200 5/8 Complete",
            "GET tabport.invalid / 204 0/0 Complete",
            "connection 1 Closed",
        ]
    );
    let events = proxy.events();
    let Event::Request { context_id, web_contents_id, head, duration, .. } = &events[1] else {
        panic!("{events:?}")
    };
    assert_eq!(*context_id, context.id);
    assert!(context.id.starts_with(&format!("wc-{web_contents_id}-")));
    assert!(Duration::ZERO < *head && head <= duration);
}

#[tokio::test]
async fn a_response_that_was_cut_is_told_as_aborted() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for by_client in [true, false] {
        let mut client = proxy.connect().await;
        client.send(context.get("http://localhost:3000/")).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
        client.head().await;
        client.expect("abc").await;
        if by_client {
            drop(client);
            upstream.rest().await;
        } else {
            drop(upstream);
            client.rest().await;
        }
        ended(&proxy).await;
    }
    let cut = "GET localhost:3000 / 200 0/3 Aborted";
    assert_eq!(told(&proxy).iter().filter(|line| *line == cut).count(), 2, "{:?}", told(&proxy));
}

#[tokio::test]
async fn a_request_nobody_waits_for_is_told_as_aborted() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    client.send(context.get("http://localhost:3000/")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    drop(client);
    ended(&proxy).await;
    let outcome = proxy.events().into_iter().find_map(|event| match event {
        Event::Request { outcome, .. } => Some(outcome),
        _ => None,
    });
    assert_eq!(outcome, Some(Outcome::Aborted));
}

#[tokio::test]
async fn a_tunnel_is_told_when_it_opens_and_when_it_ends() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let authority = origin.address().to_string();
    let mut client = proxy.tunnel(&context, &authority).await;
    let mut upstream = origin.accept().await;
    client.send("hello").await;
    upstream.expect("hello").await;
    upstream.send("good bye").await;
    client.expect("good bye").await;
    drop((client, upstream));
    ended(&proxy).await;
    let told = told(&proxy);
    let expected = [
        "connection 1 Opened".to_owned(),
        format!("Connect 1 {authority} 0/0 Opened"),
        format!("CONNECT {authority}  200 0/0 Complete"),
        format!("Connect 1 {authority} 5/8 Closed"),
    ];
    for line in &expected {
        assert!(
            told.contains(line) || told.contains(&line.replace("  200", " / 200")),
            "{line} in {told:?}"
        );
    }
    assert_eq!(told.first(), expected.first());
}

#[tokio::test]
async fn an_upgrade_is_a_request_and_a_tunnel() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client
        .send(
            "GET /ws?token=secret HTTP/1.1\r\nHost: localhost:3000\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\n\r\n",
        )
        .await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhi").await;
    client.head().await;
    client.expect("hi").await;
    drop((client, upstream));
    ended(&proxy).await;
    let told = told(&proxy);
    for line in [
        "Upgrade 1 localhost:3000 0/0 Opened",
        "GET localhost:3000 /ws 101 0/0 Complete",
        "Upgrade 1 localhost:3000 0/2 Closed",
    ] {
        assert!(told.iter().any(|it| it == line), "{line} in {told:?}");
    }
    let kinds = proxy.events().into_iter().filter(|event| {
        matches!(event, Event::Tunnel { kind: TunnelKind::Upgrade, phase: Phase::Opened, .. })
    });
    assert_eq!(kinds.count(), 1);
}

#[tokio::test]
async fn a_failure_is_told_with_its_token_and_without_internals() {
    let proxy = Proxy::start();
    let closed = Origin::start().await.address();
    let context = proxy.routed(format!("http://{closed}"));
    let mut client = proxy.connect().await;
    client.send(context.get("http://localhost:3000/?token=secret")).await;
    client.response().await;
    client.send("GET http://localhost:3000/?token=secret HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.response().await;
    drop(client);
    ended(&proxy).await;
    assert_eq!(
        told(&proxy),
        [
            "connection 1 Opened",
            "error connection_refused localhost:3000 the upstream refused the connection",
            "GET localhost:3000 / 502 0/36 Complete",
            "error http_request_denied - proxy authentication required",
            "connection 1 Closed",
        ]
    );
}

#[tokio::test]
async fn origin_form_is_told_with_its_authority() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    client
        .send(format!("GET /x HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n", context.field()))
        .await;
    origin.answer("").await;
    client.head().await;
    drop(client);
    ended(&proxy).await;
    assert!(
        told(&proxy).contains(&"GET localhost:3000 /x 200 0/0 Complete".to_owned()),
        "{:?}",
        told(&proxy)
    );
}
