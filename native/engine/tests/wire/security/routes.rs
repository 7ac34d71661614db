//! Row 33: what a route is made of cannot become more than it says.

use tabport_engine::{Route, RouteFields};

use super::support::Findings;

/// What no label of a name, and no part of an origin, may be.
const HOSTILE: [&str; 34] = [
    "",
    " ",
    ".",
    "..",
    "a.b",
    "a.",
    ".a",
    "-",
    "-a",
    "a-",
    "a b",
    "a\tb",
    "a\r\nX: y",
    "a\nb",
    "a\rb",
    "a\0b",
    "a/b",
    "a/../b",
    "../b",
    "a\\b",
    "a:80",
    "a@b",
    "a?b",
    "a#b",
    "a%2eb",
    "a%00",
    "a_b",
    "a,b",
    "a;b",
    "{port}",
    "a{port}",
    "\u{fc}n\u{ef}",
    "\u{ff41}",
    "\u{200b}a",
];

fn morph(id: &str, scope: &str, suffix: &str) -> RouteFields {
    RouteFields {
        morph_id: Some(id.to_owned()),
        scope: Some(scope.to_owned()),
        domain_suffix: Some(suffix.to_owned()),
        ..RouteFields::default()
    }
}

fn upstream(text: &str) -> RouteFields {
    RouteFields { upstream: Some(text.to_owned()), ..RouteFields::default() }
}

fn all_are_refused(routes: impl IntoIterator<Item = RouteFields>) {
    let mut findings = Findings::default();
    for fields in routes {
        findings.check(&fields, Route::parse(&fields).is_err(), "it was taken");
    }
    findings.none();
}

#[test]
fn row_33_ids_scopes_and_suffixes_are_labels() {
    assert!(Route::parse(&morph("abc123", "base", "cmux.sh")).is_ok());
    let long = "a".repeat(64);
    for text in HOSTILE.iter().copied().chain([long.as_str()]) {
        all_are_refused([morph(text, "base", "cmux.sh"), morph("abc", text, "cmux.sh")]);
        // A suffix has dots, in their places.
        if text != "a.b" && text != "a_b" {
            all_are_refused([
                morph("abc", "base", text),
                morph("abc", "base", &format!("{text}.sh")),
            ]);
        }
    }
}

/// Each part may be a label where the whole is none any more (RFC 1035, section 2.3.4).
#[test]
fn row_33_a_name_made_of_labels_is_not_too_long() {
    all_are_refused([
        morph(&"a".repeat(40), &"b".repeat(40), "cmux.sh"),
        morph(
            "abc",
            "base",
            &["c".repeat(60), "d".repeat(60), "e".repeat(60), "f".repeat(60)].join("."),
        ),
    ]);
}

#[test]
fn row_33_a_suffix_is_no_address() {
    for suffix in ["127.0.0.1", "1.2.3.4", "[::1]", "::1", "localhost:80", "http://cmux.sh"] {
        all_are_refused([morph("abc", "base", suffix)]);
    }
}

#[test]
fn row_33_an_upstream_is_an_origin_and_nothing_else() {
    let routes = [
        "",
        "cmux.sh",
        "//cmux.sh",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://cmux.sh",
        "http://",
        "http:///x",
        "http://user@cmux.sh",
        "http://user:password@cmux.sh",
        "http://cmux.sh/x",
        "http://cmux.sh?x",
        "http://cmux.sh#x",
        "http://cmux.sh\r\nX: y",
        "http://cmux.sh\0",
        "http://cmux.sh:0",
        "http://cmux.sh:65536",
        "http://cmux.sh:+80",
        "http://cmux.sh:0x50",
        "http://cmux.sh:80:80",
        "http://cm ux.sh",
        "http://cmux..sh",
        "http://[::1",
        "http://{port}{port}.sh/{port}",
        "http://{host}.cmux.sh",
        "http://cmux.sh:{port",
        "http://cmux.sh:{ port }",
        " http://cmux.sh",
        "http://cmux.sh ",
    ];
    all_are_refused(routes.map(upstream));
    // A host may be several labels, with a port; what only a label may not be is for the test above.
    let fine = ["a.b", "a.", "a:80", "a_b", "{port}", "a{port}", "-", "-a", "a-"];
    let hostile = HOSTILE.iter().filter(|text| !fine.contains(text));
    all_are_refused(hostile.map(|text| upstream(&format!("http://{text}"))));
}

#[test]
fn row_33_a_gateway_is_told_a_plain_workspace() {
    let gateway = |origin: &str, workspace: &str| RouteFields {
        cmux_proxy_origin: Some(origin.to_owned()),
        workspace: Some(workspace.to_owned()),
        ..RouteFields::default()
    };
    assert!(Route::parse(&gateway("http://gateway.test:8080", "team/workspace-1.a_b")).is_ok());
    for workspace in
        ["", " ", "..", "../x", "x/..", "x/../y", "a b", "a\r\nX: y", "a\n", "a\0", "\u{fc}"]
    {
        all_are_refused([gateway("http://gateway.test:8080", workspace)]);
    }
    for origin in
        ["", "gateway.test", "http://gateway.test/x", "http://{port}.test", "http://a\r\nb"]
    {
        all_are_refused([gateway(origin, "w")]);
    }
    all_are_refused([RouteFields { workspace: Some("w".to_owned()), ..RouteFields::default() }]);
    all_are_refused([RouteFields::default()]);
}
