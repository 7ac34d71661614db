//! The flags that say how long things may take. What they are without the flag lasts far longer than a test.

use tempfile::TempDir;

use crate::gateway::Gateway;
use crate::harness::{Origin, Peer, status};

async fn tunnel(gateway: &Gateway, origin: &Origin) -> (Peer, Peer) {
    let mut client = gateway.connect().await;
    let fields = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
    client.send(format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{fields}\r\n")).await;
    let upstream = origin.accept().await;
    assert_eq!(status(&client.head().await), 200);
    (client, upstream)
}

#[tokio::test]
async fn a_tunnel_that_stands_still() {
    let gateway = Gateway::start(&["--idle-timeout", "100ms"]).await;
    let (mut client, mut upstream) = tunnel(&gateway, &Origin::start().await).await;
    client.ends_soon().await;
    upstream.ends_soon().await;
}

#[tokio::test]
async fn a_tunnel_that_one_side_has_ended() {
    let gateway = Gateway::start(&["--half-close-timeout", "100ms"]).await;
    let (mut client, mut upstream) = tunnel(&gateway, &Origin::start().await).await;
    client.finish().await;
    assert_eq!(upstream.ends_soon().await, b"");
    client.ends_soon().await;
}

#[tokio::test]
async fn a_request_whose_head_does_not_end() {
    let gateway = Gateway::start(&["--request-head-timeout", "100ms"]).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\n").await;
    assert_eq!(client.ends_soon().await, b"");
}

#[tokio::test]
async fn a_server_that_does_not_answer() {
    let gateway = Gateway::start(&["--response-head-timeout", "100ms"]).await;
    let origin = Origin::start().await;
    let mut client = gateway.connect().await;
    let port = origin.port();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n\r\n")).await;
    let _silent = origin.accept().await;
    assert_eq!(status(&client.response().await.0), 504);
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_begin() {
    let folder = TempDir::new().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = |name, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (cert, key) =
        (file("cert.pem", made.cert.pem()), file("key.pem", made.signing_key.serialize_pem()));
    let flags = ["--tls-cert", &cert, "--tls-key", &key, "--tls-handshake-timeout", "100ms"];
    let gateway = Gateway::start(&flags).await;
    assert_eq!(gateway.connect().await.ends_soon().await, b"");
}
