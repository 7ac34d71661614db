//! What those who run it may ask, on a listener of its own.

use crate::gateway::{Gateway, outcome, program};
use crate::harness::{Origin, Peer, field, status};

async fn get(gateway: &Gateway, path: &str) -> (String, String) {
    let mut client = Peer::connect(gateway.admin()).await;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    client.response().await
}

async fn start() -> Gateway {
    let mut gateway = Gateway::start(&["--admin", "127.0.0.1:0"]).await;
    gateway.await_admin().await;
    gateway
}

#[tokio::test]
async fn health_is_told_there_and_not_on_the_data_port() {
    let (gateway, origin) = (start().await, Origin::start().await);
    let (head, text) = get(&gateway, "/healthz").await;
    assert_eq!((status(&head), &*text), (200, "ok\n"));
    assert_eq!(status(&get(&gateway, "/").await.0), 404);
    let mut client = gateway.connect().await;
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 400);

    let mut client = gateway.connect().await;
    let port = origin.port();
    client
        .send(format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n\r\n"))
        .await;
    let mut upstream = origin.accept().await;
    assert!(upstream.head().await.starts_with("GET /healthz "));
    gateway.signal("TERM").await;
    while status(&get(&gateway, "/healthz").await.0) != 503 {}
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
    assert_eq!(gateway.ended().await.0, Some(0));
}

#[tokio::test]
async fn metrics_are_the_engines_counters() {
    let (gateway, origin) = (start().await, Origin::start().await);
    let mut client = gateway.connect().await;
    let port = origin.port();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n\r\n")).await;
    origin.answer("twelve bytes").await;
    client.response().await;
    let (head, text) = get(&gateway, "/metrics").await;
    assert!(field(&head, "content-type").unwrap().starts_with("application/openmetrics-text"));
    for line in [
        "# TYPE cmux_proxy_connections gauge",
        "cmux_proxy_connections 1",
        "cmux_proxy_tunnels 0",
        "# TYPE cmux_proxy_requests counter",
        "cmux_proxy_requests_total 1",
        "cmux_proxy_sent_downstream_bytes_total 12",
        "# EOF",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is missing: {text}");
    }
}

#[tokio::test]
async fn a_command_asks_for_health() {
    let (gateway, origin) = (start().await, Origin::start().await);
    let admin = gateway.admin().to_string();
    let health = async || outcome(&mut program(&["health", &admin])).await;
    assert_eq!(health().await, (Some(0), String::new()));
    let mut by_environment = program(&["health"]);
    let asked =
        outcome(by_environment.env("CMUX_ADMIN", &admin).env("CMUX_LISTEN", "[::]:1")).await;
    assert_eq!(asked, (Some(0), String::new()));

    let mut client = gateway.connect().await;
    let port = origin.port();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n\r\n")).await;
    let in_flight = origin.accept().await;
    gateway.signal("TERM").await;
    while status(&get(&gateway, "/healthz").await.0) != 503 {}
    let (code, log) = health().await;
    assert_eq!(code, Some(1));
    assert!(log.contains("answers 503"), "{log}");

    drop(in_flight);
    gateway.ended().await;
    let (code, log) = health().await;
    assert_eq!(code, Some(1));
    assert!(log.contains("does not answer"), "{log}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = taken.local_addr().unwrap().to_string();
    let arguments = ["--listen", "127.0.0.1:0", "--admin", &admin];
    let (code, log) = outcome(&mut program(&arguments)).await;
    assert_eq!(code, Some(1));
    assert!(log.contains(&admin), "{log}");
}
