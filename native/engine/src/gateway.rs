//! What makes a server a gateway: one context for all that it dials, the rules it decides by, and who may use it.
//!
//! A forward proxy knows its clients apart by their credentials; a gateway does not, so its upstream connections
//! are everybody's, and its limits are those of the workspace that is asked for.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::authenticate::{Access, AllowedHost, Gate};
use crate::authority::Host;
use crate::connection::Identity;
use crate::context::{Context, Contexts, random_hex};
use crate::counters::Gauge;
use crate::decide::gateway::Rules;
use crate::error::{ContextError, StartError};
use crate::limits::{Admissions, ContextLimits};
use crate::workspace::Workspaces;

/// What a server does with requests.
#[derive(Debug, Clone, Default)]
pub enum Face {
    /// It goes where its clients ask it to, by the route of the context whose credentials they have.
    #[default]
    ForwardProxy,
    /// It leads to the servers of workspaces, of this machine or of others. It has no contexts but its own.
    Gateway(GatewayOptions),
}

/// How a gateway decides.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Where workspaces are.
    pub workspaces: Workspaces,
    /// The host that a request without a workspace leads to; `None` refuses such requests.
    pub default_upstream: Option<Host>,
    /// Who may use it.
    pub access: Access,
    /// The hosts that a browser may ask for which is let in only for its address, beside addresses and `localhost`.
    pub allowed_hosts: Vec<AllowedHost>,
}

/// A server's face as a gateway.
pub(crate) struct Gateway {
    pub(crate) context: Arc<Context>,
    pub(crate) rules: Rules,
    pub(crate) gate: Gate,
    pub(crate) admissions: Admissions,
    /// Its clients' HTTP/2 connections: each ends by itself once it has been told to.
    pub(crate) http2: Gauge,
}

impl Gateway {
    /// `None` for a forward proxy.
    pub(crate) fn of(
        face: Face,
        contexts: &Contexts,
        limits: &ContextLimits,
        stopping: &CancellationToken,
    ) -> Result<Option<Arc<Self>>, StartError> {
        let Face::Gateway(options) = face else { return Ok(None) };
        let GatewayOptions { workspaces, default_upstream, access, allowed_hosts } = options;
        let shared = ContextLimits { breaker: limits.breaker, ..ContextLimits::default() };
        let info = contexts.create(0, None, &shared, stopping)?;
        let context = contexts.by_username(&info.id).ok_or(ContextError::Unknown(info.id))?;
        let rules = Rules { workspaces, default_upstream, id: random_hex::<8>()?.into() };
        let (gate, http2) = (Gate::new(access, allowed_hosts), Gauge::default());
        let admissions = Admissions::new(*limits);
        Ok(Some(Arc::new(Self { context, rules, gate, admissions, http2 })))
    }

    /// Whose requests this connection carries, by where it comes from.
    pub(crate) fn identify(self: &Arc<Self>, socket: &TcpStream) -> Identity {
        let is_trusted = socket.peer_addr().is_ok_and(|peer| self.gate.trusts(peer.ip()));
        Identity::Peer { gateway: Arc::clone(self), is_trusted }
    }
}
