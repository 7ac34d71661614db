//! How many tunnels a context may have.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use http::Method;
use tabport_engine::{ContextLimits, Event, Limits, Server, ServerOptions};
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Origin, Peer, Proxy, status};
use crate::limits::{is_over, limited};
use crate::stream::{answered, begin, speak};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const SWITCHED: &str = "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

fn tunnels(count: u32) -> Proxy {
    limited(ContextLimits { tunnels: NonZeroU32::new(count), ..ContextLimits::default() })
}

/// Asks by CONNECT until the place that is being given up is free.
async fn opens_soon(client: &mut Peer, context: &Context, origin: &Origin) -> Peer {
    let asking = async {
        loop {
            client.send(context.connect(&origin.address().to_string())).await;
            if status(&client.response().await.0) == 200 {
                return origin.accept().await;
            }
        }
    };
    timeout(DEADLINE, asking).await.expect("a place becomes free")
}

async fn is_refused(client: &mut Peer, context: &Context, origin: &Origin) {
    client.send(context.connect(&origin.address().to_string())).await;
    is_over(client).await;
    client.send(context.ask(&format!("GET {}/", origin.url()), UPGRADE)).await;
    is_over(client).await;
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn tunnels_beyond_the_limit_are_503_and_requests_still_pass() {
    let (proxy, origin) = (tunnels(2), Origin::start().await);
    let (context, other) = (proxy.context(), proxy.context());
    let authority = origin.address().to_string();
    let mut open = Vec::new();
    for _ in 0..2 {
        let client = proxy.tunnel(&context, &authority).await;
        open.push((client, origin.accept().await));
    }
    let mut client = proxy.connect().await;
    is_refused(&mut client, &context, &origin).await;
    client.send(context.get(&origin.url())).await;
    origin.answer("a request").await;
    assert_eq!(client.response().await.1, "a request");
    let _another = (proxy.tunnel(&other, &authority).await, origin.accept().await);

    let (mut ending, mut upstream) = open.remove(0);
    ending.finish().await;
    upstream.ends_soon().await;
    is_refused(&mut client, &context, &origin).await;
    upstream.finish().await;
    ending.ends_soon().await;
    opens_soon(&mut client, &context, &origin).await;
}

#[tokio::test]
async fn an_upgrade_holds_its_place_until_it_ends() {
    let (proxy, origin) = (tunnels(1), Origin::start().await);
    let context = proxy.context();
    let mut socket = proxy.connect().await;
    socket.send(context.ask(&format!("GET {}/", origin.url()), UPGRADE)).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send(SWITCHED).await;
    assert_eq!(status(&socket.head().await), 101);
    let mut client = proxy.connect().await;
    is_refused(&mut client, &context, &origin).await;
    socket.reset();
    upstream.ends_soon().await;
    opens_soon(&mut client, &context, &origin).await;
}

#[tokio::test]
async fn what_never_becomes_a_tunnel_gives_its_place_back() {
    let (proxy, origin) = (tunnels(1), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.ask(&format!("GET {}/", origin.url()), UPGRADE)).await;
    origin.answer("not today").await;
    assert_eq!(client.response().await.1, "not today");
    proxy.until("it has ended", |stats| stats.requests == 0).await;
    client.send(context.connect("127.0.0.1:9")).await;
    assert_eq!(status(&client.response().await.0), 502);
    proxy.until("it has ended", |stats| stats.requests == 0).await;

    let mut leaving = proxy.connect().await;
    leaving.send(context.ask(&format!("GET {}/", origin.url()), UPGRADE)).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    is_refused(&mut client, &context, &origin).await;
    drop(leaving);
    upstream.ends_soon().await;
    opens_soon(&mut client, &context, &origin).await;
}

#[tokio::test]
async fn an_upgrade_inside_an_intercepted_tunnel_is_one_with_it() {
    let (proxy, origin) = (tunnels(1), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut socket = proxy.tunnel(&context, "localhost:3000").await;
    let mut client = proxy.connect().await;
    client.send(context.connect("localhost:3000")).await;
    is_over(&mut client).await;
    socket.send(format!("GET / HTTP/1.1\r\nHost: localhost:3000\r\n{UPGRADE}\r\n")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send(SWITCHED).await;
    assert_eq!(status(&socket.head().await), 101);
    proxy
        .until("the upgrade's connection has become a tunnel", |stats| {
            stats.tunnels == 1 && stats.connections == 1
        })
        .await;
    client.send(context.connect("localhost:3000")).await;
    is_over(&mut client).await;
    socket.reset();
    upstream.ends_soon().await;
    proxy.until("it has ended", |stats| stats.tunnels == 0).await;
    let mut again = proxy.tunnel(&context, "localhost:3000").await;
    again.send("\x00\x01\x02").await;
    origin.accept().await.expect("\x00\x01\x02").await;
    client.send(context.connect("localhost:3000")).await;
    is_over(&mut client).await;
}

#[tokio::test]
async fn a_silent_intercepted_tunnel_holds_a_place_until_its_client_leaves() {
    let (proxy, origin) = (tunnels(1), Origin::start().await);
    let context = proxy.routed(origin.url());
    let silent = proxy.tunnel(&context, "localhost:3000").await;
    let mut client = proxy.connect().await;
    client.send(context.connect("localhost:3000")).await;
    is_over(&mut client).await;
    drop(silent);
    proxy.until("it has ended", |stats| stats.connections == 1).await;
    proxy.tunnel(&context, "localhost:3000").await;
}

#[tokio::test]
async fn a_tunnel_over_http2_holds_its_place_until_it_ends() {
    let (proxy, origin) = (tunnels(1), Origin::start().await);
    let context = proxy.context();
    let authority = origin.address().to_string();
    let mut sender = speak(proxy.connect().await.0).await;
    let (response, mut up) = begin(&mut sender, Some(&context), Method::CONNECT, &authority);
    let mut upstream = origin.accept().await;
    let _down = answered(response).await;
    let (refused, _up) = begin(&mut sender, Some(&context), Method::CONNECT, &authority);
    let refused = answered(refused).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    up.send_data(Bytes::new(), true).unwrap();
    upstream.ends_soon().await;
    drop(upstream);
    opens_soon(&mut proxy.connect().await, &context, &origin).await;
}

#[tokio::test]
async fn a_panic_on_the_way_gives_every_place_back() {
    let context = ContextLimits {
        concurrent_requests: NonZeroU32::new(1),
        tunnels: NonZeroU32::new(1),
        ..ContextLimits::default()
    };
    let limits = Limits { connections: NonZeroU32::new(1), context, ..Limits::default() };
    let panicked = AtomicBool::new(false);
    let once = move |event| {
        let tunnel = matches!(event, Event::Tunnel { .. });
        assert!(!tunnel || panicked.swap(true, Relaxed), "a sink that panics, once");
    };
    let on_event = Some(Arc::new(once) as _);
    let server = Server::start(ServerOptions { limits, on_event, ..ServerOptions::default() });
    let (server, origin) = (server.unwrap(), Origin::start().await);
    let context = Context::of(server.create_context(1, None).unwrap());
    let mut client = Peer::connect(server.local_addr()).await;
    client.send(context.connect(&origin.address().to_string())).await;
    assert_eq!(status(&client.response().await.0), 502);
    drop(client);
    let wait = async {
        loop {
            let mut client = Peer::connect(server.local_addr()).await;
            client.send(context.connect(&origin.address().to_string())).await;
            if status(&client.head().await) == 200 {
                break;
            }
        }
    };
    timeout(DEADLINE, wait).await.expect("a place for a connection, a request and a tunnel");
    server.stop();
}
