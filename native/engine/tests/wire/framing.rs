//! Where a body ends: by its length, by chunks, by closing, or at once.

use crate::harness::{Origin, Proxy, field, status};

#[tokio::test]
async fn a_chunked_body_stays_chunked_both_ways() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let chunked = "Transfer-Encoding: Chunked\r\n";
    client.send(context.ask(&format!("POST {}/", origin.url()), chunked)).await;
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert_eq!(field(&head, "transfer-encoding"), Some("chunked"));
    assert_eq!(field(&head, "content-length"), None);
    for piece in ["3\r\nabc\r\n", "1\r\nd\r\n"] {
        client.send(piece).await;
        upstream.expect(piece).await;
    }
    client.send("0\r\n\r\n").await;
    upstream.expect("0\r\n\r\n").await;

    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!(field(&head, "transfer-encoding"), Some("chunked"));
    for piece in ["2\r\nef\r\n", "3\r\nghi\r\n"] {
        upstream.send(piece).await;
        client.expect(piece).await;
    }
    upstream.send("0\r\n\r\n").await;
    client.expect("0\r\n\r\n").await;
}

#[tokio::test]
async fn declared_trailers_go_through() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.ask(&format!("GET {}/", origin.url()), "TE: trailers\r\n")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream
        .send(
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n",
        )
        .await;
    assert_eq!(field(&client.head().await, "trailer"), Some("X-Sum"));
    client.expect("2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n").await;
}

#[tokio::test]
async fn responses_without_a_body_do_not_disturb_the_next() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let cases = [
        ("HEAD", "200 OK\r\ncontent-length: 1000\r\n", Some("1000")),
        ("HEAD", "200 OK\r\ntransfer-encoding: chunked\r\n", None),
        ("GET", "204 No Content\r\n", None),
        ("GET", "304 Not Modified\r\ncontent-length: 1000\r\netag: \"x\"\r\n", Some("1000")),
        ("GET", "304 Not Modified\r\netag: \"x\"\r\n", None),
        ("GET", "200 OK\r\ncontent-length: 0\r\n", Some("0")),
        ("DELETE", "205 Reset Content\r\ncontent-length: 0\r\n", Some("0")),
    ];
    let mut upstream = None;
    for (method, answer, length) in cases {
        client.send(context.ask(&format!("{method} {}/", origin.url()), "")).await;
        let mut peer = match upstream.take() {
            Some(peer) => peer,
            None => origin.accept().await,
        };
        peer.head().await;
        peer.send(format!("HTTP/1.1 {answer}\r\n")).await;
        let head = client.head().await;
        assert_eq!(status(&head).to_string(), answer[..3], "{method} {answer}");
        assert_eq!(field(&head, "content-length"), length, "{method} {answer}");
        proxy.until("the exchange ends", |stats| stats.requests == 0).await;
        upstream = Some(peer);
    }
    client.send(context.get(&origin.url())).await;
    let mut upstream = upstream.unwrap();
    upstream.head().await;
    upstream.answer("next").await;
    assert_eq!(client.response().await.1, "next");
}

#[tokio::test]
async fn a_response_ended_by_closing_is_relayed_whole() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.0 200 OK\r\n\r\nall of it").await;
    drop(upstream);
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(field(&head, "transfer-encoding"), Some("chunked"));
    client.expect("9\r\nall of it\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn an_http_1_0_client_is_answered_in_its_own_terms() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let request =
        |fields: &str| format!("GET {}/ HTTP/1.0\r\n{}{fields}\r\n", origin.url(), context.field());
    let mut client = proxy.connect().await;
    client.send(request("")).await;
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "host"), Some(origin.address().to_string().as_str()));
    upstream
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        .await;
    let all = String::from_utf8(client.rest().await).unwrap();
    assert!(all.starts_with("HTTP/1.1 200 OK\r\n"), "{all}");
    assert_eq!(field(&all, "transfer-encoding"), None);
    assert!(all.ends_with("\r\n\r\nabc"), "{all}");
    drop(upstream);
    proxy.until("the upstream is gone", |stats| stats.upstream_connections == 0).await;

    let mut client = proxy.connect().await;
    client.send(request("Connection: keep-alive\r\n")).await;
    origin.answer("kept").await;
    let (head, body) = client.response().await;
    assert_eq!((field(&head, "connection"), body.as_str()), (Some("keep-alive"), "kept"));
}

#[tokio::test]
async fn interim_responses_are_the_upstreams_and_so_is_the_answer_to_an_expectation() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let fields = "Expect: 100-continue\r\nContent-Length: 4\r\n";
    client.send(context.ask(&format!("POST {}/", origin.url()), fields)).await;
    let mut upstream = origin.accept().await;
    assert_eq!(field(&upstream.head().await, "expect"), Some("100-continue"));
    upstream
        .send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\nConnection: x\r\n\r\n")
        .await;
    client.expect("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n").await;
    upstream.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send("body").await;
    upstream.expect("body").await;
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn an_expectation_may_be_refused_and_http_1_0_is_told_nothing_in_between() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let fields = "Expect: 100-continue\r\nContent-Length: 4\r\n";
    client.send(context.ask(&format!("POST {}/", origin.url()), fields)).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 413);

    let mut client = proxy.connect().await;
    client.send(format!("GET {}/ HTTP/1.0\r\n{}\r\n", origin.url(), context.field())).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
    upstream.answer("ok").await;
    assert_eq!(
        client.response().await,
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n".into(), "ok".into())
    );
}

#[tokio::test]
async fn a_coding_that_would_be_lost_is_a_bad_answer() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n").await;
    let (head, _) = client.response().await;
    assert_eq!(status(&head), 502);
    assert_eq!(field(&head, "proxy-status"), Some("tabport; error=http_protocol_error"));
}
