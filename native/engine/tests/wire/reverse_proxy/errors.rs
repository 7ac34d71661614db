//! What a client is told when the upstream cannot be asked, or does not answer: never where it is, nor what was asked.

use std::time::Duration;

use super::{options, start, start_impatient};
use crate::harness::{Origin, Proxy, field, status};

async fn fails(proxy: &Proxy, upstream: &str, expected: (u16, &str)) {
    let mut client = proxy.connect().await;
    client
        .send("GET /path?key=secret HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-1\r\nCookie: secret\r\n\r\n")
        .await;
    let (head, body) = client.response().await;
    assert_eq!(status(&head), expected.0, "{head}{body}");
    assert_eq!(field(&head, "x-request-id"), Some("id-1"), "{head}");
    assert!(field(&head, "proxy-status").unwrap().contains(expected.1), "{head}");
    assert_eq!(field(&head, "content-type"), Some("text/plain; charset=utf-8"));
    for secret in ["secret", "/path", upstream] {
        assert!(!head.contains(secret) && !body.contains(secret), "{head}{body}");
    }
}

#[tokio::test]
async fn row_33_every_failure_has_its_status() {
    let (closed, refusing) = (Origin::start().await, Origin::start().await.address().to_string());
    let url = format!("http://{refusing}/base");
    fails(&start(options(&url)), &refusing, (502, "connection_refused")).await;
    fails(&start(options("http://upstream.invalid")), "upstream.invalid", (502, "dns_error")).await;

    let address = closed.address().to_string();
    let proxy = start(options(&closed.url()));
    let closing = async {
        let mut upstream = closed.accept().await;
        upstream.head().await;
    };
    tokio::join!(fails(&proxy, &address, (502, "connection_terminated")), closing);
    let talking = async {
        let mut upstream = closed.accept().await;
        upstream.head().await;
        upstream.send("220 mail.test ESMTP\r\n\r\n").await;
        upstream
    };
    tokio::join!(fails(&proxy, &address, (502, "http_protocol_error")), talking);
    let plain = start(options(&format!("https://{address}")));
    let answering = async {
        let mut upstream = closed.accept().await;
        upstream.send("HTTP/1.1 400 No TLS here\r\n\r\n").await;
        upstream
    };
    tokio::join!(fails(&plain, &address, (502, "tls_protocol_error")), answering);

    let proxy = start_impatient(options(&closed.url()), Duration::from_millis(200));
    fails(&proxy, &address, (504, "http_response_timeout")).await;
}

/// Errors of requests that cannot be read have a name, too.
#[tokio::test]
async fn row_33_what_cannot_be_read_is_400_or_431() {
    let proxy = start(options("http://upstream.invalid"));
    let many = "X: 1\r\n".repeat(200);
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nBad Line\r\n\r\n".to_owned(), 400),
        ("nonsense\r\n\r\n".to_owned(), 400),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"
                .to_owned(),
            400,
        ),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
    ] {
        let mut client = proxy.connect().await;
        client.send(&request).await;
        let (head, _) = client.response().await;
        assert_eq!(status(&head), expected, "{request}");
        assert_eq!(field(&head, "x-request-id").map(str::len), Some(36), "{head}");
    }
}
