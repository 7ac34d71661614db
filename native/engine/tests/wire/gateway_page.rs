//! The page that a navigation gets which fails behind a gateway, whether a tab has come through a proxy or directly.

use tabport_engine::RouteFields;

use crate::error_page::{NAVIGATION, down};
use crate::gateway::{gateway, options};
use crate::harness::{Proxy, field, status};

fn routing(port: &str) -> String {
    format!("X-Cmux-Port-Internal: {port}\r\nX-Cmux-Workspace-Internal: workspace-1\r\n")
}

#[tokio::test]
async fn it_says_what_was_asked_for_and_where_that_leads() {
    let (gateway, address) = (gateway(options()), down().await);
    let port = address.rsplit(':').next().unwrap();
    let named = format!("workspace-1-{port}.localhost:1");
    let told = format!("{}X-Cmux-Host-Override: localhost:3000\r\n", routing(port));
    for (host, fields, asked) in
        [(&*named, String::new(), &*named), ("localhost", told, "localhost:3000")]
    {
        let mut client = gateway.connect().await;
        let navigation = format!("{NAVIGATION}{fields}");
        client
            .send(format!("GET /private?q=S3CRET HTTP/1.1\r\nHost: {host}\r\n{navigation}\r\n"))
            .await;
        let (head, body) = client.response().await;
        assert_eq!(status(&head), 502);
        assert_eq!(field(&head, "proxy-status"), Some("tabport; error=connection_refused"));
        assert!(field(&head, "content-security-policy").is_some(), "{head}");
        for text in [
            format!("<title>{asked} cannot be reached</title>"),
            format!("<h1>Nothing is listening at http://{address}.</h1>"),
            format!("<dd>{asked}</dd>"),
            format!("<dd>http://{address}, by the workspace gateway</dd>"),
        ] {
            assert!(body.contains(&text), "{text} is missing: {body}");
        }
        assert!(!body.contains("S3CRET") && !body.contains("private"), "{body}");
    }
}

#[tokio::test]
async fn what_is_no_navigation_or_the_clients_own_fault_gets_text() {
    let (gateway, address) = (gateway(options()), down().await);
    let routing = routing(address.rsplit(':').next().unwrap());
    for (fields, expected) in [
        (routing, "the upstream refused the connection\n"),
        (NAVIGATION.to_owned(), "missing required header: X-Cmux-Port-Internal\n"),
    ] {
        let mut client = gateway.connect().await;
        client.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")).await;
        let (head, text) = client.response().await;
        assert_eq!(field(&head, "content-type"), Some("text/plain; charset=utf-8"), "{head}");
        assert_eq!(text, expected);
    }
}

#[tokio::test]
async fn a_tab_with_a_route_is_shown_it_as_it_comes() {
    let (gateway, address) = (gateway(options()), down().await);
    let proxy = Proxy::start();
    let tab = proxy.create(Some(RouteFields {
        cmux_proxy_origin: Some(format!("http://{}", gateway.server.local_addr())),
        workspace: Some("workspace-1".into()),
        ..RouteFields::default()
    }));
    let url = format!("http://localhost:{}/", address.rsplit(':').next().unwrap());
    let mut client = proxy.connect().await;
    client.send(tab.ask(&format!("GET {url}"), NAVIGATION)).await;
    let (head, body) = client.response().await;
    assert_eq!(status(&head), 502);
    assert!(body.contains(&format!("<h1>Nothing is listening at http://{address}.")), "{body}");
    // What the page asks, to know whether somebody else answers yet.
    client.send(tab.ask(&format!("HEAD {url}"), "Sec-Fetch-Mode: same-origin\r\n")).await;
    let head = client.head().await;
    assert_eq!(field(&head, "proxy-status"), Some("tabport; error=connection_refused"));
}
