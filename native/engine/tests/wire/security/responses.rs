//! Rows 1 to 6 from the other side: an upstream whose answer two readers could take for two.
//!
//! The client is told 502, or sees the answer cut off; the connection it came on serves nobody again.

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::message::messages;
use super::support::{Face, Findings, converse};
use crate::harness::{DEADLINE, Origin, Proxy};

/// What the next request would be answered with, if the connection were used again.
const POISON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";

/// Each answer is given to a first request; a second must be sent on another connection.
async fn all_are_bad(answers: &[String]) {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for answer in answers {
        for face in [Face::Absolute, Face::Upgrade, Face::Tunnel] {
            let shown: String = answer.chars().take(120).collect();
            findings.note((face, shown), is_bad(&proxy, face, answer).await);
        }
    }
    findings.none();
}

async fn is_bad(proxy: &Proxy, face: Face, answer: &str) -> Result<(), String> {
    let origin = Origin::start().await;
    let context = proxy.routed(origin.url());
    let client = match face {
        Face::Tunnel => proxy.tunnel(&context, super::support::LOCAL).await,
        _ => proxy.connect().await,
    };
    let request = face.ask(&context, "GET", "/first", "Connection: close\r\n");
    let upstream = async {
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(format!("{answer}{POISON}")).await;
        upstream
    };
    let (client, mut upstream) = tokio::join!(converse(client.0, request.as_bytes()), upstream);

    let mut other = proxy.connect().await;
    let again = Face::Absolute.ask(&context, "GET", "/second", "Connection: close\r\n");
    other.send(again).await;
    match timeout(DEADLINE, upstream.0.read(&mut [0; 1])).await {
        Err(_) => return Err("the upstream's connection stays open".to_owned()),
        Ok(Ok(1..)) => return Err("the upstream's connection was used again".to_owned()),
        Ok(_) => {}
    }
    origin.answer("sane").await;
    let (_, body) = other.response().await;
    proxy.server.release_context(&context.id).unwrap();
    if body != "sane" {
        return Err(format!("the next request was answered with {body:?}"));
    }
    is_502_or_cut_off(&client)
}

/// The client that got this cannot take it for a whole answer of the upstream's.
fn is_502_or_cut_off(client: &[u8]) -> Result<(), String> {
    let shown = String::from_utf8_lossy(client);
    let told = messages(client).map_err(|why| format!("{why}: {shown:?}"))?;
    match &told[..] {
        [] => Ok(()),
        [only] if only.status() == 502 && only.complete => Ok(()),
        [only] if !only.complete => Ok(()),
        _ => Err(format!("the client was told {shown:?}")),
    }
}

fn with_fields(fields: &[&str], body: &str) -> Vec<String> {
    fields.iter().map(|fields| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}")).collect()
}

#[tokio::test]
async fn row_01_content_length_beside_transfer_encoding_in_a_response() {
    let fields = [
        "Content-Length: 15\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 15",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 0\r\nTransfer-Encoding: Chunked",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
        "Content-Length: 5\r\nTransfer-Encoding:",
    ];
    all_are_bad(&with_fields(&fields, "5\r\nhello\r\n0\r\n\r\n")).await;
}

#[tokio::test]
async fn row_02_two_content_lengths_that_differ_in_a_response() {
    let fields = [
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 4",
        "Content-Length: 5\r\nX: y\r\ncontent-length: 0",
        "Content-Length: 5\r\nContent-Length:",
    ];
    all_are_bad(&with_fields(&fields, "hello")).await;
}

#[tokio::test]
async fn row_02_two_content_lengths_that_agree_in_a_response() {
    all_are_bad(&with_fields(&["Content-Length: 5\r\nContent-Length: 5"], "hello")).await;
}

#[tokio::test]
async fn row_03_a_content_length_that_is_no_number_in_a_response() {
    let lengths = [
        "+5",
        "-1",
        "-0",
        "0x5",
        "5,5",
        "5, 6",
        "5 5",
        "5;",
        "5.0",
        "\"5\"",
        "five",
        "",
        "18446744073709551616",
        "18446744073709551621",
        "\u{b2}",
    ];
    let fields = lengths.map(|length| format!("Content-Length: {length}"));
    let mut fields: Vec<_> = fields.iter().map(String::as_str).collect();
    fields.extend(["Content-Length : 5", " Content-Length: 5", "Content-Length: 5\r\n 5"]);
    all_are_bad(&with_fields(&fields, "hello")).await;
}

#[tokio::test]
async fn row_04_a_coding_that_is_not_chunked_alone_in_a_response() {
    let fields = [
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\0\r\nTransfer-Encoding: chunked",
    ];
    all_are_bad(&with_fields(&fields, "5\r\nhello\r\n0\r\n\r\n")).await;
}

#[tokio::test]
async fn row_05_chunks_that_do_not_add_up_in_a_response() {
    let mut answers: Vec<String> = [
        "10000000000000000\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\nA: b\nC: d\r\n\r\n",
        "5\r\nhello\r\n0\r\nA : b\r\n\r\n",
    ]
    .iter()
    .map(|body| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
    .collect();
    let trailers = "A: b\r\n".repeat(100_000);
    answers.push(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{trailers}\r\n"
    ));
    all_are_bad(&answers).await;
}

/// More than was announced, however much, reaches nobody: a client that goes away ends it all.
#[tokio::test]
async fn row_05_a_chunk_size_beyond_all_bounds_in_a_response() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for size in ["7fffffffffffffff", "8000000000000000", "ffffffffffffffff"] {
        let mut client = proxy.connect().await;
        client.send(Face::Absolute.ask(&context, "GET", "/", "")).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        upstream.send(format!("{head}{size}\r\nhello")).await;
        upstream.finish().await;
        is_502_or_cut_off(&client.rest().await).unwrap();
        upstream.rest().await;
    }
}

#[tokio::test]
async fn row_06_transfer_encoding_in_an_http_1_0_response() {
    let body = "5\r\nhello\r\n0\r\n\r\n";
    let answers = [
        format!("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"),
        format!(
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        ),
    ];
    all_are_bad(&answers).await;
}

#[tokio::test]
async fn a_response_that_is_not_http_is_bad_in_every_row() {
    let answers = [
        "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 -20 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 O\rK\r\nContent-Length: 5\r\n\r\nhello",
        "ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "hello",
        "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\n: y\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nhello",
    ];
    all_are_bad(&answers.map(str::to_owned)).await;
}
