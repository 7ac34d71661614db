//! Rows 1 and 6 where there is no body at all: a length that is given all the same must mislead nobody.

use tokio::io::AsyncReadExt as _;

use super::message::{Message, messages};
use super::support::{Face, Findings, converse};
use crate::harness::{Origin, Proxy};

/// What stands where a body would.
const POISON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";

/// The client's bytes when the upstream answers so; the next request must get an answer of its own.
async fn answered(proxy: &Proxy, method: &str, answer: &str) -> Result<Vec<Message>, String> {
    let origin = Origin::start().await;
    let context = proxy.routed(origin.url());
    let request = Face::Absolute.ask(&context, method, "/first", "Connection: close\r\n");
    let upstream = async {
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(answer).await;
        upstream
    };
    let client = proxy.connect().await;
    let (told, mut upstream) = tokio::join!(converse(client.0, request.as_bytes()), upstream);
    let mut other = proxy.connect().await;
    other.send(Face::Absolute.ask(&context, "GET", "/second", "")).await;
    let again = async {
        // A connection that is sound may be used again; one that is not has ended.
        while !matches!(upstream.0.read(&mut [0; 1]).await, Ok(1)) {
            std::future::pending::<()>().await;
        }
        upstream.head().await;
        upstream.answer("sane").await;
    };
    let body = tokio::select! {
        (_, body) = other.response() => body,
        _ = origin.answer("sane") => other.response().await.1,
        () = again => other.response().await.1,
    };
    proxy.server.release_context(&context.id).unwrap();
    if body != "sane" {
        return Err(format!("the next request was answered with {body:?}"));
    }
    // A HEAD's answer says how long a body would be that does not come.
    let text = String::from_utf8_lossy(&told);
    if method == "HEAD" {
        let end = text.find("\r\n\r\n").map(|end| end + 4);
        return if end == Some(text.len()) {
            Ok(Vec::new())
        } else {
            Err(format!("told {text:?}"))
        };
    }
    messages(&told).map_err(|why| format!("{why}: {text:?}"))
}

/// The bytes behind the head are nobody's: neither this client's nor the next one's.
#[tokio::test]
async fn row_01_a_body_where_there_can_be_none() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    let length = POISON.len();
    for (method, head) in [
        ("HEAD", format!("200 OK\r\nContent-Length: {length}")),
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked".to_owned()),
        ("HEAD", "200 OK\r\nContent-Length: 0".to_owned()),
        ("GET", format!("304 Not Modified\r\nContent-Length: {length}")),
        ("GET", "304 Not Modified\r\nETag: \"x\"".to_owned()),
        ("GET", "204 No Content\r\nX: y".to_owned()),
        ("GET", "200 OK\r\nContent-Length: 0".to_owned()),
    ] {
        let told = answered(&proxy, method, &format!("HTTP/1.1 {head}\r\n\r\n{POISON}")).await;
        let one = told.as_ref().is_ok_and(|told| told.len() <= 1);
        findings.check((method, &head), one, &format!("{told:?}"));
    }
    findings.none();
}

/// Some clients believe a length wherever it stands.
#[tokio::test]
async fn row_06_a_length_where_there_can_be_no_body() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    let end = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for answer in [
        format!("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n{end}"),
        format!("HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n{end}"),
        format!("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n{end}"),
        format!("HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\n{end}"),
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
    ] {
        let told = answered(&proxy, "GET", &answer).await;
        let sound = told.as_ref().is_ok_and(|told| {
            told.last().is_some_and(|last| matches!(last.status(), 200 | 204 | 304 | 502))
        });
        findings.check(&answer, sound, &format!("{told:?}"));
    }
    findings.none();
}
