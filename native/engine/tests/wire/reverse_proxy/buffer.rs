//! Requests that are read whole before the upstream is asked.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tabport_engine::{BufferLimits, ReverseProxyOptions};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{options, passed, start, start_impatient};
use crate::harness::{DEADLINE, Origin, Peer, Proxy, field, status};
use crate::stream::{answered, send_all, speak};

/// Room for one and a half.
fn limited(body: u64) -> BufferLimits {
    BufferLimits { body, all: body + body / 2 }
}

async fn set_up(limit: u64) -> (Proxy, Origin) {
    let origin = Origin::start().await;
    let buffer_requests = Some(limited(limit));
    (start(ReverseProxyOptions { buffer_requests, ..options(&origin.url()) }), origin)
}

#[tokio::test]
async fn row_8_the_upstream_is_asked_when_all_is_there() {
    let (proxy, origin) = set_up(100).await;
    for (framing, body, told) in [
        ("Content-Length: 8", ["half", "half"], "Content-Length: 8"),
        (
            "Transfer-Encoding: chunked",
            ["4\r\nhalf\r\n", "4\r\nhalf\r\n0\r\nX: 1\r\n\r\n"],
            "Content-Length: 8",
        ),
        ("Transfer-Encoding: chunked", ["", "0\r\n\r\n"], "Content-Length: 0"),
    ] {
        let mut client = proxy.connect().await;
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{}", body[0])).await;
        origin.was_never_dialled().await;
        // What follows on the same connection is the next request.
        client.send(format!("{}GET /next HTTP/1.1\r\nHost: a\r\n\r\n", body[1])).await;
        let mut upstream = origin.accept().await;
        assert_eq!(passed(&mut upstream).await.others[1..], [told]);
        if told != "Content-Length: 0" {
            upstream.expect("halfhalf").await;
        }
        upstream.answer("one").await;
        assert_eq!(client.response().await.1, "one");
        assert_eq!(passed(&mut upstream).await.first, "GET /next HTTP/1.1");
        upstream.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\ntwo").await;
        assert_eq!(client.response().await.1, "two");
    }
}

#[tokio::test]
async fn row_8_what_is_too_long_is_413_before_it_is_read() {
    let (proxy, origin) = set_up(8).await;
    for request in [
        "Content-Length: 9\r\n\r\n",
        "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n4\r\nfghi\r\n",
    ] {
        let mut client = proxy.connect().await;
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{request}")).await;
        assert_eq!(status(&client.response().await.0), 413, "{request}");
    }
    let mut sender = speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await;
    for length in [Some(9), None] {
        let mut request = Request::post("http://a/");
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        let (response, mut body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
        if length.is_none() {
            body.send_data(Bytes::from_static(b"123456789"), false).unwrap();
        }
        assert_eq!(answered(response).await.status(), 413, "{length:?}");
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn row_8_a_client_that_asks_first_is_told_to_go_on() {
    let (proxy, origin) = set_up(8).await;
    let mut client = proxy.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .await;
    client.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send("body").await;
    let mut upstream = origin.accept().await;
    assert_eq!(passed(&mut upstream).await.others[1..], ["Content-Length: 4"]);
    upstream.expect("body").await;
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

/// No machine has that much memory: what is promised costs nothing.
#[tokio::test]
async fn row_8_room_is_made_for_what_comes_and_not_for_what_is_announced() {
    const ANNOUNCED: u64 = 1 << 56;
    let (proxy, _origin) = set_up(ANNOUNCED).await;
    let mut client = proxy.connect().await;
    client
        .send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {ANNOUNCED}\r\n\r\nx"))
        .await;
    let mut sender = speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await;
    let request = Request::post("http://a/").header("content-length", ANNOUNCED);
    let (_response, mut body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data(Bytes::from_static(b"x"), false).unwrap();
    proxy.until("both are being read", |stats| stats.requests == 2).await;
    let mut other = proxy.connect().await;
    other.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&other.response().await.0), 200);
}

#[tokio::test]
async fn row_8_http_2_requests_get_a_length() {
    let (proxy, origin) = set_up(1 << 20).await;
    let mut sender = speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await;
    let request = Request::post("http://a/").body(()).unwrap();
    let (response, mut body) = sender.send_request(request, false).unwrap();
    let content = crate::harness::pattern(200_000, 7);
    body.send_data(Bytes::from_static(b"x"), false).unwrap();
    origin.was_never_dialled().await;
    send_all(&mut body, content.clone().into()).await;
    let mut upstream = origin.accept().await;
    assert_eq!(passed(&mut upstream).await.others[0], "Content-Length: 200001");
    assert_eq!(upstream.take(200_001).await[1..], content);
    upstream.answer("ok").await;
    assert_eq!(answered(response).await.status(), 200);
}

#[tokio::test]
async fn row_8_one_that_does_not_come_is_408() {
    let origin = Origin::start().await;
    let buffer_requests = Some(limited(8));
    let options = ReverseProxyOptions { buffer_requests, ..options(&origin.url()) };
    let proxy = start_impatient(options, Duration::from_millis(200));
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nb").await;
    assert_eq!(status(&client.response().await.0), 408);
    origin.was_never_dialled().await;
}

/// More than the system keeps between the two: the rest is sent as the upstream takes it.
#[tokio::test]
async fn row_7_and_8_an_upstream_may_take_its_time_with_what_was_kept() {
    const PIECES: usize = 3;
    const PIECE: usize = 8 << 20;
    const LIMIT: Duration = Duration::from_secs(3);
    let socket = TcpSocket::new_v4().unwrap();
    // Left alone, some systems would keep all of it.
    socket.set_recv_buffer_size(256 * 1024).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let origin = Origin::of(socket.listen(16).unwrap());
    let buffer_requests = Some(limited(1 << 30));
    let options = ReverseProxyOptions { buffer_requests, ..options(&origin.url()) };
    let proxy = start_impatient(options, LIMIT);
    let mut client = proxy.connect().await;
    let length = PIECES * PIECE;
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")).await;
    client.send(vec![b'x'; length]).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    for _ in 0..PIECES {
        upstream.take(PIECE).await;
        tokio::time::sleep(LIMIT / 2).await;
    }
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

/// Asks with a body whose length is announced; the origin answers if it is asked. The status, and when to come back.
async fn post(client: &mut Peer, origin: &Origin, length: usize) -> (u16, Option<String>) {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    client.send(head + &"x".repeat(length)).await;
    let answer = async {
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.take(length).await;
        upstream.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    };
    let head = tokio::select! {
        head = client.head() => head,
        () = answer => client.head().await,
    };
    (status(&head), field(&head, "retry-after").map(str::to_owned))
}

/// Where there is room for twelve bytes, a client of whose eight six have come. One that has come too late for that is
/// refused itself.
async fn holds_six_of_twelve(proxy: &Proxy, origin: &Origin) -> Peer {
    loop {
        let mut slow = proxy.connect().await;
        slow.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nsixsix").await;
        proxy.until("it is being read", |stats| stats.requests > 0).await;
        let (status, again) = post(&mut proxy.connect().await, origin, 8).await;
        if (status, again.as_deref()) == (503, Some("1")) {
            return slow;
        }
    }
}

#[tokio::test]
async fn row_8_what_is_held_at_once_has_a_limit_and_is_given_back() {
    let (proxy, origin) = set_up(8).await;
    for gone in [false, true] {
        let holding = holds_six_of_twelve(&proxy, &origin);
        let mut slow = timeout(DEADLINE, holding).await.expect("what has come counts");
        let mut chunked = proxy.connect().await;
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        chunked.send(format!("{head}5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n")).await;
        assert_eq!(status(&chunked.response().await.0), 503);
        let mut sender = speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await;
        let request = Request::post("http://a/").header("content-length", 8).body(()).unwrap();
        let (response, mut body) = sender.send_request(request, false).unwrap();
        body.send_data(Bytes::from_static(b"12345678"), true).unwrap();
        assert_eq!(answered(response).await.status(), 503);
        assert_eq!(post(&mut proxy.connect().await, &origin, 6).await.0, 200);
        if gone {
            slow.reset();
        } else {
            slow.send("ok").await;
            origin.answer("ok").await;
            assert_eq!(status(&slow.response().await.0), 200);
        }
        // One that is kept alive holds nothing.
        let mut waiting = proxy.connect().await;
        let given_back = async {
            while post(&mut waiting, &origin, 8).await.0 != 200 {
                waiting = proxy.connect().await;
            }
        };
        timeout(DEADLINE, given_back).await.expect("it is given back");
        assert_eq!(post(&mut proxy.connect().await, &origin, 8).await.0, 200);
        assert_eq!(post(&mut waiting, &origin, 8).await.0, 200);
    }
}
