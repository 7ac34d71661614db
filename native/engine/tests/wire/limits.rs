//! How many requests a context may have in flight, and how fast it may ask.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{Method, Request};
use tabport_engine::{ContextLimits, Event, Limits, Rate, ServerOptions};
use tokio::time::timeout;

use crate::breaker::Refusing;
use crate::harness::{Context, DEADLINE, Origin, Peer, Proxy, field, status};
use crate::stream::{answered, begin, get, speak};

/// A proxy whose contexts are limited.
pub(crate) fn limited(context: ContextLimits) -> Proxy {
    let limits = Limits { context, ..Limits::default() };
    Proxy::with(ServerOptions { limits, ..ServerOptions::default() })
}

fn one_request() -> ContextLimits {
    ContextLimits { concurrent_requests: NonZeroU32::new(1), ..ContextLimits::default() }
}

/// Checks a refusal, and that its connection is kept; after how many seconds to come back.
pub(crate) async fn is_refused(client: &mut Peer, expected: u16, token: &str) -> u64 {
    let (head, body) = client.response().await;
    assert_eq!(status(&head), expected, "{head}");
    assert_eq!(field(&head, "proxy-status"), Some(format!("tabport; error={token}").as_str()));
    assert_eq!(field(&head, "connection"), None, "{head}");
    assert!(body.ends_with('\n'), "{body:?}");
    field(&head, "retry-after").expect("when to come back").parse().unwrap()
}

pub(crate) async fn is_over(client: &mut Peer) {
    assert_eq!(is_refused(client, 503, "http_request_denied").await, 1);
}

/// A request that has reached the origin, and waits for its answer.
async fn waiting(proxy: &Proxy, context: &Context, origin: &Origin) -> (Peer, Peer) {
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    (client, upstream)
}

async fn is_served(client: &mut Peer, context: &Context, origin: &Origin) {
    client.send(context.get(&origin.url())).await;
    origin.answer("served").await;
    assert_eq!(client.response().await.1, "served");
}

#[tokio::test]
async fn requests_beyond_the_limit_are_503_and_its_connection_is_kept() {
    let limits =
        ContextLimits { concurrent_requests: NonZeroU32::new(2), ..ContextLimits::default() };
    let (proxy, origin) = (limited(limits), Origin::start().await);
    let (context, other) = (proxy.context(), proxy.context());
    let (mut first, mut answering) = waiting(&proxy, &context, &origin).await;
    let _second = waiting(&proxy, &context, &origin).await;
    let mut third = proxy.connect().await;
    for _ in 0..3 {
        third.send(context.get(&origin.url())).await;
        is_over(&mut third).await;
    }
    origin.was_never_dialled().await;
    is_served(&mut third, &other, &origin).await;

    answering.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha").await;
    first.head().await;
    first.expect("ha").await;
    third.send(context.get(&origin.url())).await;
    is_over(&mut third).await;
    answering.send("lf").await;
    first.expect("lf").await;
    proxy.until("the first has ended", |stats| stats.requests == 1).await;
    drop(answering);
    is_served(&mut third, &context, &origin).await;
}

#[tokio::test]
async fn a_refused_request_is_reported_like_any_other_error() {
    let (proxy, origin) = (limited(one_request()), Origin::start().await);
    let context = proxy.context();
    let _waiting = waiting(&proxy, &context, &origin).await;
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    is_over(&mut client).await;
    proxy.until("the refused has ended", |stats| stats.requests == 1).await;
    let error = Event::Error {
        request_id: None,
        context_id: Some(context.id.clone()),
        code: "http_request_denied",
        authority: Some(origin.address().to_string()),
        message: "the context has as many requests in flight as it may have".to_owned(),
    };
    let events = proxy.events();
    assert_eq!(events.iter().filter(|event| **event == error).count(), 1, "{events:?}");
    let refused = |event: &Event| matches!(event, Event::Request { status: 503, .. });
    assert!(events.iter().any(refused), "{events:?}");
}

#[tokio::test]
async fn a_place_is_free_again_whatever_ends_the_request() {
    let (proxy, origin) = (limited(one_request()), Origin::start().await);
    let context = proxy.context();
    for end in ["the client, unanswered", "the client, half answered", "the upstream"] {
        let (client, mut upstream) = waiting(&proxy, &context, &origin).await;
        match end {
            "the client, unanswered" => drop(client),
            "the client, half answered" => {
                upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
                client.reset();
            }
            _ => {
                drop(upstream);
                let mut client = client;
                assert_eq!(status(&client.response().await.0), 502);
            }
        }
        proxy.until(end, |stats| stats.requests == 0).await;
        is_served(&mut proxy.connect().await, &context, &origin).await;
        proxy.until("nothing is left", |stats| stats.requests == 0).await;
    }
}

#[tokio::test]
async fn http2_streams_are_requests() {
    let (proxy, origin) = (limited(one_request()), Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let (_response, mut held) = begin(&mut sender, Some(&context), Method::GET, &origin.url());
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let refused = get(&mut sender, &context, &origin.url()).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    held.send_reset(Reason::CANCEL);
    upstream.ends_soon().await;
    proxy.until("the stream has ended", |stats| stats.requests == 0).await;
    let (response, mut body) = begin(&mut sender, Some(&context), Method::GET, &origin.url());
    body.send_data(Bytes::new(), true).unwrap();
    origin.answer("served").await;
    assert_eq!(answered(response).await.status(), 200);
}

#[tokio::test]
async fn requests_inside_an_intercepted_tunnel_are_requests_of_the_context() {
    let (proxy, origin) = (limited(one_request()), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut inside = proxy.tunnel(&context, "localhost:3000").await;
    proxy.until("the CONNECT has ended", |stats| stats.requests == 0).await;
    let (outside, upstream) = waiting(&proxy, &context, &origin).await;
    inside.send("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").await;
    is_over(&mut inside).await;
    drop((outside, upstream));
    proxy.until("the other has ended", |stats| stats.requests == 0).await;
    inside.send("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").await;
    origin.answer("served").await;
    assert_eq!(inside.response().await.1, "served");
}

#[tokio::test]
async fn neither_a_stranger_nor_what_needs_no_upstream_is_limited() {
    let (proxy, origin) = (limited(one_request()), Origin::start().await);
    let context = proxy.context();
    let _waiting = waiting(&proxy, &context, &origin).await;
    let mut client = proxy.connect().await;
    client.send(format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", origin.url())).await;
    assert_eq!(status(&client.response().await.0), 407);
    client.send(context.get("http://tabport.invalid/")).await;
    assert_eq!(status(&client.head().await), 204);
}

#[tokio::test]
async fn a_context_may_have_limits_of_its_own() {
    let (proxy, origin) = (limited(one_request()), Origin::start().await);
    let limits = ContextLimits::default();
    let info = proxy.server.create_context_with_limits(1, None, &limits).unwrap();
    let context = Context::of(info);
    let _waiting =
        [waiting(&proxy, &context, &origin).await, waiting(&proxy, &context, &origin).await];
    assert_eq!(*proxy.server.context_limits(), one_request());
}

#[tokio::test]
async fn requests_that_come_too_fast_are_429_until_the_time_named_is_over() {
    const BURST: u32 = 20;
    let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(BURST).unwrap() };
    let limits = ContextLimits { rate: Some(rate), ..ContextLimits::default() };
    let (proxy, down) = (limited(limits), Refusing::new());
    let context = proxy.context();
    let mut client = proxy.connect().await;
    for number in 0..BURST {
        client.send(context.get(&down.url())).await;
        assert_eq!(status(&client.response().await.0), 502, "{number}");
    }
    // However slow the machine is, these come faster than one a second.
    let refused = async {
        loop {
            client.send(context.get(&down.url())).await;
            let (head, _) = client.response().await;
            if status(&head) != 502 {
                return head;
            }
        }
    };
    let refused = timeout(DEADLINE, refused).await.expect("a refusal");
    assert_eq!(status(&refused), 429, "{refused}");
    let denied = Some("tabport; error=http_request_denied");
    assert_eq!(field(&refused, "proxy-status"), denied, "{refused}");
    let named = field(&refused, "retry-after").unwrap().parse().unwrap();
    assert_eq!(named, 1, "what is less than a second is rounded up");

    tokio::time::sleep(Duration::from_secs(named)).await;
    let origin = down.listen();
    client.send(context.get(&origin.url())).await;
    origin.answer("the connection is kept, and nothing was used up").await;
    assert_eq!(client.response().await.1, "the connection is kept, and nothing was used up");
}

#[tokio::test]
async fn an_http2_head_beyond_the_limit_is_431() {
    let limits = Limits { head_bytes: 32 * 1024, ..Limits::default() };
    for (limits, size) in [(limits, 32 * 1024), (Limits::default(), 64 * 1024)] {
        let proxy = Proxy::with(ServerOptions { limits, ..ServerOptions::default() });
        let (context, origin) = (proxy.context(), Origin::start().await);
        let mut sender = speak(proxy.connect().await.0).await;
        for (bytes, fits) in [(size - 1024, true), (size, false)] {
            let request = Request::get(format!("{}/", origin.url()))
                .header("proxy-authorization", format!("Basic {}", context.credentials))
                .header("x-large", "x".repeat(bytes));
            let (response, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
            if fits {
                origin.answer("fits").await;
            }
            assert_eq!(answered(response).await.status(), if fits { 200 } else { 431 });
        }
    }
}
