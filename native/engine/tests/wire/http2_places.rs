//! How requests wait for a place among the streams of an upstream that allows few.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use tabport_engine::Timeouts;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Peer, Proxy, status};
use crate::http2_upstream::{URL, Upstream, WHILE, answer, next, response, set_up_with};
use crate::tls::TlsOrigin;

/// An upstream with a single place, which is taken.
struct Full {
    proxy: Proxy,
    context: Context,
    upstream: Upstream,
    first: Peer,
    respond: SendResponse<Bytes>,
    _origin: TlsOrigin,
}

async fn full() -> Full {
    full_with(Timeouts::default()).await
}

async fn full_with(timeouts: Timeouts) -> Full {
    let (proxy, context, origin) = set_up_with(timeouts).await;
    let mut first = proxy.connect().await;
    first.send(context.get(URL)).await;
    let mut one_at_a_time = h2::server::Builder::new();
    one_at_a_time.max_concurrent_streams(1);
    let mut upstream: Upstream = one_at_a_time.handshake(origin.accept().await.0).await.unwrap();
    answer(&mut next(&mut upstream).await.1, "so many");
    assert_eq!(response(&mut first, &mut upstream).await.1, "so many");
    first.send(context.get(URL)).await;
    let (_, respond) = next(&mut upstream).await;
    Full { proxy, context, upstream, first, respond, _origin: origin }
}

impl Full {
    async fn ask(&mut self, request: &str) -> Peer {
        let mut client = self.proxy.connect().await;
        client.send(request).await;
        let none = timeout(WHILE, self.upstream.accept()).await;
        assert!(none.is_err(), "another stream: {none:?}");
        client
    }

    fn upload(&self) -> String {
        let head = self.context.ask(&format!("POST {URL}"), "Content-Length: 5\r\n");
        format!("{head}hello")
    }
}

/// Answers whatever comes, once it is there to its end.
fn serve(mut upstream: Upstream) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(Ok((request, mut respond))) = upstream.accept().await {
            tokio::spawn(async move {
                let mut body = request.into_body();
                while let Some(Ok(_)) = body.data().await {}
                answer(&mut respond, "done");
            });
        }
    })
}

#[tokio::test]
async fn an_upload_that_waits_for_a_place_is_not_forgotten_for_those_behind_it() {
    let mut full = full().await;
    let upload = full.upload();
    let mut waiting = Vec::new();
    for request in [upload.clone(), full.context.get(URL), upload, full.context.get(URL)] {
        waiting.push(full.ask(&request).await);
    }
    answer(&mut full.respond, "first");
    serve(full.upstream);
    assert_eq!(full.first.response().await.1, "first");
    for client in &mut waiting {
        let (head, body) = client.response().await;
        assert_eq!((status(&head), body.as_str()), (200, "done"), "{head}");
    }
}

#[tokio::test]
async fn whoever_leaves_while_waiting_for_a_place_does_not_keep_it() {
    for upload in [false, true] {
        let mut full = full().await;
        let request = if upload { full.upload() } else { full.context.get(URL) };
        drop(full.ask(&request).await);
        full.proxy.until("it has left", |stats| stats.requests == 1).await;
        answer(&mut full.respond, "first");
        let (_, mut respond) = next(&mut full.upstream).await;
        let reset = std::future::poll_fn(|cx| respond.poll_reset(cx));
        tokio::select! {
            reset = timeout(DEADLINE, reset) => {
                assert_eq!(reset.expect("it is reset").unwrap(), Reason::CANCEL);
            }
            other = full.upstream.accept() => panic!("the connection ended: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_upstream_has_its_whole_time_to_answer_whoever_has_waited_for_a_place() {
    let limit = Duration::from_secs(2);
    let mut full = full_with(Timeouts { response_head: limit, ..Timeouts::default() }).await;
    let request = full.context.get(URL);
    let mut waiting = full.ask(&request).await;
    tokio::time::sleep(limit * 5 / 8).await;
    answer(&mut full.respond, "first");
    let (_, mut respond) = next(&mut full.upstream).await;
    tokio::time::sleep(limit * 5 / 8).await;
    answer(&mut respond, "in time");
    serve(full.upstream);
    let (head, body) = waiting.response().await;
    assert_eq!((status(&head), body.as_str()), (200, "in time"), "{head}");
}
