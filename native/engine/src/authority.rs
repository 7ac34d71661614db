//! Hosts and ports, parsed once: a host is a name or an address, so nothing that comes later looks at a
//! string's prefix to tell loopback from the rest.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Whether the upstream is spoken to in clear or over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`, and `ws`.
    Http,
    /// `https`, and `wss`.
    Https,
}

impl Scheme {
    /// The port that an authority without one means.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// Its name in a URI.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A host and a port. Its text form is that of a URI: `[::1]:3000`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port, never 0.
    pub port: u16,
}

/// The text is not `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a host and a port from 1 to 65535")]
pub struct InvalidAuthority;

impl Authority {
    /// Parses `host:port`, or `host` alone where there is a port to default to.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, InvalidAuthority> {
        let (host, port) = match text.rfind(':') {
            Some(colon) if !text.ends_with(']') => {
                let (host, port) = text.split_at_checked(colon).ok_or(InvalidAuthority)?;
                (host, parse_port(port.get(1..).unwrap_or_default())?)
            }
            _ => (text, default_port.ok_or(InvalidAuthority)?),
        };
        Ok(Self { host: host.parse()?, port })
    }

    /// As `Host`, or `:authority`, has it: without the scheme's own port.
    pub(crate) fn field(&self, scheme: Scheme) -> String {
        let mut text = String::with_capacity(32);
        self.host.write(&mut text);
        if self.port != scheme.default_port() {
            text.push(':');
            text.push_str(itoa::Buffer::new().format(self.port));
        }
        text
    }
}

impl FromStr for Authority {
    type Err = InvalidAuthority;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, None)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A port from 1 to 65535, in digits and nothing else.
pub(crate) fn parse_port(text: &str) -> Result<u16, InvalidAuthority> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(InvalidAuthority),
    }
}

/// A host: a name in lower case, or an address. A name and the same name with a dot at its end are one host.
#[derive(Debug, Clone)]
pub enum Host {
    /// A registered name, lower case, as sent but for that.
    Name(Box<str>),
    /// An address literal.
    Ip(IpAddr),
}

impl Host {
    /// Whether this is the user's own machine by its name or address alone: `localhost`, `*.localhost`
    /// (RFC 6761), 127.0.0.0/8, `::1`, their IPv4-mapped forms, and the unspecified addresses, which
    /// connect to loopback too.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => {
                let name = without_dot(name);
                name == "localhost" || name.ends_with(".localhost")
            }
            Self::Ip(ip) => leads_to_loopback(*ip),
        }
    }

    /// The text that `Display` has, without what formatting costs: it is needed for every request.
    fn write(&self, text: &mut String) {
        match self {
            Self::Name(name) => text.push_str(name),
            Self::Ip(IpAddr::V4(ip)) => {
                for (at, octet) in ip.octets().into_iter().enumerate() {
                    text.push_str(if at > 0 { "." } else { "" });
                    text.push_str(itoa::Buffer::new().format(octet));
                }
            }
            Self::Ip(IpAddr::V6(_)) => text.push_str(&self.to_string()),
        }
    }
}

/// The dot that makes a name absolute is sent on as it came, but it makes no other host.
pub(crate) fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => without_dot(one) == without_dot(other),
            (Self::Ip(one), Self::Ip(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for Host {}

impl Hash for Host {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Name(name) => without_dot(name).hash(state),
            Self::Ip(ip) => ip.hash(state),
        }
    }
}

/// Whether connecting to this address ends on this machine's loopback.
pub(crate) fn leads_to_loopback(ip: IpAddr) -> bool {
    let own = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    match ip {
        IpAddr::V4(_) => own(ip),
        // IPv4-mapped and the older IPv4-compatible form; `::1` is neither, though it looks like the latter.
        IpAddr::V6(v6) => own(ip) || v6.to_ipv4().is_some_and(|v4| own(v4.into())),
    }
}

impl FromStr for Host {
    type Err = InvalidAuthority;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(literal) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let ip: Ipv6Addr = literal.parse().map_err(|_| InvalidAuthority)?;
            return Ok(Self::Ip(ip.into()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(ip.into()));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let empty_label = without_dot(text).split('.').any(str::is_empty);
        if empty_label || text.len() > 254 || !text.bytes().all(allowed) {
            return Err(InvalidAuthority);
        }
        Ok(Self::Name(text.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

#[cfg(test)]
mod tests;
