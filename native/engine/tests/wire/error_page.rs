//! The page that a navigation gets when it fails at its upstream, and the text that everything else gets.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use h2::client::ResponseFuture;
use http::Request;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use tabport_engine::{RouteFields, Timeouts};
use tokio::net::TcpListener;

use crate::harness::{Context, Origin, Proxy, field, status};
use crate::stream::{answered, speak, text};
use crate::tls::CertificateAuthority;

/// What Chromium sends when somebody opens an address.
pub(crate) const NAVIGATION: &str = "Accept: text/html,*/*;q=0.8\r\nUpgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
/// The same towards an origin that is not trustworthy.
const WITHOUT_METADATA: &str = "Accept: text/html,*/*;q=0.8\r\nUpgrade-Insecure-Requests: 1\r\n";

/// The answer to one request.
async fn ask(proxy: &Proxy, request: String) -> (String, String) {
    let mut client = proxy.connect().await;
    client.send(request).await;
    client.response().await
}

/// The page that a navigation to this URL gets.
async fn page(proxy: &Proxy, context: &Context, url: &str) -> (String, String) {
    let (head, body) = ask(proxy, context.ask(&format!("GET {url}"), NAVIGATION)).await;
    assert_eq!(field(&head, "content-type"), Some("text/html; charset=utf-8"), "{head}");
    (head, body)
}

/// The address of a server that is down.
pub(crate) async fn down() -> String {
    TcpListener::bind("127.18.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

/// What stands between two marks.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} in {rest}")).0
}

#[tokio::test]
async fn it_says_what_failed_and_on_which_way() {
    let (proxy, address) = (Proxy::start(), down().await);
    let context = proxy.routed(format!("http://{address}"));
    let (head, body) = page(&proxy, &context, "http://LOCALHOST:3000/private?token=abc").await;
    assert_eq!(status(&head), 502);
    assert_eq!(field(&head, "proxy-status"), Some("tabport; error=connection_refused"));
    assert_eq!(field(&head, "cache-control"), Some("no-store"));
    assert!(body.contains("<title>localhost:3000 cannot be reached</title>"), "{body}");
    assert!(
        body.contains(&format!("<h1>Nothing is listening at http://{address}.</h1>")),
        "{body}"
    );
    assert!(body.contains("<dd>http://localhost:3000</dd>"), "{body}");
    assert!(
        body.contains(&format!("<dd>http://{address}, by this tab&#39;s route</dd>")),
        "{body}"
    );
    assert!(body.contains("Try now"), "{body}");
    assert!(body.contains("<noscript><meta http-equiv=\"refresh\""), "{body}");
    for private in ["private", "token", "abc", &context.password, &context.credentials] {
        assert!(!body.contains(private), "{private} in {body}");
    }
    assert!(body.len() < 6 * 1024, "{} bytes", body.len());
}

#[tokio::test]
async fn the_policy_allows_exactly_what_is_in_it() {
    let (proxy, address) = (Proxy::start(), down().await);
    let (head, body) = page(&proxy, &proxy.context(), &format!("http://{address}/")).await;
    let hash = |text: &str| {
        let sha256 = TLS13_AES_128_GCM_SHA256.tls13().unwrap().common.hash_provider;
        format!("'sha256-{}'", BASE64_STANDARD.encode(sha256.hash(text.as_bytes())))
    };
    let style = hash(between(&body, "<style>", "</style>"));
    let script = hash(between(&body, "<script>", "</script>"));
    let policy = format!(
        "default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; \
         base-uri 'none'; form-action 'none'"
    );
    assert_eq!(field(&head, "content-security-policy"), Some(policy.as_str()));
    assert_eq!(body.matches("<style").count(), 1, "{body}");
    assert_eq!(body.matches("<script").count(), 1, "{body}");
    for external in [" src=", "url(", "@import", "<link", " style=", " onclick="] {
        assert!(!body.contains(external), "{external} in {body}");
    }
}

#[tokio::test]
async fn only_a_navigation_gets_it_and_the_rest_of_the_answer_is_the_same() {
    let (proxy, address) = (Proxy::start(), down().await);
    let context = proxy.routed(format!("http://{address}"));
    let metadata = |mode: &str, destination: &str| {
        let fields = WITHOUT_METADATA;
        format!("{fields}Sec-Fetch-Mode: {mode}\r\nSec-Fetch-Dest: {destination}\r\n")
    };
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let cases = [
        ("GET", NAVIGATION.to_owned(), true),
        ("POST", NAVIGATION.to_owned(), true),
        ("GET", metadata("navigate", "iframe"), true),
        ("GET", metadata("navigate", "frame"), true),
        ("GET", WITHOUT_METADATA.to_owned(), true),
        ("POST", WITHOUT_METADATA.to_owned(), false),
        ("GET", metadata("navigate", "object"), false),
        ("GET", metadata("cors", "document"), false),
        ("GET", metadata("no-cors", "image"), false),
        ("GET", metadata("cors", "empty"), false),
        ("GET", "Sec-Fetch-Mode: navigate\r\n".to_owned(), false),
        ("GET", "Accept: text/html\r\nUser-Agent: Mozilla/5.0 Chrome/140\r\n".to_owned(), false),
        ("GET", "Accept: */*\r\nUpgrade-Insecure-Requests: 1\r\n".to_owned(), false),
        ("GET", format!("{}{upgrade}", metadata("websocket", "empty")), false),
        ("GET", String::new(), false),
    ];
    for (method, fields, is_page) in cases {
        let target = format!("{method} http://localhost:3000/");
        let (head, body) = ask(&proxy, context.ask(&target, &fields)).await;
        let kind = if is_page { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
        assert_eq!(field(&head, "content-type"), Some(kind), "{method} {fields}");
        assert_eq!(status(&head), 502, "{fields}");
        assert_eq!(field(&head, "proxy-status"), Some("tabport; error=connection_refused"));
        assert_eq!(body == "the upstream refused the connection\n", !is_page, "{body}");
        assert_eq!(field(&head, "content-security-policy").is_some(), is_page, "{head}");
    }
}

#[tokio::test]
async fn what_is_not_about_the_upstream_stays_text() {
    let proxy = Proxy::start();
    let (context, other) = (proxy.routed("http://127.0.0.1:1"), proxy.context());
    let without = format!("GET http://localhost:3000/ HTTP/1.1\r\nHost: a\r\n{NAVIGATION}\r\n");
    let hostile = "GET / HTTP/1.1\r\nHost: <script>alert(1)</script>\r\n";
    let smuggling = format!("Connection: Cookie\r\n{NAVIGATION}");
    let odd = "GET / HTTP/1.1\r\nHost: a\"onload=x\r\n";
    let cases = [
        (without, 407, "proxy authentication required\n"),
        (context.ask("GET http://localhost:3000/", &smuggling), 400, "\n"),
        (format!("{hostile}{}{NAVIGATION}\r\n", other.field()), 400, "Host field is not valid\n"),
        (format!("{odd}{}{NAVIGATION}\r\n", context.field()), 400, "Host field is not valid\n"),
    ];
    for (request, expected, ending) in cases {
        let (head, body) = ask(&proxy, request).await;
        assert_eq!(status(&head), expected, "{head}");
        assert_eq!(field(&head, "content-type"), Some("text/plain; charset=utf-8"), "{head}");
        assert!(body.ends_with(ending), "{body}");
        assert!(!body.contains('<'), "{body}");
    }
}

#[tokio::test]
async fn a_form_is_never_sent_again_by_itself() {
    let (proxy, address) = (Proxy::start(), down().await);
    let context = proxy.routed(format!("http://{address}"));
    let (_, body) = ask(&proxy, context.ask("POST http://localhost:3000/", NAVIGATION)).await;
    assert!(!body.contains("<script") && !body.contains("http-equiv"), "{body}");
    assert!(body.contains("It is not sent again"), "{body}");
    assert!(body.contains("<a href=\"\">Open the address</a>"), "{body}");
}

#[tokio::test]
async fn a_head_request_gets_the_same_head() {
    let (proxy, address) = (Proxy::start(), down().await);
    let context = proxy.routed(format!("http://{address}"));
    let mut client = proxy.connect().await;
    client.send(context.ask("HEAD http://localhost:3000/", NAVIGATION)).await;
    let head = client.head().await;
    let (expected, body) = page(&proxy, &context, "http://localhost:3000/").await;
    assert_eq!(head, expected);
    assert_eq!(field(&head, "content-length"), Some(body.len().to_string().as_str()));
}

#[tokio::test]
async fn it_names_the_gateway_and_the_workspace() {
    let (proxy, address) = (Proxy::start(), down().await);
    for (workspace, expected) in [(Some("team/one"), " (workspace team/one)"), (None, "")] {
        let context = proxy.create(Some(RouteFields {
            cmux_proxy_origin: Some(format!("http://{address}")),
            workspace: workspace.map(str::to_owned),
            ..RouteFields::default()
        }));
        let (_, body) = page(&proxy, &context, "http://localhost:3000/").await;
        let way = format!("<dd>the workspace gateway http://{address}{expected}</dd>");
        assert!(body.contains(&way), "{body}");
    }
}

#[tokio::test]
async fn each_failure_has_words_of_its_own() {
    let (ca, origin) = (CertificateAuthority::new(), Origin::start().await);
    let named = ca.origin("named.test", &[]).await;
    let mut options = ca.options(&[("other.test:443", &named)]);
    options.timeouts = Timeouts {
        tls_handshake: std::time::Duration::from_millis(200),
        response_head: std::time::Duration::from_millis(200),
        ..Timeouts::default()
    };
    let proxy = Proxy::with(options);
    let context = proxy.context();

    let (wrong, ()) =
        tokio::join!(page(&proxy, &context, "https://other.test/"), named.is_refused());
    assert_eq!(field(&wrong.0, "proxy-status"), Some("tabport; error=tls_certificate_error"));
    let heading = "<h1>The certificate of https://other.test is not for this name.</h1>";
    assert!(wrong.1.contains(heading), "{}", wrong.1);
    assert!(wrong.1.contains("<dd>https://other.test, directly</dd>"), "{}", wrong.1);

    let hang_up = async { drop(origin.accept().await) };
    let url = origin.url();
    let (closed, ()) = tokio::join!(page(&proxy, &context, &url), hang_up);
    let heading = format!("<h1>{url} closed the connection before it answered.</h1>");
    assert!(closed.1.contains(&heading), "{}", closed.1);

    let (silent, _held) = tokio::join!(page(&proxy, &context, &url), origin.accept());
    assert_eq!(status(&silent.0), 504);
    let heading = format!("<h1>{url} did not answer within 0.2 s.</h1>");
    assert!(silent.1.contains(&heading), "{}", silent.1);

    let own = proxy.server.local_addr();
    let (head, body) = page(&proxy, &context, &format!("http://{own}/")).await;
    assert_eq!(status(&head), 508);
    assert!(body.contains("leads back to the proxy"), "{body}");
}

#[tokio::test]
async fn a_loopback_that_is_refused_is_told_in_plain_words() {
    let origin = Origin::start().await;
    let proxy = Proxy::start();
    let context = proxy.routed(origin.url());
    let (head, body) =
        page(&proxy, &context, &format!("http://2130706433:{}/", origin.port())).await;
    assert_eq!(status(&head), 403);
    assert_eq!(field(&head, "proxy-status"), Some("tabport; error=destination_ip_prohibited"));
    assert!(body.contains(
        "<h1>2130706433 leads to this machine itself, which this tab may not reach.</h1>"
    ));
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn it_is_shown_over_http2_and_inside_a_tunnel() {
    let (proxy, address) = (Proxy::start(), down().await);
    let context = proxy.routed(format!("http://{address}"));
    let direct = speak(proxy.connect().await.0).await;
    let inside = speak(proxy.tunnel(&context, "localhost:3000").await.0).await;
    for mut sender in [direct, inside] {
        let request = Request::get("http://localhost:3000/")
            .header("proxy-authorization", format!("Basic {}", context.credentials))
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document");
        let (response, _): (ResponseFuture, _) =
            sender.send_request(request.body(()).unwrap(), true).unwrap();
        let response = answered(response).await;
        assert_eq!(response.status(), 502);
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(response.headers()["proxy-status"], "tabport; error=connection_refused");
        assert!(
            text(response).await.0.contains(&format!("Nothing is listening at http://{address}."))
        );
    }
    let mut client = proxy.tunnel(&context, "localhost:3000").await;
    client.send(format!("GET /x HTTP/1.1\r\nHost: localhost:3000\r\n{NAVIGATION}\r\n")).await;
    let (head, body) = client.response().await;
    assert_eq!(status(&head), 502);
    assert!(body.contains("<dd>http://localhost:3000</dd>"), "{body}");
}
