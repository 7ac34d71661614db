//! The gateway: routing fields and authorities to the servers of workspaces, over HTTP/1.1.

use std::net::SocketAddr;

use tabport_engine::workspace::{WorkspaceNet, Workspaces};
use tabport_engine::{Access, Bind, Face, GatewayOptions, ServerOptions};

use crate::harness::{Origin, Peer, Proxy, field, status};

pub(crate) fn options() -> GatewayOptions {
    GatewayOptions {
        workspaces: Workspaces::default(),
        default_upstream: Some("127.0.0.1".parse().unwrap()),
        access: Access::Restricted {
            trusted: vec!["127.0.0.0/8".parse().unwrap()],
            tokens: Vec::new(),
        },
        allowed_hosts: Vec::new(),
    }
}

pub(crate) fn gateway(options: GatewayOptions) -> Proxy {
    Proxy::with(ServerOptions { face: Face::Gateway(options), ..ServerOptions::default() })
}

/// Servers of workspace 1 and workspace 2, on the same port.
pub(crate) async fn workspaces() -> (Origin, Origin) {
    loop {
        let one = Origin::on("127.18.0.1:0").await;
        let two = SocketAddr::from(([127, 18, 0, 2], one.port()));
        if let Ok(two) = tokio::net::TcpListener::bind(two).await {
            return (one, Origin::of(two));
        }
    }
}

fn request(host: &str, fields: &str) -> String {
    format!("GET /x?q=1 HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
}

#[tokio::test]
async fn one_port_is_another_server_in_each_workspace() {
    let (proxy, (one, two)) = (gateway(options()), workspaces().await);
    let port = one.port();
    let mut client = proxy.connect().await;
    for (server, number) in [(&one, 1), (&two, 2), (&one, 1)] {
        let fields = format!(
            "X-Cmux-Port-Internal: {port}\r\nX-Cmux-Workspace-Internal: /root/workspace-{number}\r\n"
        );
        client.send(request("any.test", &fields)).await;
        let (_, head) = server.answer(&number.to_string()).await;
        assert!(head.starts_with("GET /x?q=1 HTTP/1.1\r\n"), "{head}");
        assert_eq!(field(&head, "host"), Some("any.test"));
        assert_eq!(client.response().await.1, number.to_string());
    }
}

#[tokio::test]
async fn an_authority_names_workspace_and_port_and_each_field_goes_before_it() {
    let (proxy, (one, two)) = (gateway(options()), workspaces().await);
    let (port, here) = (one.port(), proxy.server.local_addr().port());
    for (host, fields, server) in [
        (format!("workspace-1-{port}.localhost:{here}"), String::new(), &one),
        (format!("WORKSPACE-2-{port}.LocalHost."), String::new(), &two),
        ("workspace-2-1.localhost".to_owned(), format!("X-Cmux-Port-Internal: {port}\r\n"), &two),
        (
            format!("workspace-2-{port}.localhost"),
            "X-Cmux-Workspace-Internal: workspace-1\r\n".to_owned(),
            &one,
        ),
    ] {
        let mut client = proxy.connect().await;
        client.send(request(&host, &fields)).await;
        let (_, head) = server.answer("ok").await;
        assert_eq!(field(&head, "host"), Some(&*host));
        assert_eq!(status(&client.response().await.0), 200);
        client.send(format!("GET http://{host}/ HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n")).await;
        let (_, head) = server.answer("ok").await;
        assert_eq!(field(&head, "host"), Some(&*host.to_lowercase()), "absolute-form decides");
        assert_eq!(status(&client.response().await.0), 200);
    }
}

#[tokio::test]
async fn what_names_no_workspace_leads_to_the_default_upstream_if_there_is_one() {
    let origin = Origin::start().await;
    let fields = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
    let proxy = gateway(options());
    let mut client = proxy.connect().await;
    client.send(request("localhost", &fields)).await;
    origin.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);

    let proxy = gateway(GatewayOptions { default_upstream: None, ..options() });
    let mut client = proxy.connect().await;
    client.send(request("localhost", &fields)).await;
    let (head, text) = client.response().await;
    assert_eq!(status(&head), 400);
    assert_eq!(text, "missing required header: X-Cmux-Workspace-Internal\n");
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn an_override_sets_host_and_nothing_of_the_routing_passes() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let mut client = proxy.connect().await;
    let fields = format!(
        "X-Cmux-Port-Internal: {}\r\nx-cmux-host-override: localhost:3000\r\nX-Cmux-Else: 1\r\n\
         X-Cmux-Proxied: true\r\nProxy-Authorization: Bearer x\r\nConnection: close, X-A\r\nX-A: 1\r\n",
        origin.port()
    );
    client.send(request("any.test", &fields)).await;
    let (_, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "host"), Some("localhost:3000"));
    let ours: Vec<_> = head.lines().filter(|line| line.starts_with("x-cmux")).collect();
    let [passed] = ours[..] else { panic!("{head}") };
    let id = passed.strip_prefix("x-cmux-proxied: ").unwrap();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{passed}");
    assert!(!head.contains("proxy-authorization") && !head.contains("x-a:"), "{head}");
    assert_eq!(status(&client.response().await.0), 200);
}

#[tokio::test]
async fn a_field_that_could_be_read_in_two_ways_is_400_and_dials_nothing() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let port = origin.port();
    let own = format!("X-Cmux-Port-Internal: {port}\r\n");
    for (fields, expected) in [
        ("", "missing required header: X-Cmux-Port-Internal"),
        ("X-Cmux-Port-Internal:\r\n", "header value cannot be empty"),
        ("X-Cmux-Port-Internal: 0\r\n", "invalid port in X-Cmux-Port-Internal"),
        ("X-Cmux-Port-Internal: 65536\r\n", "invalid port in X-Cmux-Port-Internal"),
        ("X-Cmux-Port-Internal: +80\r\n", "invalid port in X-Cmux-Port-Internal"),
        ("X-Cmux-Port-Internal: 0x50\r\n", "invalid port in X-Cmux-Port-Internal"),
        ("X-Cmux-Port-Internal: 80, 80\r\n", "invalid port in X-Cmux-Port-Internal"),
        (&format!("{own}{own}"), "a routing header is sent more than once: X-Cmux-Port-Internal"),
        (
            &format!("{own}X-Cmux-Workspace-Internal: \r\n"),
            "X-Cmux-Workspace-Internal cannot be empty",
        ),
        (
            &format!("{own}X-Cmux-Workspace-Internal: a\r\nx-cmux-workspace-internal: a\r\n"),
            "a routing header is sent more than once: X-Cmux-Workspace-Internal",
        ),
        (&format!("{own}X-Cmux-Workspace-Internal: ../a\r\n"), "invalid workspace name: "),
        (&format!("{own}X-Cmux-Workspace-Internal: 127.0.0.1\r\n"), "invalid workspace name: "),
        (
            &format!("{own}X-Cmux-Workspace-Internal: workspace-4294967296\r\n"),
            "invalid workspace name: ",
        ),
        (&format!("{own}X-Cmux-Host-Override: \r\n"), "header value cannot be empty"),
        (&format!("{own}X-Cmux-Host-Override: a b\r\n"), "invalid host in X-Cmux-Host-Override"),
        (&format!("{own}X_Cmux_Port_Internal: {port}\r\n"), "bad request: a field is named like"),
        (&format!("{own}Connection: X-Cmux-Port-Internal\r\n"), "bad request: Connection names"),
    ] {
        let mut client = proxy.connect().await;
        client.send(request("localhost", fields)).await;
        let (head, text) = client.response().await;
        assert_eq!(status(&head), 400, "{fields}");
        assert!(text.starts_with(expected), "{fields}: {text}");
    }
    for (fields, expected) in [
        (&b"X-Cmux-Port-Internal: \xff"[..], "invalid header value (not UTF-8)\n"),
        (b"X-Cmux-Host-Override: \xff", "invalid header value (not UTF-8)\n"),
        (
            b"X-Cmux-Workspace-Internal: \xff",
            "invalid header value (not UTF-8): X-Cmux-Workspace-Internal\n",
        ),
        (b"X-Cmux-Port-Internal: 1\r\nHost: \xff", "invalid Host header (not UTF-8)\n"),
    ] {
        let mut client = proxy.connect().await;
        client.send([b"GET / HTTP/1.1\r\n", fields, b"\r\nHost: a\r\n\r\n"].concat()).await;
        let (head, text) = client.response().await;
        assert_eq!((status(&head), &*text), (400, expected));
    }
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_way_back_to_a_gateway_is_508() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let own = proxy.server.local_addr().port();
    let mut client = proxy.connect().await;
    client.send(request("localhost", &format!("X-Cmux-Port-Internal: {own}\r\n"))).await;
    assert_eq!(status(&client.response().await.0), 508);

    let fields = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
    client.send(request("localhost", &fields)).await;
    let (_, head) = origin.answer("ok").await;
    let id = field(&head, "x-cmux-proxied").unwrap();
    client.response().await;
    client.send(request("localhost", &format!("{fields}X-Cmux-Proxied: {id}\r\n"))).await;
    assert_eq!(status(&client.response().await.0), 508);

    let others = ["0123456789abcdef"; 7].join(",");
    client.send(request("localhost", &format!("{fields}X-Cmux-Proxied: {others}\r\n"))).await;
    let (_, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "x-cmux-proxied").unwrap().split(", ").count(), 8);
    client.response().await;
    let too_many = format!("{fields}X-Cmux-Proxied: {others}, fedcba9876543210\r\n");
    client.send(request("localhost", &too_many)).await;
    assert_eq!(status(&client.response().await.0), 508);
}

#[tokio::test]
async fn each_address_serves_and_none_can_be_dialled_through_it() {
    let net = "127.0.0.0/16".parse::<ipnet::Ipv4Net>().unwrap();
    let workspaces = Workspaces::Net(WorkspaceNet::try_from(net).unwrap());
    let address = |text: &str| text.parse().unwrap();
    let addresses = vec![address("127.0.0.1:0"), address("127.0.0.2:0"), address("127.0.0.2:0")];
    let proxy = Proxy::with(ServerOptions {
        bind: Bind::Addresses { addresses, allow_partial: false },
        face: Face::Gateway(GatewayOptions { workspaces, ..options() }),
        ..ServerOptions::default()
    });
    let bound = proxy.server.local_addrs().to_vec();
    assert_eq!(bound.len(), 2);
    for (address, own) in
        bound.iter().flat_map(|address| bound.iter().map(move |own| (address, own)))
    {
        let mut client = Peer::connect(*address).await;
        let (name, port) = (own.ip(), own.port());
        let name = name.to_string().replace("127.0.0.", "workspace-");
        client.send(request(&format!("{name}-{port}.localhost"), "")).await;
        assert_eq!(status(&client.response().await.0), 508, "{own} by {address}");
    }
}
