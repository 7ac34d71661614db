//! What the whole product rests on: two workspaces with a server on the same port, through one gateway.

use std::net::SocketAddr;

use http::{Method, Request};
use tabport_engine::RouteFields;
use tokio::net::{TcpListener, TcpStream};

use crate::gateway::{Gateway, program};
use crate::harness::{Origin, Peer, Proxy, field, status};
use crate::stream::{answered, speak};

async fn workspaces() -> [(u32, Origin); 2] {
    loop {
        let one = Origin::on("127.18.0.1:0").await;
        let two = SocketAddr::from(([127, 18, 0, 2], one.port()));
        if let Ok(two) = TcpListener::bind(two).await {
            return [(1, one), (2, Origin::of(two))];
        }
    }
}

fn routing(workspace: u32, server: &Origin) -> String {
    let port = server.port();
    format!("X-Cmux-Port-Internal: {port}\r\nX-Cmux-Workspace-Internal: workspace-{workspace}\r\n")
}

async fn converse(client: &mut Peer, upstream: &mut Peer) {
    client.send("ping").await;
    upstream.expect("ping").await;
    upstream.send("pong").await;
    client.expect("pong").await;
}

#[tokio::test]
async fn over_http_1_1_by_fields_and_by_host() {
    let gateway = Gateway::start(&[]).await;
    let mut client = gateway.connect().await;
    for (number, server) in &workspaces().await {
        let by_host = format!("workspace-{number}-{}.localhost", server.port());
        for (host, fields) in [("a.test", routing(*number, server)), (&by_host, String::new())] {
            client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")).await;
            let (_, head) = server.answer(&number.to_string()).await;
            assert_eq!(field(&head, "host"), Some(host));
            assert_eq!(client.response().await.1, number.to_string());
        }
    }
}

#[tokio::test]
async fn over_http2_with_prior_knowledge() {
    let gateway = Gateway::start(&[]).await;
    let mut sender = speak(TcpStream::connect(gateway.address()).await.unwrap()).await;
    for (number, server) in &workspaces().await {
        let port = server.port();
        let uri = format!("http://workspace-{number}-{port}.localhost/");
        let request = Request::builder().uri(uri).body(()).unwrap();
        let (response, _) = sender.send_request(request, true).unwrap();
        server.answer("ok").await;
        assert_eq!(answered(response).await.status(), 200);

        let connect = Request::builder()
            .method(Method::CONNECT)
            .uri("localhost:1")
            .header("x-cmux-port-internal", port)
            .header("x-cmux-workspace-internal", format!("workspace-{number}"));
        let (response, mut up) = sender.send_request(connect.body(()).unwrap(), false).unwrap();
        let mut upstream = server.accept().await;
        assert_eq!(answered(response).await.status(), 200);
        up.send_data("ping".into(), true).unwrap();
        upstream.expect("ping").await;
    }
}

#[tokio::test]
async fn by_websocket_and_connect() {
    let gateway = Gateway::start(&[]).await;
    for (number, server) in &workspaces().await {
        let routing = routing(*number, server);
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
        let mut client = gateway.connect().await;
        client.send(format!("GET /ws HTTP/1.1\r\nHost: a\r\n{upgrade}{routing}\r\n")).await;
        let mut upstream = server.accept().await;
        upstream.head().await;
        upstream.send(format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n")).await;
        assert_eq!(status(&client.head().await), 101);
        converse(&mut client, &mut upstream).await;

        let mut client = gateway.connect().await;
        client.send(format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{routing}\r\n")).await;
        let mut upstream = server.accept().await;
        assert_eq!(status(&client.head().await), 200);
        converse(&mut client, &mut upstream).await;
    }
}

#[tokio::test]
async fn for_two_tabs_that_ask_for_the_same_localhost() {
    let gateway = Gateway::start(&[]).await;
    let proxy = Proxy::start();
    for (number, server) in &workspaces().await {
        let tab = proxy.create(Some(RouteFields {
            cmux_proxy_origin: Some(format!("http://{}", gateway.address())),
            workspace: Some(format!("/root/workspace-{number}")),
            ..RouteFields::default()
        }));
        let asked = format!("localhost:{}", server.port());
        let mut client = proxy.connect().await;
        client.send(tab.get(&format!("http://{asked}/"))).await;
        let (_, head) = server.answer(&number.to_string()).await;
        assert_eq!(field(&head, "host"), Some(&*asked));
        assert_eq!(client.response().await.1, number.to_string());
    }
}

#[tokio::test]
async fn without_a_workspace_it_is_the_upstream_host_or_nothing() {
    let origin = Origin::on("127.0.0.3:0").await;
    let fields = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let upstream = ["--listen", "127.0.0.1:0", "--upstream-host", "127.0.0.3"];
    for flag in ["--allow-default-upstream", "--allow-default-upstream=true"] {
        let gateway = Gateway::run(&mut program(&[&upstream[..], &[flag]].concat())).await;
        let mut client = gateway.connect().await;
        client.send(&request).await;
        origin.answer("ok").await;
        assert_eq!(status(&client.response().await.0), 200);
    }
    let mut off = program(&upstream);
    off.env("CMUX_ALLOW_DEFAULT_UPSTREAM", "false");
    for command in
        [&mut off, &mut program(&[&upstream[..], &["--allow-default-upstream=false"]].concat())]
    {
        let gateway = Gateway::run(command).await;
        let mut client = gateway.connect().await;
        client.send(&request).await;
        assert_eq!(status(&client.response().await.0), 400);
    }
    origin.was_never_dialled().await;
}
