//! Messages on the wire: no request hides in another. What is passed on is one request to whoever reads it next, with
//! the length it had here; how its bytes arrive changes nothing.
//!
//! Input: a line with a route, a request with its body, and what follows it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tabport_engine::Token;
use tabport_engine::decide::{Action, Scope, forward_proxy};
use tabport_engine::fields::Fields;
use tabport_engine::fuzzing;
use tabport_engine::head::RequestHead;
use tabport_engine::route::{Route, Upstream};
use tabport_fuzz::{input, rules};

fuzz_target!(|data: &[u8]| {
    let _ = run(data);
});

fn run(mut data: &[u8]) -> Option<()> {
    let route = input::route(&mut data)?;
    let (head, length) = fuzzing::request(data)?;
    let (_, rest) = data.split_at(length);
    check_arrival(data, length);
    check_body(&head, rest);
    let upstream = upstream(&head, route.as_ref())?;
    if head.fields.iter().count() > MOST_FIELDS {
        return None;
    }
    check_passed_on(head, &upstream);
    Some(())
}

/// A head is complete with its last byte, not before, and reads the same in whatever follows.
fn check_arrival(data: &[u8], length: usize) {
    let alone = fuzzing::request(&data[..length]).map(|(_, length)| length);
    assert_eq!(alone, Some(length));
    assert!(fuzzing::request(&data[..length - 1]).is_none());
    assert!(data[..length].ends_with(b"\r\n\r\n"));
}

fn check_body(head: &RequestHead, rest: &[u8]) {
    let told = |(content, trailers, used): (Vec<u8>, Fields, usize)| {
        (content, rules::lines(&trailers), used)
    };
    let whole = fuzzing::body(head, rest, rest.len()).map(told);
    for size in [1, 2, 7] {
        assert!(fuzzing::body(head, rest, size).map(told) == whole, "in pieces of {size}");
    }
    let Some((content, _, used)) = whole else { return };
    let sent = rules::lines(&head.fields);
    let lengths = sent.iter().filter(|(name, _)| name == "content-length").count();
    let codings = rules::list(&sent, "transfer-encoding");
    match (lengths, &codings[..]) {
        (0, []) => assert_eq!(used, 0),
        (1, []) => assert_eq!(used, content.len()),
        (0, [coding]) => assert!(coding == "chunked" && rest[..used].ends_with(b"\r\n")),
        other => panic!("two readers would take {other:?} for different lengths"),
    }
}

/// Where a request that is forwarded goes.
fn upstream(head: &RequestHead, route: Option<&Route>) -> Option<Upstream> {
    match forward_proxy::decide(head, &Scope { route, tunnel: None }).ok()? {
        Action::Forward(upstream) => Some(upstream),
        _ => None,
    }
}

/// Room for what the engine adds to a head must be left.
const MOST_FIELDS: usize = 128;

fn check_passed_on(head: RequestHead, upstream: &Upstream) {
    let (method, sent) = (head.method.clone(), rules::lines(&head.fields));
    let framed = ["content-length", "transfer-encoding"].map(|name| rules::list(&sent, name));
    let bytes = fuzzing::forwarded(head, upstream);
    let (next, length) = fuzzing::request(&bytes).expect("what is passed on is a request");
    assert_eq!(length, bytes.len(), "more than one request is passed on");
    let theirs = input::head(&bytes).expect("another parser reads it, too");
    assert_eq!((&next.target, &next.method), (&theirs.target, &method));
    assert!(matches!(next.target.first(), Some(b'/' | b'*')), "not in origin-form");

    let lines = rules::lines(&next.fields);
    assert!(lines == rules::lines(&theirs.fields), "another parser reads other fields");
    assert!(
        framed == ["content-length", "transfer-encoding"].map(|name| rules::list(&lines, name))
    );
    let hosts: Vec<_> = lines.iter().filter(|(name, _)| name == "host").collect();
    assert!(matches!(hosts[..], [_]), "{} Host fields", hosts.len());
    let own = |(name, _): &rules::Line| name.starts_with("x-cmux-");
    assert_eq!(lines.iter().any(own), upstream.routing.is_some());
    check_credentials(&lines, upstream);
    let hidden = |(name, _): &rules::Line| ["proxy-connection", "upgrade"].contains(&name.as_str());
    assert!(!lines.iter().any(hidden), "a field of this hop is passed on");
    // RFC 9110, section 10.1.4: TE is of one hop, and says so.
    let te = lines.iter().any(|(name, _)| name == "te");
    let options = rules::list(&lines, "connection");
    assert_eq!(options, if te { vec!["te"] } else { vec![] });
}

/// The gateway of a route is told its token, and whoever else is asked no credentials at all.
fn check_credentials(lines: &[rules::Line], upstream: &Upstream) {
    let token = upstream.routing.as_ref().and_then(|routing| routing.token.clone());
    let told: Vec<_> = lines
        .iter()
        .filter(|(name, _)| name == "proxy-authorization")
        .map(|(_, value)| std::str::from_utf8(value).unwrap().strip_prefix("Bearer ").unwrap())
        .map(|value| Token::new(value).unwrap())
        .collect();
    assert!(told.iter().eq(&token), "{} credentials are told", told.len());
}
