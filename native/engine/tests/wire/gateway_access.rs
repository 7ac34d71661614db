//! Who may use a gateway: nothing is dialled for anybody else.

use tabport_engine::{Access, GatewayOptions, Token};

use crate::gateway::{gateway, options};
use crate::harness::{Origin, Peer, Proxy, field, status};

fn restricted(trusted: &str, token: Option<&str>) -> Proxy {
    let trusted = vec![trusted.parse().unwrap()];
    let tokens = token.map(|token| Token::new(token).unwrap()).into_iter().collect();
    gateway(GatewayOptions { access: Access::Restricted { trusted, tokens }, ..options() })
}

async fn ask(client: &mut Peer, origin: &Origin, fields: &str) {
    let port = origin.port();
    let request =
        format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n{fields}\r\n");
    client.send(request).await;
}

#[tokio::test]
async fn a_peer_outside_the_trusted_networks_is_403_without_a_token_to_send() {
    let (proxy, origin) = (restricted("127.0.0.2/32", None), Origin::start().await);
    let mut client = proxy.connect().await;
    for fields in ["", "Proxy-Authorization: Bearer x\r\n", "X-Forwarded-For: 127.0.0.2\r\n"] {
        ask(&mut client, &origin, fields).await;
        assert_eq!(status(&client.response().await.0), 403, "{fields}");
    }
    client.send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nX-Cmux-Port-Internal: 1\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 403);
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_token_is_asked_for_and_must_be_right_even_from_a_trusted_peer() {
    let origin = Origin::start().await;
    for trusted in ["127.0.0.2/32", "127.0.0.0/8"] {
        let proxy = restricted(trusted, Some("s3cret"));
        let mut client = proxy.connect().await;
        ask(&mut client, &origin, "Proxy-Authorization: Bearer wrong\r\n").await;
        let (head, text) = client.response().await;
        assert_eq!(status(&head), 407);
        assert!(field(&head, "proxy-authenticate").is_some() && !text.contains("wrong"), "{head}");
        origin.was_never_dialled().await;
        ask(&mut client, &origin, "Proxy-Authorization: Bearer s3cret\r\n").await;
        let (_, head) = origin.answer("ok").await;
        assert!(!head.contains("s3cret"), "{head}");
        assert_eq!(status(&client.response().await.0), 200);
    }
}

#[tokio::test]
async fn another_token_counts_from_the_next_request_of_a_connection_on() {
    let (proxy, origin) = (restricted("127.0.0.2/32", Some("old")), Origin::start().await);
    let mut client = proxy.connect().await;
    ask(&mut client, &origin, "Proxy-Authorization: Bearer old\r\n").await;
    origin.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);
    proxy.server.replace_tokens(vec![Token::new("new").unwrap()]);
    ask(&mut client, &origin, "Proxy-Authorization: Bearer old\r\n").await;
    assert_eq!(status(&client.response().await.0), 407);
    ask(&mut client, &origin, "Proxy-Authorization: Bearer new\r\n").await;
    origin.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);
}

#[tokio::test]
async fn a_gateway_for_anyone_asks_for_nothing() {
    let proxy = gateway(GatewayOptions { access: Access::Anyone, ..options() });
    let origin = Origin::start().await;
    let mut client = proxy.connect().await;
    ask(&mut client, &origin, "Proxy-Authorization: Bearer whatever\r\n").await;
    origin.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);
}

/// DNS rebinding: such a page's requests are same-origin, and may have any routing field.
#[tokio::test]
async fn a_browser_without_a_token_must_ask_for_a_host_that_is_surely_the_gateways() {
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let access = Access::Restricted { trusted, tokens: vec![Token::new("s3cret").unwrap()] };
    let allowed_hosts = vec![".team.example".parse().unwrap()];
    let proxy = gateway(GatewayOptions { access, allowed_hosts, ..options() });
    let (origin, port) = (Origin::start().await, proxy.server.local_addr().port());
    let routing = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
    let browser = format!("{routing}Accept-Language: en\r\n");
    let with_token = format!("{browser}Proxy-Authorization: Bearer s3cret\r\n");
    for (target, host, fields, expected) in [
        ("/", format!("evil.test:{port}"), &browser, 403),
        ("http://evil.test/", "localhost".to_owned(), &browser, 403),
        ("/", format!("evil.test:{port}"), &routing, 200),
        ("/", format!("evil.test:{port}"), &with_token, 200),
        ("/", format!("127.0.0.1:{port}"), &browser, 200),
        ("/", "app.localhost".to_owned(), &browser, 200),
        ("/", "gateway.team.example".to_owned(), &browser, 200),
    ] {
        let mut client = proxy.connect().await;
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")).await;
        if expected == 200 {
            origin.answer("ok").await;
        }
        let (head, text) = client.response().await;
        assert_eq!(status(&head), expected, "{target} {host}: {text}");
        assert!(!text.contains("evil"), "{text}");
    }
    origin.was_never_dialled().await;
}
