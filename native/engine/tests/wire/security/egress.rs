//! Row 16: where a context must not get, by whatever spelling of an address.

use super::support::{Face, Findings, LOCAL};
use crate::bait::{Bait, as_an_upgrade, in_absolute_form, in_origin_form};
use crate::harness::{Context, Origin, Proxy, status};

/// Addresses of this machine that only a lenient parser sees.
const UNCLEAR: [&str; 26] = [
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "00177.0.0.1",
    "0x7f.0.0.1",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "127.1",
    "127.0.1",
    "127.0.0.01",
    "127.0.0.001",
    "127.0.0.0x1",
    "127.00.0.1",
    "127.65535",
    "127.16777215",
    "0",
    "0.0",
    "0x0",
    "00.0.0.0",
    "127.1.",
    "2130706433.",
    "127.0.0.1.",
    "127.0.0.1..",
];

async fn all_are_refused(request: impl Fn(&Context, &str) -> String) {
    let (proxy, route, bait) = (Proxy::start(), Origin::start().await, Bait::set().await);
    let (context, mut findings) = (proxy.routed(route.url()), Findings::default());
    for host in UNCLEAR {
        let mut client = proxy.connect().await;
        client.send(request(&context, &format!("{host}:{}", bait.port()))).await;
        let head = client.head().await;
        findings.check(host, matches!(status(&head), 400 | 403 | 502), &head);
    }
    findings.none();
    bait.was_never_taken().await;
    route.was_never_dialled().await;
}

#[tokio::test]
async fn row_16_unclear_addresses_in_absolute_form() {
    all_are_refused(in_absolute_form).await;
}

#[tokio::test]
async fn row_16_unclear_addresses_in_a_host_field() {
    all_are_refused(in_origin_form).await;
}

#[tokio::test]
async fn row_16_unclear_addresses_of_an_upgrade() {
    all_are_refused(as_an_upgrade).await;
}

#[tokio::test]
async fn row_16_unclear_addresses_over_tls() {
    all_are_refused(|context, authority| context.get(&format!("https://{authority}/"))).await;
}

#[tokio::test]
async fn row_16_unclear_addresses_in_a_connect() {
    all_are_refused(Context::connect).await;
}

/// What is an address, in whatever notation, and loopback, is the route's business alone.
#[tokio::test]
async fn row_16_loopback_addresses_lead_where_the_route_says() {
    let (proxy, route, bait) = (Proxy::start(), Origin::start().await, Bait::set().await);
    let context = proxy.routed(route.url());
    for host in [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[0:0::1]",
        "[::ffff:127.0.0.1]",
        "[::FFFF:7F00:1]",
        "[::ffff:0:0]",
        "[::127.0.0.1]",
        "LOCALHOST.",
        "x.localhost",
    ] {
        let mut client = proxy.connect().await;
        client.send(context.get(&format!("http://{host}:{}/", bait.port()))).await;
        route.answer("routed").await;
        assert_eq!(client.response().await.1, "routed", "{host}");
    }
    bait.was_never_taken().await;
}

#[tokio::test]
async fn row_16_the_proxys_own_listener() {
    let proxy = Proxy::start();
    let (plain, port) = (proxy.context(), proxy.server.local_addr().port());
    let mut findings = Findings::default();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "LocalHost.",
        "app.localhost",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
    ];
    for host in hosts {
        let authority = format!("{host}:{port}");
        for request in [
            in_absolute_form(&plain, &authority),
            plain.get(&format!("https://{authority}/")),
            as_an_upgrade(&plain, &authority),
            plain.connect(&authority),
            in_origin_form(&plain, &authority),
        ] {
            let before = proxy.server.stats().total.connections;
            let mut client = proxy.connect().await;
            client.send(&request).await;
            let head = client.head().await;
            findings.check(&request, status(&head) == 508, &head);
            let dialled = proxy.server.stats().total.connections - before;
            findings.check(&request, dialled == 1, "the proxy has dialled itself");
        }
    }
    findings.none();
}

/// A route may lead back here too, and so may what stands behind a tunnel.
#[tokio::test]
async fn row_16_a_route_to_the_proxys_own_listener() {
    let proxy = Proxy::start();
    let own = proxy.server.local_addr();
    let gateway = tabport_engine::RouteFields {
        cmux_proxy_origin: Some(format!("http://{own}")),
        ..Default::default()
    };
    let routes = [proxy.routed(format!("http://{own}")), proxy.create(Some(gateway))];
    for context in &routes {
        let mut client = proxy.connect().await;
        for face in [Face::Absolute, Face::HostField, Face::Upgrade] {
            client.send(face.ask(context, "GET", "/", "")).await;
            let (head, _) = client.response().await;
            assert_eq!(status(&head), 508, "{face:?}: {head}");
        }
        let mut client = proxy.tunnel(context, LOCAL).await;
        client.send(Face::Tunnel.ask(context, "GET", "/", "")).await;
        assert_eq!(status(&client.response().await.0), 508);
        let mut client = proxy.tunnel(context, LOCAL).await;
        client.send("\x16\x03\x01hello").await;
        assert_eq!(client.rest().await, b"");
    }
    // Three clients for each route, and two connections inside tunnels: none is the proxy's own.
    assert_eq!(proxy.server.stats().total.connections, 2 * (3 + 2));
}
