//! Connections to HTTP/2 upstreams that end, and what becomes of the requests on them.

use bytes::Bytes;
use http::Response;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

use crate::harness::{DEADLINE, Peer, status};
use crate::http2_upstream::{URL, WHILE, accept, answer, next, response, set_up};

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

/// A limit of h2's that cannot be set: so many DATA frames of a connection may be empty, and end nothing.
#[tokio::test]
async fn a_connection_ends_by_its_hundred_and_first_empty_frame() {
    let (proxy, context, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send(context.get(URL)).await;
    let mut upstream = accept(&origin).await;
    for (frames, answers) in [(60, true), (40, true), (1, false)] {
        let (_, mut respond) = next(&mut upstream).await;
        let length = Response::builder().header("content-length", 2).body(()).unwrap();
        let mut stream = respond.send_response(length, false).unwrap();
        for _ in 0..frames {
            stream.send_data(Bytes::new(), false).unwrap();
        }
        stream.send_data("ok".into(), true).unwrap();
        if answers {
            assert_eq!(response(&mut client, &mut upstream).await.1, "ok");
            client.send(context.get(URL)).await;
        }
    }
    let ended = loop {
        match timeout(DEADLINE, upstream.accept()).await.expect("it ends") {
            Some(Ok(_)) => {}
            ended => break ended,
        }
    };
    let reason = ended.unwrap().unwrap_err().reason();
    assert_eq!(reason, Some(h2::Reason::ENHANCE_YOUR_CALM));
}
