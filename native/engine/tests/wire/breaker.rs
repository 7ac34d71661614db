//! An upstream that cannot be reached is left alone for a while, if the embedder says so.

use std::num::NonZeroU32;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tabport_engine::{BreakerLimits, ContextLimits, Limits, ServerOptions};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::harness::{DEADLINE, Origin, Peer, Proxy, field, status};
use crate::limits::{is_refused, limited};
use crate::tls::CertificateAuthority;

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);
/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(200);

fn limits(failures: u32, open: Duration) -> ContextLimits {
    let failures = NonZeroU32::new(failures).unwrap();
    ContextLimits { breaker: Some(BreakerLimits { failures, open }), ..ContextLimits::default() }
}

fn breaking(failures: u32, open: Duration) -> Proxy {
    limited(limits(failures, open))
}

/// A port that is taken, and refuses connections until it is told to listen.
pub(crate) struct Refusing(Socket);

impl Refusing {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    fn authority(&self) -> String {
        self.0.local_addr().unwrap().as_socket().unwrap().to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority())
    }

    pub(crate) fn listen(self) -> Origin {
        self.0.listen(128).unwrap();
        Origin::of(TcpListener::from_std(self.0.into()).unwrap())
    }
}

async fn fails(client: &mut Peer, request: String, expected: u16) {
    client.send(request).await;
    let (head, _) = client.response().await;
    assert_eq!(status(&head), expected, "{head}");
    assert_eq!(field(&head, "retry-after"), None, "{head}");
}

/// Refused at once, with what is left of `LONG`.
async fn is_left_alone(client: &mut Peer, request: String) {
    client.send(request).await;
    let left = is_refused(client, 503, "destination_unavailable").await;
    assert!((540..=600).contains(&left), "{left}");
}

/// Asks until it is not refused for the breaker's sake; the status then.
async fn once_let_through(mut client: Peer, request: String) -> u16 {
    let asking = async {
        loop {
            client.send(&request).await;
            match status(&client.response().await.0) {
                503 => tokio::time::sleep(Duration::from_millis(5)).await,
                other => return other,
            }
        }
    };
    timeout(DEADLINE, asking).await.expect("it is let through")
}

#[tokio::test]
async fn it_opens_after_so_many_failures_and_then_nothing_is_dialled() {
    let proxy = breaking(3, LONG);
    let (context, other) = (proxy.context(), proxy.context());
    let (down, elsewhere) = (Refusing::new(), Refusing::new());
    let mut client = proxy.connect().await;
    fails(&mut client, context.get(&down.url()), 502).await;
    fails(&mut client, context.connect(&down.authority()), 502).await;
    fails(&mut client, context.ask(&format!("GET {}/", down.url()), UPGRADE), 502).await;
    let (get, connect, url) =
        (context.get(&down.url()), context.connect(&down.authority()), down.url());
    let origin = down.listen();
    for request in [get.clone(), connect, context.ask(&format!("GET {url}/"), UPGRADE), get] {
        is_left_alone(&mut client, request).await;
    }
    origin.was_never_dialled().await;
    fails(&mut client, context.get(&elsewhere.url()), 502).await;
    client.send(other.get(&url)).await;
    origin.answer("contexts share nothing").await;
    assert_eq!(client.response().await.1, "contexts share nothing");
}

#[tokio::test]
async fn one_that_is_back_closes_it() {
    let proxy = breaking(1, SHORT);
    let (context, down) = (proxy.context(), Refusing::new());
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        let failed = once_let_through(proxy.connect().await, context.get(&down.url())).await;
        assert_eq!(failed, 502);
    }
    let origin = down.listen();
    let asking = tokio::spawn(once_let_through(client, context.get(&origin.url())));
    let (_upstream, _) = origin.answer("back").await;
    assert_eq!(asking.await.unwrap(), 200);
    client = proxy.connect().await;
    for _ in 0..2 {
        client.send(context.connect(&origin.address().to_string())).await;
        assert_eq!(status(&client.head().await), 200);
        origin.accept().await;
        client = proxy.connect().await;
    }
}

#[tokio::test]
async fn half_open_lets_one_through_and_its_end_decides() {
    let (ca, origin) = (CertificateAuthority::new(), Origin::start().await);
    let limits = Limits { context: limits(1, SHORT), ..Limits::default() };
    let proxy = Proxy::with(ServerOptions { limits, ..ca.options(&[]) });
    let context = proxy.context();
    let request = context.get(&format!("https://{}/", origin.address()));
    let mut client = proxy.connect().await;
    client.send(&request).await;
    drop(origin.accept().await);
    assert_eq!(status(&client.response().await.0), 502);
    for _ in 0..2 {
        let asking = tokio::spawn(once_let_through(proxy.connect().await, request.clone()));
        let shaking_hands = origin.accept().await;
        for _ in 0..3 {
            client.send(&request).await;
            assert_eq!(is_refused(&mut client, 503, "destination_unavailable").await, 1);
        }
        origin.was_never_dialled().await;
        drop(shaking_hands);
        assert_eq!(asking.await.unwrap(), 502);
    }
}

#[tokio::test]
async fn a_client_that_leaves_proves_nothing() {
    let (ca, origin) = (CertificateAuthority::new(), Origin::start().await);
    let limits = Limits { context: limits(1, SHORT), ..Limits::default() };
    let proxy = Proxy::with(ServerOptions { limits, ..ca.options(&[]) });
    let context = proxy.context();
    let request = context.get(&format!("https://{}/", origin.address()));
    let mut leaving = proxy.connect().await;
    leaving.send(&request).await;
    let mut upstream = origin.accept().await;
    drop(leaving);
    upstream.rest().await;
    let mut client = proxy.connect().await;
    client.send(&request).await;
    drop(origin.accept().await);
    assert_eq!(status(&client.response().await.0), 502);

    let probing = tokio::spawn(once_let_through(proxy.connect().await, request.clone()));
    let mut probe = origin.accept().await;
    probing.abort();
    probe.rest().await;
    let _again = tokio::spawn(once_let_through(client, request));
    origin.accept().await;
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_a_failure() {
    let (ca, origin) = (CertificateAuthority::new(), Origin::start().await);
    let limits = Limits { context: limits(1, LONG), ..Limits::default() };
    let mut options = ServerOptions { limits, ..ca.options(&[]) };
    options.timeouts.tls_handshake = SHORT;
    let proxy = Proxy::with(options);
    let context = proxy.context();
    let url = format!("https://{}/", origin.address());
    let mut client = proxy.connect().await;
    client.send(context.get(&url)).await;
    let _silent = origin.accept().await;
    assert_eq!(status(&client.response().await.0), 504);
    is_left_alone(&mut client, context.get(&url)).await;
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_is_a_failure_and_a_request_that_may_not_be_sent_is_none() {
    let proxy = breaking(1, LONG);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    fails(&mut client, context.get("http://name.invalid/"), 502).await;
    is_left_alone(&mut client, context.get("http://name.invalid/")).await;
    for _ in 0..2 {
        let to_itself = format!("http://{}/", proxy.server.local_addr());
        fails(&mut client, context.get(&to_itself), 508).await;
    }
}

#[tokio::test]
async fn what_an_upstream_answers_is_no_failure() {
    let (proxy, origin) = (breaking(1, LONG), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    for answer in
        ["HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "", "what?\r\n\r\n"]
    {
        client.send(context.get(&origin.url())).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(answer).await;
        drop(upstream);
        let (head, _) = client.response().await;
        assert!(matches!(status(&head), 502 | 503), "{head}");
        assert_eq!(field(&head, "retry-after"), None, "{head}");
    }
    client.send(context.get(&origin.url())).await;
    origin.answer("fine").await;
    assert_eq!(client.response().await.1, "fine");
}

#[tokio::test]
async fn a_connection_that_still_works_is_used() {
    let (proxy, origin) = (breaking(1, LONG), Origin::start().await);
    let context = proxy.context();
    let (url, authority) = (origin.url(), origin.address().to_string());
    let mut client = proxy.connect().await;
    client.send(context.get(&url)).await;
    let (mut kept, _) = origin.answer("one").await;
    assert_eq!(client.response().await.1, "one");
    drop(origin);
    fails(&mut client, context.connect(&authority), 502).await;
    is_left_alone(&mut client, context.connect(&authority)).await;
    client.send(context.get(&url)).await;
    kept.head().await;
    kept.answer("two").await;
    assert_eq!(client.response().await.1, "two");
}

#[tokio::test]
async fn inside_an_intercepted_tunnel_it_answers_too() {
    let (proxy, down) = (breaking(1, LONG), Refusing::new());
    let context = proxy.routed(down.url());
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    let request = "GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n";
    fails(&mut client, request.to_owned(), 502).await;
    is_left_alone(&mut client, request.to_owned()).await;
    let mut opaque = proxy.tunnel(&context, "localhost:3000").await;
    opaque.send("\x00\x01\x02").await;
    opaque.ends_soon().await;
    down.listen().was_never_dialled().await;
}
