//! What makes a server a transparent reverse proxy: its one upstream, and whose word counts.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::authenticate::is_in;
use crate::base_url::BaseUrl;
use crate::buffer::{BufferLimits, Buffers};
use crate::decide::reverse_proxy::Rules;
use crate::face::Shared;
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
