//! A route with its gateway's token: the gateway is sent it whatever the tab asks for, and nobody else ever.

use tabport_engine::{Access, GatewayOptions, Route, RouteFields, ServerOptions, Token};

use crate::gateway::{gateway, options, workspaces};
use crate::harness::{Context, Origin, Proxy, field, status};
use crate::log::Log;
use crate::tls::CertificateAuthority;

/// The type of a frame (RFC 9113, section 6.2).
const HEADERS: u8 = 1;
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn route(origin: String, token: Option<&str>) -> RouteFields {
    RouteFields {
        cmux_proxy_origin: Some(origin),
        workspace: Some("workspace-2".into()),
        cmux_proxy_token: token.map(|token| Token::new(token).unwrap()),
        ..RouteFields::default()
    }
}

/// A gateway that lets in nobody without its token, and where it is.
fn closed() -> (Proxy, String) {
    let tokens = vec![Token::new("t0ken").unwrap()];
    let access = Access::Restricted { trusted: Vec::new(), tokens };
    let gateway = gateway(GatewayOptions { access, ..options() });
    let origin = format!("http://{}", gateway.server.local_addr());
    (gateway, origin)
}

fn tokens(head: &str) -> Vec<&str> {
    head.lines().filter_map(|line| line.strip_prefix("proxy-authorization: ")).collect()
}

#[tokio::test]
async fn opens_the_gateway_to_requests_upgrades_and_tunnels() {
    let ((_gateway, origin), (one, two)) = (closed(), workspaces().await);
    let proxy = Proxy::start();
    let tab = proxy.create(Some(route(origin, Some("t0ken"))));
    let asked = format!("localhost:{}", one.port());

    let mut client = proxy.connect().await;
    client.send(tab.get(&format!("http://{asked}/"))).await;
    let (_, head) = two.answer("ok").await;
    assert!(tokens(&head).is_empty(), "{head}");
    assert_eq!(client.response().await.1, "ok");

    let mut client = proxy.connect().await;
    client.send(tab.ask(&format!("GET ws://{asked}/"), UPGRADE)).await;
    let mut upstream = two.accept().await;
    let head = upstream.head().await;
    assert!(tokens(&head).is_empty(), "{head}");
    upstream.send(SWITCHED).await;
    assert_eq!(status(&client.head().await), 101);

    let mut client = proxy.tunnel(&tab, &asked).await;
    client.send(b"\x00\x01no HTTP").await;
    two.accept().await.expect(b"\x00\x01no HTTP").await;
    one.was_never_dialled().await;
}

#[tokio::test]
async fn is_a_bearer_token_once_in_place_of_what_the_client_has_sent() {
    let (proxy, gateway) = (Proxy::start(), Origin::start().await);
    let tab = proxy.create(Some(route(gateway.url(), Some("t0ken"))));
    let plain = tab.get("http://localhost:3000/");
    let upgrade = tab.ask("GET ws://localhost:3000/", UPGRADE);
    for request in [plain, upgrade] {
        let mut client = proxy.connect().await;
        client.send(request).await;
        let (_, head) = gateway.answer("ok").await;
        assert_eq!(tokens(&head), ["Bearer t0ken"]);
        assert_eq!(status(&client.response().await.0), 200);
    }
    let mut client = proxy.tunnel(&tab, "localhost:3000").await;
    client.send(b"\x00").await;
    let head = gateway.accept().await.head().await;
    assert!(head.starts_with("CONNECT localhost:3000 "), "{head}");
    assert_eq!(tokens(&head), ["Bearer t0ken"]);

    let spoofed = "GET / HTTP/1.1\r\nHost: localhost:3000\r\nProxy-Authorization: Bearer x\r\n\r\n";
    let mut client = proxy.tunnel(&tab, "localhost:3000").await;
    client.send(spoofed).await;
    let (_, head) = gateway.answer("ok").await;
    assert_eq!(tokens(&head), ["Bearer t0ken"]);
}

#[tokio::test]
async fn is_never_indexed_on_its_way_over_http2() {
    let ca = CertificateAuthority::new();
    let gateway = ca.origin("gate.test", &["h2"]).await;
    let proxy = Proxy::with(ca.options(&[("gate.test:443", &gateway)]));
    let tab = proxy.create(Some(route("https://gate.test".into(), Some("t0ken"))));
    let mut client = proxy.connect().await;
    client.send(tab.get("http://localhost:3000/")).await;
    let mut upstream = gateway.accept().await;
    upstream.expect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    upstream.send(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00").await;
    let block = loop {
        let head = upstream.take(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = upstream.take(length as usize).await;
        if head[3] == HEADERS {
            break payload;
        }
    };
    // RFC 7541, section 6.2.3, with the name's number of its appendix A: 49, of which a prefix of four bits holds 15.
    assert!(block.windows(2).any(|bytes| bytes == [0b0001_1111, 49 - 15]), "{block:02x?}");
}

/// One request in each way; the statuses, and all that was answered.
async fn refusals(proxy: &Proxy, tab: &Context, asked: &str) -> (Vec<u16>, String) {
    let mut inside = proxy.tunnel(tab, asked).await;
    inside.send(format!("GET / HTTP/1.1\r\nHost: {asked}\r\n\r\n")).await;
    let [mut plain, mut upgrade] = [proxy.connect().await, proxy.connect().await];
    plain.send(tab.get(&format!("http://{asked}/"))).await;
    upgrade.send(tab.ask(&format!("GET ws://{asked}/"), UPGRADE)).await;
    let (mut statuses, mut answers) = (Vec::new(), String::new());
    for mut client in [inside, plain, upgrade] {
        let (head, text) = client.response().await;
        assert_eq!(field(&head, "proxy-authenticate"), None, "{head}");
        assert_eq!(
            field(&head, "proxy-status"),
            Some("tabport; error=proxy_configuration_error"),
            "{head}"
        );
        statuses.push(status(&head));
        answers += &text;
    }
    let mut binary = proxy.tunnel(tab, asked).await;
    binary.send(b"\x00").await;
    assert_eq!(binary.rest().await, b"");
    (statuses, answers)
}

#[tokio::test]
async fn that_is_wrong_or_missing_is_502_and_no_challenge() {
    let ((_gateway, origin), (one, two)) = (closed(), workspaces().await);
    let proxy = Proxy::start();
    for token in [None, Some("wr0ng")] {
        let tab = proxy.create(Some(route(origin.clone(), token)));
        let (statuses, answers) =
            refusals(&proxy, &tab, &format!("localhost:{}", one.port())).await;
        assert_eq!(statuses, [502; 3], "{token:?}");
        assert_eq!(answers, "the gateway was given no token, or a wrong one\n".repeat(3));
    }
    one.was_never_dialled().await;
    two.was_never_dialled().await;
}

#[tokio::test]
async fn goes_to_the_gateway_alone() {
    let (gateway, elsewhere) = (Origin::start().await, Origin::start().await);
    let public = [("public.test:80".parse().unwrap(), elsewhere.address())];
    let options = ServerOptions { connect_to: public.into(), ..ServerOptions::default() };
    let (proxy, port) = (Proxy::with(options), elsewhere.port());
    let fields = RouteFields {
        local: Some(vec![format!("localhost:{port}")]),
        ..route(gateway.url(), Some("t0ken"))
    };
    let tab = proxy.create(Some(fields));
    for host in ["public.test".to_owned(), format!("localhost:{port}")] {
        for fields in ["", UPGRADE] {
            let mut client = proxy.connect().await;
            client.send(tab.ask(&format!("GET http://{host}/"), fields)).await;
            let (_, head) = elsewhere.answer("ok").await;
            assert!(tokens(&head).is_empty(), "{host}: {head}");
        }
        let mut client = proxy.connect().await;
        let authority = if host.contains(':') { host } else { format!("{host}:80") };
        client.send(tab.connect(&authority)).await;
        let mut upstream = elsewhere.accept().await;
        client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
        client.send("from the client").await;
        upstream.expect("from the client").await;
    }
    gateway.was_never_dialled().await;
}

#[tokio::test]
async fn is_told_nobody() {
    let log = Log::of_the_process();
    let (proxy, gateway) = (Proxy::start(), Origin::start().await);
    let fields = route(gateway.url(), Some("S3CRET-t0ken"));
    let dead = route("http://127.0.0.1:1".into(), Some("S3CRET-t0ken"));
    let mut told = format!("{fields:?}{:?}", Route::parse(&fields).unwrap());
    let navigation = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    for (fields, answered) in [(fields, true), (dead, false)] {
        let tab = proxy.create(Some(fields));
        let mut client = proxy.connect().await;
        client.send(tab.ask("GET http://localhost:3000/", navigation)).await;
        if answered {
            let mut peer = gateway.accept().await;
            assert_eq!(tokens(&peer.head().await), ["Bearer S3CRET-t0ken"]);
            peer.send("HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n").await;
        }
        let (head, page) = client.response().await;
        assert_eq!(status(&head), 502);
        assert!(page.contains("127.0.0.1"), "{page}");
        told += &(head + &page);
    }
    proxy.until("all is quiet", |stats| stats.requests == 0).await;
    let told = format!("{told}{:?}{}", proxy.events(), log.text());
    assert!(told.contains("wants a token") && told.contains("a request failed"), "{told}");
    assert!(!told.contains("S3CRET"), "{told}");
}
