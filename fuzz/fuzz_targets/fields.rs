//! The field rules: what ends at this hop, by any spelling, and nothing else.
//!
//! Input: field lines up to an empty one.

#![no_main]

use http::Version;
use libfuzzer_sys::fuzz_target;
use tabport_engine::headers;
use tabport_fuzz::{input, rules};

fuzz_target!(|data: &[u8]| {
    let Some(fields) = input::fields(data) else { return };
    let sent = rules::lines(&fields);

    let mut forwarded = fields.clone();
    headers::strip_request(&mut forwarded);
    let passed_on = rules::lines(&forwarded);
    assert!(passed_on == rules::passed_on(&sent), "other fields are passed on");
    headers::strip_request(&mut forwarded);
    assert!(rules::lines(&forwarded) == passed_on, "the next hop would find more to remove");

    if headers::check_request(&fields).is_ok() {
        check_checked(&sent);
    }
    let mut trailers = fields.clone();
    headers::strip_trailers(&mut trailers);
    check_trailers(&rules::lines(&trailers));

    if let Some(protocols) = headers::upgrade_protocols(&fields, Version::HTTP_11) {
        let asked = rules::list(&sent, "upgrade");
        let named = protocols.split(", ").map(str::to_ascii_lowercase);
        assert!(named.clone().all(|it| asked.contains(&it)), "a protocol nobody asked for");
        assert!(named.clone().all(|it| it != "h2c" && !it.starts_with("http/")), "another HTTP");
        assert!(rules::list(&sent, "connection").contains(&"upgrade".to_owned()));
        assert_eq!(headers::upgrade_protocols(&fields, Version::HTTP_10), None);
    }
});

/// What a request must not remove, it has not asked to remove.
fn check_checked(sent: &[rules::Line]) {
    for option in rules::list(sent, "connection") {
        let protected = ["host", "authorization", "cookie", "content-length"];
        let routing = option.replace('_', "-").starts_with("x-cmux-");
        assert!(!routing && !protected.contains(&option.as_str()), "Connection names {option}");
    }
    let folded = |(name, _): &rules::Line| {
        name.contains('_') && name.replace('_', "-").starts_with("x-cmux-")
    };
    assert!(!sent.iter().any(folded), "a field looks like a routing field to some servers");
}

/// RFC 9110, section 6.5.1: what decides over framing, routing or credentials is no trailer, nor is what a proxy tells of a
/// client.
fn check_trailers(trailers: &[rules::Line]) {
    let refused = [
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "host",
        "proxy-authorization",
        "set-cookie",
        "te",
        "transfer-encoding",
        "upgrade",
    ];
    let told = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id"];
    for (name, _) in trailers {
        let folded = name.replace('_', "-");
        let own = folded.starts_with("x-cmux-") || told.contains(&folded.as_str());
        assert!(!own && !refused.contains(&name.as_str()), "{name} in the trailers");
    }
}
