//! Two workspaces with a server on the same port each, told apart in whatever way a client speaks.

use bytes::Bytes;
use h2::ext::Protocol;
use http::{Method, Request};
use tabport_engine::RouteFields;
use tokio::net::TcpStream;

use crate::gateway::{gateway, options, workspaces};
use crate::harness::{Origin, Peer, Proxy, field, status};
use crate::stream::{answered, speak};

const UPGRADE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn routing(workspace: u32, port: u16) -> String {
    format!("X-Cmux-Port-Internal: {port}\r\nX-Cmux-Workspace-Internal: workspace-{workspace}\r\n")
}

fn h2_routing(port: u16) -> http::request::Builder {
    Request::builder()
        .header("x-cmux-port-internal", port)
        .header("x-cmux-workspace-internal", "workspace-2")
}

async fn prior_knowledge(proxy: &Proxy) -> h2::client::SendRequest<Bytes> {
    speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await
}

#[tokio::test]
async fn http2_by_field_and_by_authority() {
    let (proxy, (one, two)) = (gateway(options()), workspaces().await);
    let port = one.port();
    let mut sender = prior_knowledge(&proxy).await;
    let by_field = h2_routing(port).uri("http://any.test/").body(()).unwrap();
    let uri = format!("http://workspace-1-{port}.localhost:1/");
    let by_authority = Request::builder().uri(uri).body(()).unwrap();
    for (request, server, host) in [
        (by_field, &two, "any.test".to_owned()),
        (by_authority, &one, format!("workspace-1-{port}.localhost:1")),
    ] {
        let (response, _) = sender.send_request(request, true).unwrap();
        let (_, head) = server.answer("ok").await;
        assert_eq!(field(&head, "host"), Some(&*host));
        assert_eq!(answered(response).await.status(), 200);
    }
    let unrouted = Request::builder().uri("http://any.test/").body(()).unwrap();
    let (response, _) = sender.send_request(unrouted, true).unwrap();
    assert_eq!(answered(response).await.status(), 400);
}

#[tokio::test]
async fn a_websocket_upgrade() {
    let (proxy, (one, two)) = (gateway(options()), workspaces().await);
    for (server, number) in [(&one, 1), (&two, 2)] {
        let mut client = proxy.connect().await;
        let routing = routing(number, one.port());
        client.send(format!("GET /ws HTTP/1.1\r\nHost: a.test\r\n{UPGRADE}{routing}\r\n")).await;
        let mut upstream = server.accept().await;
        let head = upstream.head().await;
        assert_eq!(field(&head, "upgrade"), Some("websocket"), "{head}");
        assert_eq!(field(&head, "host"), Some("a.test"), "{head}");
        assert!(!head.contains("-internal"), "{head}");
        let answer =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        upstream.send(answer).await;
        assert_eq!(status(&client.head().await), 101);
        client.send("ping").await;
        upstream.expect("ping").await;
        upstream.send("pong").await;
        client.expect("pong").await;
    }
}

/// RFC 8441; what the upstream must answer is in `websocket_http2`.
#[tokio::test]
async fn a_websocket_over_http2_reaches_its_workspace() {
    let (proxy, (one, two)) = (gateway(options()), workspaces().await);
    let mut sender = prior_knowledge(&proxy).await;
    let request = h2_routing(one.port())
        .method(Method::CONNECT)
        .uri("http://a.test/ws")
        .extension(Protocol::from_static("websocket"))
        .body(())
        .unwrap();
    let (response, _up) = sender.send_request(request, false).unwrap();
    let mut upstream = two.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /ws HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "host"), Some("a.test"), "{head}");
    upstream.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(answered(response).await.status(), 403);
}

#[tokio::test]
async fn a_connect_by_fields_is_dialled_before_the_200() {
    let (proxy, (one, two)) = (gateway(options()), workspaces().await);
    for (server, number) in [(&one, 1), (&two, 2)] {
        let mut client = proxy.connect().await;
        let routing = routing(number, one.port());
        client.send(format!("CONNECT a.test:9 HTTP/1.1\r\nHost: a.test:9\r\n{routing}\r\n")).await;
        client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
        let mut upstream = server.accept().await;
        client.send("ping").await;
        upstream.expect("ping").await;
        upstream.send("pong").await;
        client.expect("pong").await;
    }
    let closed = Origin::on("127.18.0.3:0").await.port();
    let mut client = proxy.connect().await;
    for (fields, expected) in [(routing(3, closed), 502), (String::new(), 400)] {
        let authority = format!("workspace-1-{}.localhost:9", one.port());
        let connect = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{fields}\r\n");
        client.send(connect).await;
        assert_eq!(status(&client.response().await.0), expected, "{fields}");
    }
    one.was_never_dialled().await;
}

#[tokio::test]
async fn a_connect_over_http2() {
    let (proxy, (one, two)) = (gateway(options()), workspaces().await);
    let mut sender = prior_knowledge(&proxy).await;
    let connect = h2_routing(one.port()).method(Method::CONNECT).uri("a.test:9").body(()).unwrap();
    let (response, mut up) = sender.send_request(connect, false).unwrap();
    let response = answered(response).await;
    assert_eq!(response.status(), 200);
    let mut upstream = two.accept().await;
    up.send_data("ping".into(), false).unwrap();
    upstream.expect("ping").await;
    upstream.send("pong").await;
    assert_eq!(response.into_body().data().await.unwrap().unwrap(), "pong");
}

/// A tab's route names gateway and workspace: what the tab asks its localhost for arrives at the workspace's server.
#[tokio::test]
async fn a_forward_proxy_leads_each_tab_through_the_gateway_to_its_workspace() {
    let (gateway, (one, two)) = (gateway(options()), workspaces().await);
    let (proxy, port) = (Proxy::start(), one.port());
    let asked = format!("localhost:{port}");
    for (server, number) in [(&one, 1), (&two, 2)] {
        let tab = proxy.create(Some(RouteFields {
            cmux_proxy_origin: Some(format!("http://{}", gateway.server.local_addr())),
            workspace: Some(format!("workspace-{number}")),
            ..RouteFields::default()
        }));
        let mut client = proxy.connect().await;
        client.send(tab.get(&format!("http://{asked}/"))).await;
        let (_, head) = server.answer("ok").await;
        assert_eq!(field(&head, "host"), Some(&*asked));
        assert_eq!(status(&client.response().await.0), 200);

        let mut client: Peer = proxy.tunnel(&tab, &asked).await;
        client.send(b"\x00\x01no HTTP").await;
        server.accept().await.expect(b"\x00\x01no HTTP").await;
    }
}
