//! The request target: where it leads is read as others read it, and its text leads there again.
//!
//! Input: a line with a tunnel's authority, a request's head.

#![no_main]

use std::net::IpAddr;

use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;
use tabport_engine::authority::{Authority, Host};
use tabport_engine::head::RequestHead;
use tabport_engine::target::Target;
use tabport_fuzz::{input, rules};

fuzz_target!(|data: &[u8]| {
    let _ = run(data);
});

fn run(mut data: &[u8]) -> Option<()> {
    let tunnel = input::tunnel(&mut data)?;
    let head = input::head(data)?;
    let target = Target::of(&head, tunnel.as_ref()).ok()?;
    check_authority(&target.authority);
    match tunnel {
        Some(tunnel) => assert_eq!(target, tunnel, "a request left its tunnel"),
        None => check_reading(&head, &target),
    }
    Some(())
}

fn check_authority(authority: &Authority) {
    let text = authority.to_string();
    assert_eq!(text.parse().as_ref(), Ok(authority), "{text} does not lead there again");
    assert_ne!(authority.port, 0);
    assert_eq!(authority.host.is_loopback(), rules::is_own_machine(authority), "{text}");
    if let Host::Name(name) = &authority.host {
        assert!(name.parse::<IpAddr>().is_err(), "{name} is an address");
        assert_eq!(**name, *name.to_ascii_lowercase());
    }
}

/// Another parser reads the same host and port, or none.
fn check_reading(head: &RequestHead, target: &Target) {
    let plain_connect = head.method == Method::CONNECT && head.protocol.is_none();
    let Ok(uri) = Uri::try_from(&head.target[..]) else { return };
    let Some(authority) = uri.authority() else { return };
    assert_eq!(uri.scheme_str().is_none(), plain_connect, "{uri}");
    let port = authority.port_u16().unwrap_or(target.scheme.default_port());
    let host: Host = authority.host().parse().expect("one parser's host is the other's");
    assert_eq!((host, port), (target.authority.host.clone(), target.authority.port), "{uri}");
}
