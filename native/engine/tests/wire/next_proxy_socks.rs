//! Through the next proxy, by SOCKS 5: RFC 1928 and RFC 1929, byte for byte.

use tokio::io::AsyncWriteExt as _;

use crate::harness::{Origin, Peer, Proxy};
use crate::next_proxy::{every_way, is_told, options, say};

const HELLO: &[u8] = b"\x05\x01\x00";
const HELLO_WITH_CREDENTIALS: &[u8] = b"\x05\x02\x00\x02";
const CREDENTIALS: &[u8] = b"\x01\x04user\x04p@ss";
const ASK: &[u8] = b"\x05\x01\x00\x03\x09site.test\x00\x50";
const OPEN: &[u8] = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";

/// What the next proxy is sent, and what it answers to that.
type Script<'a> = &'a [(&'a [u8], &'a [u8])];

async fn chain(credentials: &str) -> (Proxy, Origin) {
    let next = Origin::start().await;
    let proxy = Proxy::with(options(&format!("socks5://{credentials}{}", next.address())));
    (proxy, next)
}

async fn play(next: &Origin, script: Script<'_>) -> Peer {
    let mut peer = next.accept().await;
    for (expected, answer) in script {
        peer.expect(expected).await;
        // As short as reads can be.
        for byte in *answer {
            say(&mut peer, &[*byte]).await;
            tokio::task::yield_now().await;
        }
    }
    peer
}

#[tokio::test]
async fn a_tunnel_is_asked_for_by_name() {
    let (proxy, next) = chain("").await;
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get("http://site.test/a")).await;
    let mut upstream = play(&next, &[(HELLO, b"\x05\x00"), (ASK, OPEN)]).await;
    upstream.expect("GET /a HTTP/1.1\r\n").await;
    upstream.head().await;
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn credentials_are_given_where_they_are_wanted() {
    let (proxy, next) = chain("user:p%40ss@").await;
    let context = proxy.context();
    let wanted: Script<'_> =
        &[(HELLO_WITH_CREDENTIALS, b"\x05\x02"), (CREDENTIALS, b"\x01\x00"), (ASK, OPEN)];
    let not_wanted: Script<'_> = &[(HELLO_WITH_CREDENTIALS, b"\x05\x00"), (ASK, OPEN)];
    for script in [wanted, not_wanted] {
        let mut client = proxy.connect().await;
        client.send(context.connect("site.test:80")).await;
        let mut upstream = play(&next, script).await;
        client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
        client.send("ping").await;
        upstream.expect("ping").await;
    }
}

#[tokio::test]
async fn what_comes_right_behind_the_reply_is_not_lost() {
    let (proxy, next) = chain("").await;
    let context = proxy.context();
    let bound: [&[u8]; 3] = [
        b"\x01\x7f\x00\x00\x01\x1f\x90",
        b"\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1f\x90",
        b"\x03\x04a.eu\x1f\x90",
    ];
    for bound in bound {
        let mut client = proxy.connect().await;
        client.send(context.connect("site.test:80")).await;
        let mut upstream = play(&next, &[(HELLO, b"\x05\x00"), (ASK, b"")]).await;
        upstream.send([b"\x05\x00\x00", bound, b"220 early\r\n"].concat()).await;
        client.expect("HTTP/1.1 200 OK\r\n\r\n220 early\r\n").await;
    }
}

#[tokio::test]
async fn addresses_are_sent_as_addresses() {
    let (proxy, next) = chain("").await;
    let context = proxy.context();
    let cases: [(&str, &[u8]); 4] = [
        ("10.0.0.1:80", b"\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50"),
        ("0x0a.1:80", b"\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50"),
        ("[::ffff:10.0.0.1]:80", b"\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50"),
        (
            "[2001:db8::1]:443",
            b"\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\xbb",
        ),
    ];
    for (authority, ask) in cases {
        let mut client = proxy.connect().await;
        client.send(context.connect(authority)).await;
        play(&next, &[(HELLO, b"\x05\x00"), (ask, OPEN)]).await;
        client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
    }
}

#[tokio::test]
async fn a_refusal_is_a_502_that_says_why() {
    let (proxy, next) = chain("").await;
    let context = proxy.context();
    let replies = [
        (1, "destination_unavailable", "general failure"),
        (2, "destination_unavailable", "not allowed by its rules"),
        (3, "destination_ip_unroutable", "network unreachable"),
        (4, "destination_ip_unroutable", "host unreachable"),
        (5, "connection_refused", "connection refused"),
        (6, "destination_ip_unroutable", "time to live expired"),
        (7, "destination_unavailable", "command not supported"),
        (8, "destination_unavailable", "kind of address not supported"),
        (9, "destination_unavailable", "an unknown reply"),
    ];
    let mut client = proxy.connect().await;
    for (code, token, text) in replies {
        for request in every_way(&context, "site.test:80") {
            client.send(request).await;
            // Some close without the rest of the reply.
            let reply = [5, code, 0, 1];
            let mut upstream = play(&next, &[(HELLO, b"\x05\x00"), (ASK, &reply)]).await;
            let text = format!("the next proxy refused the tunnel: {text}\n");
            is_told(&mut client, (502, token, &text)).await;
            assert_eq!(upstream.ends_soon().await, b"");
        }
    }
}

#[tokio::test]
async fn credentials_that_are_missing_or_refused_are_told_apart() {
    let configuration = "proxy_configuration_error";
    let refused = "the next proxy refused the credentials";
    let missing = "the next proxy asked for credentials";
    let cases: [(&str, Script<'_>, &str); 3] = [
        ("", &[(HELLO, b"\x05\xff")], missing),
        ("user:p%40ss@", &[(HELLO_WITH_CREDENTIALS, b"\x05\xff")], refused),
        (
            "user:p%40ss@",
            &[(HELLO_WITH_CREDENTIALS, b"\x05\x02"), (CREDENTIALS, b"\x01\x01")],
            refused,
        ),
    ];
    for (credentials, script, text) in cases {
        let (proxy, next) = chain(credentials).await;
        let mut client = proxy.connect().await;
        client.send(proxy.context().get("http://site.test/")).await;
        play(&next, script).await;
        is_told(&mut client, (502, configuration, text)).await;
    }
}

#[tokio::test]
async fn nonsense_and_silence_are_told_as_such() {
    let invalid = ("http_protocol_error", "the next proxy's answer is not valid");
    let closed = ("connection_terminated", "the next proxy closed the connection");
    let start: (&[u8], &[u8]) = (HELLO, b"\x05\x00");
    let cases: [(Script<'_>, (&str, &str)); 10] = [
        (&[(HELLO, b"\x04\x00")], invalid),
        (&[(HELLO, b"HTTP/1.1 400 Bad Request\r\n\r\n")], invalid),
        // A method that was not offered.
        (&[(HELLO, b"\x05\x02")], invalid),
        (&[(HELLO, b"\x05\x01")], invalid),
        (&[start, (ASK, b"\x04\x00\x00\x01")], invalid),
        (&[start, (ASK, b"\x05\x00\x00\x02\x00\x00")], invalid),
        (&[(HELLO, b"\x05")], closed),
        (&[start, (ASK, b"")], closed),
        (&[start, (ASK, b"\x05\x00\x00\x01\x00\x00\x00\x00\x00")], closed),
        (&[start, (ASK, b"\x05\x00\x00\x03\xff\x00")], closed),
    ];
    for (script, (token, text)) in cases {
        let (proxy, next) = chain("").await;
        let mut client = proxy.connect().await;
        client.send(proxy.context().connect("site.test:80")).await;
        let mut upstream = play(&next, script).await;
        let _ = upstream.0.shutdown().await;
        is_told(&mut client, (502, token, text)).await;
    }
}
