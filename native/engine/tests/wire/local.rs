//! Loopback authorities that a route leaves to the user's own machine, on every path, and one host by all its
//! spellings.

use tabport_engine::{RouteFields, ServerOptions};

use crate::harness::{Context, Origin, Proxy, field, status};
use crate::stream::{get, speak};

/// A server of the user's own, one that the route leads to, and a context that keeps the former local.
struct World {
    proxy: Proxy,
    own: Origin,
    routed: Origin,
    context: Context,
}

impl World {
    async fn start() -> Self {
        let (own, routed) = (Origin::start().await, Origin::start().await);
        let proxy = Proxy::start();
        let context = except(&proxy, &routed, format!("localhost:{}", own.port()));
        Self { proxy, own, routed, context }
    }

    fn local(&self) -> String {
        format!("localhost:{}", self.own.port())
    }
}

fn except(proxy: &Proxy, routed: &Origin, local: String) -> Context {
    proxy.create(Some(RouteFields {
        upstream: Some(routed.url()),
        local: Some(vec![local]),
        ..RouteFields::default()
    }))
}

#[tokio::test]
async fn loopback_bypass_list_per_context() {
    let World { proxy, own, routed, context } = &World::start().await;
    let port = own.port();
    let mut client = proxy.connect().await;
    for host in ["localhost", "LocalHost", "localhost.", "LOCALHOST."] {
        client.send(context.get(&format!("http://{host}:{port}/"))).await;
        let (_, head) = own.answer("own").await;
        let asked = format!("{}:{port}", host.to_lowercase());
        assert_eq!(field(&head, "host"), Some(asked.as_str()), "{host}");
        assert_eq!(client.response().await.1, "own", "{host}");
    }
    for other in
        [format!("127.0.0.1:{port}"), format!("app.localhost:{port}"), "localhost:1".into()]
    {
        client.send(context.get(&format!("http://{other}/"))).await;
        routed.answer("routed").await;
        assert_eq!(client.response().await.1, "routed", "{other}");
    }
    own.was_never_dialled().await;
}

#[tokio::test]
async fn by_origin_form_and_http2_too() {
    let world = World::start().await;
    let World { proxy, own, context, .. } = &world;
    let mut client = proxy.connect().await;
    let (host, credentials) = (world.local(), context.field());
    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{credentials}\r\n")).await;
    own.answer("own").await;
    assert_eq!(client.response().await.1, "own");

    let mut sender = speak(proxy.connect().await.0).await;
    let url = format!("http://{host}/");
    let (response, _) = tokio::join!(get(&mut sender, context, &url), own.answer("own"));
    assert_eq!(response.status(), 200);
    world.routed.was_never_dialled().await;
}

#[tokio::test]
async fn by_upgrade() {
    let world = World::start().await;
    let World { proxy, own, context, .. } = &world;
    let mut client = proxy.connect().await;
    let fields = "Connection: Upgrade\r\nUpgrade: x\r\n";
    client.send(context.ask(&format!("GET ws://{}/", world.local()), fields)).await;
    let mut upstream = own.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello").await;
    assert_eq!(status(&client.head().await), 101);
    client.expect("hello").await;
    world.routed.was_never_dialled().await;
}

/// As in a context without a route: nothing in it is read, not even what looks like a request.
#[tokio::test]
async fn by_an_opaque_tunnel() {
    let world = World::start().await;
    let World { proxy, own, context, .. } = &world;
    for bytes in ["GET / HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n", "\x16\x03\x01hello"] {
        let mut client = proxy.tunnel(context, &world.local()).await;
        let mut upstream = own.accept().await;
        upstream.send("first").await;
        client.expect("first").await;
        client.send(bytes).await;
        upstream.expect(bytes).await;
    }
    world.routed.was_never_dialled().await;
}

#[tokio::test]
async fn a_tunnel_is_refused_before_its_200_when_nobody_listens() {
    let (proxy, routed) = (Proxy::start(), Origin::start().await);
    let nobody = Origin::start().await.port();
    let context = except(&proxy, &routed, format!("localhost:{nobody}"));
    let mut client = proxy.connect().await;
    client.send(context.connect(&format!("localhost:{nobody}"))).await;
    assert_eq!(status(&client.response().await.0), 502);
    routed.was_never_dialled().await;
}

#[tokio::test]
async fn a_tunnel_to_the_route_does_not_lead_out_of_it() {
    let world = World::start().await;
    let World { proxy, own, routed, context } = &world;
    for request in [
        format!("GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\n\r\n", world.local()),
        format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", world.local()),
    ] {
        let mut client = proxy.tunnel(context, "localhost:3000").await;
        client.send(request).await;
        assert_eq!(status(&client.response().await.0), 421);
    }
    let mut client = proxy.tunnel(context, "localhost:3000").await;
    client.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", world.local())).await;
    routed.answer("routed").await;
    assert_eq!(client.response().await.1, "routed");
    own.was_never_dialled().await;
}

#[tokio::test]
async fn a_local_name_is_dialled_on_both_loopback_addresses() {
    let (proxy, own, routed) = (Proxy::start(), Origin::on("[::1]:0").await, Origin::start().await);
    let local = format!("localhost:{}", own.port());
    let context = except(&proxy, &routed, local.clone());
    let mut client = proxy.connect().await;
    client.send(context.get(&format!("http://{local}/"))).await;
    own.answer("own").await;
    assert_eq!(client.response().await.1, "own");
}

#[tokio::test]
async fn the_proxy_itself_is_not_dialled() {
    let (proxy, routed) = (Proxy::start(), Origin::start().await);
    let local = format!("localhost:{}", proxy.server.local_addr().port());
    let context = except(&proxy, &routed, local.clone());
    let mut client = proxy.connect().await;
    client.send(context.get(&format!("http://{local}/"))).await;
    let (head, _) = client.response().await;
    assert!(head.contains("error=proxy_loop_detected"), "{head}");
}

#[tokio::test]
async fn one_dot_at_the_end_makes_no_other_host() {
    let origin = Origin::start().await;
    let dialled = ("elsewhere.example:80".parse().unwrap(), origin.address());
    let options = ServerOptions { connect_to: [dialled].into(), ..ServerOptions::default() };
    let proxy = Proxy::with(options);
    let mut client = proxy.connect().await;
    client.send(proxy.context().get("http://Elsewhere.Example./")).await;
    let (_, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "host"), Some("elsewhere.example."));
    assert_eq!(client.response().await.1, "ok");

    let context = proxy.routed(origin.url());
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send("GET http://LocalHost.:3000/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
    origin.answer("same").await;
    assert_eq!(client.response().await.1, "same");
}
