//! Row 10: what HTTP/2 can say and HTTP/1.1 cannot is not said in HTTP/1.1.

use super::frames::{
    DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, OK, RST_STREAM, block, frame, greet,
    next, post,
};
use super::support::{Findings, Recorder};
use crate::harness::{Peer, Proxy};

/// One field too many, or one that is wrong.
const FIELDS: [(&str, &str); 26] = [
    ("transfer-encoding", "chunked"),
    ("connection", "close"),
    ("connection", "x-cmux-port-internal"),
    ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"),
    ("upgrade", "websocket"),
    ("te", "gzip"),
    ("te", "trailers, chunked"),
    ("content-length", "1"),
    ("content-length", "+0"),
    ("content-length", "0x0"),
    ("content-length", "0, 0"),
    ("content-length", "18446744073709551616"),
    ("X-Upper", "1"),
    ("x y", "1"),
    ("x:y", "1"),
    ("x\r\ny", "1"),
    ("", "1"),
    ("x-value", "a\r\nx-smuggled: 1"),
    ("x-value", "a\nb"),
    ("x-value", "a\rb"),
    ("x-value", "a\0b"),
    ("x-value", " a"),
    ("x-value", "a\t"),
    (":path", "/second"),
    (":unknown", "1"),
];

/// What the proxy does about the client's request.
async fn reaction(client: &mut Peer) -> Frame {
    next(client, &[HEADERS, RST_STREAM, GOAWAY]).await
}

#[tokio::test]
async fn row_10_malformed_requests_reach_nobody() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for field in FIELDS {
        let origin = Recorder::start().await;
        let context = proxy.routed(origin.url());
        let mut client = greet(&proxy, b"").await;
        let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&context, "GET", &[field]));
        client.send(head).await;
        let told = reaction(&mut client).await;
        let served = told.kind == HEADERS && told.payload.contains(&OK);
        findings.check(field, !served, "it was served");
        proxy.server.release_context(&context.id).unwrap();
        let dialled = origin.end().await;
        findings.check(field, dialled.is_empty(), &format!("the origin got {dialled:?}"));
    }
    findings.none();
}

/// Two lengths, one of which is right.
#[tokio::test]
async fn row_10_two_lengths() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for lengths in [["2", "3"], ["3", "2"], ["2", "2"]] {
        let origin = Recorder::start().await;
        let context = proxy.routed(origin.url());
        let mut client = greet(&proxy, b"").await;
        let fields = lengths.map(|length| ("content-length", length));
        let body = frame(DATA, END_STREAM, 1, b"ok");
        client.send([post(&context, 1, &fields), body].concat()).await;
        let told = reaction(&mut client).await;
        let served = told.kind == HEADERS && told.payload.contains(&OK);
        findings.check(lengths, !served, "it was served");
        proxy.server.release_context(&context.id).unwrap();
        let dialled = origin.end().await.concat();
        findings.check(
            lengths,
            dialled.is_empty(),
            &format!("the origin got {:?}", String::from_utf8_lossy(&dialled)),
        );
    }
    findings.none();
}

/// What was told of the length may be at the origin already; a whole request never is.
#[tokio::test]
async fn row_10_content_of_another_length() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for (length, content) in [("3", "12"), ("1", "12"), ("0", "GET /smuggled HTTP/1.1\r\n\r\n")] {
        let origin = Recorder::start().await;
        let context = proxy.routed(origin.url());
        let mut client = greet(&proxy, b"").await;
        let head = post(&context, 1, &[("content-length", length)]);
        client.send([head, frame(DATA, END_STREAM, 1, content.as_bytes())].concat()).await;
        let told = reaction(&mut client).await;
        findings.check((length, content), told.kind != HEADERS, &format!("answered: {told:?}"));
        proxy.until("it ends", |stats| stats.requests == 0).await;
        proxy.server.release_context(&context.id).unwrap();
        let received = origin.end().await.concat();
        let (length, text) = (length.parse().unwrap(), String::from_utf8_lossy(&received));
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let whole = !received.is_empty() && body.len() >= length;
        findings.check((length, content), !whole, &format!("the origin got {text:?}"));
        findings.check((length, content), !text.contains("smuggled"), "it was smuggled");
    }
    findings.none();
}
