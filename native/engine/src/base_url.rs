//! The URL of a reverse proxy's upstream: where it is, and the path that all others are put behind.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::authority::{Authority, Scheme};

/// An `http` or `https` URL without user, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Whether the upstream speaks TLS.
    pub scheme: Scheme,
    /// Where it is.
    pub authority: Authority,
    /// What stands before the path of every request: empty, or a path that begins with a slash and does not end in
    /// one.
    path: Arc<str>,
    /// Its authority as Host has it.
    host: Arc<str>,
}

/// Why a text is no base URL. None of these shows it: what stands before an `@` may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidBaseUrl {
    /// The scheme is another, or there is none.
    #[error("not an http:// or https:// URL")]
    Scheme,
    /// There is a user, or even the user's secret.
    #[error("a user has no place in it; send Authorization instead")]
    User,
    /// There is no host, or what is there is none, or the port is not 1 to 65535.
    #[error("its host, or its port, is not valid")]
    Authority,
    /// There is a query or a fragment, or a character that cannot stand in a path.
    #[error("its path is not valid; a query or a fragment has no place in it")]
    Path,
}

impl BaseUrl {
    /// What stands before the path of every request.
    #[must_use]
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Its authority as Host, or `:authority`, has it.
    #[must_use]
    pub fn host(&self) -> &Arc<str> {
        &self.host
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidBaseUrl::Scheme)?;
        let scheme = [Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|known| scheme.eq_ignore_ascii_case(known.as_str()))
            .ok_or(InvalidBaseUrl::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(InvalidBaseUrl::Authority)?;
        if authority.contains('@') {
            return Err(InvalidBaseUrl::User);
        }
        let authority = Authority::parse(authority, Some(scheme.default_port()))
            .map_err(|_| InvalidBaseUrl::Authority)?;
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
        if !path.bytes().all(fits) {
            return Err(InvalidBaseUrl::Path);
        }
        let host = authority.field(scheme).into();
        Ok(Self { scheme, authority, path: path.trim_end_matches('/').into(), host })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_port_and_path_are_read_and_nothing_else_is_taken() {
        for (text, read) in [
            ("http://h", Ok("http://h:80")),
            ("HTTP://H:8788/", Ok("http://h:8788")),
            ("https://api.test/base/v1//", Ok("https://api.test:443/base/v1")),
            ("http://[::1]:1/a%2Fb;c", Ok("http://[::1]:1/a%2Fb;c")),
            ("ftp://h", Err(InvalidBaseUrl::Scheme)),
            ("ws://h", Err(InvalidBaseUrl::Scheme)),
            ("h:80", Err(InvalidBaseUrl::Scheme)),
            ("", Err(InvalidBaseUrl::Scheme)),
            ("http://", Err(InvalidBaseUrl::Authority)),
            ("http:///x", Err(InvalidBaseUrl::Authority)),
            ("http://h:0", Err(InvalidBaseUrl::Authority)),
            ("http://h:65536", Err(InvalidBaseUrl::Authority)),
            ("http://user:secret@h", Err(InvalidBaseUrl::User)),
            ("http://h/x?key=1", Err(InvalidBaseUrl::Path)),
            ("http://h?key=1", Err(InvalidBaseUrl::Path)),
            ("http://h/x#y", Err(InvalidBaseUrl::Path)),
            ("http://h/a b", Err(InvalidBaseUrl::Path)),
            ("http://h/é", Err(InvalidBaseUrl::Path)),
        ] {
            let url = text.parse::<BaseUrl>();
            assert_eq!(url.map(|url| url.to_string()), read.map(str::to_owned), "{text}");
        }
    }
}
