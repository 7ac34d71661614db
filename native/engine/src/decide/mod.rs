//! What to do with a request: a pure decision.
//!
//! A decider looks at a request's head and at what is known of its sender, and names an [`Action`]. It does
//! no I/O, so it can be tested by table, fuzzed and replayed. One set of executors serves every decider.

pub mod forward_proxy;

use crate::authority::Authority;
use crate::route::{Route, Upstream};
use crate::target::Target;

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
    /// Answer without an upstream.
    Respond(Answer),
}

/// An answer of the proxy's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 204, naming the context: proof for an embedder that its credentials have arrived.
    ContextName,
}
