//! The listening socket in TLS: everything a client wants, multiplexed over one connection.

use std::num::NonZeroU32;

use http::Method;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tabport_engine::{Event, Limits, ServerOptions, Timeouts};

use crate::harness::{Origin, Peer, Proxy, status};
use crate::stream::{answered, begin, get, speak, text};
use crate::tls_client::{config, hello, say, shake_hands_in_stream};

fn secure() -> ServerOptions {
    ServerOptions { secure: true, ..ServerOptions::default() }
}

#[tokio::test]
async fn it_offers_both_versions_or_only_the_older() {
    for (http2, offered, agreed) in [
        (true, &["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (true, &["http/1.1"], Some(b"http/1.1")),
        (true, &[], None),
        (false, &["h2", "http/1.1"], Some(b"http/1.1")),
    ] {
        let proxy = Proxy::with(ServerOptions { http2, ..secure() });
        let client = proxy.connect_securely(offered).await;
        assert_eq!(client.agreed(), agreed, "{offered:?}");
    }
}

#[tokio::test]
async fn its_certificate_is_the_one_to_pin() {
    let proxy = Proxy::with(secure());
    let client = proxy.connect_securely(&[]).await;
    let shown = client.0.get_ref().1.peer_certificates().unwrap()[0].clone();
    let told = proxy.server.listener_certificate().unwrap();
    assert_eq!(shown, CertificateDer::from_pem_slice(told.pem.as_bytes()).unwrap());
    assert!(Proxy::start().server.listener_certificate().is_none());
}

#[tokio::test]
async fn requests_and_tunnels_share_a_connection() {
    let (proxy, origin) = (Proxy::with(secure()), Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect_securely(&["h2"]).await.0).await;
    let authority = origin.address().to_string();
    let (response, mut up) = begin(&mut sender, Some(&context), Method::CONNECT, &authority);
    let mut tunnelled = origin.accept().await;
    let mut down = answered(response).await.into_body();
    let url = origin.url();
    let ask = get(&mut sender, &context, &url);
    let serve = async { origin.answer("ok").await };
    let (response, _upstream) = tokio::join!(ask, serve);
    assert_eq!(text(response).await.0, "ok");
    up.send_data("ping".into(), false).unwrap();
    tunnelled.expect("ping").await;
    tunnelled.send("pong").await;
    assert_eq!(down.data().await.unwrap().unwrap(), "pong");
    assert_eq!(proxy.server.stats().total.connections, 1);
}

#[tokio::test]
async fn each_stream_says_who_it_is() {
    let (proxy, origin) = (Proxy::with(secure()), Origin::start().await);
    let (one, other) = (proxy.context(), proxy.context());
    let mut sender = speak(proxy.connect_securely(&["h2"]).await.0).await;
    let authority = origin.address().to_string();
    let mut tunnels = Vec::new();
    for context in [&one, &other] {
        let (response, up) = begin(&mut sender, Some(context), Method::CONNECT, &authority);
        let upstream = origin.accept().await;
        tunnels.push((answered(response).await.into_body(), up, upstream));
    }
    let (refused, _up) = begin(&mut sender, None, Method::CONNECT, &authority);
    assert_eq!(answered(refused).await.status(), 407);
    proxy.server.release_context(&one.id).unwrap();
    let (mut released, mut kept) = (tunnels.remove(0), tunnels.remove(0));
    released.2.ends_soon().await;
    kept.1.send_data("ping".into(), false).unwrap();
    kept.2.expect("ping").await;
    let (refused, _up) = begin(&mut sender, Some(&one), Method::CONNECT, &authority);
    assert_eq!(answered(refused).await.status(), 407);
}

#[tokio::test]
async fn http_1_1_inside_it_is_served_too() {
    let (proxy, origin) = (Proxy::with(secure()), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect_securely(&["http/1.1"]).await;
    client.send(context.get("http://localhost:3000/")).await;
    drop(origin.answer("ok").await);
    assert_eq!(client.response().await.1, "ok");
    client.send(context.connect("localhost:443")).await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    let trusting = config(&proxy.server.certificate_authority().pem, &["http/1.1"]);
    let mut inside = client.shake_hands("localhost", trusting).await.unwrap();
    inside.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(origin.accept().await.head().await.starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn tls_inside_a_stream_is_looked_into() {
    let (proxy, origin) = (Proxy::with(secure()), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut sender = speak(proxy.connect_securely(&["h2"]).await.0).await;
    let (response, mut up) = begin(&mut sender, Some(&context), Method::CONNECT, "localhost:443");
    let mut down = answered(response).await.into_body();
    let trusting = config(&proxy.server.certificate_authority().pem, &["http/1.1"]);
    let mut tls = shake_hands_in_stream(&mut up, &mut down, trusting).await;
    say(&mut tls, &mut up, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(origin.accept().await.head().await.starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn what_speaks_no_tls_gets_nothing() {
    let (proxy, origin) = (Proxy::with(secure()), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let answer = client.rest().await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    origin.was_never_dialled().await;
    let mut still = proxy.connect_securely(&["http/1.1"]).await;
    still.send("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(status(&still.response().await.0), 407);
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_in_time() {
    let tls_handshake = std::time::Duration::from_millis(100);
    let timeouts = Timeouts { tls_handshake, ..Timeouts::default() };
    let proxy = Proxy::with(ServerOptions { timeouts, ..secure() });
    let mut silent: Peer = proxy.connect().await;
    assert_eq!(silent.ends_soon().await, b"");
}

/// However far a handshake has come, and whether there has been one or not.
#[tokio::test]
async fn stopping_ends_those_that_have_not_asked_for_anything() {
    let proxy = Proxy::with(secure());
    let (mut silent, mut hesitant) = (proxy.connect().await, proxy.connect().await);
    let mut unfinished = proxy.connect().await;
    let hello = hello(&proxy, &["h2"]);
    hesitant.send(&hello[..hello.len() / 2]).await;
    unfinished.send(&hello).await;
    unfinished.take(1).await;
    let mut older = proxy.connect_securely(&["http/1.1"]).await;
    let mut newer = proxy.connect_securely(&["h2"]).await;
    proxy.until("all are known", |stats| stats.connections == 5).await;
    proxy.server.stop();
    for client in [&mut silent, &mut hesitant, &mut unfinished] {
        client.ends_soon().await;
    }
    older.ends_soon().await;
    newer.ends_soon().await;
}

/// The same inside a tunnel.
#[tokio::test]
async fn releasing_the_context_ends_a_handshake() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let hello = hello(&proxy, &["h2"]);
    let mut silent = proxy.tunnel(&context, "localhost:3000").await;
    let mut hesitant = proxy.tunnel(&context, "localhost:3000").await;
    let mut unfinished = proxy.tunnel(&context, "localhost:3000").await;
    hesitant.send(&hello[..hello.len() / 2]).await;
    unfinished.send(&hello).await;
    unfinished.take(1).await;
    proxy.server.release_context(&context.id).unwrap();
    for client in [&mut silent, &mut hesitant, &mut unfinished] {
        client.ends_soon().await;
    }
    proxy.until("nothing is left", |stats| stats.connections == 0).await;
    origin.was_never_dialled().await;
}

/// Who expects TLS could not read why.
#[tokio::test]
async fn a_connection_beyond_the_limit_is_closed_without_a_word() {
    let limits = Limits { connections: NonZeroU32::new(1), ..Limits::default() };
    let proxy = Proxy::with(ServerOptions { limits, ..secure() });
    let _served = proxy.connect_securely(&["http/1.1"]).await;
    assert_eq!(proxy.connect().await.ends_soon().await, b"");
    let code = "http_request_denied";
    let told = |event: &Event| matches!(event, Event::Error { code: told, .. } if *told == code);
    assert!(proxy.events().iter().any(told));
}
