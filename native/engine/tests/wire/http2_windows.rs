//! The window that all streams of a connection share: none of them takes of it for longer than it has to.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Response};
use tabport_engine::Timeouts;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::harness::{DEADLINE, Origin};
use crate::http2_upstream::{URL, accept, set_up_with};
use crate::stream::{answered, begin, send_all, speak, whole};
use crate::tls::TlsOrigin;

/// The window of a stream; that of a connection is of sixteen.
const STREAM: usize = 1 << 20;

fn zeros(length: usize) -> Bytes {
    Bytes::from(vec![0; length])
}

type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// The streams of a connection that is still to be dialled.
fn streams(origin: TlsOrigin) -> UnboundedReceiver<Asked> {
    let (sender, streams) = unbounded_channel();
    tokio::spawn(async move {
        let mut upstream = accept(&origin).await;
        while let Some(Ok(asked)) = upstream.accept().await {
            sender.send(asked).unwrap();
        }
    });
    streams
}

async fn next(streams: &mut UnboundedReceiver<Asked>) -> Asked {
    timeout(DEADLINE, streams.recv()).await.expect("nobody asks").unwrap()
}

/// Sends until there has been no window for a while; how much that was.
async fn fill(stream: &mut SendStream<Bytes>) -> usize {
    const WHILE: Duration = Duration::from_millis(100);
    let mut sent = 0;
    loop {
        stream.reserve_capacity(STREAM);
        let Ok(room) = timeout(WHILE, poll_fn(|cx| stream.poll_capacity(cx))).await else {
            return sent;
        };
        let room = room.unwrap().unwrap();
        stream.send_data(zeros(room), false).unwrap();
        sent += room;
    }
}

#[tokio::test]
async fn uploads_that_are_given_up_leave_it_to_others() {
    let (proxy, context, origin) = set_up_with(Timeouts::default()).await;
    let (mut streams, mut kept) = (streams(origin), Vec::new());
    let mut sender = speak(proxy.connect().await.0).await;
    for _ in 0..20 {
        let (response, mut body) = begin(&mut sender, Some(&context), Method::POST, URL);
        kept.push(next(&mut streams).await);
        assert!(fill(&mut body).await >= STREAM);
        body.send_reset(Reason::CANCEL);
        drop(response);
    }
    let origin = Origin::start().await;
    let tunnel = origin.address().to_string();
    let (_response, mut up) = begin(&mut sender, Some(&context), Method::CONNECT, &tunnel);
    let mut peer = origin.accept().await;
    let ((), received) = tokio::join!(send_all(&mut up, zeros(2 * STREAM)), peer.rest());
    assert_eq!(received.len(), 2 * STREAM);
}

#[tokio::test]
async fn responses_that_are_given_up_leave_it_to_others() {
    let (proxy, context, origin) = set_up_with(Timeouts::default()).await;
    let mut streams = streams(origin);
    let mut sender = speak(proxy.connect().await.0).await;
    for _ in 0..20 {
        let (response, mut own) = begin(&mut sender, Some(&context), Method::GET, URL);
        own.send_data(Bytes::new(), true).unwrap();
        let (_, mut respond) = next(&mut streams).await;
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        let response = answered(response).await;
        assert!(fill(&mut body).await >= STREAM);
        drop((response, own));
    }
    let (response, mut own) = begin(&mut sender, Some(&context), Method::GET, URL);
    own.send_data(Bytes::new(), true).unwrap();
    let (_, mut respond) = next(&mut streams).await;
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    let response = answered(response).await;
    let ((), (received, _)) = tokio::join!(send_all(&mut body, zeros(2 * STREAM)), whole(response));
    assert_eq!(received.len(), 2 * STREAM);
}

/// Where many wait for their answers, a frame of each would be most of it.
#[tokio::test]
async fn uploads_that_have_been_taken_leave_it_to_others() {
    const FRAME: usize = 16 * 1024;
    let (proxy, context, origin) = set_up_with(Timeouts::default()).await;
    let (mut streams, mut waiting) = (streams(origin), Vec::new());
    let mut sender = speak(proxy.connect().await.0).await;
    for _ in 0..600 {
        let (response, mut body) = begin(&mut sender, Some(&context), Method::POST, URL);
        body.send_data(zeros(FRAME), true).unwrap();
        let (request, respond) = next(&mut streams).await;
        let mut taking = request.into_body();
        let mut taken = 0;
        while taken < FRAME {
            let data = timeout(DEADLINE, taking.data()).await.unwrap().unwrap().unwrap();
            taking.flow_control().release_capacity(data.len()).unwrap();
            taken += data.len();
        }
        waiting.push((response, body, respond));
    }
    let mut left = 0;
    for _ in 0..16 {
        let (response, mut body) = begin(&mut sender, Some(&context), Method::POST, URL);
        left += fill(&mut body).await;
        waiting.push((response, body, next(&mut streams).await.1));
    }
    assert!(left > 8 * STREAM, "a window of {left} is left");
}
