//! Fields that end at this hop, and fields that only we may set (RFC 9110, section 7.6.1).

use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, Version};

use crate::error::ProxyError;
use crate::route::{Routing, Upstream};

/// Tells a gateway which port was asked for.
const PORT: HeaderName = HeaderName::from_static("x-cmux-port-internal");
/// Tells a gateway which workspace to look in.
const WORKSPACE: HeaderName = HeaderName::from_static("x-cmux-workspace-internal");
/// Tells a gateway which Host the workspace's server must see.
const HOST_OVERRIDE: HeaderName = HeaderName::from_static("x-cmux-host-override");
/// What all routing fields begin with.
const ROUTING_PREFIX: &str = "x-cmux-";

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    PROXY_CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Refuses a request that could mean something else to the next hop: one whose `Connection` options would
/// remove what other hops decide by, or whose body has a transfer coding that would be lost here.
pub fn check_request(headers: &HeaderMap) -> Result<(), ProxyError> {
    if !is_plainly_framed(headers) {
        return Err(ProxyError::BadRequest("the only transfer coding understood is chunked"));
    }
    let protected = |option: &str| {
        [HOST, AUTHORIZATION, COOKIE].iter().any(|name| option.eq_ignore_ascii_case(name.as_str()))
            || option
                .get(..ROUTING_PREFIX.len())
                .is_some_and(|p| p.eq_ignore_ascii_case(ROUTING_PREFIX))
    };
    if connection_options(headers).any(protected) {
        return Err(ProxyError::BadRequest("Connection names a field that must not be removed"));
    }
    Ok(())
}

/// Whether a message has no transfer coding but perhaps `chunked`: any other would be lost at this hop,
/// which removes the field but not the coding.
#[must_use]
pub fn is_plainly_framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes);
    let chunked = codings.next().is_none_or(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    chunked && codings.next().is_none()
}

/// Whether the fields announce a body.
#[must_use]
pub fn announce_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    length || headers.contains_key(TRANSFER_ENCODING)
}

/// The protocols a request asks to switch to, as far as they can be relayed as bytes. A switch to another
/// version of HTTP cannot: it would change this hop alone, so it is ignored (RFC 9110, section 7.8).
#[must_use]
pub fn upgrade_protocols(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let asked = connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"));
    if version != Version::HTTP_11 || !asked {
        return None;
    }
    let http = |protocol: &&str| {
        protocol.eq_ignore_ascii_case("h2c")
            || protocol.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("http/"))
    };
    let protocols: Vec<_> = members(headers, &UPGRADE).filter(|it| !http(it)).collect();
    HeaderValue::try_from(protocols.join(", ")).ok().filter(|protocols| !protocols.is_empty())
}

/// Removes what must not reach an upstream: hop-by-hop fields, credentials meant for us, and routing
/// fields, which only we may set. That the client takes trailers stays true, since we relay them.
pub fn strip_request(headers: &mut HeaderMap) {
    let trailers = members(headers, &TE).any(|coding| coding.eq_ignore_ascii_case("trailers"));
    strip_hop_by_hop(headers);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    let ours = |name: &&HeaderName| name.as_str().starts_with(ROUTING_PREFIX);
    let routing: Vec<_> = headers.keys().filter(ours).cloned().collect();
    for name in routing {
        headers.remove(name);
    }
}

/// Removes from trailers what may only stand in a head: fields that frame, route or authenticate a message
/// (RFC 9110, section 6.5.1).
pub fn strip_trailers(trailers: &mut HeaderMap) {
    strip_request(trailers);
    for name in [AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, SET_COOKIE, TE] {
        trailers.remove(name);
    }
}

/// Removes hop-by-hop fields and those that `Connection` names.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<_> = connection_options(headers)
        .filter_map(|option| HeaderName::from_bytes(option.as_bytes()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Says which authority the request is for, and what the gateway on the way must know.
pub(crate) fn address(headers: &mut HeaderMap, upstream: &Upstream) {
    if let Some(Routing { asked, workspace }) = &upstream.routing {
        headers.insert(PORT, asked.port.into());
        if let Ok(host) = HeaderValue::try_from(asked.to_string()) {
            headers.insert(HOST_OVERRIDE, host);
        }
        if let Some(workspace) = workspace {
            headers.insert(WORKSPACE, workspace.clone());
        }
    }
    if let Ok(host) = HeaderValue::try_from(upstream.authority_field()) {
        headers.insert(HOST, host);
    }
}

/// HTTP/2 may split a cookie into several fields; HTTP/1.1 may not (RFC 9113, section 8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(mut joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        joined.set_sensitive(true);
        headers.insert(COOKIE, joined);
    }
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    members(headers, &CONNECTION)
}

/// The members of a field that is a list (RFC 9110, section 5.6.1).
fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let fields = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let members = fields.flat_map(|value| value.split(|byte| *byte == b','));
    let members = members.filter_map(|member| std::str::from_utf8(member).ok());
    members.map(str::trim).filter(|member| !member.is_empty())
}
