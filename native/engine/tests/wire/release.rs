//! Releasing a context ends whatever it has in flight within a second, and nothing else.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Origin, Peer, Proxy, field};
use crate::stream::{answered, begin, is_ended, speak};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const SWITCHED: &str = "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// The live connections of one context: each client with its upstream.
struct Live(Vec<(&'static str, Peer, Peer)>);

impl Live {
    async fn of(proxy: &Proxy, context: &Context, origin: &Origin) -> Self {
        let mut live = Vec::new();
        let requests = [
            ("a request without an answer", context.get(&origin.url()), ""),
            (
                "a response",
                context.get(&origin.url()),
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
            ),
            ("a stream", context.get(&origin.url()), "HTTP/1.1 200 OK\r\n\r\n"),
            (
                "an upload",
                context.ask(&format!("POST {}/", origin.url()), "Content-Length: 9\r\n"),
                "",
            ),
            ("an upgrade", context.ask(&format!("GET {}/", origin.url()), UPGRADE), SWITCHED),
            ("an unanswered upgrade", context.ask(&format!("GET {}/", origin.url()), UPGRADE), ""),
        ];
        for (what, request, answer) in requests {
            let mut client = proxy.connect().await;
            client.send(request).await;
            let mut upstream = origin.accept().await;
            upstream.head().await;
            upstream.send(answer).await;
            if !answer.is_empty() {
                client.head().await;
            }
            live.push((what, client, upstream));
        }
        for what in ["a tunnel", "a half-closed tunnel"] {
            let mut client = proxy.tunnel(context, &origin.address().to_string()).await;
            client.send("GET /in HTTP/1.1\r\n").await;
            let mut upstream = origin.accept().await;
            upstream.expect("GET /in HTTP/1.1\r\n").await;
            if what == "a half-closed tunnel" {
                upstream.finish().await;
            }
            live.push((what, client, upstream));
        }
        Self(live)
    }

    async fn end_soon(&mut self) {
        for (what, client, upstream) in &mut self.0 {
            let told = String::from_utf8(client.ends_soon().await).unwrap();
            assert!(told.is_empty() || told.starts_with("HTTP/1.1 407 "), "{what}: {told}");
            assert_eq!(upstream.ends_soon().await, b"", "{what}");
        }
    }

    /// Still open: bytes pass where the exchange is a stream of bytes.
    async fn are_alive(&mut self) {
        for (what, client, upstream) in &mut self.0 {
            match *what {
                "an upgrade" | "a tunnel" => {
                    client.send("ping").await;
                    upstream.expect("ping").await;
                }
                "a response" => {
                    upstream.send("nine more").await;
                    client.expect("nine more").await;
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn everything_of_the_context_ends_and_nothing_of_another() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let (released, kept) = (proxy.context(), proxy.context());
    let mut ending = Live::of(&proxy, &released, &origin).await;
    let mut staying = Live::of(&proxy, &kept, &origin).await;
    proxy.server.release_context(&released.id).unwrap();
    ending.end_soon().await;
    staying.are_alive().await;
    assert_eq!(proxy.server.stats().contexts, 1);
}

#[tokio::test]
async fn a_response_stalled_on_a_client_that_does_not_read_ends() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for fields in ["content-length: 1073741824\r\n", ""] {
        let mut client = proxy.connect().await;
        client.send(context.get(&origin.url())).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).await;
        upstream.fill().await;
        if fields.is_empty() {
            proxy.server.release_context(&context.id).unwrap();
            upstream.ends_soon().await;
            proxy.until("it ends", |stats| stats.requests == 0 && stats.connections == 0).await;
        }
    }
}

#[tokio::test]
async fn a_tunnel_stalled_on_peers_that_do_not_read_ends() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.tunnel(&context, &origin.address().to_string()).await;
    let mut upstream = origin.accept().await;
    tokio::join!(client.fill(), upstream.fill());
    proxy.server.release_context(&context.id).unwrap();
    client.ends_soon().await;
    upstream.ends_soon().await;
    proxy.until("it ends", |stats| stats.tunnels == 0).await;
}

#[tokio::test]
async fn a_tunnel_that_has_said_nothing_yet_ends() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut silent = proxy.tunnel(&context, "localhost:3000").await;
    let mut served = proxy.tunnel(&context, "localhost:3000").await;
    served.send("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").await;
    let (mut upstream, _) = origin.answer("ok").await;
    assert_eq!(served.response().await.1, "ok");
    proxy.server.release_context(&context.id).unwrap();
    for peer in [&mut silent, &mut served, &mut upstream] {
        assert_eq!(peer.ends_soon().await, b"");
    }
}

#[tokio::test]
async fn pooled_connections_end() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let contexts = [proxy.context(), proxy.context()];
    let mut upstreams = Vec::new();
    let mut client = proxy.connect().await;
    for context in &contexts {
        client.send(context.get(&origin.url())).await;
        upstreams.push(origin.answer("ok").await.0);
        assert_eq!(client.response().await.1, "ok");
        proxy.until("the exchange ends", |stats| stats.requests == 0).await;
    }
    proxy.server.release_context(&contexts[0].id).unwrap();
    assert_eq!(upstreams[0].ends_soon().await, b"");
    proxy.until("one is left", |stats| stats.upstream_connections == 1).await;
    client.send(contexts[1].get(&origin.url())).await;
    upstreams[1].head().await;
    upstreams[1].answer("still").await;
    assert_eq!(client.response().await.1, "still", "the client's connection is kept");
}

#[tokio::test]
async fn streams_of_one_http2_connection_end_and_those_of_another_context_do_not() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let (released, kept) = (proxy.context(), proxy.context());
    let mut sender = speak(proxy.connect().await.0).await;
    let mut streams = Vec::new();
    for context in [&released, &kept] {
        let (response, mut body) = begin(&mut sender, Some(context), Method::GET, &origin.url());
        body.send_data(Bytes::new(), true).unwrap();
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send("HTTP/1.1 200 OK\r\n\r\nx").await;
        streams.push((answered(response).await.into_body(), upstream));
    }
    let (waiting, _body) = begin(&mut sender, Some(&released), Method::GET, &origin.url());
    let mut unanswered = origin.accept().await;
    unanswered.head().await;
    let authority = origin.address().to_string();
    let (tunnel, _up) = begin(&mut sender, Some(&released), Method::CONNECT, &authority);
    let mut tunnelled = origin.accept().await;
    let mut tunnel = answered(tunnel).await.into_body();

    proxy.server.release_context(&released.id).unwrap();
    for peer in [&mut streams[0].1, &mut unanswered, &mut tunnelled] {
        peer.ends_soon().await;
    }
    let soon = Duration::from_secs(1);
    let waiting = timeout(soon, waiting).await.expect("the request is answered");
    assert!(waiting.map_or(true, |response| response.status() == 407));
    assert!(timeout(soon, is_ended(&mut tunnel)).await.expect("the tunnel ends"));
    let body = &mut streams[0].0;
    assert_eq!(timeout(soon, body.data()).await.unwrap().unwrap().unwrap(), "x");
    let end = timeout(soon, body.data()).await.expect("the stream ends");
    assert!(end.is_some_and(|end| end.is_err()), "a stream that was cut must not end cleanly");

    let (body, upstream) = &mut streams[1];
    assert_eq!(timeout(DEADLINE, body.data()).await.unwrap().unwrap().unwrap(), "x");
    upstream.send("y").await;
    assert_eq!(timeout(DEADLINE, body.data()).await.unwrap().unwrap().unwrap(), "y");
}

#[tokio::test]
async fn an_http2_stream_stalled_on_a_client_that_does_not_read_ends() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let (response, mut body) = begin(&mut sender, Some(&context), Method::GET, &origin.url());
    body.send_data(Bytes::new(), true).unwrap();
    let mut upstream = origin.accept().await;
    assert_eq!(field(&upstream.head().await, "content-length"), None);
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    let _unread = answered(response).await.into_body();
    upstream.fill().await;
    proxy.server.release_context(&context.id).unwrap();
    upstream.ends_soon().await;
    let ended = proxy.until("the stream ends", |stats| stats.requests == 0);
    timeout(Duration::from_secs(2), ended).await.expect("the stream ends although nobody reads it");
}

#[tokio::test]
async fn a_context_is_released_once() {
    let proxy = Proxy::start();
    let context = proxy.context();
    proxy.server.release_context(&context.id).unwrap();
    let unknown = |id: &str| tabport_engine::ContextError::Unknown(id.to_owned());
    assert_eq!(proxy.server.release_context(&context.id), Err(unknown(&context.id)));
    assert_eq!(proxy.server.release_context("wc-1-nobody"), Err(unknown("wc-1-nobody")));
}

/// HTTP/1.0 knows a body's end by the connection's.
#[tokio::test]
async fn a_response_that_ends_with_its_connection_does_not_seem_whole() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(format!("GET {}/ HTTP/1.0\r\n{}\r\n", origin.url(), context.field())).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\nsome of it").await;
    client.head().await;
    client.expect("some of it").await;
    proxy.server.release_context(&context.id).unwrap();
    let end = timeout(DEADLINE, client.0.read(&mut [0; 1])).await.expect("it ends");
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}
