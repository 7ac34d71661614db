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
            "POST /a/../%2e//b%2Fc?q=%7B&x HTTP/1.1\r\nhost: {}\r\ncontent-length: 5\r\n\
             x-one: 1\r\n\r\nhello",
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
            "HTTP/1.1 201 Created\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 3\r\n\r\nyes",
        )
        .await;
}

#[tokio::test]
async fn an_upstream_that_is_down_is_502() {
    let proxy = Proxy::start();
    let address = Origin::start().await.address();
    let context = proxy.routed(format!("http://{address}"));
    let mut client = proxy.connect().await;
    client
        .send(format!(
            "GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n",
            context.field()
        ))
        .await;
    let (head, body) = client.response().await;
    assert_eq!(status(&head), 502);
    assert_eq!(field(&head, "proxy-status"), Some("tabport; error=connection_refused"));
    assert_eq!(body, "the upstream refused the connection\n");
}
