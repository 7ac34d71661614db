//! The gateway's decision: which workspace's server a request leads to.
//!
//! Port and workspace are what the routing fields say, each by itself; what they leave open is read from an
//! authority such as `workspace-1-3000.localhost`, and a workspace that is named nowhere is the default upstream.
//! The authority of a CONNECT names the far end of a tunnel and not its way: there only the fields count.

use std::sync::Arc;

use super::routing_fields::{RoutingError, RoutingFields};
use super::{Action, check};
use crate::authority::{Authority, Host, Scheme, parse_port, without_dot};
use crate::error::ProxyError;
use crate::fields::Fields;
use crate::head::RequestHead;
use crate::headers::PASSED;
use crate::route::{Loopback, Told, Upstream};
use crate::target::Target;
use crate::workspace::Workspaces;

/// More gateways than that on one way are a loop, or as bad as one.
const MOST_GATEWAYS: usize = 8;

/// What a gateway decides by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Where workspaces are.
    pub workspaces: Workspaces,
    /// The host that a request without a workspace leads to; `None` refuses such requests.
    pub default_upstream: Option<Host>,
    /// Names this gateway among those that a request has passed, in hexadecimal digits.
    pub id: Arc<str>,
}

impl Rules {
    /// The host that this workspace is on, and whether that may be loopback. Whoever names a default upstream means
    /// what it says.
    fn host(&self, workspace: Option<&str>) -> Result<(Host, Loopback), RoutingError> {
        match (workspace, &self.default_upstream) {
            (Some(name), _) => Ok((self.workspaces.host_of(name)?, self.workspaces.loopback())),
            (None, Some(host)) => Ok((host.clone(), Loopback::Allowed)),
            (None, None) => Err(RoutingError::WorkspaceMissing),
        }
    }
}

/// Decides what to do with a request whose sender has been let in.
pub fn decide(head: &RequestHead, rules: &Rules) -> Result<Action, ProxyError> {
    let upgrades = check(head)?;
    let passed = passed(&head.fields, &rules.id)?;
    let told = RoutingFields::read(&head.fields)?;
    if head.fields.get_all("host").any(|host| std::str::from_utf8(host).is_err()) {
        return Err(RoutingError::HostNotUtf8.into());
    }
    let target = Target::of(head, None)?;
    let named = if head.is_plain_connect() { None } else { Named::in_authority(&target.authority) };
    let port = told.port.or(named.as_ref().map(|named| named.port));
    let port = port.ok_or(RoutingError::PortMissing)?;
    let (host, loopback) =
        rules.host(told.workspace.or(named.as_ref().map(|named| named.workspace)))?;
    let host_field = told.host.map_or_else(|| host_field(head, &target), Into::into);
    let upstream = Upstream {
        scheme: Scheme::Http,
        authority: Authority { host, port },
        routing: None,
        told: Some(Told::Passed { host: host_field, gateways: passed }),
        loopback,
    };
    Ok(if head.is_plain_connect() {
        Action::Tunnel { asked: target.authority, upstream }
    } else if upgrades {
        Action::Upgrade(upstream)
    } else {
        Action::Forward(upstream)
    })
}

/// What an authority says of the way.
struct Named<'a> {
    workspace: &'a str,
    port: u16,
}

impl<'a> Named<'a> {
    /// Reads `<workspace>-<port>.localhost`; the last hyphen divides.
    fn in_authority(authority: &'a Authority) -> Option<Self> {
        let Host::Name(name) = &authority.host else { return None };
        let (workspace, port) = without_dot(name).strip_suffix(".localhost")?.rsplit_once('-')?;
        let port = parse_port(port).ok()?;
        Some(Self { workspace, port }).filter(|named| !named.workspace.is_empty())
    }
}

/// The gateways that a request has passed, with this one. Whatever else stands there is not passed on.
fn passed(fields: &Fields, own: &Arc<str>) -> Result<Arc<str>, ProxyError> {
    let is_id = |id: &&str| id.len() == own.len() && id.bytes().all(|it| it.is_ascii_hexdigit());
    let mut passed: Vec<_> = fields.members(PASSED).filter(is_id).collect();
    if passed.len() >= MOST_GATEWAYS || passed.contains(&&**own) {
        return Err(ProxyError::Loop);
    }
    if passed.is_empty() {
        return Ok(Arc::clone(own));
    }
    passed.push(own);
    Ok(passed.join(", ").into())
}

/// The Host that the client has asked for: as sent, unless the target has an authority of its own (RFC 9112,
/// section 3.2.2).
fn host_field(head: &RequestHead, target: &Target) -> Box<str> {
    let origin_form = matches!(head.target.first(), Some(b'/' | b'*'));
    let sent = head.fields.get("host").filter(|_| origin_form);
    match sent.and_then(|host| std::str::from_utf8(host).ok()) {
        Some(host) => host.into(),
        None => target.host_field().into(),
    }
}
