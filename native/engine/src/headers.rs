//! Fields that end at this hop, and fields that only we may set (RFC 9110, section 7.6.1).

use http::Version;

use crate::error::ProxyError;
use crate::fields::Fields;
use crate::forwarded::is_ours;
use crate::route::{Routing, Told, Upstream};

/// Tells a gateway which port was asked for.
pub(crate) const PORT: &str = "X-Cmux-Port-Internal";
/// Tells a gateway which workspace to look in.
pub(crate) const WORKSPACE: &str = "X-Cmux-Workspace-Internal";
/// Tells a gateway which Host the workspace's server must see.
pub(crate) const HOST_OVERRIDE: &str = "X-Cmux-Host-Override";
/// Names the gateways that a request has passed: one that finds itself there is in a loop.
pub(crate) const PASSED: &str = "X-Cmux-Proxied";
/// What all routing fields begin with.
const ROUTING_PREFIX: &str = "x-cmux-";

/// `Connection`, and what is never passed on whether it is named there or not.
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

/// What must not be removed by naming it in `Connection`: other hops decide by it.
const PROTECTED: [&str; 4] = ["host", "authorization", "cookie", CONTENT_LENGTH];
/// Without it the next hop would take a body for another message.
const CONTENT_LENGTH: &str = "content-length";

const NAMES_PROTECTED: ProxyError =
    ProxyError::BadRequest("Connection names a field that must not be removed");

/// What frames, routes or authenticates a message and so may not stand in trailers (RFC 9110, section 6.5.1).
const NOT_IN_TRAILERS: [&str; 5] =
    ["authorization", CONTENT_LENGTH, "cookie", "host", "set-cookie"];

/// Refuses a request that could mean something else to the next hop: one whose `Connection` options would
/// remove what other hops decide by, or with a field that some server would take for a routing field.
pub fn check_request(fields: &Fields) -> Result<(), ProxyError> {
    if fields.iter().any(|(name, _)| name.contains(&b'_') && is_routing(name)) {
        return Err(ProxyError::BadRequest(
            "a field is named like a routing field, with underscores",
        ));
    }
    if fields.members("connection").any(is_routing) {
        return Err(NAMES_PROTECTED);
    }
    check_options(fields)
}

/// Refuses a request whose `Connection` options would remove what other hops decide by.
pub(crate) fn check_options(fields: &Fields) -> Result<(), ProxyError> {
    let protected = |option: &str| is_one_of(&PROTECTED, option);
    if fields.members("connection").any(protected) { Err(NAMES_PROTECTED) } else { Ok(()) }
}

/// Whether the fields announce a body.
#[must_use]
pub fn announce_body(fields: &Fields) -> bool {
    let length = fields.get(CONTENT_LENGTH).is_some_and(|length| length != b"0");
    length || fields.contains("transfer-encoding")
}

/// Whether the sender's connection may carry another message after this one (RFC 9112, section 9.3).
pub(crate) fn keeps_alive(version: Version, fields: &Fields) -> bool {
    match version {
        Version::HTTP_10 => fields.lists("connection", "keep-alive"),
        _ => !fields.lists("connection", "close"),
    }
}

/// The protocols a request asks to switch to, as far as they can be relayed as bytes. A switch to another
/// version of HTTP cannot: it would change this hop alone, so it is ignored (RFC 9110, section 7.8).
#[must_use]
pub fn upgrade_protocols(fields: &Fields, version: Version) -> Option<String> {
    if version != Version::HTTP_11 || !fields.lists("connection", "upgrade") {
        return None;
    }
    let http = |protocol: &&str| {
        protocol.eq_ignore_ascii_case("h2c")
            || protocol.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("http/"))
    };
    let protocols: Vec<_> = fields.members("upgrade").filter(|it| !http(it)).collect();
    Some(protocols.join(", ")).filter(|protocols| !protocols.is_empty())
}

/// Removes what must not reach an upstream: hop-by-hop fields, credentials meant for us, and routing
/// fields, which only we may set.
pub fn strip_request(fields: &mut Fields) {
    fields.retain(|name, _| !is_routing(name));
    strip_connection(fields);
}

/// Removes what ends at this hop from a request. That the client takes trailers stays true, since we relay them.
pub(crate) fn strip_connection(fields: &mut Fields) {
    let trailers = fields.lists("te", "trailers");
    strip_hop_by_hop(fields);
    if trailers {
        fields.push("TE", b"trailers");
    }
}

/// Removes from trailers what may only stand in a head: what is said of a client there was not said by this proxy, and whoever
/// merges the two (RFC 9110, section 6.5.1) would believe it.
pub fn strip_trailers(trailers: &mut Fields) {
    strip_hop_by_hop(trailers);
    trailers.retain(|name, _| {
        !is_routing(name) && !is_ours(name) && !is_one_of(&NOT_IN_TRAILERS, name)
    });
}

/// Removes hop-by-hop fields and those that `Connection` names.
pub fn strip_hop_by_hop(fields: &mut Fields) {
    let named: Vec<_> = fields
        .members("connection")
        .filter(|option| {
            !is_one_of(&HOP_BY_HOP, option) && !is_one_of(&["close", CONTENT_LENGTH], option)
        })
        .map(|option| option.as_bytes().to_owned())
        .collect();
    fields.retain(|name, _| {
        !is_one_of(&HOP_BY_HOP, name) && !named.iter().any(|named| named.eq_ignore_ascii_case(name))
    });
}

/// Removes what gives a length to an answer that cannot have a body (RFC 9110, section 8.6).
pub(crate) fn strip_length(fields: &mut Fields) {
    fields.remove(CONTENT_LENGTH);
}

/// Says which authority the request is for, and what the gateway on the way must know.
pub(crate) fn address(fields: &mut Fields, upstream: &Upstream) {
    fields.set("Host", upstream.host_field().as_bytes());
    match &upstream.told {
        Some(Told::Passed { gateways, .. }) => fields.set(PASSED, gateways.as_bytes()),
        Some(Told::Forwarded(forwarded)) => forwarded.tell(fields),
        None => {}
    }
    if let Some(Routing { asked, workspace, token }) = &upstream.routing {
        fields.set(PORT, asked.port.to_string().as_bytes());
        fields.set(HOST_OVERRIDE, asked.to_string().as_bytes());
        if let Some(workspace) = workspace {
            fields.set(WORKSPACE, workspace.as_bytes());
        }
        if let Some(token) = token {
            fields.set("Proxy-Authorization", token.bearer().as_bytes());
        }
    }
}

/// HTTP/2 may split a cookie into several fields; HTTP/1.1 may not (RFC 9113, section 8.2.3).
pub(crate) fn join_cookies(fields: &mut Fields) {
    let crumbs: Vec<_> = fields.get_all("cookie").collect();
    if crumbs.len() > 1 {
        let joined = crumbs.join(&b"; "[..]);
        fields.set("cookie", &joined);
    }
}

/// Underscores count as hyphens: there are servers that take them for the same.
fn is_routing(name: impl AsRef<[u8]>) -> bool {
    let start = name.as_ref().get(..ROUTING_PREFIX.len()).unwrap_or_default();
    let same = |(byte, other): (&u8, u8)| match byte {
        b'_' => other == b'-',
        byte => byte.eq_ignore_ascii_case(&other),
    };
    start.len() == ROUTING_PREFIX.len() && start.iter().zip(ROUTING_PREFIX.bytes()).all(same)
}

fn is_one_of(names: &[&str], name: impl AsRef<[u8]>) -> bool {
    names.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(name.as_ref()))
}
