//! What must hold of whatever the engine makes of a request, stated anew.

use std::net::{IpAddr, Ipv4Addr};

use http::Method;
use ipnet::Ipv4Net;
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

/// What a gateway's routing fields say.
pub struct Routing {
    pub port: Option<u16>,
    pub workspace: Option<String>,
    pub host: Option<String>,
}

/// The routing fields among these, unless one of them could be read in two ways.
pub fn routing(lines: &[Line]) -> Option<Routing> {
    let folded =
        |(name, _): &Line| name.contains('_') && name.replace('_', "-").starts_with("x-cmux-");
    if lines.iter().any(folded) {
        return None;
    }
    let port = match only(lines, "x-cmux-port-internal")? {
        Some(text) => Some(port(&text)?),
        None => None,
    };
    let workspace = only(lines, "x-cmux-workspace-internal")?;
    let host = only(lines, "x-cmux-host-override")?;
    Some(Routing { port, workspace, host })
}

/// The value of a field, if it stands there at all; `None` if it does so twice, or says nothing, or no text.
pub fn only(lines: &[Line], name: &str) -> Option<Option<String>> {
    let values: Vec<_> = lines.iter().filter(|(other, _)| other == name).collect();
    match values[..] {
        [] => Some(None),
        [(_, value)] if !value.is_empty() => String::from_utf8(value.clone()).ok().map(Some),
        _ => None,
    }
}

fn port(text: &str) -> Option<u16> {
    let value = text.chars().try_fold(0u32, |value, digit| {
        Some(value.saturating_mul(10).saturating_add(digit.to_digit(10)?))
    })?;
    u16::try_from(value).ok().filter(|port| *port > 0 && !text.is_empty())
}

/// The workspace and the port that `<workspace>-<port>.localhost` names.
pub fn named(authority: &Authority) -> Option<(String, u16)> {
    let text = authority.host.to_string().to_ascii_lowercase();
    let (name, last) = text.trim_end_matches('.').rsplit_once('.')?;
    let dash = name.rfind('-').filter(|dash| *dash > 0 && last == "localhost")?;
    Some((name[..dash].to_owned(), port(&name[dash + 1..])?))
}

/// Where a workspace is, told by arithmetic that cannot wrap.
pub fn address(net: Ipv4Net, name: &str) -> Option<Ipv4Addr> {
    let (first, last) =
        (u64::from(u32::from(net.network())), u64::from(u32::from(net.broadcast())));
    let base = &name[name.rfind('/').map_or(0, |slash| slash + 1)..];
    let digits = base.bytes().rev().take_while(u8::is_ascii_digit).count();
    let number = if digits > 0 {
        base[base.len() - digits..].bytes().fold(0u64, |number, digit| {
            number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        })
    } else {
        let hash = base
            .to_ascii_lowercase()
            .bytes()
            .fold(2_166_136_261u64, |hash, byte| (hash ^ u64::from(byte)) * 16_777_619 % (1 << 32));
        hash % (last - first + 1)
    };
    let at = first.checked_add(number).filter(|at| *at <= last)?;
    let reserved = !net.network().is_loopback() && (at == first || at == last);
    u32::try_from(at).ok().filter(|_| !reserved).map(Ipv4Addr::from)
}
