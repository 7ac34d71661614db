//! Interim responses where one side, or both, speak HTTP/2; `framing` has them in HTTP/1.1.

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tabport_engine::{Face, ReverseProxyOptions, ServerOptions};
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Origin, Proxy, field, status};
use crate::http2_upstream::{URL, Upstream, accept, answer, next, response};
use crate::stream::{answered, speak, text};
use crate::tls::{CertificateAuthority, TlsOrigin};

const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// Both faces that forward, and what a request says to each.
async fn faces(protocols: &[&str]) -> [(Proxy, TlsOrigin, Option<Context>); 2] {
    let ca = CertificateAuthority::new();
    let (one, two) =
        (ca.origin("origin.test", protocols).await, ca.origin("origin.test", protocols).await);
    let forward = Proxy::with(ca.options(&[("origin.test:443", &one)]));
    let face = Face::ReverseProxy(ReverseProxyOptions {
        upstream: "https://origin.test".parse().unwrap(),
        rewrite_host: true,
        upstream_http2: true,
        trusted: Vec::new(),
        buffer_requests: None,
        upgraded_idle: None,
        service: "test".to_owned(),
        upstream_health: "/healthz".to_owned(),
    });
    let reverse = Proxy::with(ServerOptions { face, ..ca.options(&[("origin.test:443", &two)]) });
    let context = forward.context();
    [(forward, one, Some(context)), (reverse, two, None)]
}

/// A request whose client waits before it sends four bytes.
fn expecting(context: Option<&Context>) -> String {
    let fields = "Expect: 100-continue\r\nContent-Length: 4\r\n";
    match context {
        Some(context) => context.ask(&format!("POST {URL}"), fields),
        None => format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"),
    }
}

/// The same over HTTP/2.
fn expect(
    sender: &mut SendRequest<Bytes>,
    context: Option<&Context>,
    url: &str,
) -> (ResponseFuture, SendStream<Bytes>) {
    let mut request =
        Request::post(url).header("expect", "100-continue").header("content-length", 4);
    if let Some(context) = context {
        request = request.header("proxy-authorization", format!("Basic {}", context.credentials));
    }
    sender.send_request(request.body(()).unwrap(), false).unwrap()
}

fn hints(code: u16) -> Response<()> {
    let head = Response::builder().status(code).header("link", "</a>").header("link", "</b>");
    head.body(()).unwrap()
}

/// The next interim response that an HTTP/2 client is told.
async fn informed(response: &mut ResponseFuture) -> (u16, HeaderMap) {
    let informed = std::future::poll_fn(|cx| response.poll_informational(cx));
    let informed = timeout(DEADLINE, informed).await.expect("nothing is told");
    let (parts, ()) = informed.expect("an interim response").unwrap().into_parts();
    (parts.status.as_u16(), parts.headers)
}

/// Runs an upstream's connection beside what happens on its streams.
fn run(mut upstream: Upstream) {
    tokio::spawn(async move { while let Some(Ok(_)) = upstream.accept().await {} });
}

/// Takes the body that was waited for, and answers it.
async fn take_and_answer(body: h2::RecvStream, mut respond: SendResponse<Bytes>) {
    let mut body = body;
    assert_eq!(timeout(DEADLINE, body.data()).await.unwrap().unwrap().unwrap(), "body");
    answer(&mut respond, "ok");
}

#[tokio::test]
async fn from_http_2_to_a_client_of_http_1_1() {
    for (proxy, origin, context) in faces(&["h2"]).await {
        let mut client = proxy.connect().await;
        client.send(expecting(context.as_ref())).await;
        let mut upstream = accept(&origin).await;
        let (request, mut respond) = next(&mut upstream).await;
        assert_eq!(request.headers()["expect"], "100-continue");
        run(upstream);
        for code in [103, 102, 199] {
            respond.send_informational(hints(code)).unwrap();
        }
        client.expect(EARLY).await;
        for line in ["HTTP/1.1 102 Processing", "HTTP/1.1 199 "] {
            let head = client.head().await;
            assert!(head.starts_with(line), "{head}");
        }
        respond.send_informational(Response::builder().status(100).body(()).unwrap()).unwrap();
        client.expect(CONTINUE).await;
        client.send("body").await;
        take_and_answer(request.into_body(), respond).await;
        assert_eq!(client.response().await.1, "ok");
    }
}

#[tokio::test]
async fn from_http_1_1_to_a_client_of_http_2() {
    for (proxy, origin, context) in faces(&["http/1.1"]).await {
        let mut sender = speak(proxy.connect().await.0).await;
        let (mut waiting, mut body) = expect(&mut sender, context.as_ref(), URL);
        let mut upstream = origin.accept().await;
        assert_eq!(field(&upstream.head().await, "expect"), Some("100-continue"));
        upstream.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n").await;
        upstream.send("Connection: x-own\r\nX-Own: 1\r\nKeep-Alive: 1\r\n\r\n").await;
        let (status, fields) = informed(&mut waiting).await;
        assert_eq!((status, fields.get_all("link").iter().count(), fields.len()), (103, 2, 2));
        upstream.send(CONTINUE).await;
        assert_eq!(informed(&mut waiting).await.0, 100);
        body.send_data("body".into(), true).unwrap();
        upstream.expect("body").await;
        upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        assert_eq!(text(answered(waiting).await).await.0, "ok");
    }
}

#[tokio::test]
async fn from_http_2_to_http_2() {
    for (proxy, origin, context) in faces(&["h2"]).await {
        let mut sender = speak(proxy.connect().await.0).await;
        let (mut waiting, mut body) = expect(&mut sender, context.as_ref(), URL);
        let mut upstream = accept(&origin).await;
        let (request, mut respond) = next(&mut upstream).await;
        run(upstream);
        for code in [103, 100] {
            respond.send_informational(hints(code)).unwrap();
            let (status, fields) = informed(&mut waiting).await;
            assert_eq!((status, fields.get_all("link").iter().count()), (code, 2));
        }
        body.send_data("body".into(), true).unwrap();
        take_and_answer(request.into_body(), respond).await;
        assert_eq!(text(answered(waiting).await).await.0, "ok");
    }
}

/// There is no flow control for heads: without a limit they would pile up for a client that does not read.
#[tokio::test]
async fn they_do_not_go_on_for_ever() {
    let [(proxy, origin, context), _] = faces(&["h2"]).await;
    let context = context.unwrap();
    let endless =
        || Response::builder().status(103).header("a", "x".repeat(8000)).body(()).unwrap();
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    let mut upstream = accept(&origin).await;
    let (_, mut respond) = next(&mut upstream).await;
    for _ in 0..9 {
        respond.send_informational(endless()).unwrap();
    }
    let mut told = 0;
    let head = loop {
        let head = tokio::select! {
            head = client.head() => head,
            other = upstream.accept() => panic!("the connection ended: {other:?}"),
        };
        match status(&head) {
            103 => told += 1,
            _ => break head,
        }
    };
    assert_eq!((told, status(&head)), (8, 502));
    assert_eq!(field(&head, "proxy-status"), Some("tabport; error=http_protocol_error"));
    let reset = std::future::poll_fn(|cx| respond.poll_reset(cx));
    tokio::select! {
        reset = timeout(DEADLINE, reset) => drop(reset.expect("it is reset").unwrap()),
        other = upstream.accept() => panic!("the connection ended: {other:?}"),
    }

    let origin = Origin::start().await;
    let mut sender = speak(proxy.connect().await.0).await;
    let (mut waiting, _body) = expect(&mut sender, Some(&context), &format!("{}/", origin.url()));
    let mut upstream = origin.accept().await;
    upstream.head().await;
    for _ in 0..9 {
        upstream.send(format!("HTTP/1.1 103 x\r\na: {}\r\n\r\n", "x".repeat(8000))).await;
    }
    for _ in 0..8 {
        assert_eq!(informed(&mut waiting).await.0, 103);
    }
    assert_eq!(answered(waiting).await.status(), 502);
}

/// HTTP/2 has no 101 (RFC 9113, section 8.6), and HTTP/1.1 would take it for a change of protocol.
#[tokio::test]
async fn a_101_is_none() {
    for (proxy, origin, context) in faces(&["h2"]).await {
        let mut client = proxy.connect().await;
        client.send(expecting(context.as_ref())).await;
        let mut upstream = accept(&origin).await;
        let (_, mut respond) = next(&mut upstream).await;
        respond.send_informational(hints(101)).unwrap();
        let (head, _) = response(&mut client, &mut upstream).await;
        assert_eq!(status(&head), 502, "{head}");
    }
}

#[tokio::test]
async fn a_final_answer_may_come_instead_of_100() {
    let [(proxy, origin, context), _] = faces(&["h2"]).await;
    let mut client = proxy.connect().await;
    client.send(expecting(context.as_ref())).await;
    let mut upstream = accept(&origin).await;
    let (_request, mut respond) = next(&mut upstream).await;
    let refusal = Response::builder().status(417).body(()).unwrap();
    respond.send_response(refusal, true).unwrap();
    let (head, _) = response(&mut client, &mut upstream).await;
    assert_eq!((status(&head), field(&head, "connection")), (417, Some("close")));
}
