//! Upstreams that speak HTTP/2: one connection for many requests, and what becomes of it.

use std::time::Duration;

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use tabport_engine::{ServerOptions, Timeouts};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

use crate::harness::{Context, DEADLINE, Peer, Proxy, field, status};
use crate::stream::{answered, speak, text};
use crate::tls::{CertificateAuthority, TlsOrigin};

const AUTHORITY: &str = "origin.test:443";
pub(crate) const URL: &str = "https://origin.test/";

/// Long enough for a request to have got to where it waits.
pub(crate) const WHILE: Duration = Duration::from_millis(200);

pub(crate) type Upstream = Connection<TlsStream<TcpStream>, Bytes>;

async fn set_up() -> (Proxy, Context, TlsOrigin) {
    set_up_with(Timeouts::default()).await
}

pub(crate) async fn set_up_with(timeouts: Timeouts) -> (Proxy, Context, TlsOrigin) {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("origin.test", &["h2", "http/1.1"]).await;
    let options = ca.options(&[(AUTHORITY, &origin)]);
    let proxy = Proxy::with(ServerOptions { timeouts, ..options });
    let context = proxy.context();
    (proxy, context, origin)
}

pub(crate) async fn accept(origin: &TlsOrigin) -> Upstream {
    h2::server::handshake(origin.accept().await.0).await.unwrap()
}

/// The next stream; the connection must be polled on for what is sent on it to leave.
pub(crate) async fn next(upstream: &mut Upstream) -> (Request<RecvStream>, SendResponse<Bytes>) {
    timeout(DEADLINE, upstream.accept()).await.expect("nobody asks").unwrap().unwrap()
}

pub(crate) fn answer(respond: &mut SendResponse<Bytes>, body: &'static str) {
    let head = Response::builder().header("content-length", body.len()).body(()).unwrap();
    let mut stream = respond.send_response(head, false).unwrap();
    stream.send_data(body.into(), true).unwrap();
}

/// Serves the connection while the client waits for its response.
pub(crate) async fn response(client: &mut Peer, upstream: &mut Upstream) -> (String, String) {
    tokio::select! {
        response = client.response() => response,
        other = upstream.accept() => panic!("another stream instead of a response: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_with_a_body_goes_through_and_the_connection_is_reused() {
    let (proxy, context, origin) = set_up().await;
    let mut client = proxy.connect().await;
    let request =
        context.ask(&format!("POST {URL}x?y"), "Content-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n");
    client.send(format!("{request}hello")).await;
    let mut upstream = accept(&origin).await;
    let (request, mut respond) = next(&mut upstream).await;
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/x"));
    assert_eq!(request.uri().query(), Some("y"));
    assert_eq!(request.headers()["content-length"], "5");
    assert_eq!(request.headers().get_all("x-a").iter().count(), 2);
    let mut body = request.into_body();
    let read = tokio::select! {
        data = body.data() => data.unwrap().unwrap(),
        _ = upstream.accept() => panic!("another stream"),
    };
    assert_eq!(read, "hello");
    answer(&mut respond, "one");
    assert_eq!(response(&mut client, &mut upstream).await.1, "one");

    let mut another = proxy.connect().await;
    another.send(context.get(URL)).await;
    answer(&mut next(&mut upstream).await.1, "two");
    assert_eq!(response(&mut another, &mut upstream).await.1, "two");
    origin.tcp.was_never_dialled().await;
}

#[tokio::test]
async fn trailers_go_through_both_ways() {
    let (proxy, context, origin) = set_up().await;
    let mut sender = speak(proxy.connect().await.0).await;
    let request = Request::post(URL)
        .header("proxy-authorization", format!("Basic {}", context.credentials))
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (waiting, mut body) = sender.send_request(request, false).unwrap();
    let trailers =
        |value: &str| HeaderMap::from_iter([("x-sum".parse().unwrap(), value.parse().unwrap())]);
    body.send_data("hello".into(), false).unwrap();
    body.send_trailers(trailers("up")).unwrap();
    let mut upstream = accept(&origin).await;
    let (request, mut respond) = next(&mut upstream).await;
    assert_eq!(request.headers()["te"], "trailers");
    let serve = tokio::spawn(async move { while let Some(Ok(_)) = upstream.accept().await {} });
    let mut body = request.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "hello");
    assert_eq!(body.trailers().await.unwrap().unwrap()["x-sum"], "up");
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data("ok".into(), false).unwrap();
    stream.send_trailers(trailers("down")).unwrap();
    let (body, trailers) = text(answered(waiting).await).await;
    assert_eq!((body.as_str(), &trailers.unwrap()["x-sum"]), ("ok", &"down".parse().unwrap()));
    proxy.server.release_context(&context.id).unwrap();
    timeout(DEADLINE, serve).await.expect("the connection ends with its context").unwrap();
}

#[tokio::test]
async fn a_connection_that_goes_away_is_replaced() {
    let (proxy, context, origin) = set_up().await;
    let mut client = proxy.connect().await;
    for body in ["one", "two", "three"] {
        client.send(context.get(URL)).await;
        let mut upstream = accept(&origin).await;
        answer(&mut next(&mut upstream).await.1, body);
        assert_eq!(response(&mut client, &mut upstream).await.1, body);
        if body == "two" {
            upstream.graceful_shutdown();
            while let Some(Ok(_)) = timeout(DEADLINE, upstream.accept()).await.expect("it ends") {}
        }
        drop(upstream);
        proxy.until("it is gone", |stats| stats.upstream_connections == 0).await;
    }
}

/// Reads up to HEADERS (type 1) on stream 3.
async fn asks_on_stream_3(upstream: &mut Peer<TlsStream<TcpStream>>) {
    let mut read = Vec::new();
    while !read.windows(6).any(|bytes| bytes[0] == 1 && bytes[2..] == [0, 0, 0, 3]) {
        read.extend(upstream.take(1).await);
    }
}

/// RFC 9113, section 6.8: it says which requests it has looked at.
#[tokio::test]
async fn a_request_that_a_connection_has_not_looked_at_before_it_goes_is_sent_over_another() {
    let (proxy, context, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    let mut leaving = origin.accept().await;
    let (settings, ok) = (&b"\0\0\0\x04\0\0\0\0\0"[..], b"\0\0\x01\x01\x05\0\0\0\x01\x88");
    leaving.send([settings, ok].concat()).await;
    assert_eq!(
        client.response().await,
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into(), String::new())
    );
    client.send(context.ask(&format!("POST {URL}"), "")).await;
    asks_on_stream_3(&mut leaving).await;
    leaving.send(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0").await;
    let mut upstream = accept(&origin).await;
    answer(&mut next(&mut upstream).await.1, "again");
    assert_eq!(response(&mut client, &mut upstream).await.1, "again");
}

/// Nothing of a body is read before there is a window for it, and so all of it is still there: where the upload waits
/// for its place, also once the connection has said that it will go away, and where its head alone has been sent.
#[tokio::test]
async fn an_upload_that_a_connection_has_not_looked_at_before_it_goes_is_sent_whole_over_another() {
    const ONE_STREAM: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x01";
    const NO_WINDOW: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    let goes = |last: &[u8; 4]| [&b"\0\0\x08\x07\0\0\0\0\0"[..], last, b"\0\0\0\0"].concat();
    let (soon, now) = (goes(b"\x7f\xff\xff\xff"), goes(b"\0\0\0\x03"));
    for (settings, soon) in [(ONE_STREAM, None), (ONE_STREAM, Some(soon)), (NO_WINDOW, None)] {
        let (proxy, context, origin) = set_up().await;
        let [mut first, mut client] = [proxy.connect().await, proxy.connect().await];
        first.send(context.get(URL)).await;
        let mut leaving = origin.accept().await;
        leaving.send([settings, b"\0\0\x01\x01\x05\0\0\0\x01\x88"].concat()).await;
        assert_eq!(status(&first.response().await.0), 200);
        first.send(context.get(URL)).await;
        asks_on_stream_3(&mut leaving).await;
        let request = context.ask(&format!("POST {URL}"), "Content-Length: 5\r\n");
        client.send(format!("{request}hello")).await;
        sleep(WHILE).await;
        if let Some(soon) = soon {
            leaving.send(soon).await;
            sleep(WHILE).await;
        }
        leaving.send(&now).await;
        let mut upstream = accept(&origin).await;
        let (request, mut respond) = next(&mut upstream).await;
        tokio::spawn(async move { while let Some(Ok(_)) = upstream.accept().await {} });
        assert_eq!(request.into_body().data().await.unwrap().unwrap(), "hello");
        answer(&mut respond, "whole");
        assert_eq!(client.response().await.1, "whole");
    }
}

#[tokio::test]
async fn an_upload_that_has_begun_is_not_sent_again_without_what_was_read_of_it() {
    let (proxy, context, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    let mut leaving = origin.accept().await;
    leaving.send(b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x88").await;
    assert_eq!(status(&client.response().await.0), 200);
    let request = context.ask(&format!("POST {URL}"), "Content-Length: 9\r\n");
    client.send(format!("{request}hello")).await;
    asks_on_stream_3(&mut leaving).await;
    while leaving.take(1).await != b"o" {}
    leaving.send(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0").await;
    assert_eq!(status(&client.response().await.0), 502);
    origin.tcp.was_never_dialled().await;
}

/// RFC 9110, section 9.2.2.
#[tokio::test]
async fn a_request_that_may_be_sent_twice_is_when_a_connection_closes_that_was_kept() {
    for (method, answers) in [("GET", 200), ("POST", 502)] {
        let (proxy, context, origin) = set_up().await;
        let mut client = proxy.connect().await;
        client.send(context.get(URL)).await;
        let mut upstream = accept(&origin).await;
        answer(&mut next(&mut upstream).await.1, "kept");
        assert_eq!(response(&mut client, &mut upstream).await.1, "kept");
        client.send(context.ask(&format!("{method} {URL}"), "")).await;
        drop((next(&mut upstream).await, upstream));
        let again = async {
            let mut upstream = accept(&origin).await;
            answer(&mut next(&mut upstream).await.1, "again");
            upstream.accept().await.is_none()
        };
        tokio::select! {
            (head, _) = client.response() => assert_eq!(status(&head), answers, "{method}"),
            _ = again => panic!("no response"),
        }
    }
}

#[tokio::test]
async fn what_comes_with_an_answer_that_has_no_body_is_not_the_next_one() {
    let (proxy, context, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    let mut upstream = accept(&origin).await;
    let (_, mut respond) = next(&mut upstream).await;
    let mut stream =
        respond.send_response(Response::builder().status(204).body(()).unwrap(), false).unwrap();
    stream.send_data("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad".into(), true).unwrap();
    assert_eq!(response(&mut client, &mut upstream).await.0, "HTTP/1.1 204 No Content\r\n\r\n");
    client.send(context.get(URL)).await;
    answer(&mut next(&mut upstream).await.1, "good");
    assert_eq!(response(&mut client, &mut upstream).await.1, "good");
}

#[tokio::test]
async fn an_origin_that_no_longer_speaks_it_is_spoken_to_in_1_1() {
    let (proxy, context, mut origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    let mut upstream = accept(&origin).await;
    answer(&mut next(&mut upstream).await.1, "h2");
    assert_eq!(response(&mut client, &mut upstream).await.1, "h2");
    origin.now_speaks(&["http/1.1"]);
    drop(upstream);
    client.send(context.get(URL)).await;
    let (_, head) = origin.answer("1.1").await;
    assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "host"), Some("origin.test"));
    assert_eq!(client.response().await.1, "1.1");
}

#[tokio::test]
async fn a_stream_that_is_reset_fails_its_request_alone() {
    let (proxy, context, origin) = set_up().await;
    let (mut failing, mut cut, mut fine) =
        (proxy.connect().await, proxy.connect().await, proxy.connect().await);
    failing.send(context.get(URL)).await;
    let mut upstream = accept(&origin).await;
    next(&mut upstream).await.1.send_reset(Reason::INTERNAL_ERROR);
    assert_eq!(status(&response(&mut failing, &mut upstream).await.0), 502);

    cut.send(context.get(URL)).await;
    let (_, mut respond) = next(&mut upstream).await;
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data("abc".into(), false).unwrap();
    fine.send(context.get(URL)).await;
    let (_, mut other) = next(&mut upstream).await;
    let serve = tokio::spawn(async move { while let Some(Ok(_)) = upstream.accept().await {} });
    cut.head().await;
    cut.expect("3\r\nabc\r\n").await;
    stream.send_reset(Reason::CANCEL);
    assert_eq!(cut.rest().await, b"", "a response that was cut must not end cleanly");
    answer(&mut other, "fine");
    assert_eq!(fine.response().await.1, "fine");
    proxy.server.release_context(&context.id).unwrap();
    timeout(DEADLINE, serve).await.expect("the connection ends with its context").unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_resets_its_stream_alone() {
    let (proxy, context, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    let mut upstream = accept(&origin).await;
    let (_, mut waiting) = next(&mut upstream).await;
    drop(client);
    let reset = std::future::poll_fn(|cx| waiting.poll_reset(cx));
    tokio::select! {
        reset = timeout(DEADLINE, reset) => assert_eq!(reset.unwrap().unwrap(), Reason::CANCEL),
        other = upstream.accept() => panic!("the connection ended: {other:?}"),
    }
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    answer(&mut next(&mut upstream).await.1, "still");
    assert_eq!(response(&mut client, &mut upstream).await.1, "still");
}
