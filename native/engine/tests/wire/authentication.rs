//! 407, and who gets past it.

use crate::harness::{Origin, Proxy, field, status};

#[tokio::test]
async fn no_credentials_are_challenged_and_the_connection_is_kept() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let port = origin.port();
    for request in [
        format!("GET http://localhost:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
        format!("CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
    ] {
        client.send(request).await;
        let (head, body) = client.response().await;
        assert_eq!(status(&head), 407);
        assert_eq!(field(&head, "proxy-authenticate"), Some("Basic realm=\"tabport\""));
        assert_eq!(field(&head, "connection"), None);
        assert_eq!(body, "proxy authentication required\n");
    }
    origin.was_never_dialled().await;

    client
        .send(format!(
            "GET http://localhost:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n{}\r\n",
            context.field()
        ))
        .await;
    let mut upstream = origin.accept().await;
    assert!(!upstream.head().await.to_lowercase().contains("proxy-authorization"));
    upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    assert_eq!(client.response().await.1, "hi");
}
