//! The paths that the proxy answers itself.

use std::time::{Duration, Instant};

use tabport_engine::ReverseProxyOptions;

use super::{options, passed, set_up, start};
use crate::harness::{Origin, Peer, Proxy, field, status};

async fn ask(proxy: &Proxy, request: &str) -> (String, String) {
    let mut client = proxy.connect().await;
    client.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    client.response().await
}

/// A URL where nobody listens.
async fn nowhere() -> String {
    Origin::start().await.url()
}

#[tokio::test]
async fn row_12_its_own_health_needs_no_upstream() {
    let proxy = start(options(&nowhere().await));
    // A machine that has much else to do may be late now and then, but not always.
    let mut waited = Vec::new();
    while waited.iter().all(|time| *time >= Duration::from_millis(10)) {
        assert!(waited.len() < 100, "{waited:?}");
        let asked = Instant::now();
        ask(&proxy, "GET /healthz").await;
        waited.push(asked.elapsed());
    }
    let (head, body) = ask(&proxy, "GET /healthz").await;
    assert_eq!(status(&head), 200);
    assert_eq!(body, r#"{"ok":true,"service":"test-proxy"}"#);
    assert_eq!(field(&head, "content-type"), Some("application/json"));
    assert!(field(&head, "x-request-id").is_some());
    for request in ["GET /healthz?probe=1", "GET http://any.test/healthz"] {
        assert_eq!(status(&ask(&proxy, request).await.0), 200, "{request}");
    }
    let mut client = proxy.connect().await;
    client.send("HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let answer = String::from_utf8(client.rest().await).unwrap();
    assert!(answer.contains("content-length: 34\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

/// What whoever runs it has named it is text, and no part of the syntax around it.
#[tokio::test]
async fn row_12_a_name_is_a_string_of_json() {
    let service = "it's \"x\"\u{1}\u{7f}é\\".to_owned();
    let proxy = start(ReverseProxyOptions { service, ..options("http://a.test") });
    let (_, body) = ask(&proxy, "GET /healthz").await;
    assert_eq!(body, "{\"ok\":true,\"service\":\"it's \\\"x\\\"\\u0001\u{7f}é\\\\\"}");
}

#[tokio::test]
async fn row_14_other_methods_are_405_and_what_only_looks_reserved_is_forwarded() {
    let (proxy, origin) = set_up().await;
    for request in ["POST /healthz", "DELETE /healthz?x", "OPTIONS /healthz/upstream"] {
        let (head, _) = ask(&proxy, request).await;
        assert_eq!((status(&head), field(&head, "allow")), (405, Some("GET, HEAD")), "{request}");
    }
    origin.was_never_dialled().await;
    let mut client = proxy.connect().await;
    for path in ["/healthz/", "/healthz/upstream/x", "/%68ealthz", "/x/healthz"] {
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let mut upstream = origin.accept().await;
        assert_eq!(passed(&mut upstream).await.first, format!("POST {path} HTTP/1.1"));
        upstream.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(status(&client.response().await.0), 200);
    }
}

#[tokio::test]
async fn row_13_the_upstreams_health_is_what_it_says() {
    for (answer, expected) in [
        ("200 OK", (200, r#"{"ok":true}"#)),
        ("204 No Content", (200, r#"{"ok":true}"#)),
        ("404 Not Found", (503, r#"{"ok":false,"upstream_status":404}"#)),
        ("302 Found", (503, r#"{"ok":false,"upstream_status":302}"#)),
    ] {
        let origin = Origin::start().await;
        let mut options = options(&format!("{}/base", origin.url()));
        options.upstream_health = "/ready?deep=1".to_owned();
        let proxy = start(options);
        let asking = ask(&proxy, "GET /healthz/upstream");
        let answering = async {
            let mut upstream = origin.accept().await;
            let head = upstream.head().await;
            assert!(head.starts_with("GET /ready?deep=1 HTTP/1.1\r\n"), "{head}");
            upstream.send(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n")).await;
        };
        let ((head, body), ()) = tokio::join!(asking, answering);
        assert_eq!((status(&head), &*body), expected);
    }
}

#[tokio::test]
async fn row_13_one_question_serves_many_and_for_a_moment() {
    let (proxy, origin) = set_up().await;
    let mut clients: Vec<Peer> = Vec::new();
    for _ in 0..20 {
        let mut client = proxy.connect().await;
        client.send("GET /healthz/upstream HTTP/1.1\r\nHost: a\r\n\r\n").await;
        clients.push(client);
    }
    let mut upstream = origin.accept().await;
    upstream.head().await;
    origin.was_never_dialled().await;
    upstream.answer("well").await;
    for client in &mut clients {
        assert_eq!(client.response().await.1, r#"{"ok":true}"#);
    }
    assert_eq!(status(&ask(&proxy, "GET /healthz/upstream").await.0), 200);
    origin.was_never_dialled().await;
    // A moment later it is asked again.
    let again = async { while status(&ask(&proxy, "GET /healthz/upstream").await.0) == 200 {} };
    let answering = async {
        let mut upstream = origin.accept().await;
        upstream.send("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").await;
        upstream
    };
    tokio::join!(again, answering);
}

#[tokio::test]
async fn row_13_an_upstream_that_says_nothing_is_told_within_five_seconds() {
    let dead = start(options(&nowhere().await));
    let (head, body) = ask(&dead, "GET /healthz/upstream").await;
    assert_eq!(status(&head), 503);
    assert_eq!(body, r#"{"ok":false,"error":"the upstream refused the connection"}"#);

    let (proxy, origin) = set_up().await;
    let asked = Instant::now();
    let mut client = proxy.connect().await;
    client.send("GET /healthz/upstream HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let _upstream = origin.accept().await;
    let (head, body) = client.response().await;
    assert!(asked.elapsed() < Duration::from_millis(5500), "{:?}", asked.elapsed());
    assert_eq!(status(&head), 503);
    assert_eq!(body, r#"{"ok":false,"error":"the upstream did not answer in time"}"#);
    // That counts for a moment, too.
    assert_eq!(status(&ask(&proxy, "GET /healthz/upstream").await.0), 503);
    origin.was_never_dialled().await;
}
