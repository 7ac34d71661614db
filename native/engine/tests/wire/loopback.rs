//! A routed context never reaches the user's own loopback, whatever it is called.

use crate::bait::{Bait, as_an_upgrade, in_absolute_form, in_origin_form};
use crate::harness::{Context, Origin, Proxy, status};
use crate::stream::{get, speak};

/// Every way we know to call this machine.
pub(crate) const NAMES: &[&str] = &[
    "localhost",
    "LocalHost",
    "localhost.",
    "app.localhost",
    "A.B.LOCALHOST.",
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.254",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0.0.0.0]",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.01",
    "0",
    "00.0.0.0",
    "127.0.0.1.",
    "127.1.",
];

/// Sends the request: the route's origin answers it, or the proxy refuses it.
async fn is_routed_or_refused(proxy: &Proxy, origin: &Origin, request: String) {
    let line = request.lines().next().unwrap().to_owned();
    let mut client = proxy.connect().await;
    client.send(request).await;
    let head = tokio::select! {
        head = client.head() => head,
        (_, head) = origin.answer("routed") => {
            assert_eq!(client.response().await.1, "routed", "{line}");
            return assert!(head.contains(&format!("host: {}\r\n", origin.address())), "{head}");
        }
    };
    assert!(matches!(status(&head), 400 | 403 | 502), "{line}: {head}");
}

async fn prove(request: impl Fn(&Context, &str) -> String) {
    let (proxy, origin, bait) = (Proxy::start(), Origin::start().await, Bait::set().await);
    let context = proxy.routed(origin.url());
    for name in NAMES {
        let authority = format!("{name}:{}", bait.port());
        is_routed_or_refused(&proxy, &origin, request(&context, &authority)).await;
    }
    bait.was_never_taken().await;
}

#[tokio::test]
async fn not_by_absolute_form() {
    prove(in_absolute_form).await;
}

#[tokio::test]
async fn not_by_origin_form() {
    prove(in_origin_form).await;
}

#[tokio::test]
async fn not_by_upgrade() {
    prove(as_an_upgrade).await;
}

#[tokio::test]
async fn not_by_tls() {
    let (proxy, bait) = (Proxy::start(), Bait::set().await);
    let context = proxy.routed("http://127.0.0.1:1");
    for name in NAMES {
        let mut client = proxy.connect().await;
        client.send(context.get(&format!("https://{name}:{}/", bait.port()))).await;
        let (head, _) = client.response().await;
        assert!(matches!(status(&head), 400 | 403 | 502), "{name}: {head}");
    }
    bait.was_never_taken().await;
}

#[tokio::test]
async fn not_by_connect() {
    for bytes in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01hello"] {
        let (proxy, origin, bait) = (Proxy::start(), Origin::start().await, Bait::set().await);
        let context = proxy.routed(origin.url());
        for name in NAMES {
            let authority = format!("{name}:{}", bait.port());
            let mut client = proxy.connect().await;
            client.send(context.connect(&authority)).await;
            let head = client.head().await;
            if status(&head) == 200 {
                client.send(bytes).await;
                let mut upstream = origin.accept().await;
                upstream.expect(&bytes[..5]).await;
            } else {
                assert!(matches!(status(&head), 403 | 502), "{name}: {head}");
            }
        }
        bait.was_never_taken().await;
    }
}

#[tokio::test]
async fn not_by_http2() {
    let (proxy, origin, bait) = (Proxy::start(), Origin::start().await, Bait::set().await);
    let context = proxy.routed(origin.url());
    let mut sender = speak(proxy.connect().await.0).await;
    for name in NAMES {
        let url = format!("http://{name}:{}/", bait.port());
        tokio::select! {
            response = get(&mut sender, &context, &url) => {
                assert!(matches!(response.status().as_u16(), 403 | 502), "{name}: {response:?}");
            }
            _ = origin.answer("routed") => {}
        }
    }
    bait.was_never_taken().await;
}

#[tokio::test]
async fn an_unclear_name_is_refused_as_prohibited() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed("http://127.0.0.1:1");
    let mut client = proxy.connect().await;
    for name in ["127.1", "2130706433", "0x7f.1"] {
        for request in [
            context.get(&format!("http://{name}:{}/", origin.port())),
            context.connect(&format!("{name}:{}", origin.port())),
        ] {
            client.send(request).await;
            let (head, _) = client.response().await;
            assert_eq!(status(&head), 403, "{name}");
            assert!(head.contains("error=destination_ip_prohibited"), "{head}");
        }
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_context_without_a_route_reaches_loopback() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    for name in
        ["localhost", "app.localhost", "127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]", "127.1"]
    {
        let mut client = proxy.connect().await;
        client.send(context.get(&format!("http://{name}:{}/", origin.port()))).await;
        origin.answer("own").await;
        assert_eq!(client.response().await.1, "own", "{name}");
    }
}
