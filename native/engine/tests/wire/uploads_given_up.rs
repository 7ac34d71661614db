//! Clients that leave while their upstream does not take their upload: nothing is read of them then, and no timeout is
//! set.

use h2::Reason;
use http::{Method, Response};
use tabport_engine::{ServerOptions, Timeouts};

use crate::harness::{Context, Origin, Peer, Proxy};
use crate::http2_upstream::{URL, Upstream, accept, next, set_up_with};
use crate::stream::{answered, begin, speak};

/// A client that has sent what is taken of a body without end.
async fn stuck(proxy: &Proxy, context: &Context, url: &str) -> Peer {
    let mut client = proxy.connect().await;
    client.send(context.ask(&format!("POST {url}"), "Content-Length: 1073741824\r\n")).await;
    client.fill().await;
    client
}

async fn is_forgotten(proxy: &Proxy) {
    proxy.until("its request is forgotten", |stats| stats.requests == 0).await;
}

fn run(mut upstream: Upstream) {
    tokio::spawn(async move { while let Some(Ok(_)) = upstream.accept().await {} });
}

#[tokio::test]
async fn to_http_1_1_before_the_answer_and_once_it_has_begun() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"] {
        let mut client = stuck(&proxy, &context, &origin.url()).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(answer).await;
        if !answer.is_empty() {
            client.head().await;
        }
        assert_eq!(proxy.server.stats().requests, 1);
        client.reset();
        is_forgotten(&proxy).await;
    }
}

#[tokio::test]
async fn inside_tls() {
    let options = ServerOptions { secure: true, ..ServerOptions::default() };
    let (proxy, origin) = (Proxy::with(options), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect_securely(&[]).await;
    let post = format!("POST {}", origin.url());
    client.send(context.ask(&post, "Content-Length: 1073741824\r\n")).await;
    client.fill().await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    client.0.get_ref().0.set_zero_linger().unwrap();
    drop(client);
    is_forgotten(&proxy).await;
}

#[tokio::test]
async fn to_http_2_before_the_answer_and_once_it_has_begun() {
    for answers in [false, true] {
        let (proxy, context, origin) = set_up_with(Timeouts::default()).await;
        let asking = stuck(&proxy, &context, URL);
        let taking = async {
            let mut upstream = accept(&origin).await;
            let taken = next(&mut upstream).await;
            run(upstream);
            taken
        };
        let (mut client, (_body, mut respond)) = tokio::join!(asking, taking);
        let _sending = answers.then(|| respond.send_response(Response::new(()), false).unwrap());
        if answers {
            client.head().await;
        }
        assert_eq!(proxy.server.stats().requests, 1);
        client.reset();
        is_forgotten(&proxy).await;
    }
}

#[tokio::test]
async fn by_a_reset_of_their_stream_after_the_end_of_the_answer() {
    let (proxy, context, origin) = set_up_with(Timeouts::default()).await;
    let mut sender = speak(proxy.connect().await.0).await;
    let (response, mut sending) = begin(&mut sender, Some(&context), Method::POST, URL);
    sending.send_data(vec![b'x'; 1 << 20].into(), false).unwrap();
    let mut upstream = accept(&origin).await;
    let (_body, mut respond) = next(&mut upstream).await;
    run(upstream);
    respond.send_response(Response::new(()), true).unwrap();
    assert!(answered(response).await.body().is_end_stream());
    assert_eq!(proxy.server.stats().requests, 1);
    sending.send_reset(Reason::CANCEL);
    is_forgotten(&proxy).await;
}
