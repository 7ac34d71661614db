//! The peer that a request really goes to, and what has to be known of it.

use std::fmt;

use crate::authenticate::Token;
use crate::authority::{Authority, Scheme};

/// The peer a request really goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Whether it speaks TLS.
    pub scheme: Scheme,
    /// Where it is.
    pub authority: Authority,
    /// What a gateway must be told.
    pub routing: Option<Routing>,
    /// What a gateway tells the server it leads to, in place of the authority that it dials.
    pub told: Option<Told>,
    /// Whether the address dialled may be this machine's loopback.
    pub loopback: Loopback,
}

/// What a gateway is told, in `X-Cmux-*` fields and, where it asks for a token, in `Proxy-Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// The loopback authority that was asked for.
    pub asked: Authority,
    /// The workspace to look in.
    pub workspace: Option<Box<str>>,
    /// What lets us in.
    pub token: Option<Token>,
}

/// What a gateway tells a workspace's server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What the request has as Host.
    pub host: Box<str>,
    /// The gateways that the request has passed.
    pub passed: Box<str>,
}

/// Whether an upstream may turn out to be this machine's loopback, once its name is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// The context has no route, or its route names a loopback host.
    Allowed,
    /// A name that resolves to loopback is an attempt to get past the route.
    Refused,
}

impl Upstream {
    /// The authority as `Host` or `:authority` has it: without the scheme's own port.
    pub(crate) fn authority_field(&self) -> String {
        let Authority { host, port } = &self.authority;
        if *port == self.scheme.default_port() {
            host.to_string()
        } else {
            self.authority.to_string()
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)
    }
}
