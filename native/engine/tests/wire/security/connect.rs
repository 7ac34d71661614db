//! Rows 21 and 22: what a CONNECT's authority may be, and the bytes that come with it.

use bytes::Bytes;
use http::Method;

use super::support::{Face, Findings, LOCAL, Recorder, attempt, converse};
use crate::harness::{Origin, Proxy, pattern, status};
use crate::stream::{answered, begin, speak};

const HELLO: &[u8] = b"\x16\x03\x01\x00\x05hello";

/// What no authority looks like.
const HOSTILE: [&str; 61] = [
    "localhost:3000\nX: y",
    "localhost:3000\rX: y",
    "localhost:3000\r\n",
    "localhost\n:3000",
    "localhost:3000\0",
    "\0localhost:3000",
    "local host:3000",
    "localhost :3000",
    "localhost: 3000",
    "localhost:3000 HTTP/1.1\nGET / ",
    "localhost:3000\t",
    " localhost:3000",
    "localhost\u{b}:3000",
    "localhost:3000\u{7f}",
    "l\u{f6}calhost:3000",
    "user@localhost:3000",
    "user:password@localhost:3000",
    "@localhost:3000",
    "evil.test:80@localhost:3000",
    "localhost:3000@evil.test:80",
    "localhost",
    "localhost:",
    "localhost:0",
    "localhost:00",
    "localhost:65536",
    "localhost:4294967376",
    "localhost:-1",
    "localhost:+3000",
    "localhost:0x50",
    "localhost:3000:3000",
    "localhost:three",
    ":3000",
    ":",
    "[::1]",
    "[::1",
    "[::1:3000",
    "::1:3000",
    "[]:3000",
    "[localhost]:3000",
    "[127.0.0.1]:3000",
    "[::1%25lo]:3000",
    "[::1]3000",
    "[::1].x:3000",
    "[[::1]]:3000",
    "http://localhost:3000",
    "http://localhost:3000/",
    "//localhost:3000",
    "localhost:3000/",
    "localhost:3000/x",
    "localhost:3000?x",
    "localhost:3000#x",
    "localhost:3000\\x",
    "localhost,evil.test:3000",
    "localhost%00.evil.test:3000",
    "localhost%0d%0a:3000",
    "a..b:3000",
    ".localhost:3000",
    "/",
    "*",
    "?",
    "",
];

async fn all_are_refused(targets: &[String], expected: u16) {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for target in targets {
        for host in [LOCAL, "a"] {
            let outcome = attempt(&proxy, Face::Absolute, |context| {
                let own = context.field();
                let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {host}\r\n{own}\r\n");
                format!("{head}{}", Face::Absolute.smuggled(context))
            })
            .await;
            let shown = &target[..target.len().min(60)];
            findings.note((shown, host), outcome.refused(expected));
        }
    }
    findings.none();
    assert_eq!(proxy.server.stats().total.tunnels, 0);
}

#[tokio::test]
async fn row_21_connect_injection() {
    all_are_refused(&HOSTILE.map(str::to_owned), 400).await;
}

#[tokio::test]
async fn row_21_an_authority_of_a_mebibyte() {
    let long = "a".repeat(1 << 20);
    all_are_refused(&[format!("{long}:3000"), format!("localhost:{}", "3".repeat(1 << 20))], 431)
        .await;
}

/// A name that is too long for any name is refused without being looked up.
#[tokio::test]
async fn row_21_an_authority_longer_than_a_name_can_be() {
    let labels = "a.".repeat(127);
    all_are_refused(&[format!("{labels}test:3000")], 400).await;
}

#[tokio::test]
async fn row_22_connect_with_a_body() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for target in [LOCAL, "127.0.0.1:1"] {
        for fields in [
            "Content-Length: 5\r\n",
            "Content-Length: 500\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Expect: 100-continue\r\nContent-Length: 5\r\n",
        ] {
            let outcome = attempt(&proxy, Face::Absolute, |context| {
                let own = context.field();
                let head =
                    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{own}{fields}\r\n");
                format!("{head}hello{}", Face::Absolute.smuggled(context))
            })
            .await;
            findings.note((target, fields), outcome.refused(400));
        }
    }
    findings.none();
}

/// 101,000 bytes in the same write as the CONNECT, and as many once it is answered.
#[tokio::test]
async fn row_22_early_data_is_delivered_exactly() {
    const SIZE: usize = 101_000;
    let proxy = Proxy::start();
    let early = [HELLO, &pattern(SIZE - HELLO.len(), 3)].concat();
    let late = pattern(SIZE, 4);
    for routed in [false, true] {
        let origin = Origin::start().await;
        let context = if routed { proxy.routed(origin.url()) } else { proxy.context() };
        let target = if routed { LOCAL.to_owned() } else { origin.address().to_string() };
        let mut client = proxy.connect().await;
        client.send([context.connect(&target).as_bytes(), &early].concat()).await;
        client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
        let mut upstream = origin.accept().await;
        assert!(upstream.take(SIZE).await == early, "early bytes, routed: {routed}");
        client.send(&late).await;
        assert!(upstream.take(SIZE).await == late, "late bytes, routed: {routed}");
        client.finish().await;
        assert_eq!(upstream.rest().await, b"");
    }
}

/// However the CONNECT and what follows are cut into segments.
#[tokio::test]
async fn row_22_early_data_cut_anywhere() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    for context in [proxy.context(), proxy.routed(origin.url())] {
        let target = origin.address().to_string();
        let all = [context.connect(&target).as_bytes(), HELLO].concat();
        for cut in (1..all.len()).step_by(7).chain(all.len() - 14..all.len()) {
            let mut client = proxy.connect().await;
            client.send(&all[..cut]).await;
            tokio::task::yield_now().await;
            client.send(&all[cut..]).await;
            client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
            let mut upstream = origin.accept().await;
            assert_eq!(upstream.take(HELLO.len()).await, HELLO, "cut at {cut}");
            client.finish().await;
            assert_eq!(upstream.rest().await, b"", "cut at {cut}");
        }
    }
}

/// Early data of a CONNECT that is refused is a request of its own, or nothing: never authorised by it.
#[tokio::test]
async fn row_22_early_data_of_a_refused_connect() {
    let (proxy, origin) = (Proxy::start(), Recorder::start().await);
    let context = proxy.routed(origin.url());
    let stranger = format!("GET http://{LOCAL}/smuggled HTTP/1.1\r\nHost: {LOCAL}\r\n\r\n");
    let close = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (connect, expected) in [
        (format!("CONNECT {LOCAL} HTTP/1.1\r\nHost: {LOCAL}\r\n\r\n"), 407),
        (context.connect("10.0.0.1.invalid:80"), 502),
        (context.connect("2130706433:80"), 403),
        (context.connect(&proxy.server.local_addr().to_string().replace("127", "user@127")), 400),
    ] {
        let all = format!("{connect}{stranger}{close}");
        let told = converse(proxy.connect().await.0, all.as_bytes()).await;
        let told = String::from_utf8_lossy(&told).into_owned();
        assert_eq!(status(&told), expected, "{told}");
        assert_eq!(
            told.matches("HTTP/1.1 ").count(),
            told.matches("HTTP/1.1 407").count() + usize::from(expected != 407),
            "{told}"
        );
    }
    proxy.server.release_context(&context.id).unwrap();
    assert_eq!(origin.end().await, Vec::<Vec<u8>>::new());
}

/// Each tunnel inside a tunnel could hold another TLS: as many as it takes to overflow a thread's stack.
#[tokio::test]
async fn row_22_a_connect_inside_a_tunnel() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let connect = format!("CONNECT {LOCAL} HTTP/1.1\r\nHost: {LOCAL}\r\n\r\n");
    let mut plain = proxy.tunnel(&context, LOCAL).await;
    plain.send(&connect).await;
    assert_eq!(status(&plain.response().await.0), 400);
    let mut secure = proxy.inside(&context, LOCAL, &["http/1.1"]).await;
    secure.send(&connect).await;
    assert_eq!(status(&secure.response().await.0), 400);
    let mut sender = speak(proxy.inside(&context, LOCAL, &["h2"]).await.0).await;
    let (response, mut up) = begin(&mut sender, None, Method::CONNECT, LOCAL);
    assert_eq!(answered(response).await.status(), 400);
    let _ = up.send_data(Bytes::new(), true);
    origin.was_never_dialled().await;
}
