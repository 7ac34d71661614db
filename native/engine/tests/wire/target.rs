//! The forms of request target, each led to where it says.

use tabport_engine::ServerOptions;

use crate::harness::{Origin, Proxy, status};

#[tokio::test]
async fn every_form_and_spelling_reaches_its_origin_as_origin_form() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let port = origin.port();
    let forms = [
        (format!("GET http://127.0.0.1:{port}/a?b"), "GET /a?b HTTP/1.1"),
        (format!("GET http://localhost:{port}"), "GET / HTTP/1.1"),
        (format!("GET http://localhost:{port}?q=1"), "GET /?q=1 HTTP/1.1"),
        (format!("GET HTTP://LOCALHOST:{port}/"), "GET / HTTP/1.1"),
        (format!("GET ws://localhost:{port}/ws"), "GET /ws HTTP/1.1"),
        (format!("GET http://app.localhost:{port}/"), "GET / HTTP/1.1"),
        (format!("GET http://localhost.:{port}/"), "GET / HTTP/1.1"),
        (format!("GET http://127.0.0.1:{port}/%00%0d%0a;?"), "GET /%00%0d%0a;? HTTP/1.1"),
        (format!("DELETE http://127.0.0.1:{port}/x"), "DELETE /x HTTP/1.1"),
        (format!("M-SEARCH http://127.0.0.1:{port}/x"), "M-SEARCH /x HTTP/1.1"),
        (format!("OPTIONS http://127.0.0.1:{port}/x"), "OPTIONS /x HTTP/1.1"),
    ];
    for (line, expected) in forms {
        let mut client = proxy.connect().await;
        client.send(context.ask(&line, "Connection: close\r\n")).await;
        let (upstream, head) = origin.answer("ok").await;
        assert_eq!(head.lines().next(), Some(expected), "{line}");
        assert_eq!(client.response().await.1, "ok");
        drop(upstream);
        proxy.until("it is not reused", |stats| stats.upstream_connections == 0).await;
    }
}

#[tokio::test]
async fn origin_form_goes_by_the_host_field() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.connect().await;
    client
        .send(format!("GET /x HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n", context.field()))
        .await;
    let (mut upstream, head) = origin.answer("ok").await;
    assert!(
        head.starts_with(&format!("GET /x HTTP/1.1\r\nhost: {}\r\n", origin.address())),
        "{head}"
    );
    assert_eq!(client.response().await.1, "ok");

    client
        .send(format!("OPTIONS * HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n", context.field()))
        .await;
    assert!(upstream.head().await.starts_with("OPTIONS * HTTP/1.1\r\n"));
    upstream.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn the_target_outranks_the_host_field() {
    let (proxy, origin, other) = (Proxy::start(), Origin::start().await, Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client
        .send(format!(
            "GET {}/ HTTP/1.1\r\nHost: {}\r\n{}\r\n",
            origin.url(),
            other.address(),
            context.field()
        ))
        .await;
    let (_, head) = origin.answer("ok").await;
    assert!(head.contains(&format!("host: {}\r\n", origin.address())), "{head}");
    assert!(!head.contains(&other.address().to_string()), "{head}");
    assert_eq!(client.response().await.1, "ok");
    other.was_never_dialled().await;
}

#[tokio::test]
async fn a_host_that_listens_on_ipv6_alone_is_reached_by_its_name() {
    let (proxy, origin) = (Proxy::start(), Origin::on("[::1]:0").await);
    let context = proxy.context();
    let port = origin.port();
    for url in [format!("http://localhost:{port}/"), format!("http://[::1]:{port}/")] {
        let mut client = proxy.connect().await;
        client.send(context.get(&url)).await;
        origin.answer("six").await;
        assert_eq!(client.response().await.1, "six", "{url}");
    }
    let mut client = proxy.tunnel(&context, &format!("localhost:{port}")).await;
    client.send("up").await;
    origin.accept().await.expect("up").await;
}

#[tokio::test]
async fn a_request_inside_a_tunnel_may_not_name_another_authority() {
    let (proxy, origin, other) = (Proxy::start(), Origin::start().await, Origin::start().await);
    let context = proxy.routed(origin.url());
    for line in [
        format!("GET {}/ HTTP/1.1\r\nHost: localhost:3000", other.url()),
        "GET http://localhost:3001/ HTTP/1.1\r\nHost: localhost:3000".to_owned(),
        "CONNECT localhost:3001 HTTP/1.1\r\nHost: localhost:3000".to_owned(),
    ] {
        let mut client = proxy.tunnel(&context, "localhost:3000").await;
        client.send(format!("{line}\r\n\r\n")).await;
        assert_eq!(
            client.response().await.0.lines().next(),
            Some("HTTP/1.1 421 Misdirected Request")
        );
    }
    origin.was_never_dialled().await;
    other.was_never_dialled().await;
}

#[tokio::test]
async fn a_request_inside_a_tunnel_goes_where_the_tunnel_leads_whatever_its_host_field() {
    let (proxy, origin, other) = (Proxy::start(), Origin::start().await, Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send(format!("GET /x HTTP/1.1\r\nHost: {}\r\n\r\n", other.address())).await;
    let (_, head) = origin.answer("ok").await;
    assert!(head.contains(&format!("host: {}\r\n", origin.address())), "{head}");
    assert_eq!(client.response().await.1, "ok");
    other.was_never_dialled().await;
}

#[tokio::test]
async fn a_request_to_the_proxys_own_port_is_a_loop_however_it_is_spelt() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let bind = tabport_engine::Bind::Address(listen.parse().unwrap());
        let proxy = Proxy::with(ServerOptions { bind, ..ServerOptions::default() });
        let context = proxy.context();
        let (own, port) = (proxy.server.local_addr(), proxy.server.local_addr().port());
        let mut hosts = vec![own.to_string()];
        hosts.extend(
            ["localhost", "LOCALHOST.", "a.localhost", "0.0.0.0", "[::]"]
                .map(|host| format!("{host}:{port}")),
        );
        if own.is_ipv4() {
            hosts.extend(
                ["[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1"]
                    .map(|host| format!("{host}:{port}")),
            );
        }
        let mut client = proxy.connect().await;
        for host in hosts {
            for request in [
                context.get(&format!("http://{host}/")),
                context.connect(&host),
                context.ask(
                    &format!("GET ws://{host}/"),
                    "Connection: Upgrade\r\nUpgrade: websocket\r\n",
                ),
                format!("GET / HTTP/1.1\r\nHost: {host}\r\n{}\r\n", context.field()),
            ] {
                client.send(&request).await;
                let (head, _) = client.response().await;
                assert_eq!(status(&head), 508, "{}", request.lines().next().unwrap());
            }
        }
        assert_eq!(proxy.server.stats().total.connections, 1);
    }
}
