//! Malformed requests: 400, and no origin sees a byte of them.

use crate::harness::{Context, Origin, Proxy, status};

/// Sends each request, followed by a good one on the same connection: the first is answered 400, the
/// connection ends, and nothing is dialled for either.
async fn all_are_400(requests: impl Fn(&Context, &str) -> Vec<String>) {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for request in requests(&context, &origin.address().to_string()) {
        let mut client = proxy.connect().await;
        client.send(format!("{request}{}", context.get(&origin.url()))).await;
        let head = tokio::select! {
            (head, _) = client.response() => head,
            _ = origin.accept() => panic!("{request:?} was dialled"),
        };
        assert_eq!(status(&head), 400, "{request:?}: {head}");
        assert_eq!(client.rest().await, b"", "{request:?}");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_bad_request_line_is_400() {
    all_are_400(|context, address| {
        let rest = format!("Host: {address}\r\n{}\r\n", context.field());
        [
            "GET  http://{}/ HTTP/1.1",
            "GET http://{}/ a HTTP/1.1",
            "GET http://{}/",
            "GET http://{}/ HTTP/1.2",
            "GET http://{}/ HTTP/9.9",
            "GET http://{}/ http/1.1",
            "G(T http://{}/ HTTP/1.1",
            "GET http://{}/\u{0} HTTP/1.1",
            "GET http://{}/\tx HTTP/1.1",
            "GET http://user@{}/ HTTP/1.1",
            "GET http://user:password@{}/ HTTP/1.1",
            "GET ftp://{}/ HTTP/1.1",
            "GET http:/x HTTP/1.1",
            "GET http:///x HTTP/1.1",
            "GET http://localhost:0/ HTTP/1.1",
            "GET http://localhost:65536/ HTTP/1.1",
            "GET http://localhost:x/ HTTP/1.1",
            "GET http://[::1/ HTTP/1.1",
            "GET http://a..b/ HTTP/1.1",
            "GET {} HTTP/1.1",
            "GET http://{}/#x HTTP/1.1",
        ]
        .iter()
        .map(|line| format!("{}\r\n{rest}", line.replacen("{}", address, 1)))
        .collect()
    })
    .await;
}

#[tokio::test]
async fn a_bad_connect_authority_is_400() {
    all_are_400(|context, address| {
        let port = address.rsplit(':').next().unwrap();
        let rest = format!("Host: {address}\r\n{}\r\n", context.field());
        [
            "[::1]".to_owned(),
            "localhost".to_owned(),
            "localhost:".to_owned(),
            "localhost:0".to_owned(),
            "localhost:65536".to_owned(),
            "localhost:+80".to_owned(),
            "localhost:0x50".to_owned(),
            format!(":{port}"),
            format!("user@localhost:{port}"),
            format!("user:password@localhost:{port}"),
            format!("{address}\nX: y"),
            format!("{address}\rX: y"),
            format!("{address}\0"),
            format!("{address}/"),
            format!("http://{address}"),
            format!("http://{address}/"),
            format!("{address} {address}"),
            format!("[::1:{port}"),
            format!("::1:{port}"),
            "/".to_owned(),
            "*".to_owned(),
        ]
        .iter()
        .map(|authority| format!("CONNECT {authority} HTTP/1.1\r\n{rest}"))
        .collect()
    })
    .await;
}

#[tokio::test]
async fn a_bad_host_field_is_400() {
    all_are_400(|context, address| {
        let line = format!("GET http://{address}/ HTTP/1.1\r\n{}", context.field());
        let origin_form = format!("GET / HTTP/1.1\r\n{}", context.field());
        vec![
            format!("{line}\r\n"),
            format!("{line}Host: {address}\r\nHost: {address}\r\n\r\n"),
            format!("{line}Host: {address}\r\nhost: b\r\n\r\n"),
            format!("{origin_form}\r\n"),
            format!("{origin_form}Host:\r\n\r\n"),
            format!("{origin_form}Host: user@{address}\r\n\r\n"),
            format!("{origin_form}Host: {address}/x\r\n\r\n"),
            format!("{origin_form}Host: {address},{address}\r\n\r\n"),
            format!("{origin_form}Host: {address} {address}\r\n\r\n"),
            format!("{origin_form}Host: \u{e9}\r\n\r\n"),
            format!("CONNECT {address} HTTP/1.1\r\n{}\r\n", context.field()),
        ]
    })
    .await;
}

#[tokio::test]
async fn a_bad_field_line_is_400() {
    all_are_400(|context, address| {
        [
            "X : y\r\n",
            " X: y\r\n",
            "X: y\r\n folded\r\n",
            "X\r\n",
            ": y\r\n",
            "X: a\rb: c\r\n",
            "X: a\0b\r\n",
            "X\0: b\r\n",
            "X(y): b\r\n",
            "Connection: host\r\n",
            "Connection: close, Host\r\n",
            "Connection: close\r\nConnection: x, authorization\r\n",
            "Connection: Cookie\r\n",
            "Connection: X-Cmux-Workspace-Internal\r\n",
        ]
        .iter()
        .map(|field| context.ask(&format!("GET http://{address}/"), field))
        .collect()
    })
    .await;
}

#[tokio::test]
async fn a_bad_body_length_is_400() {
    all_are_400(|context, address| {
        [
            "Content-Length: +5\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5,6\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 18446744073709551616\r\n",
            "Content-Length: 4\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding : chunked\r\n",
        ]
        .iter()
        .map(|fields| context.ask(&format!("POST http://{address}/"), fields))
        .collect()
    })
    .await;
}

#[tokio::test]
async fn a_coding_below_chunked_is_refused_since_it_would_be_lost() {
    all_are_400(|context, address| {
        ["gzip, chunked", "identity, chunked", "gzip\r\nTransfer-Encoding: chunked"]
            .iter()
            .map(|coding| {
                let fields = format!("Transfer-Encoding: {coding}\r\n");
                format!("{}0\r\n\r\n", context.ask(&format!("POST http://{address}/"), &fields))
            })
            .collect()
    })
    .await;
}

#[tokio::test]
async fn chunked_in_an_http_1_0_request_is_400() {
    all_are_400(|context, address| {
        let field = context.field();
        vec![format!(
            "POST http://{address}/ HTTP/1.0\r\n{field}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )]
    })
    .await;
}

/// RFC 9112, section 6.1: chunked alone decides, `Content-Length` goes, the connection ends.
#[tokio::test]
async fn a_broken_chunk_never_ends_the_upstreams_body() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for chunk in [
        "7fffffffffffffffff\r\n",
        "x\r\n",
        "-1\r\n",
        "3\nabc",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
    ] {
        let request =
            context.ask(&format!("POST {}/", origin.url()), "Transfer-Encoding: chunked\r\n");
        let mut client = proxy.connect().await;
        client.send(format!("{request}{chunk}{}", context.get(&origin.url()))).await;
        let mut upstream = origin.accept().await;
        let seen = String::from_utf8(upstream.rest().await).unwrap();
        assert!(!seen.ends_with("0\r\n\r\n"), "{chunk:?} became {seen:?}");
        assert!(!seen.contains("GET "), "{chunk:?} became {seen:?}");
        assert_eq!(status(&client.response().await.0), 400, "{chunk:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for fields in ["X: y\r\n".repeat(200), format!("X: {}\r\n", "y".repeat(600_000))] {
        let request = context.ask(&format!("GET {}/", origin.url()), &fields);
        let mut client = proxy.connect().await;
        let (mut read, mut write) = client.0.split();
        let send = tokio::io::AsyncWriteExt::write_all(&mut write, request.as_bytes());
        let mut answer = vec![0; 64];
        let (_, read) = tokio::join!(send, tokio::io::AsyncReadExt::read(&mut read, &mut answer));
        assert!(read.unwrap() > 12, "{} bytes of fields", fields.len());
        assert_eq!(&answer[..12], b"HTTP/1.1 431", "{} bytes of fields", fields.len());
    }
    origin.was_never_dialled().await;
}

/// RFC 9112, section 2.2. What only a few clients send, and only once, is not waited for without end.
#[tokio::test]
async fn a_few_empty_lines_before_a_request_are_ignored_and_more_are_400() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    for lines in [4, 0, 4] {
        for piece in ["\r", "\n"].repeat(lines) {
            client.send(piece).await;
        }
        client.send(context.get(&origin.url())).await;
        origin.answer("ok").await;
        assert_eq!(client.response().await.1, "ok", "{lines}");
    }
    for lines in ["\r\n".repeat(5), "\n".to_owned(), "\r\n\n".to_owned()] {
        let mut client = proxy.connect().await;
        client.send(&lines).await;
        assert_eq!(status(&client.response().await.0), 400, "{lines:?}");
        assert_eq!(client.rest().await, b"", "{lines:?}");
    }
}
