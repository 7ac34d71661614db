//! The request target: what the client has sent is what the upstream gets, byte for byte.

use super::{options, passed, raw_head, set_up, start};
use crate::harness::{Origin, status};

#[tokio::test]
async fn row_15_every_method_goes_through_with_its_body() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND", "X-own"]
    {
        let request =
            format!("{method} /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody");
        client.send(request).await;
        let mut upstream = origin.accept().await;
        let head = passed(&mut upstream).await;
        assert_eq!(head.first, format!("{method} /x HTTP/1.1"));
        upstream.expect("body").await;
        upstream.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        assert_eq!(status(&client.head().await), 204, "{method}");
    }
}

/// Asks for each of these, and compares bytes.
async fn arrive_as_sent(corpus: &[&str]) {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    for target in corpus {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n")).await;
        let mut upstream = origin.accept().await;
        let expected: String = target.bytes().map(char::from).collect();
        assert_eq!(passed(&mut upstream).await.first, format!("GET {expected} HTTP/1.1"));
        upstream.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(status(&client.response().await.0), 200, "{target}");
    }
}

#[tokio::test]
async fn row_16_the_path_arrives_as_it_was_sent() {
    arrive_as_sent(&[
        "/",
        "/a/../b//c/%2e%2e/d%2Fe",
        "/..",
        "/../../etc/passwd",
        "//double//slash",
        "/./.",
        "/;matrix=1;b",
        "/%00%0d%0a",
        "/%7Bx%7d{y}|^`\"<>\\",
        "/caf\u{e9}/\u{65e5}\u{672c}",
        "/http://other.test/",
        "/:80/@me",
    ])
    .await;
}

#[tokio::test]
async fn row_17_the_query_arrives_as_it_was_sent() {
    arrive_as_sent(&[
        "/?",
        "/??",
        "/x?x=%7B{}&a=b;c&&=",
        "/x?q=http://other.test/../y",
        "/x?a+b=c%20d&\u{e9}",
    ])
    .await;
}

#[tokio::test]
async fn absolute_form_and_asterisk_lead_to_the_one_upstream() {
    let origin = Origin::start().await;
    let proxy = start(options(&format!("{}/base/", origin.url())));
    let mut client = proxy.connect().await;
    for (line, sent) in [
        ("GET http://other.test:81/a/../b?c", "GET /base/a/../b?c"),
        ("GET https://other.test", "GET /base/"),
        ("GET http://other.test?c", "GET /base/?c"),
        ("OPTIONS *", "OPTIONS *"),
        ("GET /", "GET /base/"),
    ] {
        client.send(format!("{line} HTTP/1.1\r\nHost: a.test\r\n\r\n")).await;
        let mut upstream = origin.accept().await;
        assert_eq!(passed(&mut upstream).await.first, format!("{sent} HTTP/1.1"));
        upstream.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(status(&client.response().await.0), 200, "{line}");
    }
}

#[tokio::test]
async fn what_names_no_path_of_the_upstream_is_an_error() {
    let (proxy, origin) = set_up().await;
    for (request, expected) in [
        ("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", 501),
        ("GET /x#y HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
        ("GET x HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ] {
        let mut client = proxy.connect().await;
        client.send(request).await;
        assert_eq!(status(&client.response().await.0), expected, "{request}");
    }
    // Latin-1, in which the second byte is a line's end to some.
    for target in [&b"/caf\xe9"[..], b"/\x85"] {
        let mut client = proxy.connect().await;
        client.send([b"GET ", target, b" HTTP/1.1\r\nHost: a.test\r\n\r\n"].concat()).await;
        assert_eq!(status(&client.response().await.0), 400, "{target:?}");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn http_1_0_needs_no_host() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send("GET /x HTTP/1.0\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    let head = raw_head(&mut upstream).await;
    assert!(head.starts_with("GET /x HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nHost: {}\r\n", origin.address())), "{head}");
    assert!(!head.contains("X-Forwarded-Host"), "{head}");
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}
