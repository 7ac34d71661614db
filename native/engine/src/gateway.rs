//! What makes a server a workspace gateway: the rules it decides by, and who may use it.
//!
//! It does not know its clients apart, so its limits are those of the workspace that is asked for.

use tokio_util::sync::CancellationToken;

use crate::authenticate::{Access, AllowedHost, Gate};
use crate::authority::Host;
use crate::context::{Contexts, random_hex};
use crate::decide::gateway::Rules;
use crate::error::StartError;
use crate::face::Shared;
use crate::limits::{Admissions, ContextLimits};
use crate::workspace::Workspaces;

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
    pub(crate) shared: Shared,
    pub(crate) rules: Rules,
    pub(crate) gate: Gate,
    pub(crate) admissions: Admissions,
}

impl Gateway {
    pub(crate) fn new(
        options: GatewayOptions,
        contexts: &Contexts,
        limits: &ContextLimits,
        stopping: &CancellationToken,
    ) -> Result<Self, StartError> {
        let GatewayOptions { workspaces, default_upstream, access, allowed_hosts } = options;
        let of_all = ContextLimits { breaker: limits.breaker, ..ContextLimits::default() };
        let shared = Shared::new(contexts, &of_all, stopping)?;
        let rules = Rules { workspaces, default_upstream, id: random_hex::<8>()?.into() };
        let (gate, admissions) = (Gate::new(access, allowed_hosts), Admissions::new(*limits));
        Ok(Self { shared, rules, gate, admissions })
    }
}
