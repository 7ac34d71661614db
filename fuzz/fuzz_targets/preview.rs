//! Preview URLs: what is understood of one leads to that very URL again, and never to the user's own machine.
//!
//! Input: a URL.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tabport_engine::authority::Authority;
use tabport_engine::{PreviewUrl, Route, RouteFields};
use tabport_fuzz::rules;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(preview) = PreviewUrl::parse(text, &[]) else { return };
    let upstream = Some(preview.upstream.clone());
    let route = Route::parse(&RouteFields { upstream, ..RouteFields::default() });
    let route = route.expect("what a URL leads to is a route");

    let led = rules::lead(&route, preview.port);
    assert!(!rules::is_own_machine(&led.authority), "{text} leads to {led}");
    let (scheme, rest) = text.split_once("://").expect("it has a scheme");
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let asked = Authority::parse(authority, Some(led.scheme.default_port()));
    assert_eq!(asked, Ok(led.authority), "{text} does not come back");
    assert!(scheme.eq_ignore_ascii_case(led.scheme.as_str()), "{text} does not come back");
    let url = route.url(preview.port).expect("a template leads to a URL");
    assert_eq!(PreviewUrl::parse(&url, &[]), Ok(preview));
});
