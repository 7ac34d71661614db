//! The next proxy's credentials are seen by the next proxy, and by nobody else.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Origin, Proxy};
use crate::log::Log;
use crate::next_proxy::{every_way, options, say};

#[tokio::test]
async fn whatever_happens_they_are_never_told() {
    let log = Log::of_the_process();
    let next = Origin::start().await;
    let basic = BASE64_STANDARD.encode("N3XTUSER:N3XTPASS");
    let mut told = Vec::new();
    for (scheme, answers) in [
        (
            "http",
            [
                format!("HTTP/1.1 407 {basic}\r\nX: N3XTPASS\r\n\r\nN3XTPASS"),
                format!("HTTP/1.1 403 N3XTPASS\r\nX: {basic}\r\n\r\n"),
                format!("N3XTPASS {basic}\r\n"),
                String::new(),
            ],
        ),
        (
            "socks5",
            ["\x05\x02\x01\x01N3XTPASS", "\x05\x02\x01\x00\x05\x02\x00\x01", "N3XTPASS", ""]
                .map(str::to_owned),
        ),
    ] {
        let options = options(&format!("{scheme}://N3XTUSER:N3XTPASS@{}", next.address()));
        told.push(format!("{options:?} {:?}", options.upstream_proxy));
        let proxy = Proxy::with(options);
        let context = proxy.context();
        for answer in &answers {
            for request in every_way(&context, "site.test:80") {
                let mut client = proxy.connect().await;
                client.send(request).await;
                let mut upstream = next.accept().await;
                say(&mut upstream, answer.as_bytes()).await;
                let _ = upstream.0.shutdown().await;
                let (head, body) = client.response().await;
                told.push(head + &body);
            }
        }
        told.push(format!("{:?}", proxy.events()));
    }
    told.push(log.text());
    let told = told.concat();
    assert!(told.contains("the next proxy refused the credentials"), "{told}");
    for secret in ["N3XT", &*basic, "N3xt", "n3xt"] {
        assert!(!told.contains(secret), "{secret} is told: {told}");
    }
}

#[tokio::test]
async fn neither_the_upstream_nor_another_proxy_sees_them() {
    let (next, route) = (Origin::start().await, Origin::start().await);
    let proxy = Proxy::with(options(&format!("http://N3XTUSER:N3XTPASS@{}", next.address())));
    let basic = BASE64_STANDARD.encode("N3XTUSER:N3XTPASS");
    let context = proxy.routed(route.url());
    let mut client = proxy.connect().await;
    client.send(context.get("http://localhost:3000/")).await;
    let (_, direct) = route.answer("ok").await;
    client.response().await;
    client.send(context.get("http://site.test/")).await;
    let mut upstream = next.accept().await;
    assert!(upstream.head().await.contains(&basic));
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    let tunnelled = upstream.head().await;
    for seen in [direct, tunnelled] {
        assert!(!seen.contains(&basic) && !seen.to_lowercase().contains("proxy-"), "{seen}");
    }
}
