//! Origins by template: `{port}` stands for the port asked for, in the host or as the port.

use super::{RouteError, refuse};
use crate::authority::{Authority, Host, Scheme};

const PLACEHOLDER: &str = "{port}";

/// RFC 1035, section 2.3.4.
const MAX_LABEL: usize = 63;

/// An origin with perhaps one place for a port; it expands for every port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    scheme: Scheme,
    host: HostPart,
    port: PortPart,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPart {
    Fixed(Host),
    Numbered { before: Box<str>, after: Box<str> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PortPart {
    Fixed(u16),
    Asked,
}

impl Template {
    pub(super) fn parse(field: &'static str, text: &str) -> Result<Self, RouteError> {
        let (scheme, authority) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return Err(not_an_origin(field)),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.matches(PLACEHOLDER).count() > 1 {
            return Err(refuse(field, "has {port} more than once"));
        }
        let parse = |text: &str| {
            let authority = Authority::parse(text, Some(scheme.default_port()));
            let authority = authority.map_err(|_| not_an_origin(field))?;
            with_whole_labels(field, with_short_labels(field, authority)?)
        };
        let (host, port) = match authority.split_once(PLACEHOLDER) {
            None => fixed(parse(authority)?),
            // The longest port makes the longest label: what holds for it holds for all.
            Some((before, after)) => match before.strip_suffix(':') {
                Some(host) if after.is_empty() => {
                    parse(&format!("{before}65535"))?;
                    (HostPart::Fixed(parse(host)?.host), PortPart::Asked)
                }
                _ => numbered(field, before, after, &parse(&format!("{before}65535{after}"))?)?,
            },
        };
        Ok(Self { scheme, host, port })
    }

    pub(super) fn expand(&self, asked: u16) -> (Scheme, Authority) {
        let host = match &self.host {
            HostPart::Fixed(host) => host.clone(),
            HostPart::Numbered { before, after } => {
                Host::Name(format!("{before}{asked}{after}").into())
            }
        };
        let port = match self.port {
            PortPart::Fixed(port) => port,
            PortPart::Asked => asked,
        };
        (self.scheme, Authority { host, port })
    }

    /// The origin, if it is the same for every port.
    pub(super) fn fixed(self) -> Option<(Scheme, Authority)> {
        match (self.host, self.port) {
            (HostPart::Fixed(host), PortPart::Fixed(port)) => {
                Some((self.scheme, Authority { host, port }))
            }
            _ => None,
        }
    }
}

fn fixed(authority: Authority) -> (HostPart, PortPart) {
    (HostPart::Fixed(authority.host), PortPart::Fixed(authority.port))
}

fn numbered(
    field: &'static str,
    before: &str,
    after: &str,
    longest: &Authority,
) -> Result<(HostPart, PortPart), RouteError> {
    // A last label of digits would make an address of some ports and a name of others.
    if !matches!(&longest.host, Host::Name(name) if !ends_in_number(name)) {
        return Err(refuse(field, "has {port} in an address; it may stand in a name"));
    }
    if before.contains(':') {
        return Err(refuse(field, "has {port} as a part of the port"));
    }
    let after = after.split_once(':').map_or(after, |(after, _)| after);
    let host = HostPart::Numbered {
        before: before.to_ascii_lowercase().into(),
        after: after.to_ascii_lowercase().into(),
    };
    Ok((host, PortPart::Fixed(longest.port)))
}

pub(super) fn with_short_labels(
    field: &'static str,
    authority: Authority,
) -> Result<Authority, RouteError> {
    match &authority.host {
        Host::Name(name) if name.split('.').any(|label| label.len() > MAX_LABEL) => {
            Err(refuse(field, "has a label of more than 63 characters"))
        }
        _ => Ok(authority),
    }
}

/// RFC 1123, section 2.1, has no label that begins or ends with a hyphen.
fn with_whole_labels(field: &'static str, authority: Authority) -> Result<Authority, RouteError> {
    let hyphen_ends = |label: &str| label.starts_with('-') || label.ends_with('-');
    match &authority.host {
        Host::Name(name) if name.split('.').any(hyphen_ends) => {
            Err(refuse(field, "has a label that begins or ends with a hyphen"))
        }
        _ => Ok(authority),
    }
}

fn ends_in_number(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit('.').next();
    last.is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()))
}

fn not_an_origin(field: &'static str) -> RouteError {
    refuse(field, "is not an origin: http:// or https://, a host, and perhaps a port")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, RouteError> {
        Template::parse("upstream", text)
    }

    #[test]
    fn the_port_goes_where_its_place_is() {
        let expand = |text: &str, port| {
            let (scheme, authority) = parse(text).unwrap().expand(port);
            format!("{}://{authority}", scheme.as_str())
        };
        assert_eq!(expand("https://{port}-Abc.example", 3000), "https://3000-abc.example:443");
        assert_eq!(expand("https://a-{port}.example:8443/", 1), "https://a-1.example:8443");
        assert_eq!(expand("http://127.18.0.1:{port}", 3000), "http://127.18.0.1:3000");
        assert_eq!(expand("http://[::1]:{port}", 65535), "http://[::1]:65535");
        assert_eq!(expand("http://localhost", 3000), "http://localhost:80");
        assert_eq!(expand("https://{port}-fd00.example", 1), "https://1-fd00.example:443");
    }

    #[test]
    fn bad_templates_are_refused() {
        let refused = [
            "",
            "localhost",
            "ftp://x:{port}",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://u@a",
            "https://{port}-{port}.test",
            "https://a:{port}0",
            "https://a:1{port}",
            "https://a:0{port}",
            "https://a b",
            "https://a\r\nx: y",
            "HTTPS://a",
            "https://a:0",
            "https://a..b",
            "http://127.0.0.{port}",
            "http://{port}",
            "http://u@a:{port}",
            "http://:{port}",
            "http://::1:{port}",
            "http://a:b:{port}",
            "http://a:1:{port}",
        ];
        for template in refused {
            assert!(parse(template).is_err(), "{template:?}");
        }
        let long = format!("https://{{port}}-{}.test", "a".repeat(58));
        assert_eq!(parse(&long).unwrap_err().reason, "has a label of more than 63 characters");
        assert!(parse(&long.replacen('a', "", 1)).is_ok());
    }
}
