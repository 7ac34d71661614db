//! Rows 4 to 6: transfer codings that two readers could take for two, and chunks that do not add up.

use std::time::Duration;

use super::support::{Face, Findings, attempt, impatient};
use crate::harness::Proxy;

const BODY: &str = "5\r\nhello\r\n0\r\n\r\n";

async fn all_are_400(fields: &[&str], version: &str) {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in Face::ALL {
        for fields in fields {
            let outcome = attempt(&proxy, face, |context| {
                let head = face.post(context, &format!("{fields}\r\n"));
                let head = head.replacen("HTTP/1.1", version, 1);
                format!("{head}{BODY}{}", face.smuggled(context))
            })
            .await;
            findings.note((face, fields), outcome.refused(400));
        }
    }
    findings.none();
}

#[tokio::test]
async fn row_04_chunked_in_any_case() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        for coding in ["chunked", "Chunked", "CHUNKED", "chunked \t", "\t chunked"] {
            let outcome = attempt(&proxy, face, |context| {
                let head = face.post(context, &format!("Transfer-Encoding:{coding}\r\n"));
                format!("{head}{BODY}{}", face.smuggled(context))
            })
            .await;
            let seen = outcome.passed(2);
            let exact = seen.as_ref().is_ok_and(|seen| seen[0].body == b"hello");
            findings.note((face, coding), seen);
            findings.check((face, coding), exact, "another body");
        }
    }
    findings.none();
}

#[tokio::test]
async fn row_04_a_coding_that_is_not_chunked_alone() {
    all_are_400(
        &[
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: identity, chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "Transfer-Encoding: identity\r\ntransfer-encoding: chunked",
            "Transfer-Encoding: chunked\r\nX: y\r\nTransfer-Encoding: x",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunkedx",
            "Transfer-Encoding: x chunked",
            "Transfer-Encoding: chunked x",
            "Transfer-Encoding: chunked;q=1",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding:",
            "Transfer-Encoding: \u{b}chunked",
            "Transfer-Encoding: chunked\u{c}",
            "Transfer-Encoding: chunked\0",
            "Transfer-Encoding: \u{a0}chunked",
            "Transfer-Encoding: chun\u{212a}ed",
        ],
        "HTTP/1.1",
    )
    .await;
}

#[tokio::test]
async fn row_04_white_space_around_the_name_and_folded_lines() {
    all_are_400(
        &[
            "Transfer-Encoding : chunked",
            "Transfer-Encoding\t: chunked",
            "Transfer-Encoding\u{b}: chunked",
            "Transfer-Encoding\0: chunked",
            " Transfer-Encoding: chunked",
            "\tTransfer-Encoding: chunked",
            "Transfer-Encoding:\r\n chunked",
            "Transfer-Encoding:\r\n\tchunked",
            "Transfer-Encoding: x\r\n ,chunked",
            "X: y\r\n Transfer-Encoding: chunked",
            "X: y\rTransfer-Encoding: chunked",
            "X: y\nTransfer-Encoding: chunked",
            "X: y\n\rTransfer-Encoding: chunked",
            "X: y\r\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r",
            "Transfer-Encoding\r\n: chunked",
            "Transfer-Encoding: chunked\n\r\n",
        ],
        "HTTP/1.1",
    )
    .await;
}

/// How long a proxy of these tests waits for anything.
const LIMIT: Duration = Duration::from_millis(500);

/// The first chunk's size line and more; the origin never gets an end of what is none.
async fn all_chunks_are_refused(chunks: &[String], statuses: &[u16]) {
    let (proxy, mut findings) = (impatient(LIMIT), Findings::default());
    for face in Face::ALL {
        for chunk in chunks {
            let outcome = attempt(&proxy, face, |context| {
                let head = face.post(context, "Transfer-Encoding: chunked\r\n");
                format!("{head}{chunk}{}", face.smuggled(context))
            })
            .await;
            let shown = &chunk[..chunk.len().min(60)];
            findings.note((face, shown), outcome.broken_off(statuses));
            let answered = !outcome.client.is_empty();
            findings.check((face, shown), answered, "closed without an answer");
        }
    }
    findings.none();
}

fn owned(chunks: &[&str]) -> Vec<String> {
    chunks.iter().map(|&chunk| chunk.to_owned()).collect()
}

#[tokio::test]
async fn row_05_a_chunk_size_beyond_all_bounds() {
    let enormous = ["7fffffffffffffff", "ffffffffffffffff", "8000000000000000"];
    let enormous = enormous.map(|size| format!("{size}\r\nhello\r\n0\r\n\r\n"));
    all_chunks_are_refused(&enormous, &[400, 408, 413, 502, 504]).await;
}

#[tokio::test]
async fn row_05_a_chunk_size_that_is_no_number() {
    let mut sizes = owned(&[
        "10000000000000000",
        "10000000000000005",
        "00000000000000000000000000000005",
        "-5",
        "+5",
        "0x5",
        "5 5",
        " 5",
        "\t5",
        "5,",
        "5.",
        "g",
        "",
        "\"5\"",
        "5\0",
        "\u{b}5",
        "\u{b2}",
        "\u{ff15}",
    ]);
    for size in &mut sizes {
        size.push_str("\r\nhello\r\n0\r\n\r\n");
    }
    all_chunks_are_refused(&sizes, &[400]).await;
}

#[tokio::test]
async fn row_05_a_line_that_does_not_end_as_it_must() {
    let chunks = owned(&[
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
        "5\n\rhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\n\n",
        "5\r\nhello\r\n0\r\r\n\r\n",
        "5\r\nhello, but longer\r\n0\r\n\r\n",
        "2\r\nhello\r\n0\r\n\r\n",
    ]);
    all_chunks_are_refused(&chunks, &[400]).await;
}

#[tokio::test]
async fn row_05_line_ends_inside_a_chunk_extension_or_a_trailer() {
    let mut chunks = owned(&[
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;\n\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
        "5;a\0\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0;a\nb\r\n\r\n",
        "5\r\nhello\r\n0\r\nA: b\nC: d\r\n\r\n",
        "5\r\nhello\r\n0\r\nA: b\rC: d\r\n\r\n",
        "5\r\nhello\r\n0\r\nA : b\r\n\r\n",
        "5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n",
        "5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
    ]);
    chunks.push(format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(1 << 20)));
    chunks.push(format!("5\r\nhello\r\n0\r\n{}\r\n", "A: b\r\n".repeat(100_000)));
    all_chunks_are_refused(&chunks, &[400, 431]).await;
}

#[tokio::test]
async fn row_06_transfer_encoding_in_http_1_0() {
    let fields = [
        "Transfer-Encoding: chunked",
        "Connection: keep-alive\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 15",
        "Transfer-Encoding: identity",
    ];
    all_are_400(&fields, "HTTP/1.0").await;
}

/// A request's body never ends by closing: without a length there is none.
#[tokio::test]
async fn row_06_an_http_1_0_request_without_a_length_has_no_body() {
    let (proxy, mut findings) = (impatient(LIMIT), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        let outcome = attempt(&proxy, face, |context| {
            let head = face.post(context, "").replacen("HTTP/1.1", "HTTP/1.0", 1);
            format!("{head}{}", face.smuggled(context))
        })
        .await;
        let seen = outcome.passed(1);
        let alone = seen.as_ref().is_ok_and(|seen| seen[0].body.is_empty());
        findings.note(face, seen);
        findings.check(face, alone, "it has got a body");
    }
    findings.none();
}
