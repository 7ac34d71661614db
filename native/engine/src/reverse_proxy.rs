//! What makes a server a transparent reverse proxy: its one upstream, whose word counts, and how an exchange is named.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::authenticate::is_in;
use crate::base_url::BaseUrl;
use crate::buffer::{BufferLimits, Buffers};
use crate::context::random_hex;
use crate::decide::reverse_proxy::Rules;
use crate::face::Shared;
use crate::fields::Fields;
use crate::forwarded;
use crate::health::Probe;

/// How a reverse proxy leads to its upstream.
#[derive(Debug, Clone)]
pub struct ReverseProxyOptions {
    /// Where everything leads.
    pub upstream: BaseUrl,
    /// Whether the upstream is told its own authority as Host, and not the one that the client has asked for.
    pub rewrite_host: bool,
    /// Whether an upstream that speaks TLS is offered HTTP/2; it is asked in HTTP/1.1 otherwise.
    pub upstream_http2: bool,
    /// The networks of proxies in front of this one, whose `X-Forwarded-Proto` and `X-Forwarded-Host` are kept.
    pub trusted: Vec<IpNet>,
    /// Reads a request's body to its end, before the upstream is asked, within these limits. `None` streams every body,
    /// whatever its length.
    pub buffer_requests: Option<BufferLimits>,
    /// How long an upgraded connection may move no byte; `None` is for ever.
    pub upgraded_idle: Option<Duration>,
    /// What it calls itself in its answer to `/healthz`.
    pub service: String,
    /// The path that the upstream answers with a status of 2xx when it is well. The base path does not stand before it.
    pub upstream_health: String,
}

/// A server's face as a reverse proxy.
pub(crate) struct ReverseProxy {
    pub(crate) shared: Shared,
    pub(crate) rules: Rules,
    pub(crate) probe: Probe,
    pub(crate) service: String,
    pub(crate) buffers: Option<Buffers>,
    pub(crate) upgraded_idle: Option<Duration>,
    trusted: Vec<IpNet>,
}

impl ReverseProxy {
    pub(crate) fn new(options: ReverseProxyOptions, shared: Shared) -> Self {
        let ReverseProxyOptions { upstream, rewrite_host, trusted, .. } = options;
        let probe = Probe::new(&upstream, &options.upstream_health);
        Self {
            shared,
            rules: Rules { upstream, rewrite_host },
            probe,
            service: options.service,
            buffers: options.buffer_requests.map(Buffers::new),
            upgraded_idle: options.upgraded_idle,
            trusted,
        }
    }

    /// Whether a peer is a proxy whose word counts.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        is_in(peer, &self.trusted)
    }
}

/// What a request is called: as its client has called it, or else by a new name.
pub(crate) fn id_of(fields: &Fields) -> String {
    forwarded::request_id(fields).map_or_else(new_id, str::to_owned)
}

/// A UUID of version 4 (RFC 9562, section 5.4).
pub(crate) fn new_id() -> String {
    let Ok(digits) = random_hex::<16>() else { return "unnamed".to_owned() };
    let mut id = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        let _ = match at {
            12 => id.write_char('4'),
            // The two bits of the variant.
            16 => write!(id, "{:x}", 8 | (digit.to_digit(16).unwrap_or_default() & 3)),
            _ => id.write_char(digit),
        };
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_a_uuid_and_no_other_is_the_same() {
        let (one, other) = (new_id(), new_id());
        assert_ne!(one, other);
        let parts: Vec<_> = one.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{one}");
        assert!(one.chars().all(|it| it == '-' || it.is_ascii_hexdigit()));
    }
}
