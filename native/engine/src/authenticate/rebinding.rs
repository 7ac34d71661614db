//! Browsers that ask for a name which somebody else has made to lead here (DNS rebinding).
//!
//! A page of `http://evil.test`, whose name is made to resolve to this machine, is same-origin with a gateway on the
//! page's port, and may set any routing field; its browser sends no Origin and no Sec-Fetch-Site then. What the page can
//! change in neither way is that the browser sends the page's own host, and that it says it is a browser. So whoever is
//! let in only for the address he comes from, and has a browser's fields, must ask for a host that nobody else can have
//! made to lead here: an address, `localhost` and what is below it, or one that the options name. A CONNECT is none that
//! a page can cause.

use std::str::FromStr;

use crate::authority::{Host, InvalidAuthority, without_dot};
use crate::error::ProxyError;
use crate::fields::Fields;
use crate::head::RequestHead;
use crate::target::Target;

/// Fields of every browser's requests, or of those that pages can make; no page can keep all of them back.
const BROWSERS: [&str; 5] =
    ["accept-language", "origin", "referer", "sec-fetch-mode", "sec-fetch-site"];

/// A host that browsers may ask a gateway for, beside addresses and `localhost`: `gateway.example`, or, with a dot in
/// front, that and every name below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    host: Host,
    below: bool,
}

impl FromStr for AllowedHost {
    type Err = InvalidAuthority;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, below) = text.strip_prefix('.').map_or((text, false), |name| (name, true));
        Ok(Self { host: name.parse()?, below })
    }
}

impl AllowedHost {
    fn is(&self, host: &Host) -> bool {
        let is_below = |name: &str, parent: &str| {
            name.strip_suffix(parent).is_some_and(|start| start.ends_with('.'))
        };
        match (&self.host, host) {
            (Host::Name(own), Host::Name(name)) if self.below => {
                self.host == *host || is_below(without_dot(name), without_dot(own))
            }
            (own, host) => own == host,
        }
    }
}

/// Refuses what a page whose name was made to lead here could have sent.
pub(super) fn check(head: &RequestHead, allowed: &[AllowedHost]) -> Result<(), ProxyError> {
    if head.is_plain_connect() || !is_a_browsers(&head.fields) {
        return Ok(());
    }
    // What names no host that can be read is refused when it comes to be decided.
    let Ok(Target { authority, .. }) = Target::of(head, None) else { return Ok(()) };
    let host = &authority.host;
    let is_own = matches!(host, Host::Ip(_)) || host.is_loopback();
    if is_own || allowed.iter().any(|allowed| allowed.is(host)) {
        return Ok(());
    }
    Err(ProxyError::ForeignHost)
}

fn is_a_browsers(fields: &Fields) -> bool {
    fields.iter().any(|(name, value)| {
        BROWSERS.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
            || (name.eq_ignore_ascii_case(b"user-agent") && value.starts_with(b"Mozilla/"))
    })
}

#[cfg(test)]
mod tests {
    use http::{Method, Version};

    use super::*;

    fn refuses(method: Method, target: &str, host: &str, field: (&str, &str)) -> bool {
        let allowed = ["gateway.example", ".team.example", "10.0.0.1"];
        let allowed = allowed.map(|host| host.parse().unwrap());
        let mut fields = Fields::default();
        fields.push("Host", host.as_bytes());
        fields.push(field.0, field.1.as_bytes());
        let (target, version) = (target.into(), Version::HTTP_11);
        let head = RequestHead { method, target, version, protocol: None, fields };
        matches!(check(&head, &allowed), Err(ProxyError::ForeignHost))
    }

    #[test]
    fn a_browser_must_ask_for_a_host_that_is_surely_this_one() {
        let browser = ("Accept-Language", "");
        for (host, refused) in [
            ("127.0.0.1:39379", false),
            ("[::1]:39379", false),
            ("192.0.2.7", false),
            ("LocalHost:39379", false),
            ("workspace-1-3000.localhost:39379", false),
            ("gateway.example:39379", false),
            ("Gateway.Example.", false),
            ("team.example", false),
            ("a.b.team.example.", false),
            ("evil.test:39379", true),
            ("a.gateway.example", true),
            ("xteam.example", true),
            ("team.example.evil.test", true),
            ("localhost.evil.test", true),
            ("127.0.0.1.evil.test", true),
            ("gateway", true),
        ] {
            assert_eq!(refuses(Method::GET, "/", host, browser), refused, "{host}");
            let target = format!("http://{host}/");
            assert_eq!(refuses(Method::GET, &target, "localhost", browser), refused, "{target}");
        }
        assert!(!refuses(Method::CONNECT, "evil.test:80", "evil.test:80", browser));
    }

    #[test]
    fn a_browser_is_told_by_what_no_page_can_keep_back() {
        for (name, value, refused) in [
            ("accept-language", "de", true),
            ("Origin", "null", true),
            ("Referer", "http://evil.test/", true),
            ("Sec-Fetch-Mode", "cors", true),
            ("Sec-Fetch-Site", "same-origin", true),
            ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)", true),
            ("User-Agent", "curl/8.0 Mozilla/5.0", false),
            ("Accept", "*/*", false),
        ] {
            assert_eq!(refuses(Method::GET, "/", "evil.test", (name, value)), refused, "{name}");
        }
    }

    #[test]
    fn what_is_no_host_cannot_be_allowed() {
        for text in ["", ".", "*.example", "a b", "a:80", "http://a"] {
            assert!(text.parse::<AllowedHost>().is_err(), "{text}");
        }
    }
}
