//! The peer that a request really goes to, and what has to be known of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::authenticate::Token;
use crate::authority::{Authority, Scheme};
use crate::forwarded::Forwarded;
use crate::head::RequestHead;

/// The peer a request really goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Whether it speaks TLS.
    pub scheme: Scheme,
    /// Where it is.
    pub authority: Authority,
    /// What a gateway must be told.
    pub routing: Option<Routing>,
    /// What the server is told besides, or in place of the authority that is dialled.
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

/// What a server is told that does not know of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// By a gateway, to a workspace's server.
    Passed {
        /// What the request has as Host.
        host: Box<str>,
        /// The gateways that the request has passed.
        gateways: Arc<str>,
    },
    /// By a reverse proxy.
    Forwarded(Box<Forwarded>),
}

impl Told {
    /// What the request has as Host.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Passed { host, .. } => host,
            Self::Forwarded(forwarded) => &forwarded.host,
        }
    }
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
    /// What the request has as Host, or `:authority`.
    pub(crate) fn host_field(&self) -> Cow<'_, str> {
        let own = || self.authority.field(self.scheme).into();
        self.told.as_ref().map_or_else(own, |told| told.host().into())
    }

    /// What a reverse proxy has been told of the client.
    pub(crate) fn forwarded(&self) -> Option<&Forwarded> {
        match &self.told {
            Some(Told::Forwarded(forwarded)) => Some(forwarded),
            _ => None,
        }
    }

    /// Puts a reverse proxy's base path before the request's own. An asterisk is no path.
    pub(crate) fn join_base(&self, head: &mut RequestHead) {
        let base = self.forwarded().map_or("", |forwarded| &*forwarded.base);
        if base.is_empty() {
            return;
        }
        let target = head.origin_form();
        if *target != *b"*" {
            head.target = [base.as_bytes(), &target].concat();
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)
    }
}
