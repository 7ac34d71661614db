//! What must hold of whatever the engine makes of a request, stated anew.

use std::net::IpAddr;

use hyper::Method;
use tabport_engine::Route;
use tabport_engine::authority::Authority;
use tabport_engine::decide::{Action, Scope, forward_proxy};
use tabport_engine::fields::Fields;
use tabport_engine::route::Upstream;

use crate::input;

/// Ends at this hop (RFC 9110, section 7.6.1, and what is left of older ones).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A line of a head: its name in lower case, and its value.
pub type Line = (String, Vec<u8>);

pub fn lines(fields: &Fields) -> Vec<Line> {
    let text = |name: &[u8]| String::from_utf8(name.to_ascii_lowercase()).expect("a name is text");
    fields.iter().map(|(name, value)| (text(name), value.to_vec())).collect()
}

/// The lines of a request that go on to the upstream: all but those that end here, unchanged and in order.
pub fn passed_on(sent: &[Line]) -> Vec<Line> {
    let options = list(sent, "connection");
    let stays = |(name, _): &&Line| {
        !HOP_BY_HOP.contains(&name.as_str())
            && !name.replace('_', "-").starts_with("x-cmux-")
            && !options.iter().any(|option| option == name && name != "close")
    };
    let mut lines: Vec<_> = sent.iter().filter(stays).cloned().collect();
    if list(sent, "te").iter().any(|coding| coding == "trailers") {
        lines.push(("te".to_owned(), b"trailers".to_vec()));
    }
    lines
}

/// The members of a field that is a list, in lower case; those that are not text are nobody's name.
pub fn list(lines: &[Line], name: &str) -> Vec<String> {
    let values = lines.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
    let members = values.flat_map(|value| value.split(|byte| *byte == b','));
    let members = members.filter_map(|member| std::str::from_utf8(member).ok());
    members.map(|member| member.trim().to_ascii_lowercase()).filter(|it| !it.is_empty()).collect()
}

/// Whether this is the user's own machine, told by the text.
pub fn is_own_machine(authority: &Authority) -> bool {
    let text = authority.host.to_string();
    match text.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.octets()[0] == 127 || ip.is_unspecified(),
        Ok(IpAddr::V6(ip)) => match ip.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0 | 1] => true,
            [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => high >> 8 == 127 || (high, low) == (0, 0),
            _ => false,
        },
        Err(_) => text.trim_end_matches('.').rsplit('.').next() == Some("localhost"),
    }
}

/// Where a route leads a loopback authority with this port, one that it does not leave local.
pub fn lead(route: &Route, port: u16) -> Upstream {
    let led = (0..).find_map(|number| {
        let asked = format!("x{number}.localhost:{port}");
        let head = input::plain_head(Method::CONNECT, &asked, &asked);
        match forward_proxy::decide(&head, &Scope { route: Some(route), tunnel: None }) {
            Ok(Action::Intercept { upstream, .. }) => Some(upstream),
            Ok(Action::Tunnel { .. }) => None,
            other => panic!("a routed CONNECT to {asked} came to {other:?}"),
        }
    });
    led.expect("the list of what stays local has an end")
}
