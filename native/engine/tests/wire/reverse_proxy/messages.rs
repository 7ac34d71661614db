//! Messages as they are: how they are framed, what codes their content, what comes before and after it.

use super::{passed, raw_head, set_up};
use crate::harness::{Peer, Proxy, field, status};

/// A request's bytes below its own fields, as the upstream gets them.
async fn arrives(
    proxy: &Proxy,
    origin: &crate::harness::Origin,
    sent: &str,
) -> (Peer, Peer, Vec<String>) {
    let mut client = proxy.connect().await;
    client.send(sent).await;
    let mut upstream = origin.accept().await;
    let head = passed(&mut upstream).await;
    (client, upstream, head.others[1..].to_vec())
}

#[tokio::test]
async fn row_24_a_body_is_framed_as_it_was() {
    let (proxy, origin) = set_up().await;
    let (mut client, mut upstream, fields) = arrives(
        &proxy,
        &origin,
        "POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 4\r\nX: 1\r\n\r\nbody",
    )
    .await;
    assert_eq!(fields, ["content-LENGTH: 4", "X: 1"]);
    upstream.expect("body").await;
    upstream
        .send("HTTP/1.1 200 OK\r\nX-Request-Id: 1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.expect("HTTP/1.1 200 OK\r\nX-Request-Id: 1\r\ntransfer-encoding: chunked\r\n\r\n").await;
    upstream.send("3\r\nabc\r\n0\r\n\r\n").await;
    client.expect("3\r\nabc\r\n0\r\n\r\n").await;

    let sent = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
        4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n";
    let (_client, mut upstream, fields) = arrives(&proxy, &origin, sent).await;
    assert_eq!(fields, ["Trailer: X-Sum", "transfer-encoding: chunked"]);
    upstream.expect("4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n").await;

    for sent in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let (_client, _upstream, fields) = arrives(&proxy, &origin, sent).await;
        assert_eq!(fields, [""; 0], "{sent}");
    }
    let sent = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let (_client, _upstream, fields) = arrives(&proxy, &origin, sent).await;
    assert_eq!(fields, ["Content-Length: 0"]);
}

/// Nobody has looked at them there, and whoever merges trailers with the head would take them for this proxy's.
#[tokio::test]
async fn row_24_trailers_do_not_say_who_asks() {
    let (proxy, origin) = set_up().await;
    let trailers = "x-forwarded-for: 6.6.6.6\r\nX_Forwarded_Proto: 6\r\nX-Forwarded-Host: 6.test\r\n\
        X-Request-Id: 6\r\nHost: 6.test\r\nX-Sum: 1\r\nX-Forwarded-Port: 1\r\n\r\n";
    let kept = "0\r\nX-Sum: 1\r\nX-Forwarded-Port: 1\r\n\r\n";
    let sent =
        format!("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{trailers}");
    let (mut client, mut upstream, _) = arrives(&proxy, &origin, &sent).await;
    upstream.expect(kept).await;
    let head = "HTTP/1.1 200 OK\r\nX-Request-Id: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    upstream.send(format!("{head}0\r\n{trailers}")).await;
    client.head().await;
    client.expect(kept).await;
}

#[tokio::test]
async fn row_25_the_upstream_decides_whether_a_body_is_wanted() {
    let (proxy, origin) = set_up().await;
    let sent = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    let (mut client, mut upstream, fields) = arrives(&proxy, &origin, sent).await;
    assert_eq!(fields[0], "Expect: 100-continue");
    upstream.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send("body").await;
    upstream.expect("body").await;
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");

    let (mut client, mut upstream, _) = arrives(&proxy, &origin, sent).await;
    upstream.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 417);
}

#[tokio::test]
async fn row_30_coded_content_is_passed_on_as_it_is() {
    let (proxy, origin) = set_up().await;
    // What gzip, Brotli and Zstandard may begin with; none of them is whole.
    for (coding, content) in [
        ("gzip", &b"\x1f\x8b\x08\x00\xff\x00"[..]),
        ("br", b"\x8b\x03\x80\x00\x01"),
        ("zstd", b"\x28\xb5\x2f\xfd\x24"),
    ] {
        let sent = format!("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding};q=0.5\r\n\r\n");
        let (mut client, mut upstream, fields) = arrives(&proxy, &origin, &sent).await;
        assert_eq!(fields, [format!("Accept-Encoding: {coding};q=0.5")]);
        let length = content.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nX-Request-Id: 1\r\nContent-Encoding: {coding}\r\n\
             ETag: \"x\"\r\nContent-Length: {length}\r\n\r\n"
        );
        let response = [head.as_bytes(), content].concat();
        upstream.send(&response).await;
        client.expect(&response).await;
    }
}

#[tokio::test]
async fn row_32_a_reason_phrase_need_not_be_text() {
    let (proxy, origin) = set_up().await;
    for reason in [&b"d\xe9j\xe0 vu"[..], b"\xff", b"", b"Fine"] {
        let (mut client, mut upstream, _) =
            arrives(&proxy, &origin, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let fields = b"\r\nX-Request-Id: 1\r\nContent-Length: 0\r\n\r\n";
        let response = [b"HTTP/1.1 200 ", reason, fields].concat();
        upstream.send(&response).await;
        client.expect(&response).await;
    }
}

#[tokio::test]
async fn row_31_interim_responses_arrive_and_bodiless_ones_have_no_body() {
    let (proxy, origin) = set_up().await;
    let (mut client, mut upstream, _) =
        arrives(&proxy, &origin, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n";
    upstream.send(early).await;
    client.expect(early).await;
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
    drop(upstream);

    for (method, response) in [
        ("GET", "204 No Content\r\nX-Request-Id: 1\r\n\r\n"),
        ("GET", "304 Not Modified\r\nX-Request-Id: 1\r\nContent-Length: 9\r\nETag: \"x\"\r\n\r\n"),
        ("HEAD", "200 OK\r\nX-Request-Id: 1\r\nContent-Length: 9\r\n\r\n"),
    ] {
        let sent = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut client = proxy.connect().await;
        client.send(&sent).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(format!("HTTP/1.1 {response}")).await;
        drop(upstream);
        client.expect(format!("HTTP/1.1 {response}")).await;
        // Whatever followed would be the next response.
        client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(field(&client.response().await.0, "content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn row_32_redirects_and_other_statuses_are_the_clients_to_follow() {
    let (proxy, origin) = set_up().await;
    for response in [
        "302 Found\r\nX-Request-Id: 1\r\nLocation: http://other.test/?a=b\r\nContent-Length: 0",
        "404 Not here\r\nX-Request-Id: 1\r\nContent-Length: 0",
        "299 A reason of its own\r\nX-Request-Id: 1\r\nContent-Length: 0",
        "407 Proxy Authentication Required\r\nX-Request-Id: 1\r\nContent-Length: 0",
        "429 Too Many Requests\r\nX-Request-Id: 1\r\nRetry-After: 1\r\nContent-Length: 0",
        "529 Overloaded\r\nX-Request-Id: 1\r\nContent-Length: 0",
    ] {
        let mut client = proxy.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut upstream = origin.accept().await;
        raw_head(&mut upstream).await;
        upstream.send(format!("HTTP/1.1 {response}\r\nConnection: close\r\n\r\n")).await;
        client.expect(format!("HTTP/1.1 {response}\r\n\r\n")).await;
    }
}
