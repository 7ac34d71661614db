//! A gateway that is asked for itself, by whatever name and in whatever way: 508, and no connection to itself.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use bytes::Bytes;
use h2::ext::Protocol;
use http::request::Builder;
use http::{Method, Request};
use tabport_engine::{Access, Bind, Face, GatewayOptions, ServerOptions};
use tokio::net::TcpStream;

use crate::gateway::{gateway, options};
use crate::harness::{Origin, Peer, Proxy, field, status};
use crate::stream::{answered, speak};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

/// One that listens on every address, and leads to this host.
fn everywhere(bind: &str, host: &str) -> Proxy {
    let default_upstream = Some(host.parse().unwrap());
    let face = GatewayOptions { default_upstream, access: Access::Anyone, ..options() };
    Proxy::with(ServerOptions {
        bind: Bind::Address(bind.parse().unwrap()),
        allow_non_loopback: true,
        face: Face::Gateway(face),
        ..ServerOptions::default()
    })
}

/// The address that this machine has in a network, if it is in one. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().unwrap().ip())
}

async fn prior_knowledge(proxy: &Proxy) -> h2::client::SendRequest<Bytes> {
    let port = proxy.server.local_addr().port();
    speak(TcpStream::connect(("127.0.0.1", port)).await.unwrap()).await
}

/// A GET, an extended CONNECT and a CONNECT, with this field.
fn http2_requests(name: &str, value: &str) -> [Request<()>; 3] {
    let with = |request: Builder| request.header(name, value);
    let websocket = Protocol::from_static("websocket");
    let connect = || with(Request::builder().method(Method::CONNECT));
    [
        with(Request::builder()).uri("http://a/").body(()).unwrap(),
        connect().uri("http://a/").extension(websocket).body(()).unwrap(),
        connect().uri("a:1").body(()).unwrap(),
    ]
}

async fn is_refused_every_way(proxy: &Proxy, what: &str) {
    let port = proxy.server.local_addr().port();
    let fields = format!("X-Cmux-Port-Internal: {port}\r\n");
    for request in [
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{UPGRADE}{fields}\r\n"),
        format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{fields}\r\n"),
    ] {
        let mut client = Peer::connect(SocketAddr::from(([127, 0, 0, 1], port))).await;
        client.send(&request).await;
        assert_eq!(status(&client.response().await.0), 508, "{what}: {request}");
    }
    let mut sender = prior_knowledge(proxy).await;
    for request in http2_requests("x-cmux-port-internal", &port.to_string()) {
        let asked = format!("{what}: {request:?}");
        let (response, _up) = sender.send_request(request, false).unwrap();
        assert_eq!(answered(response).await.status(), 508, "{asked}");
    }
    let connections = proxy.server.stats().total.connections;
    assert_eq!(connections, 4, "{what}: it has dialled itself");
}

#[tokio::test]
async fn no_name_of_its_own_leads_a_gateway_to_itself() {
    let names = ["localhost", "127.0.0.1", "127.9.9.9", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]"];
    let own = own_address().map(|ip| [ip.to_string(), format!("[::ffff:{ip}]")]);
    let own = own.into_iter().flatten();
    for name in names.into_iter().map(str::to_owned).chain(own) {
        is_refused_every_way(&everywhere("0.0.0.0:0", &name), &name).await;
    }
    is_refused_every_way(&everywhere("127.0.0.1:0", "0.0.0.0"), "a wildcard").await;
}

#[tokio::test]
async fn another_host_with_the_same_port_is_no_loop() {
    let origin = Origin::on("127.0.0.2:0").await;
    let port = origin.port();
    let Ok(socket) = std::net::TcpListener::bind(("127.0.0.1", port)) else { return };
    drop(socket);
    let proxy = everywhere(&format!("127.0.0.1:{port}"), "127.0.0.2");
    let mut client = proxy.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n\r\n")).await;
    origin.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);
}

/// What comes back by way of others: they pass the field on.
#[tokio::test]
async fn a_request_that_has_passed_it_is_refused_every_way() {
    let (proxy, origin) = (gateway(options()), Origin::start().await);
    let fields = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
    let mut client = proxy.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{UPGRADE}{fields}\r\n")).await;
    let (_, head) = origin.answer("no").await;
    let id = field(&head, "x-cmux-proxied").expect("an upgrade is marked, too").to_owned();
    client.response().await;
    for request in [
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}X-Cmux-Proxied: {id}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{UPGRADE}{fields}X-Cmux-Proxied: {id}\r\n\r\n"),
        format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{fields}X-Cmux-Proxied: {id}\r\n\r\n"),
    ] {
        client.send(&request).await;
        assert_eq!(status(&client.response().await.0), 508, "{request}");
    }
    let mut sender = prior_knowledge(&proxy).await;
    for mut request in http2_requests("x-cmux-proxied", &id) {
        let port = origin.port().into();
        request.headers_mut().insert("x-cmux-port-internal", port);
        let asked = format!("{request:?}");
        let (response, _up) = sender.send_request(request, false).unwrap();
        assert_eq!(answered(response).await.status(), 508, "{asked}");
    }
    origin.was_never_dialled().await;
}
