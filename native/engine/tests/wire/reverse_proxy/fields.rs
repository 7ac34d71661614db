//! Field lines: what passes as it is, what ends here, and the few that are added.

use tabport_engine::{Face, ReverseProxyOptions, ServerOptions};

use super::{options, passed, raw_head, set_up, start};
use crate::harness::{Origin, Peer, Proxy, field, status};

async fn ask(client: &mut Peer, origin: &Origin, fields: &str) -> super::Passed {
    client.send(format!("GET /x HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n")).await;
    let mut upstream = origin.accept().await;
    let head = passed(&mut upstream).await;
    upstream.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 200);
    head
}

#[tokio::test]
async fn row_20_order_case_and_duplicates_stay_and_nothing_is_invented() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    let fields = "B-second: 1\r\na-first: 2\r\nCookie: a=1\r\nX-Api-Key: k\r\nCookie: b=2\r\n\
        AUTHORIZATION: Bearer t\r\nX-Empty:\r\nX-Cmux-Port-Internal: 1\r\nx_cmux_own: 2\r\n\
        Forwarded: for=1.1.1.1\r\nVia: 1.1 x\r\nAccept-Encoding: gzip, br, zstd\r\n";
    let head = ask(&mut client, &origin, fields).await;
    let host = format!("Host: {}", origin.address());
    let expected = fields.trim_end().split("\r\n").map(|line| match line {
        "X-Empty:" => "X-Empty: ",
        line => line,
    });
    let expected: Vec<_> = std::iter::once(&*host).chain(expected).collect();
    assert_eq!(head.others, expected);
}

#[tokio::test]
async fn row_20_latin_1_passes_both_ways_and_duplicates_in_the_response() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Name: caf\xe9\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    assert!(raw_head(&mut upstream).await.contains("X-Name: caf\u{e9}\r\n"));
    let response =
        b"HTTP/1.1 200 OK\r\nX-request-ID: theirs\r\nSet-Cookie: a=1\r\nX-Name: \xe9\r\n\
        SET-COOKIE: b=2\r\nX-Cmux-Own: 1\r\ncontent-length: 2\r\n\r\nok";
    upstream.send(response).await;
    client.expect(response).await;
}

#[tokio::test]
async fn row_19_what_ends_at_this_hop_is_not_passed_on() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    let fields = "Connection: keep-alive, X-Named\r\nConnection: x-other\r\nX-Named: 1\r\nX-Other: 2\r\n\
        Keep-Alive: 1\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n\
        Proxy-Authenticate: Basic\r\nTE: gzip\r\nUpgrade: h2c\r\nX-Kept: 3\r\n";
    let head = ask(&mut client, &origin, fields).await;
    let host = format!("Host: {}", origin.address());
    assert_eq!(head.others, [&*host, "X-Kept: 3"]);

    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream
        .send(
            "HTTP/1.1 200 OK\r\nConnection: close, x-named\r\nX-Named: 1\r\nKeep-Alive: 1\r\n\
             Proxy-Connection: close\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\n\
             X-Request-Id: theirs\r\nX-Kept: 3\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
    let kept = "X-Request-Id: theirs\r\nX-Kept: 3\r\nContent-Length: 0\r\n\r\n";
    client.expect(format!("HTTP/1.1 200 OK\r\n{kept}")).await;
}

/// A `Connection` option must not remove what this proxy says of the client.
#[tokio::test]
async fn row_21_no_client_can_have_its_address_left_out() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    let fields = "Connection: x-forwarded-for, x-request-id, x-forwarded-proto\r\n";
    let head = ask(&mut client, &origin, fields).await;
    assert_eq!(head.own[0], "X-Forwarded-For: 127.0.0.1");
    assert_eq!(head.own[1], "X-Forwarded-Proto: http");
    assert_eq!(head.own.len(), 4);
}

#[tokio::test]
async fn row_21_the_peer_is_added_to_all_that_stood_there() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    for (sent, expected) in [
        ("", &["X-Forwarded-For: 127.0.0.1"][..]),
        ("X-Forwarded-For: a, b\r\n", &["X-Forwarded-For: a, b, 127.0.0.1"]),
        (
            "X-Forwarded-For: 1.1.1.1\r\nX-Between: 1\r\nx-forwarded-for: 2.2.2.2\r\n",
            &["X-Forwarded-For: 1.1.1.1", "x-forwarded-for: 2.2.2.2, 127.0.0.1"],
        ),
    ] {
        let head = ask(&mut client, &origin, sent).await;
        let chain: Vec<_> =
            head.own.iter().filter(|line| line.to_lowercase().contains("-for:")).collect();
        assert_eq!(chain, expected.iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn row_22_scheme_and_host_are_those_of_a_trusted_proxy_or_our_own() {
    let origin = Origin::start().await;
    for (trusted, expected) in [
        ("127.0.0.0/8", ["X-Forwarded-Proto: https", "X-Forwarded-Host: front.test"]),
        ("10.0.0.0/8", ["X-Forwarded-Proto: http", "X-Forwarded-Host: a.test"]),
    ] {
        let trusted = vec![trusted.parse().unwrap()];
        let proxy = start(ReverseProxyOptions { trusted, ..options(&origin.url()) });
        let mut client = proxy.connect().await;
        let fields = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: front.test\r\n";
        assert_eq!(ask(&mut client, &origin, fields).await.own[..2], expected);
        let own = ask(&mut client, &origin, "").await.own;
        assert_eq!(own[1..3], ["X-Forwarded-Proto: http", "X-Forwarded-Host: a.test"]);
    }
}

#[tokio::test]
async fn row_22_a_secure_listener_says_https() {
    let origin = Origin::start().await;
    let face = Face::ReverseProxy(options(&origin.url()));
    let proxy = Proxy::with(ServerOptions { face, secure: true, ..ServerOptions::default() });
    let mut client = proxy.connect_securely(&[]).await;
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    let (_, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "x-forwarded-proto"), Some("https"));
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn row_11_host_is_the_upstreams_or_the_clients() {
    let origin = Origin::start().await;
    let own = origin.address().to_string();
    for (rewrite_host, target, expected) in [
        (true, "/", &*own),
        (false, "/", "A.test:8787"),
        (false, "http://Target.test:1/x", "Target.test:1"),
    ] {
        let proxy = start(ReverseProxyOptions { rewrite_host, ..options(&origin.url()) });
        let mut client = proxy.connect().await;
        client.send(format!("GET {target} HTTP/1.1\r\nHost: A.test:8787\r\n\r\n")).await;
        let (_, head) = origin.answer("ok").await;
        assert_eq!(field(&head, "host"), Some(expected));
        assert_eq!(client.response().await.1, "ok");
    }
}

#[tokio::test]
async fn row_23_a_clients_id_is_kept_and_others_get_one() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    for (sent, kept) in [
        ("X-Request-ID: mine-1\r\n", Some("mine-1")),
        ("", None),
        ("X-Request-Id: two words\r\n", None),
        ("X-Request-Id: a\r\nX-Request-Id: b\r\n", None),
    ] {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{sent}\r\n")).await;
        let (_, head) = origin.answer("ok").await;
        let id = field(&head, "x-request-id").unwrap();
        assert_eq!(head.matches("x-request-id").count(), 1, "{head}");
        kept.map_or_else(|| assert_eq!(id.len(), 36), |kept| assert_eq!(id, kept));
        assert_eq!(field(&client.response().await.0, "x-request-id"), Some(id));
        client = proxy.connect().await;
    }
}

#[tokio::test]
async fn row_23_an_upstreams_own_id_is_what_the_client_hears() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    let response = "HTTP/1.1 200 OK\r\nrequest-id: req_1\r\nx-request-id: req_2\r\n\
        Content-Length: 0\r\n\r\n";
    upstream.send(response).await;
    client.expect(response).await;
}
