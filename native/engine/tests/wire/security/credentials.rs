//! Row 12: whatever is sent to the proxy for the proxy, no origin, event, log line or answer shows it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tabport_engine::RouteFields;

use super::support::{Face, Findings, LOCAL, Recorder, attempt, converse};
use crate::harness::{Context, Origin, Proxy, field, status};
use crate::log::Log;

/// Every way to write what only the proxy may know.
fn secrets(context: &Context) -> Vec<String> {
    let reversed = BASE64_STANDARD.encode(&context.password);
    vec![context.password.clone(), context.credentials.clone(), reversed]
}

/// Which secret is in these bytes, in whatever case.
fn leak(bytes: &[u8], context: &Context) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let mut secrets = secrets(context);
    secrets.push("proxy-authorization".to_owned());
    secrets.into_iter().find(|secret| text.contains(&secret.to_lowercase()))
}

#[tokio::test]
async fn row_12_credentials_do_not_reach_an_origin() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in Face::ALL {
        for (method, fields, body) in [
            ("GET", "", ""),
            ("HEAD", "", ""),
            ("OPTIONS", "", ""),
            ("TRACE", "", ""),
            ("POST", "Content-Length: 5\r\n", "hello"),
            ("PUT", "Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
            ("POST", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
            ("GET", "Connection: Proxy-Authorization\r\n", ""),
            ("GET", "Connection: close, proxy-authorization, x\r\nX: y\r\n", ""),
            ("GET", "Proxy-Connection: keep-alive\r\nProxy-Authenticate: x\r\n", ""),
            ("GET", "TE: trailers\r\n", ""),
        ] {
            let mut secret = None;
            let outcome = attempt(&proxy, face, |context| {
                // Inside a tunnel nobody asks for credentials, but whoever sends them is not exposed.
                let more = if face == Face::Tunnel { context.field() } else { String::new() };
                secret = Some((context.credentials.clone(), context.password.clone()));
                let close = "Connection: close\r\n";
                let head = face.ask(context, method, "/first", &format!("{more}{fields}{close}"));
                format!("{head}{body}")
            })
            .await;
            let (credentials, password) = secret.unwrap();
            let context = Context { id: String::new(), password, credentials };
            let got = outcome.origin.concat();
            findings.check((face, method, fields), !got.is_empty(), "the origin got nothing");
            let leaked = leak(&got, &context);
            findings.check((face, method, fields), leaked.is_none(), &outcome.at_origin());
            let echoed = secrets(&context)
                .iter()
                .any(|it| String::from_utf8_lossy(&outcome.client).contains(it));
            findings.check((face, method, fields), !echoed, "the client was told its own");
        }
    }
    findings.none();
}

#[tokio::test]
async fn row_12_credentials_in_trailers_do_not_reach_an_origin() {
    let (proxy, origin) = (Proxy::start(), Recorder::start().await);
    let context = proxy.routed(origin.url());
    let fields = "Trailer: Proxy-Authorization, X-Sum\r\nTransfer-Encoding: chunked\r\n";
    let head = Face::Absolute.post(&context, &format!("{fields}Connection: close\r\n"));
    let all = format!("{head}2\r\nhi\r\n0\r\n{}X-Sum: 1\r\n\r\n", context.field());
    converse(proxy.connect().await.0, all.as_bytes()).await;
    proxy.server.release_context(&context.id).unwrap();
    let got = origin.end().await.concat();
    let trailers = String::from_utf8_lossy(&got).to_lowercase();
    let (_, trailers) = trailers.split_once("\r\n\r\n").expect("a head");
    assert!(leak(trailers.as_bytes(), &context).is_none(), "{trailers}");
    for secret in secrets(&context) {
        assert!(!String::from_utf8_lossy(&got).contains(&secret), "{secret}");
    }
}

/// A request is sent again when a kept connection turns out to be closed.
#[tokio::test]
async fn row_12_a_retry_carries_no_credentials() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    client.send(context.get("http://localhost:3000/one")).await;
    let (mut upstream, _) = origin.answer("one").await;
    assert_eq!(client.response().await.1, "one");
    client.send(context.get("http://localhost:3000/two")).await;
    let first = upstream.head().await;
    drop(upstream);
    let (_, second) = origin.answer("two").await;
    assert_eq!(client.response().await.1, "two");
    for head in [first, second] {
        assert!(head.starts_with("GET /two "), "{head}");
        assert!(leak(head.as_bytes(), &context).is_none(), "{head}");
    }
}

#[tokio::test]
async fn row_12_credentials_reach_neither_a_tunnel_nor_a_gateway() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let plain = proxy.context();
    let fields = RouteFields { cmux_proxy_origin: Some(origin.url()), ..RouteFields::default() };
    let gateway = proxy.create(Some(fields));
    let hello = "\x16\x03\x01hello";

    let mut client = proxy.tunnel(&plain, &origin.address().to_string()).await;
    client.send(hello).await;
    client.finish().await;
    let mut upstream = origin.accept().await;
    assert_eq!(upstream.rest().await, hello.as_bytes());
    drop((client, upstream));

    let mut client = proxy.tunnel(&gateway, LOCAL).await;
    client.send(hello).await;
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert!(leak(head.as_bytes(), &gateway).is_none(), "{head}");
    assert!(head.starts_with("CONNECT "), "{head}");
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    upstream.expect(hello).await;

    client = proxy.connect().await;
    client.send(Face::Upgrade.ask(&gateway, "GET", "/", "")).await;
    let (_, head) = origin.answer("no").await;
    assert!(leak(head.as_bytes(), &gateway).is_none(), "{head}");
    assert_eq!(field(&head, "upgrade"), Some("websocket"), "{head}");
    assert_eq!(client.response().await.1, "no");
}

/// What fails is told, by answers, events and traces; the credentials it came with are not.
#[tokio::test]
async fn row_12_no_error_page_event_or_log_line_shows_credentials() {
    let log = Log::of_the_process();
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed("http://127.0.0.1:1");
    let other = proxy.context();
    let own = proxy.server.local_addr();
    let mut told = String::new();
    let wrong = context.field().replacen("Basic ", "Basic x", 1);
    for request in [
        context.get("http://localhost:3000/"),
        context.get("http://2130706433/"),
        context.ask("GET http://localhost/", "Connection: Host\r\n"),
        context.ask("GET http://localhost/", "Content-Length: +5\r\n"),
        context.ask("GET http://localhost/ x", ""),
        context.ask("CONNECT localhost", ""),
        other.get(&format!("http://{own}/")),
        other.get("http://no-such-name.invalid/"),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{wrong}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}{}\r\n", context.field(), context.field()),
        format!("GET / HTTP/1.1\r\nHost: a\r\n {}\r\n", context.field()),
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", context.credentials),
        format!(
            "GET http://{}:{}@localhost/ HTTP/1.1\r\nHost: a\r\n\r\n",
            context.id, context.password
        ),
        format!("{}\r\n\r\n", context.field()),
        context.field(),
    ] {
        let mut client = proxy.connect().await;
        client.send(request).await;
        client.finish().await;
        told.push_str(&String::from_utf8_lossy(&client.rest().await));
    }
    proxy.until("all is quiet", |stats| stats.requests + stats.connections == 0).await;
    assert!(status(&told) >= 400, "{told}");
    let told = format!("{told}{:?}{}", proxy.events(), log.text());
    for context in [&context, &other] {
        for secret in secrets(context) {
            assert!(!told.contains(&secret), "{secret} is told: {told}");
        }
    }
    origin.was_never_dialled().await;
}
