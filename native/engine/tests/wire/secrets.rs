//! Credentials, cookies and queries are seen by those they are meant for, and by nobody else.

use tabport_engine::RouteFields;

use crate::harness::{Context, Origin, Proxy, status};
use crate::log::Log;
use crate::stream::{get, speak};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

/// Everything the origin is sent on one connection.
async fn received(origin: &Origin, answer: &str) -> Vec<u8> {
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    upstream.send(answer).await;
    let mut all = head.into_bytes();
    all.extend(upstream.rest().await);
    all
}

#[tokio::test]
async fn credentials_never_reach_an_origin() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let gateway = proxy.create(Some(RouteFields {
        cmux_proxy_origin: Some(origin.url()),
        ..RouteFields::default()
    }));
    let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let switched = "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let url = "http://localhost:3000/";
    let own = context.field();
    let inner = format!("GET /in HTTP/1.1\r\nHost: localhost:3000\r\n{own}\r\n");
    let cases = [
        (context.get(url), "", ok),
        (context.ask(&format!("POST {url}"), "Content-Length: 0\r\n"), "", ok),
        (context.ask(&format!("GET {url}"), UPGRADE), "", switched),
        (context.ask(&format!("GET {url}"), UPGRADE), "", ok),
        (context.ask(&format!("GET {url}"), "Connection: Proxy-Authorization\r\n"), "", ok),
        (format!("GET / HTTP/1.1\r\nHost: localhost:3000\r\n{own}\r\n"), "", ok),
        (context.connect("localhost:3000"), inner.as_str(), ok),
        (gateway.get(url), "", ok),
        (gateway.connect("localhost:3000"), "\x16\x03\x01hello", "HTTP/1.1 200 OK\r\n\r\n"),
    ];
    for (request, inside, answer) in cases {
        let mut client = proxy.connect().await;
        client.send(&request).await;
        if !inside.is_empty() {
            assert_eq!(status(&client.head().await), 200);
            client.send(inside).await;
        }
        let end = async {
            // A tunnel's bytes have no head of their own.
            if !inside.starts_with('\x16') {
                client.head().await;
            }
            client.finish().await;
        };
        let (seen, ()) = tokio::join!(received(&origin, answer), end);
        let seen = String::from_utf8_lossy(&seen).to_lowercase();
        for context in [&context, &gateway] {
            assert!(!seen.contains(&context.credentials.to_lowercase()), "{request:?}: {seen}");
            assert!(!seen.contains(&context.password), "{request:?}: {seen}");
        }
        assert!(!seen.contains("proxy-authorization"), "{request:?}: {seen}");
        assert!(seen.contains("host: "), "{request:?}: {seen}");
    }
}

#[tokio::test]
async fn credentials_of_a_stream_never_reach_an_origin() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut sender = speak(proxy.connect().await.0).await;
    let url = origin.url();
    let (_, (_, head)) = tokio::join!(get(&mut sender, &context, &url), origin.answer("ok"));
    assert!(!head.to_lowercase().contains("proxy-authorization"), "{head}");
    assert!(!head.contains(&context.credentials), "{head}");
}

#[tokio::test]
async fn trailers_carry_no_credentials_and_no_routing() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let names = "x-sum, x-cmux-port-internal, proxy-authorization, cookie";
    let fields = format!("Transfer-Encoding: chunked\r\nTrailer: {names}\r\n");
    let trailers =
        format!("x-sum: 1\r\nX-Cmux-Port-Internal: 1\r\n{}cookie: a\r\n", context.field());
    let request = context.ask(&format!("POST {}/", origin.url()), &fields);
    client.send(format!("{request}2\r\nhi\r\n0\r\n{trailers}\r\n")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.expect("2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n").await;
}

/// Whatever happens, no event shows what only the peers may know, nor does any error a client is told, nor
/// anything that is traced, at any level.
#[tokio::test]
async fn no_secret_is_ever_told() {
    let log = Log::of_the_process();
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let dead = proxy.routed("http://127.0.0.1:1");
    let fields = "Cookie: id=S3CRET\r\nAuthorization: Bearer S3CRET\r\nX-Key: S3CRET\r\n";
    let upgrade = format!("{fields}Connection: Upgrade\r\nUpgrade: websocket\r\n");
    let targets = [
        "GET http://localhost:3000/p?q=S3CRET",
        "GET http://S3CRET:S3CRET@localhost/",
        "CONNECT S3CRET@localhost:1",
    ];
    let mut answers = String::new();
    for target in targets {
        for (context, fields) in
            [(&context, fields), (&context, &upgrade), (&dead, fields), (&dead, &upgrade)]
        {
            answers.push_str(&ask(&proxy, context, &origin, target, fields).await);
        }
        let bad =
            format!("{target} HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic S3CRET\r\n\r\n");
        let mut client = proxy.connect().await;
        client.send(bad).await;
        answers.push_str(&client.response().await.0);
    }
    proxy.until("all is quiet", |stats| stats.requests + stats.connections == 0).await;
    let told = format!("{answers}{:?}{}", proxy.events(), log.text());
    assert!(told.contains("a request failed"), "the log is captured");
    for secret in
        ["S3CRET", &context.password, &context.credentials, &dead.password, &dead.credentials]
    {
        assert!(!told.contains(secret), "{secret} is told: {told}");
    }
}

async fn ask(
    proxy: &Proxy,
    context: &Context,
    origin: &Origin,
    target: &str,
    fields: &str,
) -> String {
    let mut client = proxy.connect().await;
    client.send(context.ask(target, fields)).await;
    let (head, body) = tokio::select! {
        answer = client.response() => answer,
        _ = origin.answer("fine") => client.response().await,
    };
    head + &body
}
