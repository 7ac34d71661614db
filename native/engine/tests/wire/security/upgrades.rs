//! Rows 7 and 8: what comes before a 101, and a 101 that nobody has asked for.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::message::statuses;
use super::support::{Face, Findings, LOCAL, attempt, converse};
use crate::harness::{Origin, Proxy, field, status};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

fn without_credentials(path: &str) -> String {
    format!("GET http://{LOCAL}{path} HTTP/1.1\r\nHost: {LOCAL}\r\nConnection: close\r\n\r\n")
}

/// The origin answers 200: what stands behind the request is a request like any other.
#[tokio::test]
async fn row_07_premature_upgrade() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for (method, fields, body) in [
        ("GET", "", ""),
        ("POST", "Content-Length: 5\r\n", "hello"),
        ("POST", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        for (protocol, authorised) in [("x", true), ("websocket", true), ("websocket", false)] {
            let outcome = attempt(&proxy, Face::Absolute, |context| {
                let upgrade = format!("Connection: Upgrade\r\nUpgrade: {protocol}\r\n{fields}");
                let first = Face::Absolute.ask(context, method, "/first", &upgrade);
                let second = if authorised {
                    Face::Absolute.smuggled(context)
                } else {
                    without_credentials("/smuggled")
                };
                format!("{first}{body}{second}")
            })
            .await;
            let case = (method, protocol, authorised);
            if authorised {
                findings.note(case, outcome.passed(2));
                continue;
            }
            let told = statuses(&outcome.client);
            findings.check(case, told == Ok(vec![200, 407]), &format!("told {told:?}"));
            let one = outcome.seen().is_ok_and(|seen| seen.len() == 1 && seen[0].complete);
            findings.check(case, one, &format!("the origin got {}", outcome.at_origin()));
        }
    }
    findings.none();
}

/// Until the origin has said 101 it gets no byte of what may become a tunnel.
#[tokio::test]
async fn row_07_bytes_wait_for_the_101() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    let request = context.ask(&format!("GET http://{LOCAL}/"), UPGRADE);
    client.send(format!("{request}{}", without_credentials("/smuggled"))).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let mut byte = [0; 1];
    let early = timeout(Duration::from_millis(200), upstream.0.read(&mut byte));
    assert!(early.await.is_err(), "the origin got bytes before it has switched");
    upstream.send("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(status(&client.head().await), 426);
    assert_eq!(upstream.rest().await, b"");
    assert_eq!(status(&client.response().await.0), 407);
}

#[tokio::test]
async fn row_07_a_tunnel_of_an_upgrade_is_no_request_any_more() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    let early = without_credentials("/early");
    client.send(context.ask(&format!("GET http://{LOCAL}/"), UPGRADE) + &early).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(status(&client.head().await), 101);
    upstream.expect(&early).await;
    client.send(&early).await;
    upstream.expect(&early).await;
    assert_eq!(proxy.server.stats().total.requests, 1);
    proxy.server.release_context(&context.id).unwrap();
}

/// What a 101 must not look like, to a request for `websocket` and to one for nothing.
const SPOOFED: [&str; 9] = [
    "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: evil\r\n",
    "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: h2c\r\n",
    "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket2\r\n",
    "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade:\r\n",
    "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket, evil\r\n",
    "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\nUpgrade: evil\r\n",
    "HTTP/1.1 101 S\r\nConnection: upgrade\r\n",
    "HTTP/1.1 101 S\r\n",
    "HTTP/1.0 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n",
];
const GENUINE: &str = "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n";

/// The client is told 502 and nothing of what the upstream says next; nobody rides on that connection.
async fn is_refused(proxy: &Proxy, face: Face, fields: &str, answer: &str) -> Result<(), String> {
    let origin = Origin::start().await;
    let context = proxy.routed(origin.url());
    let client = match face {
        Face::Tunnel => proxy.tunnel(&context, LOCAL).await,
        _ => proxy.connect().await,
    };
    let request = face.ask(&context, "GET", "/", &format!("Connection: close\r\n{fields}"));
    let upstream = async {
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream
            .send(format!("{answer}\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
            .await;
        // Were it a tunnel now, this would end it.
        upstream.finish().await;
        upstream.rest().await
    };
    let (client, received) = tokio::join!(converse(client.0, request.as_bytes()), upstream);
    if !received.is_empty() {
        return Err(format!("the origin got {:?}", String::from_utf8_lossy(&received)));
    }
    // Interim answers, and then the refusal.
    match statuses(&client)?[..] {
        [100 | 103, 502] | [502] => Ok(()),
        _ => Err(format!("the client got {:?}", String::from_utf8_lossy(&client))),
    }
}

#[tokio::test]
async fn row_08_a_101_nobody_asked_for() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        for answer in SPOOFED.iter().chain(&[GENUINE]) {
            let result = is_refused(&proxy, face, "", answer).await;
            findings.note((face, answer), result);
            // `Upgrade` alone asks for nothing: `Connection` must name it.
            let result = is_refused(&proxy, face, "Upgrade: websocket\r\n", answer).await;
            findings.note((face, answer, "unnamed"), result);
        }
    }
    findings.none();
    assert_eq!(proxy.server.stats().total.tunnels, 0);
}

#[tokio::test]
async fn row_08_a_101_for_another_protocol() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        for answer in SPOOFED {
            let result = is_refused(&proxy, face, UPGRADE, answer).await;
            findings.note((face, answer), result);
        }
    }
    findings.none();
    assert_eq!(proxy.server.stats().total.tunnels, 0);
}

/// A final answer may follow 1xx answers, but no 101 may.
#[tokio::test]
async fn row_08_a_101_behind_another_interim_answer() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for interim in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        for fields in ["", "Expect: 100-continue\r\n"] {
            let answer = format!("{interim}{GENUINE}");
            let result = is_refused(&proxy, Face::Absolute, fields, &answer).await;
            findings.note((interim, fields), result);
        }
    }
    findings.none();
}

/// A gateway may not turn a CONNECT into something else.
#[tokio::test]
async fn row_08_a_101_to_a_connect_of_ours() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.create(Some(tabport_engine::RouteFields {
        cmux_proxy_origin: Some(origin.url()),
        ..Default::default()
    }));
    for answer in SPOOFED.iter().chain(&[GENUINE]) {
        let mut client = proxy.tunnel(&context, LOCAL).await;
        client.send("\x16\x03\x01hello").await;
        let mut upstream = origin.accept().await;
        let head = upstream.head().await;
        assert_eq!(field(&head, "upgrade"), None, "{head}");
        upstream.send(format!("{answer}\r\nevil")).await;
        assert_eq!(client.rest().await, b"", "{answer:?}");
        assert_eq!(upstream.rest().await, b"", "{answer:?}");
    }
}
