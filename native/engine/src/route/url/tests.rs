//! Preview URLs by table: what each provider's say, and what is refused with which words.

use super::*;
use crate::route::RouteFields;

fn route(upstream: &str) -> Route {
    let fields = RouteFields { upstream: Some(upstream.into()), ..RouteFields::default() };
    Route::parse(&fields).unwrap()
}

fn own_domains() -> [(Provider, String); 3] {
    [
        (Provider::Coder, "*.coder.example.com".to_owned()),
        (Provider::Gitpod, "Gitpod.Example".to_owned()),
        (Provider::Cmux, "cmux.localhost".to_owned()),
    ]
}

fn parse(url: &str) -> Result<PreviewUrl, RouteError> {
    PreviewUrl::parse(url, &own_domains())
}

/// A URL, whose it is, the port it leads to, and the template of its route.
const READ: &str = "
    https://cmux-abc-base-3000.cmux.app/x?y#z cmux 3000 https://cmux-abc-base-{port}.cmux.app
    https://cmux-abc-3000.cmux.sh cmux 3000 https://cmux-abc-{port}.cmux.sh
    https://cmux-1-2-3.cmux.dev cmux 3 https://cmux-1-2-{port}.cmux.dev
    http://manaflow-a-b-1.manaflow.com cmux 1 http://manaflow-a-b-{port}.manaflow.com
    http://cmux-a-b-1.cmux.localhost:9779 cmux 1 http://cmux-a-b-{port}.cmux.localhost:9779
    https://port-80-morphvm-j9mt.http.cloud.morph.so morph 80 https://port-{port}-morphvm-j9mt.http.cloud.morph.so
    https://octo-mld5-3000.app.github.dev codespaces 3000 https://octo-mld5-{port}.app.github.dev
    https://octo-80-8080.app.github.dev codespaces 8080 https://octo-80-{port}.app.github.dev
    https://8080-a0-b0-155799b3.ws-eu45.gitpod.io gitpod 8080 https://{port}-a0-b0-155799b3.ws-eu45.gitpod.io
    https://1-01234567-89ab-cdef-0123-456789abcdef.ws.gitpod.example
        gitpod 1 https://{port}-01234567-89ab-cdef-0123-456789abcdef.ws.gitpod.example
    https://80--main--my-work--dean.coder.example.com
        coder 80 https://{port}--main--my-work--dean.coder.example.com
    https://80s--main--w--d.coder.example.com coder 80 https://{port}s--main--w--d.coder.example.com
    https://3000-i62mff4.e2b.app e2b 3000 https://{port}-i62mff4.e2b.app
    https://3000-80-b0b684e9.e2b.dev e2b 3000 https://{port}-80-b0b684e9.e2b.dev
    https://3000-sandbox-1.proxy.daytona.work daytona 3000 https://{port}-sandbox-1.proxy.daytona.work
    https://65535-a.proxy.daytona.works daytona 65535 https://{port}-a.proxy.daytona.works
    HTTPS://3000-ABC.E2b.App:443/ e2b 3000 https://{port}-abc.e2b.app
    https://3000-abc.e2b.app.:8443 e2b 3000 https://{port}-abc.e2b.app.:8443
";

#[test]
fn route_parser_shared_dash_safe() {
    let words: Vec<_> = READ.split_whitespace().collect();
    for row in words.chunks(4) {
        let [url, provider, port, upstream] = *row else { panic!("{row:?} is no row") };
        let read = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!((read.provider.name(), read.upstream.as_str()), (provider, upstream), "{url}");
        assert_eq!(read.port.to_string(), port, "{url}");
        assert_eq!(route(upstream).url(read.port), Ok(origin_of(url)), "{url}");
    }
}

/// As a browser would write it.
fn origin_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let host = rest.split(['/', '?', '#']).next().unwrap().to_lowercase();
    let scheme = scheme.to_lowercase();
    let default = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}", host.strip_suffix(default).unwrap_or(&host))
}

fn refused(url: &str) -> String {
    let error = parse(url).expect_err(url);
    assert_eq!(error.field, FIELD, "{url}");
    error.reason.into_owned()
}

/// A host, and what was expected instead.
const UNREAD: &str = "
    cmux-abc-base-0.cmux.app cmux-{id}-{scope}-{port}.cmux.app
    cmux-abc-base-65536.cmux.app cmux-{id}-{scope}-{port}.cmux.app
    cmux-abc-base-080.cmux.app cmux-{id}-{scope}-{port}.cmux.app
    cmux-abc--base-80.cmux.app cmux-{id}-{scope}-{port}.cmux.app
    cmux-80.cmux.app cmux-{id}-{scope}-{port}.cmux.app
    xcmux-a-b-80.cmux.app cmux-{id}-{scope}-{port}.cmux.app
    a.cmux-a-b-80.cmux.app cmux-{id}-{scope}-{port}.cmux.app
    web-morphvm-a.http.cloud.morph.so port-{port}-morphvm-{id}.http.cloud.morph.so
    port-080-morphvm-a.http.cloud.morph.so port-{port}-morphvm-{id}.http.cloud.morph.so
    port-80-morphvm-a-b.http.cloud.morph.so port-{port}-morphvm-{id}.http.cloud.morph.so
    octocat-space-mld5.app.github.dev {name}-{port}.app.github.dev
    octocat-65536.app.github.dev {name}-{port}.app.github.dev
    -80.app.github.dev {name}-{port}.app.github.dev
    moccasin-ferret-155799b3.ws-eu.gitpod.io {port}-{workspace}.{cluster}.gitpod.io
    1234-ferret-155799b3.ws-eu.gitpod.io {port}-{workspace}.{cluster}.gitpod.io
    0-a0-b0-155799b3.ws-eu.gitpod.io {port}-{workspace}.{cluster}.gitpod.io
    8080-a0-b0-155799b3.gitpod.io {port}-{workspace}.{cluster}.gitpod.io
    app--main--w--d.coder.example.com {port}--{agent}--{workspace}--{user}.coder.example.com
    x---80--main--w--d.coder.example.com {port}--{agent}--{workspace}--{user}.coder.example.com
    080--main--w--d.coder.example.com {port}--{agent}--{workspace}--{user}.coder.example.com
    80--w--d.coder.example.com {port}--{agent}--{workspace}--{user}.coder.example.com
    abc.e2b.app {port}-{sandbox}.e2b.app
    3000-.e2b.app {port}-{sandbox}.e2b.app
    3000-a_b.e2b.app {port}-{sandbox}.e2b.app
    0-abc.proxy.daytona.work {port}-{sandbox}.proxy.daytona.work
    65536-abc.proxy.daytona.work {port}-{sandbox}.proxy.daytona.work
";

#[test]
fn what_no_provider_makes_is_refused_with_its_grammar() {
    let words: Vec<_> = UNREAD.split_whitespace().collect();
    for row in words.chunks(2) {
        let [host, expected] = *row else { panic!("{row:?} is no row") };
        let why = "does not name a port as its provider would: expected the host";
        assert_eq!(refused(&format!("https://{host}/?secret")), format!("{why} {expected}"));
    }
    for elsewhere in [
        "3000-a.e2b.app.evil.test",
        "3000-a.xe2b.app",
        "e2b.app",
        "3000-a.coder.test",
        "127.0.0.1",
        "[::1]",
    ] {
        let why = refused(&format!("https://{elsewhere}/?secret"));
        assert!(why.starts_with("is of no known provider and domain: expected"), "{why}");
        assert!(!why.contains("secret"), "{why}");
        for provider in Provider::ALL {
            assert!(why.contains(&provider.grammar().to_string()), "{why}");
        }
    }
}

#[test]
fn what_is_no_url_is_refused() {
    for url in [
        "",
        "3000-a.e2b.app",
        "wss://3000-a.e2b.app",
        "https:3000-a.e2b.app",
        "https:///3000-a.e2b.app",
        " https://3000-a.e2b.app",
        "https://user@3000-a.e2b.app",
        "https://3000-a.e2b.app@evil.test",
        "https://evil.test\\@3000-a.e2b.app",
        "https://3000-a.e2b.app:",
        "https://3000-a.e2b.app:0",
        "https://3000-a.e2b.app:65536",
        "https://3000-a.e2b.app..",
        "https://3000-a\r\n.e2b.app",
        "https://3000-a\t.e2b.app",
        "https://3000%2da.e2b.app",
        "https://3000-ä.e2b.app",
    ] {
        assert_eq!(refused(url), "is not an http or https URL with a host", "{url:?}");
    }
}

#[test]
fn a_host_with_two_readings_is_refused() {
    assert_eq!(
        refused("https://cmux-a-b-c-3000.cmux.app"),
        "can be read in two ways, as cmux with id \"a\", scope \"b-c\" and as cmux with id \"a-b\", \
         scope \"c\": say which is meant by a template"
    );
    let twice = [(Provider::Daytona, "e2b.app".to_owned())];
    let error = PreviewUrl::parse("https://3000-a.e2b.app", &twice).unwrap_err();
    assert!(error.reason.contains("as e2b with sandbox \"a\" and as daytona with"), "{error}");
}

#[test]
fn configurable_domain_suffixes() {
    let url = "https://cmux-abc-base-3000.example.dev";
    assert!(parse(url).is_err());
    let own = |domain: &str| PreviewUrl::parse(url, &[(Provider::Cmux, domain.to_owned())]);
    let read = own("example.dev").unwrap();
    assert_eq!(read.upstream, "https://cmux-abc-base-{port}.example.dev");
    assert_eq!(own("EXAMPLE.dev"), own("*.example.dev"));
    for bad in ["", "example.dev.", ".example.dev", "a b", "a/b", "a@b", "127.0.0.1", "a\r\nb"] {
        assert_eq!(own(bad).unwrap_err().field, "domains", "{bad:?}");
    }
    // A domain that is known already, or given twice, makes no second reading.
    let again = ["cmux.app", "x.test", "x.test"].map(|it| (Provider::Cmux, it.to_owned()));
    assert!(PreviewUrl::parse("https://cmux-a-b-1.cmux.app", &again).is_ok());
    assert!(PreviewUrl::parse("https://cmux-a-b-1.x.test", &again).is_ok());
}

#[test]
fn the_longest_port_must_fit_too() {
    let url = |length| format!("https://1-{}.e2b.app", "a".repeat(length));
    assert!(parse(&url(57)).is_ok());
    assert_eq!(refused(&url(58)), "has a label of more than 63 characters");
    assert_eq!(refused(&url(62)), "has a label of more than 63 characters");
}

#[test]
fn a_route_has_a_url_for_every_port_unless_it_is_a_gateway() {
    assert_eq!(route("http://127.18.0.1:{port}").url(80).unwrap(), "http://127.18.0.1");
    assert_eq!(route("http://[::1]:4000").url(80).unwrap(), "http://[::1]:4000");
    assert_eq!(route("https://{port}-a.test").url(0).unwrap_err().field, "port");
    let gateway = RouteFields {
        cmux_proxy_origin: Some("http://10.0.0.5:39379".into()),
        ..RouteFields::default()
    };
    let gateway = Route::parse(&gateway).unwrap();
    assert_eq!(gateway.url(80).unwrap_err().field, "cmuxProxyOrigin");
}
