//! What a request asks for: the four request-target forms of RFC 9112, section 3.2, parsed once.
//!
//! A [`Target`] holds a host that is already a name or an address, so nothing after it looks at a string's
//! prefix to tell loopback from the rest. The bytes of path and query are not touched.

use hyper::header::HOST;
use hyper::{HeaderMap, Method, Uri, Version};

use crate::authority::{Authority, Scheme};
use crate::error::ProxyError;

/// Where a request wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The scheme asked for; a CONNECT has none of its own and counts as [`Scheme::Http`].
    pub scheme: Scheme,
    /// The host and port asked for.
    pub authority: Authority,
}

impl Target {
    /// Reads a request's target. Inside a tunnel the tunnel's authority is the target, whatever form the
    /// request has; a request there that names another one is misdirected (RFC 9110, section 7.4).
    pub fn of(
        method: &Method,
        uri: &Uri,
        version: Version,
        headers: &HeaderMap,
        tunnel: Option<&Authority>,
    ) -> Result<Self, ProxyError> {
        let host = only_host_field(headers, version)?;
        let asked = Self::asked(method, uri, host)?;
        match tunnel {
            None => asked.ok_or(ProxyError::BadRequest("the request names no host")),
            Some(authority) => match asked {
                Some(asked) if uri.authority().is_some() && asked.authority != *authority => {
                    Err(ProxyError::Misdirected)
                }
                _ => Ok(Self { scheme: Scheme::Http, authority: authority.clone() }),
            },
        }
    }

    fn asked(method: &Method, uri: &Uri, host: Option<&str>) -> Result<Option<Self>, ProxyError> {
        if method == Method::CONNECT {
            return Self::authority_form(uri).map(Some);
        }
        match (uri.scheme_str(), uri.authority()) {
            (Some(scheme), Some(authority)) => {
                Self::absolute_form(scheme, authority.as_str()).map(Some)
            }
            (None, None) => host.map(Self::from_host_field).transpose(),
            _ => Err(ProxyError::BadRequest("only CONNECT takes an authority as its target")),
        }
    }

    fn authority_form(uri: &Uri) -> Result<Self, ProxyError> {
        const WRONG: ProxyError = ProxyError::BadRequest("CONNECT takes host:port");
        if uri.scheme().is_some() || uri.path_and_query().is_some_and(|path| path != "/") {
            return Err(WRONG);
        }
        let authority = uri.authority().ok_or(WRONG)?.as_str().parse().map_err(|_| WRONG)?;
        Ok(Self { scheme: Scheme::Http, authority })
    }

    fn absolute_form(scheme: &str, authority: &str) -> Result<Self, ProxyError> {
        let scheme = match scheme {
            "http" | "ws" => Scheme::Http,
            "https" | "wss" => Scheme::Https,
            _ => return Err(ProxyError::BadRequest("the scheme is not http, https, ws or wss")),
        };
        let authority = Authority::parse(authority, Some(scheme.default_port()))
            .map_err(|_| ProxyError::BadRequest("the target's authority is not valid"))?;
        Ok(Self { scheme, authority })
    }

    fn from_host_field(host: &str) -> Result<Self, ProxyError> {
        let authority = Authority::parse(host, Some(Scheme::Http.default_port()))
            .map_err(|_| ProxyError::BadRequest("the Host field is not valid"))?;
        Ok(Self { scheme: Scheme::Http, authority })
    }
}

/// RFC 9112, section 3.2: an HTTP/1.1 request has exactly one Host field.
fn only_host_field(headers: &HeaderMap, version: Version) -> Result<Option<&str>, ProxyError> {
    let mut fields = headers.get_all(HOST).iter();
    match (fields.next(), fields.next()) {
        (None, _) if version == Version::HTTP_11 => {
            Err(ProxyError::BadRequest("the Host field is missing"))
        }
        (None, _) => Ok(None),
        (Some(host), None) => host
            .to_str()
            .map(Some)
            .map_err(|_| ProxyError::BadRequest("the Host field is not valid")),
        (Some(_), Some(_)) => Err(ProxyError::BadRequest("there is more than one Host field")),
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn every_form_of_request_target_is_read() {
        let read = |method: &str, uri: &str, tunnel: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "field.test:81".parse().unwrap());
            let tunnel = tunnel.map(|text| text.parse().unwrap());
            let method = Method::from_str(method).unwrap();
            Target::of(&method, &uri.parse().unwrap(), Version::HTTP_11, &headers, tunnel.as_ref())
                .map(|target| format!("{}://{}", target.scheme.as_str(), target.authority))
                .map_err(|error| error.to_string())
        };
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(read("GET", "http://localhost/x", None), ok("http://localhost:80"));
        assert_eq!(read("GET", "ws://localhost:3000/", None), ok("http://localhost:3000"));
        assert_eq!(read("GET", "wss://[::1]/", None), ok("https://[::1]:443"));
        assert_eq!(read("GET", "HTTPS://LOCALHOST/", None), ok("https://localhost:443"));
        assert_eq!(read("GET", "/x", None), ok("http://field.test:81"));
        assert_eq!(read("OPTIONS", "*", None), ok("http://field.test:81"));
        assert_eq!(read("CONNECT", "[::1]:443", None), ok("http://[::1]:443"));
        assert_eq!(read("GET", "/x", Some("localhost:3000")), ok("http://localhost:3000"));
        assert_eq!(
            read("GET", "http://localhost:3000/x", Some("localhost:3000")),
            ok("http://localhost:3000")
        );
        assert!(read("GET", "http://localhost:3001/", Some("localhost:3000")).is_err());
        assert!(read("GET", "ftp://localhost/", None).is_err());
        assert!(read("GET", "localhost:80", None).is_err());
        assert!(read("GET", "http://user:secret@localhost/", None).is_err());
        assert!(read("CONNECT", "localhost", None).is_err());
        assert!(read("CONNECT", "http://localhost:80/", None).is_err());
    }
}
