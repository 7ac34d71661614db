//! A gateway whose workspaces are hosts named by a template.

use std::collections::HashMap;
use std::net::SocketAddr;

use http::{Method, Request};
use tabport_engine::authority::Authority;
use tabport_engine::workspace::Workspaces;
use tabport_engine::{Face, GatewayOptions, ServerOptions};
use tokio::net::TcpStream;

use crate::bait::Bait;
use crate::gateway::options;
use crate::harness::{Origin, Proxy, field, status};
use crate::stream::{answered, speak};

fn gateway(template: &str, resolved: &[(&str, SocketAddr)]) -> Proxy {
    let connect_to: HashMap<Authority, _> =
        resolved.iter().map(|(host, address)| (host.parse().unwrap(), *address)).collect();
    let workspaces = Workspaces::Hosts(template.parse().unwrap());
    let face = Face::Gateway(GatewayOptions { workspaces, ..options() });
    Proxy::with(ServerOptions { face, connect_to, ..ServerOptions::default() })
}

fn routing(workspace: &str, port: u16) -> String {
    format!("X-Cmux-Port-Internal: {port}\r\nX-Cmux-Workspace-Internal: {workspace}\r\n")
}

#[tokio::test]
async fn each_name_is_a_host_of_its_own_by_fields_and_by_authority() {
    let (one, two) = (Origin::start().await, Origin::start().await);
    let proxy = gateway(
        "{workspace}.ws.test.",
        &[("workspace-1.ws.test.:80", one.address()), ("main.ws.test.:3000", two.address())],
    );
    let mut client = proxy.connect().await;
    for (host, fields, server) in [
        ("a.test", routing("workspace-1", 80), &one),
        ("a.test", routing("/root/Workspace-1", 80), &one),
        ("workspace-1-80.localhost", String::new(), &one),
        ("localhost:3000", routing("main", 3000), &two),
        ("main-3000.localhost", String::new(), &two),
    ] {
        client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")).await;
        let (_, head) = server.answer("ok").await;
        assert_eq!(field(&head, "host"), Some(host));
        assert_eq!(status(&client.response().await.0), 200);
    }
}

#[tokio::test]
async fn by_connect_and_over_http2_too() {
    let origin = Origin::start().await;
    let proxy = gateway("{workspace}.ws.test", &[("w.ws.test:3000", origin.address())]);
    let mut client = proxy.connect().await;
    client.send(format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{}\r\n", routing("w", 3000))).await;
    let mut upstream = origin.accept().await;
    assert_eq!(status(&client.head().await), 200);
    client.send("ping").await;
    upstream.expect("ping").await;

    let mut sender = speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await;
    let request = Request::get("http://w-3000.localhost/").body(()).unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    origin.answer("ok").await;
    assert_eq!(answered(response).await.status(), 200);
    let connect = Request::builder()
        .method(Method::CONNECT)
        .uri("localhost:1")
        .header("x-cmux-port-internal", 3000)
        .header("x-cmux-workspace-internal", "a.w");
    let (response, _) = sender.send_request(connect.body(()).unwrap(), true).unwrap();
    assert_eq!(answered(response).await.status(), 400);
}

#[tokio::test]
async fn a_name_that_is_no_label_is_400_and_nothing_is_resolved() {
    let proxy = gateway("{workspace}.ws.test", &[]);
    for name in ["other.namespace", "a_b", "-a", "a-", "127.0.0.1", "a/", &"a".repeat(64)] {
        let mut client = proxy.connect().await;
        let fields = routing(name, 80);
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
        let (head, text) = client.response().await;
        assert_eq!(status(&head), 400, "{name}");
        assert!(text.starts_with("invalid workspace name: a host's name takes letters"), "{text}");
    }
}

#[tokio::test]
async fn a_host_that_turns_out_to_be_loopback_is_403() {
    let bait = Bait::set().await;
    let proxy = gateway("local{workspace}", &[]);
    let routing = routing("host", bait.port());
    let mut client = proxy.connect().await;
    for request in ["GET / HTTP/1.1\r\nHost: a", "CONNECT a:1 HTTP/1.1\r\nHost: a:1"] {
        client.send(format!("{request}\r\n{routing}\r\n")).await;
        let (head, _) = client.response().await;
        assert_eq!(status(&head), 403, "{request}");
        assert_eq!(field(&head, "proxy-status"), Some("tabport; error=destination_ip_prohibited"));
    }
    bait.was_never_taken().await;
}

#[tokio::test]
async fn the_default_upstream_is_what_it_says_and_may_be_loopback() {
    let origin = Origin::start().await;
    let proxy = gateway("{workspace}.ws.test", &[]);
    let mut client = proxy.connect().await;
    let port = origin.port();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n\r\n")).await;
    origin.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);
}
