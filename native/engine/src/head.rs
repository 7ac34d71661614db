//! The heads of messages, whichever version of HTTP they came in.

use std::borrow::Cow;

use h2::ext::Protocol;
use http::uri::{Authority, PathAndQuery};
use http::{Method, StatusCode, Uri, Version};

use crate::fields::Fields;
use crate::forwarded::REQUEST_ID;

/// A request without its body. It is not `Debug`: its fields hold credentials and cookies.
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The request target: byte for byte as sent; of an HTTP/2 request, its absolute-form or authority-form.
    pub target: Vec<u8>,
    /// The version it was sent in.
    pub version: Version,
    /// What an extended CONNECT asks to speak from then on (RFC 8441, section 4).
    pub protocol: Option<Box<str>>,
    /// Its field lines.
    pub fields: Fields,
}

/// The one protocol that an extended CONNECT may ask for here.
pub(crate) const WEBSOCKET: &str = "websocket";

impl RequestHead {
    /// Whether it is a CONNECT that asks for a tunnel to an authority, and for no protocol inside.
    pub(crate) fn is_plain_connect(&self) -> bool {
        self.method == Method::CONNECT && self.protocol.is_none()
    }

    /// Whether its target is a path alone, or an asterisk.
    pub(crate) fn names_no_authority(&self) -> bool {
        matches!(self.target.first(), None | Some(b'/' | b'*'))
    }

    /// The head of an HTTP/2 request (RFC 9113, section 8.3.1).
    pub(crate) fn of_http2(parts: http::request::Parts) -> Self {
        let uri = &parts.uri;
        let authority = uri.authority().map_or("", Authority::as_str);
        // An asterisk stands for no path (section 8.3.1), and a proxy is asked for that by leaving it out.
        let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
        let path = if path == "*" { "" } else { path };
        let protocol = parts.extensions.get::<Protocol>().map(|protocol| protocol.as_str().into());
        let target = match uri.scheme_str() {
            _ if parts.method == Method::CONNECT && protocol.is_none() => authority.to_owned(),
            Some(scheme) => [scheme, "://", authority, path].concat(),
            None => [authority, path].concat(),
        };
        Self {
            method: parts.method,
            target: target.into_bytes(),
            version: Version::HTTP_2,
            protocol,
            fields: Fields::from(&parts.headers),
        }
    }

    /// Whom the request was sent to, in its own words: what the target names, or else Host (RFC 9112, section 3.2.2).
    pub(crate) fn asked_host(&self) -> Option<&str> {
        let target = std::str::from_utf8(&self.target).ok()?;
        let named = target.split_once("://").filter(|_| !target.starts_with(['/', '*']));
        match named {
            Some((_, rest)) => rest.split(['/', '?']).next(),
            None => self.fields.get("host").and_then(|host| std::str::from_utf8(host).ok()),
        }
        .filter(|host| !host.is_empty())
    }

    /// What an origin server is asked for (RFC 9112, section 3.2): byte for byte what was sent, but for a
    /// path that was left out.
    pub(crate) fn origin_form(&self) -> Cow<'_, [u8]> {
        match path_and_query(&self.target) {
            _ if self.is_plain_connect() => Cow::Borrowed(&self.target),
            b"" if self.method == Method::OPTIONS => Cow::Borrowed(b"*"),
            b"" => Cow::Borrowed(b"/"),
            query if query.starts_with(b"?") => Cow::Owned([b"/", query].concat()),
            path => Cow::Borrowed(path),
        }
    }

    /// The path of the target, without its query.
    pub(crate) fn path(&self) -> Cow<'_, str> {
        let path = path_and_query(&self.target).split(|byte| *byte == b'?').next();
        String::from_utf8_lossy(path.unwrap_or_default())
    }
}

/// The target less scheme and authority; empty where it has no path.
fn path_and_query(target: &[u8]) -> &[u8] {
    if matches!(target.first(), Some(b'/' | b'*')) {
        return target;
    }
    let scheme = target.windows(3).position(|bytes| bytes == b"://").unwrap_or(target.len());
    let is_of_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    // What looks like a URL in the query of a malformed target is no path.
    if !target.iter().take(scheme).all(is_of_scheme) {
        return &[];
    }
    let rest = target.get(scheme + 3..).unwrap_or_default();
    let path = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    path.and_then(|path| rest.get(path..)).unwrap_or_default()
}

/// A response without its body.
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    /// The reason phrase as sent; `None` stands for the usual one.
    pub(crate) reason: Option<Box<[u8]>>,
    pub(crate) version: Version,
    pub(crate) fields: Fields,
}

impl ResponseHead {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self { status, reason: None, version: Version::HTTP_11, fields: Fields::default() }
    }

    /// Tells the exchange's name, unless the upstream has named it, which is then what its operators look for.
    pub(crate) fn name(&mut self, id: &str) {
        if !self.fields.contains(REQUEST_ID) {
            self.fields.push(REQUEST_ID, id.as_bytes());
        }
    }

    pub(crate) fn of_http2(parts: &http::response::Parts) -> Self {
        Self { fields: Fields::from(&parts.headers), ..Self::new(parts.status) }
    }
}

/// The URI of a request to an HTTP/2 upstream, which is made of pseudo-fields (RFC 9113, section 8.3.1).
pub(crate) fn http2_uri(scheme: &str, authority: &str, path: &[u8]) -> Option<Uri> {
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_never_out_of_a_query() {
        for (target, path) in [
            ("/a/b?c", "/a/b?c"),
            ("*", "*"),
            ("http://host/a?b", "/a?b"),
            ("coap+tcp://host?b", "?b"),
            ("http://host", ""),
            ("host:443", ""),
            ("x?u=http://host/secret", ""),
            ("://host/a", "/a"),
        ] {
            let found = path_and_query(target.as_bytes());
            assert_eq!(String::from_utf8_lossy(found), path, "{target}");
        }
    }
}
