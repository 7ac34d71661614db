//! Rows 13 to 17 for a gateway: what a request says of its way can be read in one way only, and no way leads anywhere but
//! to a workspace's server, or the default upstream's.

use http::{Method, Request};
use tabport_engine::{Access, GatewayOptions, Token};
use tokio::net::TcpStream;

use super::support::Findings;
use crate::gateway::{gateway, options, workspaces};
use crate::harness::{Origin, Proxy, field, status};
use crate::stream::{answered, speak};

const ROUTING: [&str; 4] =
    ["X-Cmux-Port-Internal", "X-Cmux-Workspace-Internal", "X-Cmux-Host-Override", "X-Cmux-Proxied"];

/// The same fields in a request, an upgrade, and a CONNECT.
fn ways(fields: &str) -> [String; 3] {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    [
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}{fields}\r\n"),
        format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{fields}\r\n"),
    ]
}

/// What each way is answered.
async fn statuses(proxy: &Proxy, fields: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for request in ways(fields) {
        let mut client = proxy.connect().await;
        client.send(request).await;
        statuses.push(status(&client.head().await));
    }
    statuses
}

/// The same over HTTP/2, as a request and as a CONNECT.
async fn statuses_of_http2(proxy: &Proxy, fields: &[(&str, &str)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (method, uri) in [(Method::GET, "http://a/"), (Method::CONNECT, "a:1")] {
        let tcp = TcpStream::connect(proxy.server.local_addr()).await.unwrap();
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(name.to_ascii_lowercase(), *value);
        }
        let mut sender = speak(tcp).await;
        let (response, _up) = sender.send_request(request.body(()).unwrap(), false).unwrap();
        statuses.push(answered(response).await.status().as_u16());
    }
    statuses
}

/// A gateway, and its default upstream with the field that leads there.
async fn set_up() -> (Proxy, Origin, String) {
    let origin = Origin::start().await;
    let port = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
    (gateway(options()), origin, port)
}

#[tokio::test]
async fn row_13_a_gateway_keeps_what_connection_names() {
    let ((proxy, origin, port), mut findings) = (set_up().await, Findings::default());
    let others = ["Host", "authorization", "COOKIE", "Content-Length"];
    for name in ROUTING.iter().chain(&others) {
        for connection in [format!("close, {name}"), (*name).to_owned(), format!("x,{name} ,close")]
        {
            let fields = format!("{port}Connection: {connection}\r\n");
            let told = statuses(&proxy, &fields).await;
            findings.check(&fields, told == [400; 3], &format!("told {told:?}"));
        }
    }
    findings.none();
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn row_13_a_gateway_reads_its_way_before_it_removes_anything() {
    let (proxy, (one, two)) = (gateway(options()), workspaces().await);
    let routing = format!(
        "X-Cmux-Port-Internal: {}\r\nX-Cmux-Workspace-Internal: workspace-1\r\n",
        one.port()
    );
    let own = "X-Forwarded-For: 10.0.0.1\r\nCookie: a=1\r\nAuthorization: Bearer x\r\n";
    let fields = format!("{own}{routing}Connection: X-Forwarded-For, Keep-Alive\r\n");
    let mut client = proxy.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
    let (_, head) = one.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);
    assert_eq!(field(&head, "x-forwarded-for"), None);
    assert_eq!(
        (field(&head, "cookie"), field(&head, "authorization")),
        (Some("a=1"), Some("Bearer x"))
    );
    two.was_never_dialled().await;
}

#[tokio::test]
async fn row_14_a_gateway_refuses_names_that_differ_by_underscores() {
    let ((proxy, origin, port), mut findings) = (set_up().await, Findings::default());
    let number = origin.port().to_string();
    for name in ROUTING {
        let last = name.rfind('-').unwrap();
        let mixed = format!("{}_{}", &name[..last], &name[last + 1..]);
        for spelled in [name.replace('-', "_"), name.replacen('-', "_", 1), mixed] {
            let told = statuses(&proxy, &format!("{port}{spelled}: 1\r\n")).await;
            findings.check(&spelled, told == [400; 3], &format!("told {told:?}"));
            let fields = [("x-cmux-port-internal", &*number), (&*spelled, "1")];
            let told = statuses_of_http2(&proxy, &fields).await;
            findings.check((&spelled, "HTTP/2"), told == [400; 2], &format!("told {told:?}"));
        }
    }
    findings.none();
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn row_15_a_gateway_refuses_duplicate_and_odd_routing_fields() {
    let ((proxy, origin, port), mut findings) = (set_up().await, Findings::default());
    let number = origin.port().to_string();
    let ports = ["0", "65536", "+80", "8 0", "0x50", "80,80", "-1", "99999999999", "８０", "\t"];
    let names = ["../", "..", "a/../b", "..%2f", "a b", "a,b", "w\u{f6}", "workspace-65536", " "];
    let hosts = ["a b", "a/b", "u@a", "a:0x50", "a, b", " "];
    let [port_name, workspace, host, _] = ROUTING;
    let mut cases: Vec<Vec<(&str, &str)>> = Vec::new();
    cases.extend(ports.map(|port| vec![(port_name, port)]));
    cases.extend(names.map(|name| vec![(port_name, &*number), (workspace, name)]));
    cases.extend(hosts.map(|value| vec![(port_name, &*number), (host, value)]));
    cases.push(vec![(port_name, &number), (port_name, &number)]);
    for name in [workspace, host] {
        cases.push(vec![(port_name, &number), (name, "w-1"), (name, "w-1")]);
    }
    for case in cases {
        let line = |(name, value): &(&str, &str)| format!("{name}: {value}\r\n");
        let lines = case.iter().map(line).collect::<Vec<_>>().concat();
        let told = statuses(&proxy, &lines).await;
        findings.check(&lines, told == [400; 3], &format!("told {told:?}"));
        // White space around a value is malformed there by itself (RFC 9113, section 8.2.1).
        let told = statuses_of_http2(&proxy, &case).await;
        findings.check((&lines, "HTTP/2"), told == [400; 2], &format!("told {told:?}"));
    }
    findings.none();
    origin.was_never_dialled().await;
    let mut client = proxy.connect().await;
    client.send(&ways(&port)[2]).await;
    client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
}

const ELSEWHERE: [&str; 8] = [
    "169.254.169.254:80",
    "[::ffff:127.0.0.1]:22",
    "0.0.0.0:22",
    "2852039166:80",
    "0xa9fea9fe:80",
    "10.0.0.1:443",
    "metadata.test:80",
    "mail.test:25",
];

#[tokio::test]
async fn row_16_an_authority_leads_a_gateway_nowhere() {
    let (proxy, (one, two)) = (gateway(options()), workspaces().await);
    let routing = format!(
        "X-Cmux-Port-Internal: {}\r\nX-Cmux-Workspace-Internal: workspace-1\r\n",
        one.port()
    );
    for authority in ELSEWHERE {
        for line in [format!("CONNECT {authority}"), format!("GET http://{authority}/")] {
            let mut client = proxy.connect().await;
            client.send(format!("{line} HTTP/1.1\r\nHost: {authority}\r\n\r\n")).await;
            assert_eq!(status(&client.response().await.0), 400, "{line}");
        }
        let mut client = proxy.connect().await;
        client
            .send(format!(
                "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{routing}\r\nto the workspace"
            ))
            .await;
        client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
        one.accept().await.expect("to the workspace").await;
    }
    two.was_never_dialled().await;
}

#[tokio::test]
async fn row_16_a_workspace_is_no_address() {
    let ((proxy, origin, port), mut findings) = (set_up().await, Findings::default());
    let addresses = ["169.254.169.254", "10.0.0.1", "0.0.0.0", "127.0.0.1", "a/127.0.0.1", "::1"];
    let others = ["[::1]", "2852039166", "a:80", "u@a", "http://a", "a.localhost:1", "\\\\a"];
    for name in addresses.iter().chain(&others) {
        let told = statuses(&proxy, &format!("{port}X-Cmux-Workspace-Internal: {name}\r\n")).await;
        findings.check(name, told == [400; 3], &format!("told {told:?}"));
    }
    findings.none();
    origin.was_never_dialled().await;
}

/// A page whose name has been made to resolve to the gateway sends its own name as Host, and no credentials.
#[tokio::test]
async fn row_17_dns_rebinding_meets_a_gateway_that_asks_for_its_token() {
    let origin = Origin::start().await;
    let tokens = vec![Token::new("t0ken").unwrap()];
    let access = Access::Restricted { trusted: Vec::new(), tokens };
    let proxy = gateway(GatewayOptions { access, ..options() });
    let fields = format!("X-Cmux-Port-Internal: {}\r\nOrigin: http://evil.test\r\n", origin.port());
    for (host, fields) in [
        ("evil.test", ""),
        ("evil.test", &*fields),
        (&format!("workspace-1-{}.localhost", origin.port()), ""),
    ] {
        for method in ["GET", "OPTIONS", "POST"] {
            let mut client = proxy.connect().await;
            client.send(format!("{method} / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")).await;
            let (head, _) = client.response().await;
            assert_eq!(status(&head), 407, "{method} {host}");
            assert_eq!(field(&head, "access-control-allow-origin"), None, "{head}");
        }
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn row_17_another_domain_names_no_workspace() {
    let (proxy, origin, _) = set_up().await;
    let port = origin.port();
    for host in [
        "evil.test".to_owned(),
        format!("workspace-1-{port}.localhost.evil.test"),
        format!("workspace-1-{port}.evil.test"),
        format!("workspace-1-{port}localhost"),
        format!("workspace-1-{port}"),
    ] {
        let mut client = proxy.connect().await;
        client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(status(&client.response().await.0), 400, "{host}");
    }
    origin.was_never_dialled().await;
}
