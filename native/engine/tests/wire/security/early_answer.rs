//! Row 9: an answer before the body has been read. What is left of the body is never read as a request.

use std::time::Duration;

use tabport_engine::{ServerOptions, Timeouts};

use super::message::statuses;
use super::support::{Face, Findings, LOCAL, Recorder, attempt_at, converse};
use crate::harness::{Context, Proxy};

/// A body that is nothing but requests with valid credentials.
fn body(context: &Context) -> String {
    let piece = Face::Absolute.ask(context, "GET", "/smuggled", "");
    piece.repeat((1 << 20) / piece.len())
}

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
    for (fields, body) in framed(&body(&context)) {
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
    for face in [Face::Absolute, Face::Tunnel] {
        for chunked in [false, true] {
            let (case, before) = ((face, chunked), proxy.server.stats().total.requests);
            let outcome = attempt_at(&proxy, Recorder::early(status).await, face, |context| {
                let [length, chunks] = framed(&body(context));
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
