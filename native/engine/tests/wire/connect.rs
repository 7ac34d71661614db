//! Tunnels, and what is looked into.

use crate::harness::{Origin, Proxy, status};

#[tokio::test]
async fn a_websocket_inside_connect_is_a_request_of_its_context() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(format!("http://{}", origin.address()));
    let mut client = proxy.connect().await;
    client
        .send(format!(
            "CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n",
            context.field()
        ))
        .await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    client
        .send(
            "GET /ws HTTP/1.1\r\nHost: localhost:3000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: vite-hmr\r\n\r\n",
        )
        .await;
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /ws HTTP/1.1\r\n"), "{head}");
    upstream
        .send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Protocol: vite-hmr\r\n\r\nearly",
        )
        .await;
    let head = client.head().await;
    assert_eq!(status(&head), 101, "{head}");
    assert!(head.contains("vite-hmr"), "{head}");
    client.expect("early").await;
    client.send("up").await;
    upstream.expect("up").await;
    proxy.server.release_context(&context.id).unwrap();
    assert_eq!(client.rest().await, b"");
    assert_eq!(upstream.rest().await, b"");
}

#[tokio::test]
async fn other_bytes_are_relayed_to_where_the_route_leads() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(format!("http://{}", origin.address()));
    let mut client = proxy.connect().await;
    client
        .send(format!(
            "CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n\x16\x03\x01early",
            context.field()
        ))
        .await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.expect(b"\x16\x03\x01early").await;
    client.finish().await;
    assert_eq!(upstream.rest().await, b"");
    upstream.send(vec![7; 1 << 20]).await;
    upstream.finish().await;
    assert_eq!(client.rest().await.len(), 1 << 20);
}
