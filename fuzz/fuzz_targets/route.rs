//! The route parser: a route that is valid leads every port to an authority that is, and no port bends it.
//!
//! Input: a route's fields, with tabs between them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tabport_engine::authority::{Authority, Host};
use tabport_engine::route::{Loopback, Route, RouteFields};
use tabport_fuzz::{input, rules};

const PORTS: [u16; 5] = [1, 80, 443, 3000, 65535];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let fields = input::route_fields(text);
    match Route::parse(&fields) {
        Ok(route) => check(&route, &fields),
        Err(error) => assert!(!error.field.is_empty() && !error.reason.is_empty()),
    }
});

fn check(route: &Route, fields: &RouteFields) {
    let loopback = rules::lead(route, PORTS[0]).loopback;
    for port in PORTS {
        let led = rules::lead(route, port);
        check_authority(&led.authority);
        assert_eq!(led.loopback, loopback, "whether it is the user's machine depends on the port");
        let own = rules::is_own_machine(&led.authority);
        assert_eq!(led.loopback == Loopback::Allowed, own, "{led}");
        if let Some(suffix) = &fields.domain_suffix {
            let host = led.authority.host.to_string();
            assert!(host.ends_with(&format!("-{port}.{}", suffix.to_ascii_lowercase())), "{host}");
            assert!(host.starts_with("cmux-"), "{host}");
        }
        let workspace = led.routing.as_ref().and_then(|routing| routing.workspace.as_deref());
        assert_eq!(workspace, fields.workspace.as_deref());
        let sound = |byte: u8| byte.is_ascii_graphic();
        assert!(
            workspace.unwrap_or_default().bytes().all(sound),
            "{workspace:?} is no field value"
        );
    }
}

/// RFC 1035, section 2.3.4, and the text leads there again.
fn check_authority(authority: &Authority) {
    let text = authority.to_string();
    assert_eq!(text.parse().as_ref(), Ok(authority), "{text}");
    if let Host::Name(name) = &authority.host {
        assert!(name.split('.').all(|label| label.len() <= 63), "{name}");
    }
}
