//! Row 27: how long a head may be. It has 64 KiB, from the first byte of its first line to the last of the
//! empty line, and 128 field lines; whoever sends more is told 431, and the connection ends.

use super::message::statuses;
use super::support::{Face, Findings, LOCAL, attempt, converse};
use crate::harness::{Context, Origin, Proxy, status};

const BYTES: usize = 64 * 1024;
const FIELDS: usize = 128;

/// A head of exactly so many bytes.
fn of_bytes(face: Face, context: &Context, bytes: usize) -> String {
    let name = "X: ";
    let empty = face.ask(context, "GET", "/first", &format!("{name}\r\n"));
    let value = "y".repeat(bytes - empty.len());
    face.ask(context, "GET", "/first", &format!("{name}{value}\r\n"))
}

/// A head with exactly so many field lines.
fn of_fields(face: Face, context: &Context, count: usize) -> String {
    let empty = face.ask(context, "GET", "/first", "");
    let own = empty.matches("\r\n").count() - 2;
    face.ask(context, "GET", "/first", &numbered(own..count))
}

/// A field line for each number.
fn numbered(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("X-{number}: y\r\n")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn row_27_heads_at_the_limits_pass() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        let outcome = attempt(&proxy, face, |context| {
            of_bytes(face, context, BYTES) + &face.smuggled(context)
        })
        .await;
        let seen = outcome.passed(2);
        let whole = seen.as_ref().is_ok_and(|seen| seen[0].all("x").concat().len() > BYTES - 500);
        findings.note((face, "bytes"), seen.map_err(|why| why.chars().take(200).collect()));
        findings.check((face, "bytes"), whole, "the field was changed");
        let outcome = attempt(&proxy, face, |context| {
            of_fields(face, context, FIELDS) + &face.smuggled(context)
        })
        .await;
        let seen = outcome.passed(2);
        let whole =
            seen.as_ref().is_ok_and(|seen| seen[0].all(&format!("x-{}", FIELDS - 1)) == ["y"]);
        findings.note((face, "fields"), seen.map_err(|why| why.chars().take(200).collect()));
        findings.check((face, "fields"), whole, "the last field was lost");
    }
    findings.none();
}

#[tokio::test]
async fn row_27_a_request_line_at_the_limit_passes() {
    let proxy = Proxy::start();
    let mut path = String::new();
    let outcome = attempt(&proxy, Face::Absolute, |context| {
        let close = "Connection: close\r\n";
        let rest = Face::Absolute.ask(context, "GET", "/", close).len();
        path = format!("/{}", "a".repeat(BYTES - rest));
        Face::Absolute.ask(context, "GET", &path, close)
    })
    .await;
    let seen = outcome.passed(1).unwrap();
    assert!(seen[0].start == format!("GET {path} HTTP/1.1"), "the target was changed");
}

async fn all_are_431(head: impl Fn(Face, &Context) -> String) {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in Face::ALL {
        let outcome = attempt(&proxy, face, |context| {
            format!("{}{}", head(face, context), face.smuggled(context))
        })
        .await;
        let refused = outcome.refused(431).map_err(|why| why.chars().take(200).collect());
        findings.note(face, refused);
    }
    findings.none();
}

#[tokio::test]
async fn row_27_one_byte_more() {
    all_are_431(|face, context| of_bytes(face, context, BYTES + 1)).await;
}

#[tokio::test]
async fn row_27_one_field_more() {
    all_are_431(|face, context| of_fields(face, context, FIELDS + 1)).await;
}

#[tokio::test]
async fn row_27_seventy_kilobytes_and_two_hundred_fields() {
    all_are_431(|face, context| of_bytes(face, context, 70_000)).await;
    all_are_431(|face, context| of_fields(face, context, 200)).await;
}

#[tokio::test]
async fn row_27_a_long_request_line() {
    all_are_431(|face, context| face.ask(context, "GET", &format!("/{}", "a".repeat(BYTES)), ""))
        .await;
    all_are_431(|face, context| face.ask(context, &"A".repeat(BYTES), "/", "")).await;
}

#[tokio::test]
async fn row_27_a_long_field_name() {
    all_are_431(|face, context| {
        face.ask(context, "GET", "/", &format!("{}: y\r\n", "X".repeat(BYTES)))
    })
    .await;
}

/// Whatever never ends is not read to its end; each is far longer than the socket's buffers.
#[tokio::test]
async fn row_27_heads_that_do_not_end() {
    const SIZE: usize = 32 << 20;
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    let start = format!("GET http://{LOCAL}/ HTTP/1.1\r\nHost: {LOCAL}\r\n");
    for (what, piece) in [
        ("a method", "A"),
        ("a target", "a"),
        ("a field", "y"),
        ("fields", "X: y\r\n"),
        ("empty fields", "X:\r\n"),
    ] {
        let begun = match what {
            "a method" => String::new(),
            "a target" => "GET http://".to_owned(),
            "a field" => format!("{start}X: "),
            _ => start.clone(),
        };
        let all = format!("{begun}{}", piece.repeat(SIZE / piece.len()));
        let told = statuses(&converse(proxy.connect().await.0, all.as_bytes()).await);
        findings.check(what, told == Ok(vec![431]), &format!("{told:?}"));
    }
    findings.none();
}

#[tokio::test]
async fn row_27_a_connect_beyond_the_limits() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for fields in [format!("X: {}\r\n", "y".repeat(BYTES)), "X: y\r\n".repeat(FIELDS)] {
        let request = context.ask(&format!("CONNECT {LOCAL}"), &fields);
        let told = converse(proxy.connect().await.0, request.as_bytes()).await;
        assert_eq!(statuses(&told), Ok(vec![431]));
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn row_27_a_second_request_beyond_the_limits() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    client.send(Face::Absolute.ask(&context, "GET", "/", "")).await;
    let (mut upstream, _) = origin.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
    let told = converse(client.0, of_bytes(Face::Absolute, &context, BYTES + 1).as_bytes()).await;
    assert_eq!(statuses(&told), Ok(vec![431]));
    proxy.server.release_context(&context.id).unwrap();
    assert_eq!(upstream.rest().await, b"");
}

/// The other side has the same limits, and says 502.
#[tokio::test]
async fn row_27_a_response_with_a_large_head_passes() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for fields in [numbered(0..120), format!("X: {}\r\n", "y".repeat(60_000))] {
        let mut client = proxy.connect().await;
        client.send(Face::Absolute.ask(&context, "GET", "/", "")).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok")).await;
        let (head, body) = client.response().await;
        assert_eq!((status(&head), body.as_str()), (200, "ok"), "{head:.200}");
        assert!(head.len() > fields.len(), "fields were lost");
    }
}

#[tokio::test]
async fn row_27_a_response_head_that_does_not_end() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    for (begun, piece) in [
        ("HTTP/1.1 200 ", "a"),
        ("HTTP/1.1 200 OK\r\nX: ", "y"),
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
    ] {
        let mut client = proxy.connect().await;
        client.send(Face::Absolute.ask(&context, "GET", "/", "")).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        let all = format!("{begun}{}", piece.repeat((32 << 20) / piece.len()));
        converse(upstream.0, all.as_bytes()).await;
        assert_eq!(status(&client.response().await.0), 502, "{begun:?}");
    }
}
