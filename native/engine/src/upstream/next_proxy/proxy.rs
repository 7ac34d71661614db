//! How the next proxy is named: by a URL, or by the answer of a PAC script.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use super::credentials::Credentials;
use crate::authority::Authority;

/// A proxy that leads on to others: `http://`, `https://` or `socks5://` (also `socks5h://`, which is what is
/// meant), perhaps with percent-encoded credentials. Names are resolved by it, never here.
///
/// Its `Debug` form does not show the credentials.
#[derive(Clone)]
pub struct NextProxy {
    pub(super) protocol: Protocol,
    pub(super) authority: Authority,
    pub(super) credentials: Option<Arc<Credentials>>,
}

/// What a next proxy is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    /// CONNECT in clear.
    Http,
    /// CONNECT over TLS.
    Https,
    /// RFC 1928.
    Socks5,
}

/// The text names no proxy. The reason reads on from the name of what was given, and does not repeat it:
/// there may be credentials in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InvalidProxy(pub &'static str);

const NOT_A_URL: InvalidProxy = InvalidProxy(
    "must be a URL: http://, https:// or socks5://, perhaps with credentials before an @, a host, perhaps a port",
);

const NOT_A_LIST: InvalidProxy = InvalidProxy("is neither a proxy's URL nor a PAC result");

impl FromStr for NextProxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(NOT_A_URL)?;
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "http" => Protocol::Http,
            "https" => Protocol::Https,
            "socks5" | "socks5h" => Protocol::Socks5,
            _ => return Err(NOT_A_URL),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (userinfo, host) = match rest.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, rest),
        };
        let credentials =
            userinfo.map(Credentials::from_userinfo).transpose().map_err(InvalidProxy)?;
        if protocol == Protocol::Socks5 && credentials.as_ref().is_some_and(|it| !it.fit_socks()) {
            const REASON: &str = "has credentials that SOCKS cannot carry: 1 to 255 bytes each";
            return Err(InvalidProxy(REASON));
        }
        Self::new(protocol, host, credentials).ok_or(NOT_A_URL)
    }
}

impl NextProxy {
    fn new(protocol: Protocol, host: &str, credentials: Option<Credentials>) -> Option<Self> {
        let authority = Authority::parse(host, Some(protocol.default_port())).ok()?;
        Some(Self { protocol, authority, credentials: credentials.map(Arc::new) })
    }
}

impl Protocol {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 => 1080,
        }
    }
}

impl fmt::Debug for NextProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NextProxy({:?} {})", self.protocol, self.authority)
    }
}

/// The ways to an origin, in the order in which to try them: the next is for when one cannot be reached.
/// There is at least one.
#[derive(Debug, Clone)]
pub struct ProxyList(pub(super) Vec<Hop>);

/// One way.
#[derive(Debug, Clone)]
pub(super) enum Hop {
    Direct,
    Through(NextProxy),
}

impl From<NextProxy> for ProxyList {
    fn from(proxy: NextProxy) -> Self {
        Self(vec![Hop::Through(proxy)])
    }
}

impl FromStr for ProxyList {
    type Err = InvalidProxy;

    /// Reads a proxy's URL, or what a PAC script answers: `PROXY a:1; SOCKS5 b:2; HTTPS c:3; DIRECT`. Of kinds
    /// that are not known here (SOCKS 4), the others are used, but then nothing goes direct: the list
    /// would have asked for those first.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return text.trim().parse().map(NextProxy::into);
        }
        let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
        let entries: Vec<_> = entries.map(entry).collect::<Result<_, _>>()?;
        let all_known = entries.iter().all(Option::is_some);
        let mut hops: Vec<_> = entries.into_iter().flatten().collect();
        if !all_known {
            hops.retain(|hop| matches!(hop, Hop::Through(_)));
        }
        if hops.is_empty() { Err(NOT_A_LIST) } else { Ok(Self(hops)) }
    }
}

/// One entry, or `None` for a kind that is not known here.
fn entry(text: &str) -> Result<Option<Hop>, InvalidProxy> {
    let mut words = text.split_ascii_whitespace();
    let (kind, host) = (words.next().unwrap_or_default(), words.next());
    let protocol = match (kind.to_ascii_uppercase().as_str(), host) {
        _ if words.next().is_some() => return Err(NOT_A_LIST),
        ("DIRECT", None) => return Ok(Some(Hop::Direct)),
        ("PROXY" | "HTTP", Some(_)) => Protocol::Http,
        ("HTTPS", Some(_)) => Protocol::Https,
        ("SOCKS5", Some(_)) => Protocol::Socks5,
        ("SOCKS" | "SOCKS4" | "QUIC", Some(_)) => return Ok(None),
        _ => return Err(NOT_A_LIST),
    };
    let proxy = host.and_then(|host| NextProxy::new(protocol, host, None)).ok_or(NOT_A_LIST)?;
    Ok(Some(Hop::Through(proxy)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_proxy_and_its_debug_form_no_secret() {
        let read = |text: &str| text.parse::<NextProxy>().map(|proxy| format!("{proxy:?}"));
        for (text, expected) in [
            ("http://a.test:3128", "NextProxy(Http a.test:3128)"),
            ("HTTP://A.test/", "NextProxy(Http a.test:80)"),
            ("https://S3CRET:S3CRET@a.test", "NextProxy(Https a.test:443)"),
            ("socks5://S3CRET:a@b@[::1]", "NextProxy(Socks5 [::1]:1080)"),
            ("socks5h://10.0.0.1:9050", "NextProxy(Socks5 10.0.0.1:9050)"),
        ] {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
        for text in [
            "",
            "a.test:3128",
            "ftp://a.test",
            "socks4://a.test",
            "socks://a.test",
            "http://",
            "http://:80",
            "http://a.test:0",
            "http://a.test:65536",
            "http://a.test/S3CRET",
            "http://a.test?S3CRET",
            "http://a.test#S3CRET",
            "http://S3CRET:%zz@a.test",
            "http://S3CRET:%0d%0a@a.test",
            "socks5://S3CRET@a.test",
            "http://a test",
            "http://a.test\r\nx: S3CRET",
        ] {
            let refused = read(text).unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("S3CRET"), "{text}: {refused}");
        }
    }

    #[test]
    fn a_list_is_read_in_order() {
        let read = |text: &str| text.parse::<ProxyList>().map(|list| format!("{:?}", list.0));
        let [http, https, socks] = ["Http a.test:1", "Https b.test:443", "Socks5 [::1]:1080"]
            .map(|it| format!("Through(NextProxy({it}))"));
        assert_eq!(read("DIRECT").unwrap(), "[Direct]");
        assert_eq!(read(" direct ;").unwrap(), "[Direct]");
        assert_eq!(read("http://u:p@a.test:1").unwrap(), format!("[{http}]"));
        assert_eq!(
            read("PROXY a.test:1; https b.test;SOCKS5\t[::1] ; DIRECT").unwrap(),
            format!("[{http}, {https}, {socks}, Direct]")
        );
        assert_eq!(read("SOCKS a:1; PROXY a.test:1; DIRECT").unwrap(), format!("[{http}]"));
        for text in [
            "",
            ";",
            "a.test:1",
            "PROXY",
            "PROXY a b",
            "DIRECT a",
            "PROXY u:p@a",
            "SOCKS a; DIRECT",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
