//! Row 26: clients that take their time. A limit ends each, and nobody else waits for them.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::support::{Face, LOCAL, Recorder, impatient};
use crate::harness::{DEADLINE, Origin, Peer, Proxy, status};
use crate::stream::{answered, begin};
use crate::tls_client::{config, say, shake_hands_in_stream};

const LIMIT: Duration = Duration::from_millis(400);
/// Far below every limit, so that none which starts anew with each byte ever ends.
const PACE: Duration = Duration::from_millis(20);

/// Sends these bytes again and again, slowly, until the proxy ends the connection; what it said.
async fn trickle(client: Peer, bytes: &[u8]) -> String {
    let (mut read, mut write) = client.0.into_split();
    let drip = async {
        let mut pace = tokio::time::interval(PACE);
        for byte in bytes.iter().cycle() {
            pace.tick().await;
            // A write to a closed connection fails; reading tells what has happened.
            let _ = write.write_all(&[*byte]).await;
        }
    };
    let mut told = Vec::new();
    let end = timeout(DEADLINE, read.read_to_end(&mut told));
    tokio::select! {
        () = drip => unreachable!("it never ends"),
        ended = end => assert!(ended.is_ok(), "still open, and told {told:?}"),
    }
    String::from_utf8(told).unwrap()
}

fn is_an_end(told: &str, context: &str) {
    let fine = told.is_empty() || matches!(status(told), 400 | 407 | 408 | 431 | 502 | 504);
    assert!(fine, "{context}: {told}");
}

#[tokio::test]
async fn row_26_a_slow_head() {
    let (proxy, origin) = (impatient(LIMIT), Origin::start().await);
    let context = proxy.routed(origin.url());
    let own = context.field();
    for (begun, more) in [
        ("\r\n".to_owned(), "\r\n"),
        ("G".to_owned(), "E"),
        ("GET http://localhost:3000/".to_owned(), "a"),
        ("GET / HTTP/1.1\r\n".to_owned(), "a"),
        ("GET / HTTP/1.1\r\nHost: a".to_owned(), "a"),
        (format!("GET / HTTP/1.1\r\nHost: {LOCAL}\r\n{own}"), "X: y\r\n"),
        (format!("CONNECT {LOCAL} HTTP/1.1\r\nHost: {LOCAL}\r\n{own}"), "X: y\r\n"),
        ("PRI * HTTP/2.0\r\n\r\nS".to_owned(), ""),
    ] {
        let mut client = proxy.connect().await;
        client.send(&begun).await;
        let told = if more.is_empty() {
            String::from_utf8(client.rest().await).unwrap()
        } else {
            trickle(client, more.as_bytes()).await
        };
        is_an_end(&told, &begun);
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn row_26_a_slow_head_behind_a_request() {
    let (proxy, origin) = (impatient(LIMIT), Origin::start().await);
    let context = proxy.routed(origin.url());
    for face in [Face::Absolute, Face::Tunnel] {
        let mut client = match face {
            Face::Tunnel => proxy.tunnel(&context, LOCAL).await,
            _ => proxy.connect().await,
        };
        client.send(face.ask(&context, "GET", "/", "")).await;
        let (upstream, _) = origin.answer("ok").await;
        assert_eq!(client.response().await.1, "ok");
        drop(upstream);
        client.send("GET / HTTP/1.1\r\nHost: a").await;
        is_an_end(&trickle(client, b"a").await, "a second head");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn row_26_a_slow_head_inside_a_tunnel() {
    let (proxy, origin) = (impatient(LIMIT), Origin::start().await);
    let context = proxy.routed(origin.url());
    for begun in ["\r\n", "G", "GET / HTTP/1.1\r\nX: "] {
        let mut client = proxy.tunnel(&context, LOCAL).await;
        client.send(begun).await;
        let more = if begun == "\r\n" { "\r\n" } else { "A" };
        is_an_end(&trickle(client, more.as_bytes()).await, begun);
    }
    origin.was_never_dialled().await;
}

/// What moves no byte of the body does not count as moving.
#[tokio::test]
async fn row_26_a_slow_chunk_line_or_trailer() {
    let (proxy, origin) = (impatient(LIMIT), Origin::start().await);
    let context = proxy.routed(origin.url());
    for (begun, more) in [
        ("", "0"),
        ("5;", "a"),
        ("5\r\nhello\r\n0;", "a"),
        ("5\r\nhello\r\n0\r\n", "A: b\r\n"),
        ("5\r\nhello\r\n0\r\nA: ", "b"),
    ] {
        let mut client = proxy.connect().await;
        let head = Face::Absolute.post(&context, "Transfer-Encoding: chunked\r\n");
        client.send(format!("{head}{begun}")).await;
        let mut upstream = origin.accept().await;
        let (told, received) = tokio::join!(trickle(client, more.as_bytes()), upstream.rest());
        is_an_end(&told, begun);
        let received = String::from_utf8(received).unwrap();
        assert!(!received.ends_with("0\r\n\r\n"), "{begun:?} became {received:?}");
    }
}

/// A body that stands still, before the origin's answer.
#[tokio::test]
async fn row_26_a_body_that_stands_still() {
    let (proxy, origin) = (impatient(LIMIT), Origin::start().await);
    let context = proxy.routed(origin.url());
    for fields in ["Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut client = proxy.connect().await;
        let head = Face::Absolute.post(&context, fields);
        client.send(format!("{head}5\r\nhello\r\n")).await;
        let mut upstream = origin.accept().await;
        let (told, received) = tokio::join!(client.rest(), upstream.rest());
        is_an_end(&String::from_utf8(told).unwrap(), fields);
        assert!(!received.ends_with(b"0\r\n\r\n"));
    }
}

/// The rest of a body that nobody wants any more is not waited for.
#[tokio::test]
async fn row_26_a_slow_body_behind_an_answer() {
    let proxy = impatient(LIMIT);
    let head = format!("POST http://{LOCAL}/ HTTP/1.1\r\nHost: {LOCAL}\r\n");
    for (fields, more) in
        [("Content-Length: 1000000\r\n", "x"), ("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n")]
    {
        let mut client = proxy.connect().await;
        client.send(format!("{head}{fields}\r\n")).await;
        let told = trickle(client, more.as_bytes()).await;
        assert_eq!(status(&told), 407, "{told}");
    }
}

/// The client takes nothing: neither its answer nor its tunnel's bytes are kept for ever.
#[tokio::test]
async fn row_26_a_client_that_does_not_read() {
    let (proxy, origin) = (impatient(LIMIT), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut tunnel = proxy.tunnel(&context, LOCAL).await;
    tunnel.send("\x01").await;
    is_cut_off(origin.accept().await, "a tunnel").await;

    let mut answered = proxy.connect().await;
    answered.send(Face::Absolute.ask(&context, "GET", "/", "")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n").await;
    is_cut_off(upstream, "an answer").await;
    let quiet = |stats: &tabport_engine::Stats| stats.requests + stats.tunnels == 0;
    proxy.until("all is over", quiet).await;
    drop((answered, tunnel));
}

/// Inside TLS a connection's end has to be sent, too. How many answers fit into what is on the way to a client
/// that opens no window is not known exactly: one of these connections stands still at its very end.
#[tokio::test]
async fn row_26_an_end_that_is_not_read() {
    let proxy = impatient(LIMIT);
    let context = proxy.routed("http://localhost:1");
    let mut client = h2::client::Builder::new();
    client.initial_window_size(4096).initial_connection_window_size(1 << 20);
    let (mut sender, connection) = client.handshake(proxy.connect().await.0).await.unwrap();
    tokio::spawn(connection);
    let trusting = config(&proxy.server.certificate_authority().pem, &["http/1.1"]);
    let mut open = Vec::new();
    for answers in 0..24 {
        let (response, mut up) = begin(&mut sender, Some(&context), Method::CONNECT, LOCAL);
        let mut down = answered(response).await.into_body();
        let mut tls = shake_hands_in_stream(&mut up, &mut down, trusting.clone()).await;
        let elsewhere = "GET http://elsewhere.test/ HTTP/1.1\r\nHost: a\r\n";
        let last = format!("{elsewhere}Connection: close\r\n\r\n");
        say(&mut tls, &mut up, &(format!("{elsewhere}\r\n").repeat(answers) + &last));
        open.push((up, down));
    }
    proxy.until("all but the client's own are over", |stats| stats.connections == 1).await;
}

/// Interim answers may go on for ever without being one; nor does it help that nobody reads them.
#[tokio::test]
async fn row_26_interim_answers_without_end() {
    let (proxy, origin) = (impatient(LIMIT), Origin::start().await);
    let context = proxy.routed(origin.url());
    let long = format!("HTTP/1.1 103 Early Hints\r\nLink: </{}>\r\n\r\n", "a".repeat(50_000));
    for reads in [true, false] {
        let mut client = proxy.connect().await;
        client.send(Face::Absolute.ask(&context, "GET", "/", "Connection: close\r\n")).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        let stuff = async { while upstream.0.write_all(long.as_bytes()).await.is_ok() {} };
        let read = async {
            if reads {
                client.rest().await;
            }
        };
        let both = async { tokio::join!(stuff, read) };
        assert!(timeout(DEADLINE, both).await.is_ok(), "they never end; read: {reads}");
    }
}

/// Writes until the proxy does not let it any more.
async fn is_cut_off(mut upstream: Peer, what: &str) {
    let piece = vec![b'x'; 1 << 16];
    let stuff = async { while upstream.0.write_all(&piece).await.is_ok() {} };
    assert!(timeout(DEADLINE, stuff).await.is_ok(), "{what} waits for its reader for ever");
}

#[tokio::test]
async fn row_26_other_clients_are_unaffected() {
    let (proxy, origin) = (Proxy::start(), Recorder::start().await);
    let context = proxy.routed(origin.url());
    let mut slow = Vec::new();
    for number in 0..300 {
        let mut client = if number % 3 == 0 {
            proxy.tunnel(&context, LOCAL).await
        } else {
            proxy.connect().await
        };
        let head = Face::Absolute.post(&context, "Content-Length: 9\r\n");
        client.send(["GET / HT", "\r\n", &head][number % 3]).await;
        slow.push(client);
    }
    for _ in 0..50 {
        let mut client = proxy.connect().await;
        client.send(Face::Absolute.ask(&context, "GET", "/", "Connection: close\r\n")).await;
        assert_eq!(client.response().await.1, "ok");
    }
    assert!(proxy.server.stats().connections >= 300);
    proxy.server.release_context(&context.id).unwrap();
    drop(slow);
    origin.end().await;
}

/// What makes a preface of it never comes.
#[tokio::test]
async fn row_26_an_http2_client_that_does_not_say_its_settings() {
    let proxy = impatient(LIMIT);
    let mut client = proxy.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(client.rest().await, b"");
}
