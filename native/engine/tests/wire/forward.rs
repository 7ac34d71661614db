//! Requests forwarded and responses relayed.

use crate::harness::{Origin, Proxy, field, status};

#[tokio::test]
async fn a_request_reaches_the_route_byte_for_byte() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(format!("http://{}", origin.address()));
    let mut client = proxy.connect().await;
    client
        .send(format!(
            "POST http://localhost:3000/a/../%2e//b%2Fc?q=%7B&x HTTP/1.1\r\nHost: localhost:3000\r\n\
             {}X-One: 1\r\nContent-Length: 5\r\n\r\nhello",
            context.field()
        ))
        .await;
    let mut upstream = origin.accept().await;
    upstream
        .expect(format!(
            "POST /a/../%2e//b%2Fc?q=%7B&x HTTP/1.1\r\nHost: {}\r\nX-One: 1\r\n\
             Content-Length: 5\r\n\r\nhello",
            origin.address()
        ))
        .await;
    upstream
        .send(
            "HTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 3\r\n\r\nyes",
        )
        .await;
    client
        .expect(
            "HTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 3\r\n\r\nyes",
        )
        .await;
}

#[tokio::test]
async fn an_upstream_that_is_down_is_502() {
    let proxy = Proxy::start();
    let address = Origin::start().await.address();
    let context = proxy.routed(format!("http://{address}"));
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        client.send(context.get("http://localhost:3000/")).await;
        let (head, body) = client.response().await;
        assert_eq!(status(&head), 502);
        assert_eq!(field(&head, "proxy-status"), Some("tabport; error=connection_refused"));
        assert_eq!(body, "the upstream refused the connection\n");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_502() {
    let proxy = Proxy::start();
    let context = proxy.context();
    let mut client = proxy.connect().await;
    for request in [context.get("http://name.invalid/"), context.connect("name.invalid:443")] {
        client.send(request).await;
        let (head, _) = client.response().await;
        assert_eq!(status(&head), 502);
        assert_eq!(field(&head, "proxy-status"), Some("tabport; error=dns_error"));
    }
}

#[tokio::test]
async fn fields_of_this_hop_end_here_both_ways() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let fields = "Connection: keep-alive, X-Named\r\nConnection: x-also\r\nX-Named: 1\r\nX-Also: 1\r\n\
                  Proxy-Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\nX-Kept: 1\r\n";
    client.send(context.ask(&format!("GET {}/", origin.url()), fields)).await;
    let mut upstream = origin.accept().await;
    upstream
        .expect(format!("GET / HTTP/1.1\r\nHost: {}\r\nX-Kept: 1\r\n\r\n", origin.address()))
        .await;
    upstream
        .send(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\n\
             Proxy-Authenticate: Basic realm=\"evil\"\r\nProxy-Connection: close\r\nUpgrade: h2c\r\n\
             Content-Length: 2\r\nX-Kept: 1\r\n\r\nok",
        )
        .await;
    client.expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kept: 1\r\n\r\nok").await;
}

#[tokio::test]
async fn duplicate_fields_keep_their_number_and_order() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client
        .send(
            context.ask(
                &format!("GET {}/", origin.url()),
                "X-A: 1\r\nAccept: b\r\nX-A: 2, 3\r\nX-A:\r\n",
            ),
        )
        .await;
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert!(head.contains("x-a: 1\r\naccept: b\r\nx-a: 2, 3\r\nx-a: \r\n"), "{head}");
    upstream
        .send(
            "HTTP/1.1 200 Fine By Me\r\nset-cookie: a=1; Path=/\r\nx: y\r\nset-cookie: b=2\r\n\
             set-cookie: a=3\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
    let head = client.head().await;
    assert!(
        head.starts_with(
            "HTTP/1.1 200 Fine By Me\r\nset-cookie: a=1; Path=/\r\nx: y\r\nset-cookie: b=2\r\n\
             set-cookie: a=3\r\n"
        ),
        "{head}"
    );
}

#[tokio::test]
async fn an_answer_that_would_mislead_the_client_is_502() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"evil\"\r\n\
         Content-Length: 4\r\n\r\nbody",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\na",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "HTTP/1.1 99 Odd\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "garbage\r\n\r\n",
    ] {
        client.send(context.get(&origin.url())).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(answer).await;
        let (head, body) = client.response().await;
        assert_eq!(status(&head), 502, "{answer:?}");
        assert_eq!(
            field(&head, "proxy-status"),
            Some("tabport; error=http_protocol_error"),
            "{answer:?}"
        );
        assert_eq!(field(&head, "proxy-authenticate"), None);
        assert_eq!(body, "the upstream's answer is not valid\n");
        assert_eq!(upstream.rest().await, b"", "{answer:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_closes_without_an_answer_is_502() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    for part in ["", "HTTP/1.1 200 OK\r\ncontent-"] {
        client.send(context.get(&origin.url())).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(part).await;
        drop(upstream);
        let (head, _) = client.response().await;
        assert_eq!(status(&head), 502);
        assert_eq!(field(&head, "proxy-status"), Some("tabport; error=connection_terminated"));
    }
}
