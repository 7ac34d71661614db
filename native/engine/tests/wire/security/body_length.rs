//! Rows 1 to 3: lengths that two readers could take for two.

use super::support::{Face, Findings, attempt};
use crate::harness::Proxy;

const BODY: &str = "3\r\nabc\r\n0\r\n\r\n";

/// Each set of fields is refused on every face, with whatever comes behind.
async fn all_are_400(fields: &[&str], body: &str) {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in Face::ALL {
        for fields in fields {
            let outcome = attempt(&proxy, face, |context| {
                let head = face.post(context, &format!("{fields}\r\n"));
                format!("{head}{body}{}", face.smuggled(context))
            })
            .await;
            findings.note((face, fields), outcome.refused(400));
        }
    }
    findings.none();
}

#[tokio::test]
async fn row_01_content_length_beside_transfer_encoding() {
    all_are_400(
        &[
            "Content-Length: 13\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 13",
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "Content-Length: 0\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 300",
            "transfer-encoding: Chunked\r\ncontent-length: 13",
            "Content-Length: 13\r\nTransfer-Encoding: xchunked",
            "Content-Length: 13\r\nTransfer-Encoding: identity",
            "Content-Length: 13\r\nTransfer-Encoding:",
            "Content-Length: 13\r\nTransfer-Encoding: chunked, identity",
            "Content-Length: 13\r\nTransfer-Encoding: chunked\r\nContent-Length: 13",
        ],
        BODY,
    )
    .await;
}

#[tokio::test]
async fn row_01_a_refusal_says_that_the_connection_ends() {
    let proxy = Proxy::start();
    let outcome = attempt(&proxy, Face::Absolute, |context| {
        Face::Absolute.post(context, "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + BODY
    })
    .await;
    let told = super::message::messages(&outcome.client).unwrap();
    assert_eq!(told[0].all("connection"), ["close"], "{told:?}");
}

#[tokio::test]
async fn row_02_two_content_lengths_that_differ() {
    all_are_400(
        &[
            "Content-Length: 4\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 4",
            "Content-Length: 5\r\nX: y\r\ncontent-length: 0",
            "Content-Length: 5\r\nContent-Length:",
            "Content-Length:\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 05",
            "Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 6",
        ],
        "hello",
    )
    .await;
}

#[tokio::test]
async fn row_02_two_content_lengths_that_agree() {
    all_are_400(
        &[
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\nX: y\r\ncontent-length: 5",
            "Content-Length: 0\r\nContent-Length: 0",
        ],
        "hello",
    )
    .await;
}

#[tokio::test]
async fn row_03_a_content_length_that_is_no_number() {
    all_are_400(
        &[
            "Content-Length: +5",
            "Content-Length: -1",
            "Content-Length: -0",
            "Content-Length: 0x5",
            "Content-Length: 5,5",
            "Content-Length: 5, 5",
            "Content-Length: 5,6",
            "Content-Length: 5,",
            "Content-Length: ,5",
            "Content-Length: 5 5",
            "Content-Length: 5\t5",
            "Content-Length: 5;",
            "Content-Length: 5.0",
            "Content-Length: 5e0",
            "Content-Length: 5_0",
            "Content-Length: \"5\"",
            "Content-Length: five",
            "Content-Length:",
            "Content-Length:  \t ",
            "Content-Length: 18446744073709551616",
            "Content-Length: 18446744073709551621",
            "Content-Length: 36893488147419103237",
            "Content-Length: 99999999999999999999999999999999999999999",
            "Content-Length: \u{b2}",
            "Content-Length: \u{ff15}",
            "Content-Length: 5\r\n 5",
            "Content-Length:\r\n 5",
            "Content-Length : 5",
            "Content-Length\t: 5",
            " Content-Length: 5",
            "Content-Length: 5\0",
            "Content-Length: \u{b}5",
        ],
        "hello",
    )
    .await;
}

/// Where it is read into a signed number it means something else.
#[tokio::test]
async fn row_03_a_content_length_beyond_a_signed_number() {
    let lengths = ["9223372036854775808", "9223372036854775813", "18446744073709551615"];
    let fields = lengths.map(|length| format!("Content-Length: {length}"));
    all_are_400(&fields.each_ref().map(String::as_str), "hello").await;
}

/// What is a number is one: the strictness above does not refuse what every client sends.
#[tokio::test]
async fn row_03_a_content_length_that_is_a_number() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        for (fields, body) in [
            ("Content-Length: 5\r\n", "hello"),
            ("content-length:5\r\n", "hello"),
            ("CONTENT-LENGTH: \t5 \t\r\n", "hello"),
            ("Content-Length: 0\r\n", ""),
        ] {
            let outcome = attempt(&proxy, face, |context| {
                format!("{}{body}{}", face.post(context, fields), face.smuggled(context))
            })
            .await;
            let seen = outcome.passed(2);
            let exact = seen.as_ref().is_ok_and(|seen| seen[0].body == body.as_bytes());
            findings.note((face, fields), seen);
            findings.check((face, fields), exact, "another body");
        }
    }
    findings.none();
}
