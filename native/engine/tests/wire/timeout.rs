//! The limits on time.

use std::time::Duration;

use tabport_engine::{ServerOptions, Timeouts};
use tokio::time::{Instant, timeout};

use crate::harness::{Origin, Peer, Proxy, field, status};
use crate::tls::CertificateAuthority;

/// Short enough to wait for, long enough for a busy machine to do its work in.
const LIMIT: Duration = Duration::from_millis(400);

fn proxy(timeouts: Timeouts) -> Proxy {
    Proxy::with(ServerOptions { timeouts, ..ServerOptions::default() })
}

async fn fails_with(client: &mut Peer, token: &str) {
    let (head, _) = client.response().await;
    assert_eq!(status(&head), 504, "{head}");
    let expected = format!("tabport; error={token}");
    assert_eq!(field(&head, "proxy-status"), Some(expected.as_str()));
}

/// An address that takes no further connection: its queue is full, and it never accepts.
struct Hanging {
    socket: socket2::Socket,
    _queue: Vec<Peer>,
}

impl Hanging {
    async fn start() -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queue = Vec::new();
        while let Ok(peer) = timeout(Duration::from_millis(100), Peer::connect(address)).await {
            queue.push(peer);
        }
        Self { socket, _queue: queue }
    }

    fn address(&self) -> std::net::SocketAddr {
        self.socket.local_addr().unwrap().as_socket().unwrap()
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_accept_is_504() {
    let hanging = Hanging::start().await;
    let proxy = proxy(Timeouts { connect: LIMIT, ..Timeouts::default() });
    let context = proxy.context();
    let url = format!("http://{}", hanging.address());
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let requests = [
        context.get(&url),
        context.ask(&format!("GET {url}/"), upgrade),
        context.connect(&hanging.address().to_string()),
    ];
    let mut client = proxy.connect().await;
    for request in requests {
        client.send(request).await;
        fails_with(&mut client, "connection_timeout").await;
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_shake_hands_is_504() {
    let (ca, origin) = (CertificateAuthority::new(), Origin::start().await);
    let mut options = ca.options(&[]);
    options.timeouts.tls_handshake = LIMIT;
    let proxy = Proxy::with(options);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&format!("https://{}/", origin.address()))).await;
    let mut silent = origin.accept().await;
    fails_with(&mut client, "connection_timeout").await;
    silent.rest().await;
}

#[tokio::test]
async fn requests_to_a_hanging_tls_upstream_do_not_queue() {
    let (ca, origin) = (CertificateAuthority::new(), Origin::start().await);
    let mut options = ca.options(&[]);
    options.timeouts.tls_handshake = LIMIT;
    let proxy = Proxy::with(options);
    let context = proxy.context();
    let asked = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = proxy.connect().await;
        client.send(context.get(&format!("https://{}/", origin.address()))).await;
        clients.push(client);
    }
    for client in &mut clients {
        fails_with(client, "connection_timeout").await;
    }
    let waited = asked.elapsed();
    assert!(waited < 3 * LIMIT, "the last of eight was told only after {waited:?}");
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_504() {
    let (proxy, origin) =
        (proxy(Timeouts { response_head: LIMIT, ..Timeouts::default() }), Origin::start().await);
    let context = proxy.context();
    for upgrade in ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"] {
        let mut client = proxy.connect().await;
        client.send(context.ask(&format!("GET {}/", origin.url()), upgrade)).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send("HTTP/1.1 200 OK\r\n").await;
        fails_with(&mut client, "http_response_timeout").await;
        assert_eq!(upstream.ends_soon().await, b"");
        client.send(context.get(&origin.url())).await;
        origin.answer("sane").await;
        assert_eq!(client.response().await.1, "sane");
    }
}

#[tokio::test]
async fn an_upload_that_moves_is_not_late() {
    let (proxy, origin) =
        (proxy(Timeouts { response_head: LIMIT, ..Timeouts::default() }), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.ask(&format!("POST {}/", origin.url()), "Content-Length: 16\r\n")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let begun = Instant::now();
    let mut pace = tokio::time::interval(LIMIT / 4);
    for _ in 0..16 {
        pace.tick().await;
        client.send("x").await;
        upstream.expect("x").await;
    }
    assert!(begun.elapsed() > 3 * LIMIT);
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn a_response_that_moves_is_never_cut_and_one_that_does_not_is() {
    let timeouts = Timeouts {
        idle: Some(LIMIT),
        response_head: LIMIT,
        request_head: LIMIT,
        ..Timeouts::default()
    };
    let (proxy, origin) = (proxy(timeouts), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").await;
    client.head().await;
    let mut pace = tokio::time::interval(LIMIT / 4);
    for _ in 0..16 {
        pace.tick().await;
        upstream.send("x").await;
        client.expect("x").await;
    }
    let silent = Instant::now();
    assert_eq!(client.rest().await, b"");
    assert!(silent.elapsed() > LIMIT / 2, "cut too early");
    upstream.rest().await;
}

#[tokio::test]
async fn a_client_that_says_nothing_is_let_go() {
    for http2 in [true, false] {
        let timeouts = Timeouts { request_head: LIMIT, ..Timeouts::default() };
        let proxy = Proxy::with(ServerOptions { timeouts, http2, ..ServerOptions::default() });
        let begun = Instant::now();
        for part in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM", "GET http://a/ HTTP/1.1\r\nHost:"] {
            let mut client = proxy.connect().await;
            client.send(part).await;
            let rest = client.rest().await;
            assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"), "{part:?}: {rest:?}");
        }
        assert!(begun.elapsed() > LIMIT);
        proxy.until("all are let go", |stats| stats.connections == 0).await;
    }
}

#[tokio::test]
async fn a_tunnel_that_says_nothing_is_let_go_before_it_is_told_apart() {
    let (proxy, origin) =
        (proxy(Timeouts { request_head: LIMIT, ..Timeouts::default() }), Origin::start().await);
    let context = proxy.routed(origin.url());
    for part in ["", "GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n"] {
        let mut client = proxy.tunnel(&context, "localhost:3000").await;
        client.send(part).await;
        let rest = client.rest().await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"), "{part:?}: {rest:?}");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_client_between_requests_is_let_go_in_time() {
    let (proxy, origin) =
        (proxy(Timeouts { request_head: LIMIT, ..Timeouts::default() }), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    origin.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
    let idle = Instant::now();
    assert_eq!(client.rest().await, b"");
    assert!(idle.elapsed() > LIMIT / 2);
}
