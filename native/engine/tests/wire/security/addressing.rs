//! Rows 11, 17 and 18: who is asked for, by which name, and what is told to whoever has no credentials.

use super::message::{Message, messages};
use super::support::{Face, Findings, LOCAL, attempt, converse};
use crate::harness::{Origin, Proxy, field, status};

/// The URI says where a request goes (RFC 9112, section 3.2.2); the origin is told of no other name.
#[tokio::test]
async fn row_11_a_host_field_that_differs_from_the_uri() {
    let (proxy, named, other) = (Proxy::start(), Origin::start().await, Origin::start().await);
    let context = proxy.context();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for fields in ["", upgrade, "Content-Length: 0\r\n"] {
        for host in [other.address().to_string(), "evil.test".to_owned(), "x:1".to_owned()] {
            let mut client = proxy.connect().await;
            let own = context.field();
            let url = named.url();
            let request = format!("GET {url}/ HTTP/1.1\r\nHost: {host}\r\n{own}{fields}\r\n");
            client.send(request).await;
            let (_, head) = named.answer("named").await;
            assert_eq!(head.to_lowercase().matches("\r\nhost:").count(), 1, "{head}");
            assert_eq!(field(&head, "host"), Some(named.address().to_string().as_str()));
            assert!(!head.contains(&host), "{head}");
            assert_eq!(client.response().await.1, "named");
        }
    }
    other.was_never_dialled().await;
}

/// An origin is asked for what the URI says after its authority, byte for byte.
#[tokio::test]
async fn row_11_what_is_left_of_the_uri() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for (uri, expected) in [
        ("GET http://localhost:3000", "GET / HTTP/1.1"),
        ("GET http://localhost:3000/", "GET / HTTP/1.1"),
        ("GET http://localhost:3000?a=http://evil.test/", "GET /?a=http://evil.test/ HTTP/1.1"),
        ("GET http://localhost:3000/http://evil.test/", "GET /http://evil.test/ HTTP/1.1"),
        ("GET http://localhost:3000//evil.test/", "GET //evil.test/ HTTP/1.1"),
        ("GET http://localhost:3000/../%2e%2E/a%00b", "GET /../%2e%2E/a%00b HTTP/1.1"),
        ("GET http://localhost:3000/a?b?c&d=%", "GET /a?b?c&d=% HTTP/1.1"),
        ("GET HTTP://LOCALHOST:3000/A", "GET /A HTTP/1.1"),
        ("GET ws://localhost:3000/ws", "GET /ws HTTP/1.1"),
        ("OPTIONS http://localhost:3000", "OPTIONS * HTTP/1.1"),
        ("OPTIONS http://localhost:3000/", "OPTIONS / HTTP/1.1"),
        ("OPTIONS *", "OPTIONS * HTTP/1.1"),
    ] {
        let outcome = attempt(&proxy, Face::Absolute, |context| {
            let own = context.field();
            format!("{uri} HTTP/1.1\r\nHost: {LOCAL}\r\n{own}Connection: close\r\n\r\n")
        })
        .await;
        let seen = outcome.passed(1);
        let same = seen.as_ref().is_ok_and(|seen| seen[0].start == expected);
        findings.check(uri, same, &outcome.at_origin());
        findings.note(uri, seen);
    }
    findings.none();
}

/// A route is chosen by the URI too: neither field may get a request past it.
#[tokio::test]
async fn row_11_the_route_is_chosen_by_the_uri() {
    let (proxy, route, own) = (Proxy::start(), Origin::start().await, Origin::start().await);
    let context = proxy.routed(route.url());
    let port = own.port();
    for (uri, host) in [
        (format!("http://localhost:{port}/"), "elsewhere.test".to_owned()),
        (format!("http://localhost:{port}/"), format!("127.0.0.1:{port}")),
        (format!("http://127.0.0.1:{port}/"), "10.0.0.1".to_owned()),
    ] {
        let mut client = proxy.connect().await;
        let fields = context.field();
        client.send(format!("GET {uri} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")).await;
        route.answer("routed").await;
        assert_eq!(client.response().await.1, "routed", "{uri} beside {host}");
    }
    own.was_never_dialled().await;
}

#[tokio::test]
async fn row_11_connect_leads_where_its_target_says() {
    let (proxy, named, other) = (Proxy::start(), Origin::start().await, Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    let (target, host, own) = (named.address(), other.address(), context.field());
    client.send(format!("CONNECT {target} HTTP/1.1\r\nHost: {host}\r\n{own}\r\n")).await;
    assert_eq!(status(&client.head().await), 200);
    client.send("x").await;
    named.accept().await.expect("x").await;
    other.was_never_dialled().await;
}

/// Inside a tunnel that is looked into, its authority is the only one there is.
#[tokio::test]
async fn row_11_a_request_in_a_tunnel_cannot_leave_it() {
    let (proxy, other) = (Proxy::start(), Origin::start().await);
    let mut findings = Findings::default();
    let there = other.address();
    for request in [
        format!("GET http://{there}/ HTTP/1.1\r\nHost: {LOCAL}\r\n\r\n"),
        format!("GET http://{there}/ HTTP/1.1\r\nHost: {there}\r\n\r\n"),
        format!("GET http://localhost:3001/ HTTP/1.1\r\nHost: {LOCAL}\r\n\r\n"),
        format!("CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n"),
    ] {
        let last = format!("GET / HTTP/1.1\r\nHost: {LOCAL}\r\nConnection: close\r\n\r\n");
        let outcome = attempt(&proxy, Face::Tunnel, |_| format!("{request}{last}")).await;
        let first = messages(&outcome.client).unwrap().first().map(Message::status);
        findings.check(&request, matches!(first, Some(400 | 421)), &format!("{first:?}"));
    }
    let host = format!("GET / HTTP/1.1\r\nHost: {there}\r\nConnection: close\r\n\r\n");
    let outcome = attempt(&proxy, Face::Tunnel, |_| host).await;
    match messages(&outcome.client).unwrap()[0].status() {
        // Taken for the tunnel's own authority, which the origin must then be told.
        200 => {
            let named = outcome.passed(1).unwrap()[0].all("host").concat();
            findings.check("Host", !named.contains(&there.to_string()), &named);
        }
        told => findings.check("Host", matches!(told, 400 | 421), &told.to_string()),
    }
    findings.none();
    other.was_never_dialled().await;
}

/// What a page elsewhere can make a browser send here once its name leads to this machine.
#[tokio::test]
async fn row_17_dns_rebinding() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let _context = proxy.routed(origin.url());
    let own = proxy.server.local_addr();
    let browser = "Origin: http://evil.test\r\nReferer: http://evil.test/\r\nCookie: a=b\r\n\
                   Accept: */*\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n";
    let mut findings = Findings::default();
    for host in ["evil.test".to_owned(), format!("evil.test:{}", own.port()), own.to_string()] {
        for (request, fields) in [
            ("GET /", ""),
            ("GET /json/version", ""),
            ("HEAD /", ""),
            ("POST /", "Content-Length: 0\r\n"),
            ("OPTIONS /", "Access-Control-Request-Method: PUT\r\n"),
            ("OPTIONS *", ""),
            ("GET /ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
            ("GET http://localhost:3000/", ""),
            ("CONNECT localhost:3000", ""),
        ] {
            let all = format!("{request} HTTP/1.1\r\nHost: {host}\r\n{browser}{fields}\r\n");
            let mut client = proxy.connect().await;
            client.send(all).await;
            let head = client.head().await;
            findings.check((request, &host), status(&head) == 407, &head);
            let allowed = field(&head, "access-control-allow-origin").is_some();
            findings.check((request, &host), !allowed, &head);
        }
    }
    findings.none();
    assert_eq!(proxy.server.stats().total.requests, 0);
    origin.was_never_dialled().await;
}

/// A name of numbers is resolved by the system's resolver: the address that comes of it is the one that
/// counts, and nothing is looked up a second time.
#[tokio::test]
async fn row_17_the_address_that_is_dialled_is_the_one_that_was_checked() {
    let (proxy, route, own) = (Proxy::start(), Origin::start().await, Origin::start().await);
    let context = proxy.routed(route.url());
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    // Whatever this machine calls itself, and is not loopback by its name alone.
    let names = hosts.lines().filter(|line| line.starts_with("127.") || line.starts_with("::1"));
    let names = names.flat_map(|line| line.split_whitespace().skip(1));
    let names = names.filter(|name| !name.ends_with("localhost"));
    for name in names.chain(["2130706433", "127.1"]) {
        for request in [
            context.get(&format!("http://{name}:{}/", own.port())),
            context.connect(&format!("{name}:{}", own.port())),
        ] {
            let mut client = proxy.connect().await;
            client.send(request).await;
            let (head, _) = client.response().await;
            assert_eq!(status(&head), 403, "{name}: {head}");
            assert!(head.contains("error=destination_ip_prohibited"), "{name}: {head}");
        }
    }
    own.was_never_dialled().await;
    route.was_never_dialled().await;
}

/// There is nothing here but a proxy: no path, method or version tells a stranger more.
#[tokio::test]
async fn row_18_no_endpoint_without_credentials() {
    let proxy = Proxy::start();
    let context = proxy.routed("http://127.0.0.1:1");
    let mut findings = Findings::default();
    let own = proxy.server.local_addr();
    for line in [
        "GET /",
        "GET /status",
        "GET /metrics",
        "GET /health",
        "GET /debug/pprof/",
        "GET /json",
        "GET /proxy.pac",
        "GET /favicon.ico",
        "GET /.well-known/",
        "GET /../../etc/passwd",
        "POST /api/contexts",
        "DELETE /contexts/1",
        "PUT /",
        "OPTIONS *",
        "TRACE /",
        "GET http://tabport.invalid/",
        "POST http://tabport.invalid/",
        "GET http://tabport.invalid/contexts",
        "CONNECT tabport.invalid:80",
        "PURGE /",
        "BREW /pot",
    ] {
        for version in ["HTTP/1.1", "HTTP/1.0"] {
            let all = format!("{line} {version}\r\nHost: {own}\r\nConnection: close\r\n\r\n");
            let told = converse(proxy.connect().await.0, all.as_bytes()).await;
            let text = String::from_utf8_lossy(&told).into_owned();
            let challenged = text.split(' ').nth(1) == Some("407");
            findings.check((line, version), challenged, &text);
            let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
            findings.check((line, version), body == "proxy authentication required\n", body);
            let told = text.contains(&context.id) || text.contains(env!("CARGO_PKG_VERSION"));
            findings.check((line, version), !told, &text);
        }
    }
    findings.none();
    assert_eq!(proxy.server.stats().total.requests, 0);
}
