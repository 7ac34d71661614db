//! Routes: where a context's loopback names lead, and what a gateway is told.

use tabport_engine::{RouteFields, ServerOptions};

use crate::harness::{Context, Origin, Proxy, field, status};

fn gateway(proxy: &Proxy, origin: &str, workspace: Option<&str>) -> Context {
    proxy.create(Some(RouteFields {
        cmux_proxy_origin: Some(origin.to_owned()),
        workspace: workspace.map(str::to_owned),
        ..RouteFields::default()
    }))
}

#[tokio::test]
async fn the_port_asked_for_may_stand_in_the_upstreams_name() {
    let origin = Origin::start().await;
    let dialled = ("3000-abc.preview.example:80".parse().unwrap(), origin.address());
    let options = ServerOptions { connect_to: [dialled].into(), ..ServerOptions::default() };
    let proxy = Proxy::with(options);
    let context = proxy.routed("http://{port}-abc.preview.example");
    let mut client = proxy.connect().await;
    client.send(context.get("http://localhost:3000/x")).await;
    let (_, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "host"), Some("3000-abc.preview.example"));
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn the_port_asked_for_may_be_the_upstreams_port() {
    let proxy = Proxy::start();
    let origins = [Origin::on("127.18.0.1:0").await, Origin::on("127.18.0.1:0").await];
    let context = proxy.routed("http://127.18.0.1:{port}");
    let mut client = proxy.connect().await;
    for origin in &origins {
        client.send(context.get(&format!("http://localhost:{}/", origin.port()))).await;
        let (_, head) = origin.answer("ok").await;
        assert_eq!(field(&head, "host"), Some(origin.address().to_string().as_str()));
        assert_eq!(client.response().await.1, "ok");
    }
}

#[tokio::test]
async fn two_contexts_see_two_worlds_at_one_url() {
    let proxy = Proxy::start();
    let origins = [Origin::start().await, Origin::start().await];
    let contexts = [proxy.routed(origins[0].url()), proxy.routed(origins[1].url())];
    let mut clients = [proxy.connect().await, proxy.connect().await];
    for (client, context) in clients.iter_mut().zip(&contexts) {
        client.send(context.get("http://localhost:3000/")).await;
    }
    origins[1].answer("one").await;
    origins[0].answer("zero").await;
    assert_eq!(clients[0].response().await.1, "zero");
    assert_eq!(clients[1].response().await.1, "one");
}

#[tokio::test]
async fn a_route_leaves_other_hosts_alone() {
    let origin = Origin::start().await;
    let dialled = ("elsewhere.example:80".parse().unwrap(), origin.address());
    let options = ServerOptions { connect_to: [dialled].into(), ..ServerOptions::default() };
    let proxy = Proxy::with(options);
    let context = proxy.routed("http://127.0.0.1:1");
    let mut client = proxy.connect().await;
    client.send(context.get("http://elsewhere.example/")).await;
    let (_, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "host"), Some("elsewhere.example"));
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn a_gateway_is_told_once_what_was_asked_for() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = gateway(&proxy, &origin.url(), Some("workspace-1"));
    let spoofed = "X-Cmux-Port-Internal: 1\r\nx-cmux-port-internal: 2\r\n\
                   X-Cmux-Workspace-Internal: other\r\nX-Cmux-Host-Override: evil\r\n\
                   X-Cmux-Proxied: true\r\nX-Other: kept\r\n";
    let mut client = proxy.connect().await;
    for fields in
        [spoofed.to_owned(), format!("{spoofed}Connection: Upgrade\r\nUpgrade: websocket\r\n")]
    {
        client.send(context.ask("GET http://localhost:3000/x", &fields)).await;
        let (_, head) = origin.answer("ok").await;
        assert_eq!(client.response().await.1, "ok");
        let head = head.to_lowercase();
        assert_eq!(head.matches("x-cmux-").count(), 3, "{head}");
        assert_eq!(field(&head, "x-cmux-port-internal"), Some("3000"));
        assert_eq!(field(&head, "x-cmux-host-override"), Some("localhost:3000"));
        assert_eq!(field(&head, "x-cmux-workspace-internal"), Some("workspace-1"));
        assert_eq!(field(&head, "host"), Some(origin.address().to_string().as_str()));
        assert_eq!(field(&head, "x-other"), Some("kept"));
        // A connection that was asked to upgrade is not reused.
        proxy.until("the exchange ends", |stats| stats.requests == 0).await;
    }
}

#[tokio::test]
async fn a_gateway_without_workspace_is_told_the_port_alone() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = gateway(&proxy, &origin.url(), None);
    let mut client = proxy.connect().await;
    client.send(context.ask("GET http://[::1]:8080/", "X-Cmux-Workspace-Internal: w\r\n")).await;
    let (_, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "x-cmux-port-internal"), Some("8080"));
    assert_eq!(field(&head, "x-cmux-host-override"), Some("[::1]:8080"));
    assert_eq!(field(&head, "x-cmux-workspace-internal"), None);
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn an_upstream_that_is_no_gateway_sees_no_routing_fields() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    for context in [proxy.context(), proxy.routed(origin.url())] {
        let mut client = proxy.connect().await;
        let target = format!("GET {}/", origin.url());
        client
            .send(context.ask(&target, "X-Cmux-Port-Internal: 22\r\nx-CMUX-whatever: a\r\n"))
            .await;
        let (_, head) = origin.answer("ok").await;
        assert!(!head.to_lowercase().contains("x-cmux"), "{head}");
        assert_eq!(client.response().await.1, "ok");
    }
}

#[tokio::test]
async fn a_tunnel_through_a_gateway_is_a_connect_of_its_own() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = gateway(&proxy, &origin.url(), Some("w"));
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send("\x16\x03\x01hello").await;
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("CONNECT localhost:3000 HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "x-cmux-port-internal"), Some("3000"));
    assert_eq!(field(&head, "x-cmux-host-override"), Some("localhost:3000"));
    assert_eq!(field(&head, "x-cmux-workspace-internal"), Some("w"));
    assert!(!head.to_lowercase().contains("proxy-authorization"), "{head}");
    upstream.send("HTTP/1.1 200 Connection Established\r\n\r\nearly").await;
    client.expect("early").await;
    upstream.expect("\x16\x03\x01hello").await;
    proxy.server.release_context(&context.id).unwrap();
    client.ends_soon().await;
    upstream.ends_soon().await;
}

#[tokio::test]
async fn a_gateway_that_refuses_a_tunnel_ends_it() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = gateway(&proxy, &origin.url(), None);
    for answer in ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"] {
        let mut client = proxy.tunnel(&context, "localhost:3000").await;
        client.send("\x16\x03\x01hello").await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(format!("HTTP/1.1 {answer}\r\ncontent-length: 4\r\n\r\nbody")).await;
        assert_eq!(client.rest().await, b"", "{answer}");
        upstream.rest().await;
    }
    proxy.until("no tunnel is left", |stats| stats.tunnels == 0 && stats.requests == 0).await;
}

#[tokio::test]
async fn a_gateway_that_is_down_is_told_inside_the_tunnel() {
    let proxy = Proxy::start();
    let address = Origin::start().await.address();
    let context = gateway(&proxy, &format!("http://{address}"), None);
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 502);
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send("\x00\x01\x02").await;
    assert_eq!(client.rest().await, b"");
}
