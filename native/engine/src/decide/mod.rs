//! What to do with a request: a pure decision.
//!
//! A decider looks at a request's head and at what is known of its sender, and names an [`Action`]. It does
//! no I/O, so it can be tested by table, fuzzed and replayed. One set of executors serves every decider.

pub mod forward_proxy;
pub mod gateway;
pub mod reverse_proxy;
mod routing_fields;

use http::Method;

use crate::authority::Authority;
use crate::error::ProxyError;
use crate::head::{RequestHead, WEBSOCKET};
use crate::headers;
use crate::route::{Route, Upstream};
use crate::target::Target;
pub use routing_fields::RoutingError;

/// What is known of whoever sent a request.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The context's route.
    pub route: Option<&'a Route>,
    /// What the tunnel that the request came through was opened to, and whether it speaks TLS.
    pub tunnel: Option<&'a Target>,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send it to the upstream, and relay the response.
    Forward(Upstream),
    /// Send it over a connection of its own, and relay bytes if the upstream answers 101.
    Upgrade(Upstream),
    /// Dial, answer 200, relay bytes.
    Tunnel {
        /// The authority that was asked for.
        asked: Authority,
        /// Where it leads.
        upstream: Upstream,
    },
    /// Answer 200, and serve what comes as requests of the same context if it is HTTP.
    Intercept {
        /// The authority that was asked for.
        asked: Authority,
        /// Where it leads.
        upstream: Upstream,
    },
    /// Ask the upstream whether it is well, and answer with what comes of that.
    Probe,
    /// Answer without an upstream.
    Respond(Answer),
}

impl Action {
    /// Whom it needs, if anybody.
    pub(crate) fn upstream(&self) -> Option<&Upstream> {
        match self {
            Self::Forward(upstream)
            | Self::Upgrade(upstream)
            | Self::Tunnel { upstream, .. }
            | Self::Intercept { upstream, .. } => Some(upstream),
            Self::Probe | Self::Respond(_) => None,
        }
    }
}

/// An answer of the proxy's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 204, naming the context: proof for an embedder that its credentials have arrived.
    ContextName,
    /// 200: this proxy is well.
    Health,
}

/// Refuses what no decider takes; whether the request asks for another protocol.
fn check(head: &RequestHead) -> Result<bool, ProxyError> {
    headers::check_request(&head.fields)?;
    asks_to_upgrade(head)
}

/// Whether the request asks for another protocol, one that can be relayed.
fn asks_to_upgrade(head: &RequestHead) -> Result<bool, ProxyError> {
    if head.protocol.as_deref().is_some_and(|protocol| protocol != WEBSOCKET) {
        return Err(ProxyError::UnknownProtocol);
    }
    if head.method == Method::CONNECT && headers::announce_body(&head.fields) {
        return Err(ProxyError::BadRequest("CONNECT takes no body"));
    }
    let upgrades = || headers::upgrade_protocols(&head.fields, head.version).is_some();
    Ok(head.protocol.is_some() || upgrades())
}
