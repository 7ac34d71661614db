//! What goes through the next proxy, and which one that is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tabport_engine::authority::Scheme;
use tabport_engine::{
    Bind, ProxyAnswer, ProxyList, RouteFields, ServerOptions, Timeouts, UpstreamProxy,
};

use crate::harness::{Origin, Proxy, status};
use crate::loopback::NAMES;
use crate::next_proxy::{chain, every_way, is_told, options};

/// Nobody can listen there, and TCP says so before a packet leaves.
const NOWHERE: &str = "255.255.255.255:9";

/// An embedder that says which proxies to use, and remembers what it was asked.
#[derive(Clone, Default)]
struct Embedder {
    asked: Arc<Mutex<Vec<String>>>,
    says: Arc<Mutex<Option<Result<ProxyList, &'static str>>>>,
    kept: Arc<Mutex<Vec<ProxyAnswer>>>,
}

impl Embedder {
    fn saying(text: &str) -> Self {
        let embedder = Self::default();
        embedder.says(Ok(text));
        embedder
    }

    fn says(&self, answer: Result<&str, &'static str>) {
        *self.says.lock().unwrap() = Some(answer.map(|text| text.parse().unwrap()));
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn proxy(&self) -> Proxy {
        Proxy::with(self.options())
    }

    fn options(&self) -> ServerOptions {
        let this = self.clone();
        let resolver = UpstreamProxy::Asked(Arc::new(move |scheme: Scheme, authority, answer| {
            this.asked.lock().unwrap().push(format!("{}://{authority}", scheme.as_str()));
            match &*this.says.lock().unwrap() {
                Some(said) => answer.give(said.clone()),
                None => this.kept.lock().unwrap().push(answer),
            }
        }));
        ServerOptions { upstream_proxy: Some(resolver), ..ServerOptions::default() }
    }
}

async fn is_used(next: &Origin) {
    let mut upstream = next.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    upstream.head().await;
    upstream.answer("through").await;
}

#[tokio::test]
async fn this_machine_is_never_asked_of_it() {
    let (proxy, next) = chain().await;
    let (own, route) = (Origin::start().await, Origin::start().await);
    let (unrouted, routed) = (proxy.context(), proxy.routed(route.url()));
    for name in NAMES {
        let mut client = proxy.connect().await;
        client.send(routed.get(&format!("http://{name}:{}/", own.port()))).await;
        let head = tokio::select! {
            head = client.head() => head,
            _ = route.answer("routed") => {
                assert_eq!(client.response().await.1, "routed", "{name}");
                continue;
            }
        };
        assert!(matches!(status(&head), 403 | 502), "{name}: {head}");
    }
    own.was_never_dialled().await;
    for name in ["localhost", "app.localhost.", "127.0.0.1", "0.0.0.0", "127.1", "0x7f000001"] {
        let mut client = proxy.connect().await;
        client.send(unrouted.get(&format!("http://{name}:{}/", own.port()))).await;
        own.answer("own").await;
        assert_eq!(client.response().await.1, "own", "{name}");
    }
    next.was_never_dialled().await;
}

#[tokio::test]
async fn a_number_that_is_no_address_is_not_handed_over() {
    let (proxy, next) = chain().await;
    let mut client = proxy.connect().await;
    client.send(proxy.context().connect("1.2.3.4.5:80")).await;
    is_told(&mut client, (400, "http_request_error", "neither a name nor an address")).await;
    next.was_never_dialled().await;
}

#[tokio::test]
async fn a_routes_public_upstream_goes_through_it() {
    let (proxy, next) = chain().await;
    let context = proxy.routed("http://{port}-abc.preview.test");
    let mut client = proxy.connect().await;
    client.send(context.get("http://localhost:3000/a")).await;
    let mut upstream = next.accept().await;
    upstream.expect("CONNECT 3000-abc.preview.test:80 HTTP/1.1\r\n").await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    upstream.expect("GET /a HTTP/1.1\r\n").await;
    upstream.head().await;
    upstream.answer("routed").await;
    assert_eq!(client.response().await.1, "routed");

    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send("\x16\x03\x01hello").await;
    let mut upstream = next.accept().await;
    upstream.expect("CONNECT 3000-abc.preview.test:80 HTTP/1.1\r\n").await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    upstream.expect("\x16\x03\x01hello").await;
}

#[tokio::test]
async fn a_gateway_is_asked_for_its_tunnel_through_it() {
    let (proxy, next) = chain().await;
    let gateway = Some("http://gate.test:39379".to_owned());
    let route = RouteFields { cmux_proxy_origin: gateway, ..RouteFields::default() };
    let mut client = proxy.tunnel(&proxy.create(Some(route)), "localhost:3000").await;
    client.send("\x16\x03\x01hello").await;
    let mut upstream = next.accept().await;
    upstream.expect("CONNECT gate.test:39379 HTTP/1.1\r\n").await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    upstream.expect("CONNECT localhost:3000 HTTP/1.1\r\n").await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    upstream.expect("\x16\x03\x01hello").await;
}

#[tokio::test]
async fn an_authority_with_an_address_of_its_own_is_dialled_there() {
    let (next, origin) = (Origin::start().await, Origin::start().await);
    let mut options = options(&next.url());
    options.connect_to.insert("site.test:80".parse().unwrap(), origin.address());
    let proxy = Proxy::with(options);
    let mut client = proxy.connect().await;
    client.send(proxy.context().get("http://site.test/")).await;
    origin.answer("direct").await;
    assert_eq!(client.response().await.1, "direct");
    next.was_never_dialled().await;
}

#[tokio::test]
async fn it_must_not_be_this_very_proxy() {
    let port = Origin::start().await.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        for scheme in ["http", "https", "socks5"] {
            let bind = Bind::Address(([127, 0, 0, 1], port).into());
            let options = options(&format!("{scheme}://{host}:{port}"));
            let proxy = Proxy::with(ServerOptions { bind, ..options });
            let mut client = proxy.connect().await;
            for request in every_way(&proxy.context(), "site.test:80") {
                client.send(request).await;
                is_told(&mut client, (508, "proxy_loop_detected", "back to this proxy")).await;
            }
        }
    }
}

#[tokio::test]
async fn the_embedder_is_asked_once_for_each_origin() {
    let next = Origin::start().await;
    let embedder = Embedder::saying(&format!("PROXY {}", next.address()));
    let proxy = embedder.proxy();
    let context = proxy.context();
    for url in ["http://site.test/a?b", "http://site.test/c", "http://site.test:81/"] {
        let mut client = proxy.connect().await;
        client.send(context.ask(&format!("GET {url}"), "Connection: close\r\n")).await;
        let ((), response) = tokio::join!(is_used(&next), client.response());
        assert_eq!(response.1, "through");
        // Another context, so that no connection is kept for it.
        let other = proxy.context();
        client = proxy.connect().await;
        client.send(other.get(url)).await;
        let ((), response) = tokio::join!(is_used(&next), client.response());
        assert_eq!(response.1, "through");
    }
    let mut client = proxy.connect().await;
    client.send(context.connect("site.test:81")).await;
    next.accept().await.head().await;
    assert_eq!(
        embedder.asked(),
        ["http://site.test:80", "http://site.test:81", "https://site.test:81"]
    );
}

#[tokio::test]
async fn requests_wait_for_one_answer_together() {
    let (next, embedder) = (Origin::start().await, Embedder::default());
    let proxy = embedder.proxy();
    let context = proxy.context();
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = proxy.connect().await;
        client.send(context.connect("site.test:80")).await;
        clients.push(client);
    }
    proxy.until("all are waiting", |stats| stats.requests == 4).await;
    let [answer] = <[_; 1]>::try_from(std::mem::take(&mut *embedder.kept.lock().unwrap())).unwrap();
    answer.give(Ok(format!("PROXY {}", next.address()).parse().unwrap()));
    for _ in &clients {
        next.accept().await.expect("CONNECT site.test:80").await;
    }
    assert_eq!(embedder.asked(), ["https://site.test:80"]);
}

#[tokio::test]
async fn no_answer_is_a_502_and_never_a_direct_connection() {
    let embedder = Embedder::default();
    let timeouts = Timeouts { connect: Duration::from_millis(400), ..Timeouts::default() };
    let proxy = Proxy::with(ServerOptions { timeouts, ..embedder.options() });
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let told = |text| (502, "proxy_configuration_error", text);
    for request in every_way(&context, NOWHERE) {
        client.send(request).await;
        is_told(&mut client, told("found out: there was no answer in time")).await;
    }
    embedder.says(Err("it is Sunday"));
    client.send(context.connect(NOWHERE)).await;
    is_told(&mut client, told("found out: it is Sunday")).await;
    embedder.says(Ok("DIRECT"));
    client.send(context.connect(NOWHERE)).await;
    is_told(&mut client, (502, "connection_refused", "the upstream refused the connection")).await;
    assert_eq!(embedder.asked().len(), 5, "a failure is not remembered");
}

#[tokio::test]
async fn one_that_cannot_be_reached_gives_way_to_the_next_on_the_list() {
    let (dead, hangs_up, next) =
        (Origin::start().await.address(), Origin::start().await, Origin::start().await);
    let list = format!("PROXY {dead}; PROXY {}; SOCKS5 {}", hangs_up.address(), next.address());
    let embedder = Embedder::saying(&list);
    let proxy = embedder.proxy();
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.connect("site.test:80")).await;
    hangs_up.accept().await.expect("CONNECT site.test:80").await;
    let mut upstream = next.accept().await;
    upstream.expect("\x05\x01\x00").await;
    upstream.send("\x05\x00").await;
    upstream.take(16).await;
    upstream.send("\x05\x02\x00\x01").await;
    let told = (502, "destination_unavailable", "not allowed by its rules");
    is_told(&mut client, told).await;

    // What has just failed is not tried first again, for whatever origin.
    client.send(context.connect("other.test:80")).await;
    let mut upstream = next.accept().await;
    upstream.expect("\x05\x01\x00").await;
    hangs_up.was_never_dialled().await;
}

#[tokio::test]
async fn one_that_refuses_has_the_last_word() {
    let (next, other) = (Origin::start().await, Origin::start().await);
    let list = format!("PROXY {}; PROXY {}; DIRECT", next.address(), other.address());
    let proxy = Embedder::saying(&list).proxy();
    let mut client = proxy.connect().await;
    client.send(proxy.context().connect(NOWHERE)).await;
    let mut upstream = next.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 403 No\r\n\r\n").await;
    let told = (502, "destination_unavailable", "the next proxy refused the tunnel with 403");
    is_told(&mut client, told).await;
    other.was_never_dialled().await;
}

#[tokio::test]
async fn when_none_can_be_reached_the_first_failure_is_told_and_the_list_forgotten() {
    let dead = Origin::start().await.address();
    let embedder = Embedder::saying(&format!("PROXY {dead}; DIRECT"));
    let proxy = embedder.proxy();
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.connect(NOWHERE)).await;
    let told = (502, "connection_refused", "the next proxy could not be reached");
    is_told(&mut client, told).await;
    client.send(context.connect(NOWHERE)).await;
    client.response().await;
    assert_eq!(embedder.asked().len(), 2);
}
