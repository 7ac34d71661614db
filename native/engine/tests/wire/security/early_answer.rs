//! Row 9: an answer before the body has been read. What is left of the body is never read as a request.

use std::time::Duration;

use tabport_engine::{ServerOptions, Timeouts};

use super::message::statuses;
use super::support::{Face, Findings, LOCAL, Recorder, attempt_at, converse};
use crate::harness::{Context, Origin, Peer, Proxy, field};

/// A body of about this size that is nothing but requests with valid credentials.
fn body(context: &Context, size: usize) -> String {
    let piece = Face::Absolute.ask(context, "GET", "/smuggled", "");
    piece.repeat(size / piece.len())
}

/// One that is worth reading for the sake of the next request, and one that is not.
const SIZES: [usize; 2] = [4 << 10, 1 << 20];

/// Both ways to say how long it is.
fn framed(body: &str) -> [(String, String); 2] {
    let length = body.len();
    [
        (format!("Content-Length: {length}\r\n"), body.to_owned()),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("{length:x}\r\n{body}\r\n0\r\n\r\n")),
    ]
}

/// What the proxy answers by itself, whatever the body is: the first status, then perhaps a next request.
async fn answers_itself(expected: u16, request: impl Fn(&Context, &str) -> String) {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    let context = proxy.context();
    for (fields, body) in SIZES.iter().flat_map(|size| framed(&body(&context, *size))) {
        let before = proxy.server.stats().total.requests;
        let last = "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let all = format!("{}{body}{last}", request(&context, &fields));
        let told = converse(proxy.connect().await.0, all.as_bytes()).await;
        let told = statuses(&told);
        // Either the connection ended, or the body was read to its end and the last request answered.
        let fine = told == Ok(vec![expected]) || told == Ok(vec![expected, 407]);
        findings.check(&fields, fine, &format!("told {told:?}"));
        let counted = proxy.server.stats().total.requests - before;
        let authorised = u64::from(expected != 407);
        findings.check(&fields, counted <= authorised, &format!("{counted} requests counted"));
    }
    findings.none();
}

#[tokio::test]
async fn row_09_an_early_407() {
    answers_itself(407, |_, fields| {
        format!("POST http://{LOCAL}/ HTTP/1.1\r\nHost: {LOCAL}\r\n{fields}\r\n")
    })
    .await;
}

#[tokio::test]
async fn row_09_an_early_400() {
    answers_itself(400, |context, fields| {
        Face::Absolute.post(context, &format!("Connection: Host\r\n{fields}"))
    })
    .await;
}

#[tokio::test]
async fn row_09_an_early_502() {
    answers_itself(502, |context, fields| context.ask("POST http://127.0.0.1:1/", fields)).await;
}

#[tokio::test]
async fn row_09_an_early_answer_of_the_proxys_own_host() {
    answers_itself(204, |context, fields| context.ask("POST http://tabport.invalid/", fields))
        .await;
}

/// A body that never ends, after an answer: reading it has an end all the same.
#[tokio::test]
async fn row_09_an_endless_body_after_a_407_is_not_read_for_ever() {
    let limit = Duration::from_millis(400);
    let timeouts = Timeouts {
        request_head: limit,
        response_head: limit,
        idle: Some(limit),
        ..Timeouts::default()
    };
    let proxy = Proxy::with(ServerOptions { timeouts, ..ServerOptions::default() });
    let context = proxy.context();
    for fields in ["Content-Length: 9000000000000000000\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut client = proxy.connect().await;
        client.send(format!("POST http://a/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
        let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let mut sent = 0;
        let all = async {
            while tokio::io::AsyncWriteExt::write_all(&mut client.0, piece.as_bytes()).await.is_ok()
            {
                sent += piece.len();
            }
        };
        let ended = tokio::time::timeout(crate::harness::DEADLINE, all).await;
        assert!(ended.is_ok(), "{sent} bytes were taken after the answer, and more would be");
    }
    assert_eq!(proxy.server.stats().total.requests, 0);
    drop(context);
}

/// The origin answers before it has read the body; then it reads whatever comes.
async fn origin_answers(status: u16) {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::Upgrade, Face::Tunnel] {
        for (chunked, size) in SIZES.iter().flat_map(|size| [(false, *size), (true, *size)]) {
            let (case, before) = ((face, chunked, size), proxy.server.stats().total.requests);
            let outcome = attempt_at(&proxy, Recorder::early(status).await, face, |context| {
                let [length, chunks] = framed(&body(context, size));
                let (fields, body) = if chunked { chunks } else { length };
                let last = face.ask(context, "GET", "/last", "Connection: close\r\n");
                format!("{}{body}{last}", face.post(context, &fields))
            })
            .await;
            let told = statuses(&outcome.client);
            // What follows may have been sent on a new connection, which answers early too.
            let (next, new) = (vec![status, 200], vec![status; 2]);
            let fine = [vec![status], next, new].map(Ok).contains(&told);
            findings.check(case, fine, &format!("told {told:?}"));
            let asked = if face == Face::Tunnel { 3 } else { 2 };
            let counted = proxy.server.stats().total.requests - before;
            findings.check(case, counted <= asked, &format!("{counted} requests counted"));
            match outcome.seen() {
                Ok(seen) => {
                    let starts: Vec<_> = seen.iter().map(|it| it.start.as_str()).collect();
                    let sane = starts.iter().all(|start| !start.contains("/smuggled"));
                    findings.check(case, sane, &format!("the origin got {starts:?}"));
                }
                Err(why) => findings.note(case, Err::<(), _>(why[..why.len().min(300)].to_owned())),
            }
        }
    }
    findings.none();
}

/// A client whose request has been answered by an origin that left, with most of the body still to come.
async fn answered_and_left(proxy: &Proxy, context: &Context, fields: &str, begun: &str) -> Peer {
    let origin = Origin::start().await;
    let mut client = proxy.connect().await;
    let request = context.ask(&format!("POST {}/first", origin.url()), fields);
    client.send(format!("{request}{begun}")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    assert_eq!(client.response().await.1, "no");
    client
}

/// What is left of the body looks like requests; what comes after it is one, or the connection has ended.
#[tokio::test]
async fn row_09_an_origin_that_answers_and_leaves() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    let context = proxy.context();
    let piece = Face::Absolute.ask(&context, "GET", "/smuggled", "").repeat(8);
    let last = "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let length = piece.len();
    for (fields, begun, rest) in [
        (format!("Content-Length: {}\r\n", 2 * length), piece.clone(), piece.clone()),
        (
            "Transfer-Encoding: chunked\r\n".to_owned(),
            format!("{:x}\r\n{piece}", 2 * length),
            format!("{piece}\r\n0\r\n\r\n"),
        ),
    ] {
        let before = proxy.server.stats().total.requests;
        let client = answered_and_left(&proxy, &context, &fields, &begun).await;
        let told = statuses(&converse(client.0, format!("{rest}{last}").as_bytes()).await);
        let fine = told == Ok(vec![]) || told == Ok(vec![407]);
        findings.check(&fields, fine, &format!("told {told:?}"));
        let counted = proxy.server.stats().total.requests - before;
        findings.check(&fields, counted == 1, &format!("{counted} requests counted"));
    }
    findings.none();
}

/// Who expected a 100 and got another answer may keep the body to itself, so what comes next may be either:
/// only the connection's end says that it is neither.
#[tokio::test]
async fn row_09_an_expectation_that_is_not_met() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    let fields = "Expect: 100-continue\r\nContent-Length: 100\r\n";
    client.send(Face::Absolute.post(&context, fields)).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno").await;
    let (head, body) = client.response().await;
    assert_eq!((field(&head, "connection"), body.as_str()), (Some("close"), "no"), "{head}");
    client.send(Face::Absolute.smuggled(&context).repeat(3)).await;
    assert_eq!(client.rest().await, b"");
    assert_eq!(proxy.server.stats().total.requests, 1);
    proxy.server.release_context(&context.id).unwrap();
}

/// A body that breaks off after it has been answered is followed by nothing.
#[tokio::test]
async fn row_09_a_broken_rest_of_a_body() {
    let proxy = Proxy::start();
    let context = proxy.context();
    for broken in ["zz\r\n", "-1\r\n", "5\nhello", "\r\n", "1\r\nxx"] {
        let before = proxy.server.stats().total.requests;
        let fields = "Transfer-Encoding: chunked\r\n";
        let client = answered_and_left(&proxy, &context, fields, "5\r\nhello\r\n").await;
        let rest = format!("{broken}{}", Face::Absolute.smuggled(&context));
        let told = statuses(&converse(client.0, rest.as_bytes()).await);
        assert!(told == Ok(vec![]) || told == Ok(vec![400]), "{broken:?}: {told:?}");
        assert_eq!(proxy.server.stats().total.requests - before, 1, "{broken:?}");
    }
}

/// RFC 9112, section 9.6: a request that closes is the connection's last.
#[tokio::test]
async fn row_09_nothing_follows_a_request_that_closes() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        for option in ["close", "CLOSE", "x, close", "close\r\nConnection: keep-alive"] {
            let outcome = attempt_at(&proxy, Recorder::start().await, face, |context| {
                let first = face.ask(context, "GET", "/", &format!("Connection: {option}\r\n"));
                format!("{first}{}", face.smuggled(context))
            })
            .await;
            findings.note((face, option), outcome.passed(1));
        }
    }
    findings.none();
}

#[tokio::test]
async fn row_09_an_early_401_of_the_origin() {
    origin_answers(401).await;
}

#[tokio::test]
async fn row_09_an_early_403_of_the_origin() {
    origin_answers(403).await;
}

#[tokio::test]
async fn row_09_an_early_413_of_the_origin() {
    origin_answers(413).await;
}

#[tokio::test]
async fn row_09_an_early_200_of_the_origin() {
    origin_answers(200).await;
}
