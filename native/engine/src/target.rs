//! What a request asks for: the four request-target forms of RFC 9112, section 3.2, parsed once.
//!
//! A [`Target`] holds a host that is already a name or an address, so nothing after it looks at a string's
//! prefix to tell loopback from the rest. The bytes of path and query are not touched.

use http::{Method, Version};

use crate::authority::{Authority, Scheme};
use crate::error::ProxyError;
use crate::fields::Fields;
use crate::head::RequestHead;

/// Where a request wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The scheme asked for; a CONNECT has none of its own and counts as [`Scheme::Http`].
    pub scheme: Scheme,
    /// The host and port asked for.
    pub authority: Authority,
}

impl Target {
    /// Reads a request's target. Inside a tunnel the tunnel's is the target, whatever form the request has;
    /// a request there that names another authority is misdirected (RFC 9110, section 7.4).
    pub fn of(head: &RequestHead, tunnel: Option<&Self>) -> Result<Self, ProxyError> {
        let Asked { named, host } = Asked::by(head)?;
        match (tunnel, named) {
            (Some(tunnel), Some(named)) if named.authority != tunnel.authority => {
                Err(ProxyError::Misdirected)
            }
            (Some(tunnel), _) => Ok(tunnel.clone()),
            (None, Some(named)) => Ok(named),
            (None, None) => host.ok_or(ProxyError::BadRequest("the request names no host")),
        }
    }

    /// Refuses a target, or a Host field, that is none; an HTTP/1.0 request need not name a host.
    pub fn check(head: &RequestHead) -> Result<(), ProxyError> {
        Asked::by(head).map(|_| ())
    }

    /// The authority as `Host` has it: without the scheme's own port.
    pub(crate) fn host_field(&self) -> String {
        self.authority.field(self.scheme)
    }

    /// What the target itself names, and the text of its authority: origin-form and asterisk-form name nothing.
    fn named(head: &RequestHead) -> Result<Option<(Self, &[u8])>, ProxyError> {
        const WRONG: ProxyError = ProxyError::BadRequest("the request target is not valid");
        let target = &head.target[..];
        if target.contains(&b'#') {
            return Err(WRONG);
        }
        match target {
            _ if head.is_plain_connect() => Self::authority_form(target).map(Some),
            b"*" if head.method == Method::OPTIONS => Ok(None),
            [b'/', ..] => Ok(None),
            _ => Self::absolute_form(target).map(Some),
        }
    }

    fn authority_form(target: &[u8]) -> Result<(Self, &[u8]), ProxyError> {
        let authority = std::str::from_utf8(target).ok().and_then(|text| text.parse().ok());
        let authority = authority.ok_or(ProxyError::BadRequest("CONNECT takes host:port"))?;
        Ok((Self { scheme: Scheme::Http, authority }, target))
    }

    fn absolute_form(target: &[u8]) -> Result<(Self, &[u8]), ProxyError> {
        const WRONG: ProxyError = ProxyError::BadRequest("the target's authority is not valid");
        let (scheme, rest) = split_scheme(target)?;
        let text = rest.split(|byte| matches!(byte, b'/' | b'?')).next().unwrap_or_default();
        let authority = std::str::from_utf8(text).map_err(|_| WRONG)?;
        let authority =
            Authority::parse(authority, Some(scheme.default_port())).map_err(|_| WRONG)?;
        Ok((Self { scheme, authority }, text))
    }
}

/// What a request names, in either of two places.
struct Asked {
    named: Option<Target>,
    host: Option<Target>,
}

impl Asked {
    fn by(head: &RequestHead) -> Result<Self, ProxyError> {
        let named = Target::named(head);
        let text = named.as_ref().ok().and_then(|named| Some(named.as_ref()?.1));
        let host = only_host_field(&head.fields, head.version, text)?;
        Ok(Self { named: named?.map(|(target, _)| target), host })
    }
}

fn split_scheme(target: &[u8]) -> Result<(Scheme, &[u8]), ProxyError> {
    const SCHEMES: [(&[u8], Scheme); 4] = [
        (b"http://", Scheme::Http),
        (b"ws://", Scheme::Http),
        (b"https://", Scheme::Https),
        (b"wss://", Scheme::Https),
    ];
    let found = SCHEMES.iter().find_map(|(prefix, scheme)| {
        let (start, rest) = target.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some((*scheme, rest))
    });
    found.ok_or(ProxyError::BadRequest(
        "the target is neither a path nor an http, https, ws or wss URL",
    ))
}

/// RFC 9112, section 3.2: an HTTP/1.1 request has exactly one Host field. What it names counts only where
/// the target names nothing, but it must be valid everywhere; one that repeats what the target names is.
fn only_host_field(
    fields: &Fields,
    version: Version,
    named: Option<&[u8]>,
) -> Result<Option<Target>, ProxyError> {
    const WRONG: ProxyError = ProxyError::BadRequest("the Host field is not valid");
    let mut values = fields.get_all("host");
    let host = match (values.next(), values.next()) {
        (None, _) if version == Version::HTTP_11 => {
            return Err(ProxyError::BadRequest("the Host field is missing"));
        }
        (None, _) => return Ok(None),
        (Some(host), None) if named == Some(host) => return Ok(None),
        (Some(host), None) => std::str::from_utf8(host).map_err(|_| WRONG)?,
        (Some(_), Some(_)) => {
            return Err(ProxyError::BadRequest("there is more than one Host field"));
        }
    };
    let scheme = Scheme::Http;
    let authority = Authority::parse(host, Some(scheme.default_port())).map_err(|_| WRONG)?;
    Ok(Some(Target { scheme, authority }))
}

/// The authority asked for, without its scheme's own port, for events only.
pub(crate) fn shown(head: &RequestHead, tunnel: Option<&Target>) -> String {
    match Target::of(head, tunnel) {
        Ok(target) => target.host_field(),
        Err(_) => tunnel.map_or_else(String::new, |tunnel| tunnel.authority.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_request_target_is_read() {
        let read = |method: &str, target: &str, tunnel: Option<&str>| {
            let mut fields = Fields::default();
            fields.push("Host", b"field.test:81");
            let tunnel = tunnel
                .map(|text| Target { scheme: Scheme::Https, authority: text.parse().unwrap() });
            let head = RequestHead {
                method: method.parse().unwrap(),
                target: target.into(),
                version: Version::HTTP_11,
                protocol: None,
                fields,
            };
            Target::of(&head, tunnel.as_ref())
                .map(|target| format!("{}://{}", target.scheme.as_str(), target.authority))
                .map_err(|error| error.to_string())
        };
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(read("GET", "http://localhost/x", None), ok("http://localhost:80"));
        assert_eq!(read("GET", "http://localhost?x=http://a/", None), ok("http://localhost:80"));
        assert_eq!(read("GET", "ws://localhost:3000/", None), ok("http://localhost:3000"));
        assert_eq!(read("GET", "wss://[::1]/", None), ok("https://[::1]:443"));
        assert_eq!(read("GET", "HTTPS://LOCALHOST/", None), ok("https://localhost:443"));
        assert_eq!(read("GET", "/x", None), ok("http://field.test:81"));
        assert_eq!(read("GET", "/http://localhost/", None), ok("http://field.test:81"));
        assert_eq!(read("OPTIONS", "*", None), ok("http://field.test:81"));
        assert_eq!(read("CONNECT", "[::1]:443", None), ok("http://[::1]:443"));
        assert_eq!(read("GET", "/x", Some("localhost:3000")), ok("https://localhost:3000"));
        assert_eq!(
            read("GET", "https://localhost/x", Some("localhost:443")),
            ok("https://localhost:443")
        );
        assert!(read("GET", "http://localhost:3001/", Some("localhost:3000")).is_err());
        for target in [
            "*",
            "",
            "x",
            "ftp://localhost/",
            "localhost:80",
            "http:/localhost/",
            "http://",
            "http:///x",
            "http://user:secret@localhost/",
            "http://localhost/#x",
            "/x#y",
        ] {
            assert!(read("GET", target, None).is_err(), "{target}");
        }
        assert!(read("CONNECT", "localhost", None).is_err());
        assert!(read("CONNECT", "http://localhost:80/", None).is_err());
    }
}
