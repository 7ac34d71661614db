//! Row 19: who gets past the proxy's credentials. Whatever is wrong, the answer is 407 and nothing is dialled.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine as _};
use tabport_engine::{Route, RouteFields};

use super::support::{Face, Findings, LOCAL};
use crate::harness::{Context, Origin, Peer, Proxy, field, status};

/// Every kind of fields that must not pass, by what is wrong with them.
fn wrong(context: &Context, other: &Context, released: &Context) -> Vec<(&'static str, String)> {
    let scheme = |scheme: &str, token: &str| format!("Proxy-Authorization: {scheme} {token}\r\n");
    let basic = |text: String| scheme("Basic", &BASE64_STANDARD.encode(text));
    let (user, password, good) = (&context.id, &context.password, &context.credentials);
    vec![
        ("none", String::new()),
        ("an empty field", "Proxy-Authorization:\r\n".to_owned()),
        ("no token", "Proxy-Authorization: Basic\r\n".to_owned()),
        ("no scheme", format!("Proxy-Authorization: {good}\r\n")),
        ("no space", format!("Proxy-Authorization: Basic{good}\r\n")),
        ("another password", basic(format!("{user}:wrong"))),
        ("another's password", basic(format!("{user}:{}", other.password))),
        ("another's name", basic(format!("{}:{password}", other.id))),
        ("a longer password", basic(format!("{user}:{password}x"))),
        ("a shorter password", basic(format!("{user}:{}", &password[1..]))),
        ("a password in capitals", basic(format!("{user}:{}", password.to_uppercase()))),
        ("a name in capitals", basic(format!("{}:{password}", user.to_uppercase()))),
        ("a line end", basic(format!("{user}:{password}\n"))),
        ("a NUL", basic(format!("{user}:{password}\0"))),
        ("a space", basic(format!("{user}: {password}"))),
        ("an empty password", basic(format!("{user}:"))),
        ("an empty name", basic(format!(":{password}"))),
        ("nothing but a colon", basic(":".to_owned())),
        ("no colon", basic(format!("{user}{password}"))),
        ("the password twice", basic(format!("{user}:{password}:{password}"))),
        ("bad base64", scheme("Basic", "!!!!")),
        ("base64 cut off", scheme("Basic", &good[..good.len() - 5])),
        ("a tail", scheme("Basic", &format!("{good} x"))),
        ("a list", scheme("Basic", &format!("{good}, Basic {good}"))),
        ("parameters", scheme("Basic", &format!("{good};charset=utf-8"))),
        ("base64 of another kind", scheme("Basic", &BASE64_URL_SAFE.encode("\u{ff}\u{fe}:\u{ff}"))),
        ("base64 twice", basic(good.clone())),
        ("in clear", scheme("Basic", &format!("{user}:{password}"))),
        ("obs-text", "Proxy-Authorization: Basic \u{e9}\r\n".to_owned()),
        ("Bearer", scheme("Bearer", good)),
        ("Digest", scheme("Digest", &format!("username=\"{user}\""))),
        ("another field", format!("Authorization: Basic {good}\r\n")),
        ("an underscore", format!("Proxy_Authorization: Basic {good}\r\n")),
        ("two fields", context.field().repeat(2)),
        ("two contexts", format!("{}{}", context.field(), other.field())),
        ("a good one behind a bad", format!("{}{}", scheme("Basic", "x"), context.field())),
        ("a good one before a bad", format!("{}{}", context.field(), scheme("Basic", "x"))),
        ("released", released.field()),
    ]
}

/// Every form of request that there is.
fn requests(fields: &str, own: &str) -> [String; 7] {
    let ask =
        |line: &str, more: &str| format!("{line} HTTP/1.1\r\nHost: {LOCAL}\r\n{fields}{more}\r\n");
    [
        ask(&format!("GET http://{LOCAL}/"), ""),
        ask("GET /", ""),
        ask("OPTIONS *", ""),
        ask("GET http://tabport.invalid/", ""),
        ask(&format!("CONNECT {LOCAL}"), ""),
        ask(&format!("GET http://{own}/"), "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        format!("{}hello", ask(&format!("POST http://{LOCAL}/"), "Content-Length: 5\r\n")),
    ]
}

async fn challenge(client: &mut Peer) -> Result<(), String> {
    let (head, body) = client.response().await;
    let told = field(&head, "proxy-authenticate") == Some("Basic realm=\"tabport\"");
    let kept = !field(&head, "connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
    let right = status(&head) == 407 && told && kept && field(&head, "www-authenticate").is_none();
    if right && body == "proxy authentication required\n" { Ok(()) } else { Err(head + &body) }
}

#[tokio::test]
async fn row_19_auth_bypass() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let [context, other, released] = [(); 3].map(|()| proxy.routed(origin.url()));
    proxy.server.release_context(&released.id).unwrap();
    let own = proxy.server.local_addr().to_string();
    let (mut client, mut findings) = (proxy.connect().await, Findings::default());
    // Once on a connection that has proved nothing, and once on one that has.
    for proved in 0..2 {
        for (what, fields) in wrong(&context, &other, &released) {
            for request in requests(&fields, &own) {
                client.send(&request).await;
                let line = request.lines().next().unwrap().to_owned();
                findings.note((what, line), challenge(&mut client).await);
            }
        }
        origin.was_never_dialled().await;
        assert_eq!(proxy.server.stats().total.requests, proved);
        assert_eq!(proxy.server.stats().total.connections, 1, "it is one connection throughout");
        // It is still good for whoever has credentials.
        client.send(context.get(&format!("http://{LOCAL}/"))).await;
        let (upstream, _) = origin.answer("in").await;
        assert_eq!(client.response().await.1, "in");
        drop(upstream);
        proxy.until("the exchange ends", |stats| stats.requests == 0).await;
    }
    findings.none();
}

/// Valid credentials, however they may be written, are never answered 407.
#[tokio::test]
async fn row_19_valid_credentials_in_every_spelling() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let good = &context.credentials;
    for line in [
        format!("Proxy-Authorization: Basic {good}"),
        format!("proxy-authorization: basic {good}"),
        format!("PROXY-AUTHORIZATION:BASIC {good}"),
        format!("Proxy-Authorization: bAsIc   {good}"),
        format!("Proxy-Authorization:\t Basic {good} \t"),
        format!("Proxy-Authorization: Basic {}", good.trim_end_matches('=')),
    ] {
        let mut client = proxy.connect().await;
        client.send(format!("GET / HTTP/1.1\r\nHost: {LOCAL}\r\n{line}\r\n\r\n")).await;
        origin.answer("in").await;
        assert_eq!(client.response().await.1, "in", "{line}");
    }
}

#[tokio::test]
async fn row_19_each_request_of_a_connection_is_authenticated() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let good = Face::Absolute.ask(&context, "GET", "/", "");
    let bad = good.replace(&context.field(), "");
    let body = format!("Content-Length: {}\r\n", good.len());
    let bad_body = Face::Absolute.post(&context, &body).replace(&context.field(), "") + &good;
    let mut client = proxy.connect().await;
    client.send([good.as_str(), &bad, &bad_body, &good, &bad, &good].concat()).await;
    let mut upstream = origin.accept().await;
    for passes in [true, false, false, true, false, true] {
        if passes {
            upstream.head().await;
            upstream.answer("in").await;
            assert_eq!(client.response().await.1, "in");
        } else {
            challenge(&mut client).await.unwrap();
        }
    }
    assert_eq!(proxy.server.stats().total.requests, 3);
}

/// CONNECT is authenticated once; its credentials are good for its tunnel, and for nothing else.
#[tokio::test]
async fn row_19_a_tunnel_is_authenticated_once() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.tunnel(&context, LOCAL).await;
    client.send(format!("GET / HTTP/1.1\r\nHost: {LOCAL}\r\n\r\n")).await;
    let (mut upstream, _) = origin.answer("in").await;
    assert_eq!(client.response().await.1, "in");
    for credentials in ["", "Proxy-Authorization: Basic !!!!\r\n"] {
        client.send(format!("GET / HTTP/1.1\r\nHost: {LOCAL}\r\n{credentials}\r\n")).await;
        let head = upstream.head().await;
        upstream.answer("in").await;
        assert_eq!(field(&head, "proxy-authorization"), None, "{head}");
        assert_eq!(client.response().await.1, "in");
    }
    let mut stranger = proxy.connect().await;
    stranger.send(format!("GET / HTTP/1.1\r\nHost: {LOCAL}\r\n\r\n")).await;
    challenge(&mut stranger).await.unwrap();
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn row_19_a_released_context_gets_no_further() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let fields = RouteFields { upstream: Some(origin.url()), ..RouteFields::default() };
    let route = || Some(Route::parse(&fields).unwrap());
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    client.send(Face::Absolute.ask(&context, "GET", "/", "")).await;
    let (mut upstream, _) = origin.answer("in").await;
    assert_eq!(client.response().await.1, "in");
    proxy.until("the exchange ends", |stats| stats.requests == 0).await;
    let mut tunnel = proxy.tunnel(&context, LOCAL).await;
    proxy.server.release_context(&context.id).unwrap();
    // Another context for the same tab does not bring the old credentials back.
    let number = context.id.split('-').nth(1).unwrap().parse().unwrap();
    proxy.server.create_context(number, route()).unwrap();
    for request in requests(&context.field(), "localhost") {
        client.send(request).await;
        challenge(&mut client).await.unwrap();
    }
    assert_eq!(upstream.ends_soon().await, b"");
    let _ = tokio::io::AsyncWriteExt::write_all(&mut tunnel.0, b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(tunnel.ends_soon().await, b"");
    origin.was_never_dialled().await;
}
