//! Upstreams that speak HTTP/2: one connection for many requests, and what becomes of it.

use std::time::Duration;

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use tabport_engine::{ServerOptions, Timeouts};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::harness::{Context, DEADLINE, Peer, Proxy, field, status};
use crate::stream::{answered, speak, text};
use crate::tls::{CertificateAuthority, TlsOrigin};

const AUTHORITY: &str = "origin.test:443";
pub(crate) const URL: &str = "https://origin.test/";

/// Long enough for a request to have got to where it waits.
pub(crate) const WHILE: Duration = Duration::from_millis(200);

pub(crate) type Upstream = Connection<TlsStream<TcpStream>, Bytes>;

pub(crate) async fn set_up() -> (Proxy, Context, TlsOrigin) {
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
