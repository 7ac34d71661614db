//! 407, and who gets past it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tabport_engine::{Route, RouteFields};

use crate::harness::{Origin, Peer, Proxy, field, status};

async fn is_challenged(client: &mut Peer) {
    let (head, body) = client.response().await;
    assert_eq!(status(&head), 407, "{head}");
    assert_eq!(field(&head, "proxy-authenticate"), Some("Basic realm=\"tabport\""));
    assert_eq!(field(&head, "connection"), None);
    assert_eq!(body, "proxy authentication required\n");
}

#[tokio::test]
async fn no_credentials_are_challenged_and_the_connection_is_kept() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let port = origin.port();
    for request in [
        format!("GET http://localhost:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
        format!("CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
        "GET http://tabport.invalid/ HTTP/1.1\r\nHost: tabport.invalid\r\n\r\n".to_owned(),
        format!(
            "GET http://localhost:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        ),
    ] {
        client.send(request).await;
        is_challenged(&mut client).await;
    }
    origin.was_never_dialled().await;

    client.send(context.get(&origin.url())).await;
    let (_, head) = origin.answer("hi").await;
    assert!(!head.to_lowercase().contains("proxy-authorization"), "{head}");
    assert_eq!(client.response().await.1, "hi");
}

#[tokio::test]
async fn whatever_is_wrong_with_credentials_the_same_live_connection_is_challenged() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let other = proxy.context();
    let released = proxy.context();
    proxy.server.release_context(&released.id).unwrap();
    let basic =
        |text: String| format!("Proxy-Authorization: Basic {}\r\n", BASE64_STANDARD.encode(text));
    let (user, password) = (&context.id, &context.password);
    let wrong = [
        basic(format!("{user}:wrong")),
        basic(format!("{user}:{}", other.password)),
        basic(format!("{user}:{password}x")),
        basic(format!("{user}:")),
        basic(format!(":{password}")),
        basic(user.clone()),
        "Proxy-Authorization: Basic\r\n".to_owned(),
        "Proxy-Authorization: Basic !!!!\r\n".to_owned(),
        "Proxy-Authorization:\r\n".to_owned(),
        "Proxy-Authorization: Basic \u{e9}\r\n".to_owned(),
        format!("Proxy-Authorization: Bearer {}\r\n", context.credentials),
        format!("Authorization: Basic {}\r\n", context.credentials),
        format!("{}{}", context.field(), context.field()),
        format!("{}{}", context.field(), other.field()),
        released.field(),
    ];
    let mut client = proxy.connect().await;
    for fields in wrong {
        for target in [format!("GET {}/", origin.url()), format!("CONNECT {}", origin.address())] {
            client.send(format!("{target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
            is_challenged(&mut client).await;
        }
    }
    origin.was_never_dialled().await;
    assert_eq!(proxy.server.stats().total.connections, 1);
    assert_eq!(proxy.server.stats().total.requests, 0);
}

#[tokio::test]
async fn the_scheme_is_case_insensitive() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url()).replace("Basic ", "basic ")).await;
    origin.answer("hi").await;
    assert_eq!(client.response().await.1, "hi");
}

#[tokio::test]
async fn pipelined_requests_are_authenticated_one_by_one() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let good = context.get(&origin.url());
    let bad = good.replace(&context.field(), "");
    client.send(format!("{good}{bad}{good}")).await;
    let (mut upstream, _) = origin.answer("one").await;
    assert_eq!(client.response().await.1, "one");
    is_challenged(&mut client).await;
    upstream.head().await;
    upstream.answer("two").await;
    assert_eq!(client.response().await.1, "two");
}

#[tokio::test]
async fn one_connection_may_carry_two_contexts_without_mixing_them() {
    let proxy = Proxy::start();
    let (a, b) = (Origin::start().await, Origin::start().await);
    let contexts = [proxy.routed(a.url()), proxy.routed(b.url())];
    let mut client = proxy.connect().await;
    for (context, origin, body) in [(&contexts[0], &a, "a"), (&contexts[1], &b, "b")] {
        client.send(context.get("http://localhost:3000/")).await;
        origin.answer(body).await;
        assert_eq!(client.response().await.1, body);
    }
}

#[tokio::test]
async fn a_released_context_is_challenged_on_its_live_connection() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    let (mut upstream, _) = origin.answer("hi").await;
    assert_eq!(client.response().await.1, "hi");
    proxy.until("the exchange ends", |stats| stats.requests == 0).await;
    proxy.server.release_context(&context.id).unwrap();
    client.send(context.get(&origin.url())).await;
    is_challenged(&mut client).await;
    assert_eq!(upstream.ends_soon().await, b"");
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_second_context_for_one_web_contents_replaces_the_first() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let route = || {
        let fields = RouteFields { upstream: Some(origin.url()), ..RouteFields::default() };
        Some(Route::parse(&fields).unwrap())
    };
    let credentials = |info: &tabport_engine::ContextInfo| {
        let text = BASE64_STANDARD.encode(format!("{}:{}", info.username, *info.password));
        format!(
            "GET http://localhost/ HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic {text}\r\n\r\n"
        )
    };
    let first = proxy.server.create_context(1_000_000, route()).unwrap();
    let mut client = proxy.connect().await;
    client.send(credentials(&first)).await;
    origin.answer("first").await;
    assert_eq!(client.response().await.1, "first");
    proxy.until("the exchange ends", |stats| stats.requests == 0).await;

    let second = proxy.server.create_context(1_000_000, route()).unwrap();
    assert_eq!(proxy.server.stats().contexts, 1);
    client.send(credentials(&first)).await;
    is_challenged(&mut client).await;
    client.send(credentials(&second)).await;
    origin.answer("second").await;
    assert_eq!(client.response().await.1, "second");
    assert!(proxy.server.release_context(&first.id).is_err());
    proxy.server.release_context(&second.id).unwrap();
}

#[tokio::test]
async fn a_refused_body_is_never_read_as_a_request() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let inner = context.get(&origin.url());
    let mut client = proxy.connect().await;
    let length = inner.len();
    client
        .send(format!(
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{inner}"
        ))
        .await;
    is_challenged(&mut client).await;
    client.send("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
    is_challenged(&mut client).await;
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_large_refused_body_does_not_hide_the_challenge() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let (mut read, mut write) = tokio::io::split(proxy.connect().await.0);
    let piece = context.get(&origin.url()).repeat(10_000);
    let head =
        format!("POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", piece.len());
    let writer = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let _ = write.write_all(format!("{head}{piece}").as_bytes()).await;
    });
    let mut answers = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answers);
    let _ = tokio::time::timeout(crate::harness::DEADLINE, read).await;
    writer.await.unwrap();
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(status(&answers), 407);
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn the_proxys_own_host_names_the_context_and_dials_nobody() {
    let proxy = Proxy::start();
    let (context, other) = (proxy.context(), proxy.context());
    let mut client = proxy.connect().await;
    for context in [&context, &other, &context] {
        client.send(context.get("http://tabport.invalid/")).await;
        let head = client.head().await;
        assert_eq!(status(&head), 204);
        assert_eq!(field(&head, "tabport-context"), Some(context.id.as_str()));
        assert_eq!(field(&head, "cache-control"), Some("no-store"));
    }
    client.send(context.connect("tabport.invalid:80")).await;
    assert_eq!(status(&client.head().await), 400);
}
