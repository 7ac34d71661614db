//! The forward proxy's decision: loopback names follow the route but for those it leaves local, everything
//! else goes where it says.

use http::{Method, Version};

use super::{Action, Answer, Scope, check};
use crate::authority::{Authority, Host};
use crate::error::ProxyError;
use crate::head::RequestHead;
use crate::route::{Loopback, Upstream};
use crate::target::Target;

/// A host that can never exist (RFC 6761, section 6.4) and that the proxy answers for itself.
const OWN_HOST: &str = "tabport.invalid";

/// Decides what to do with a request that has been authenticated.
pub fn decide(head: &RequestHead, scope: &Scope<'_>) -> Result<Action, ProxyError> {
    let upgrades = check(head)?;
    let target = Target::of(head, scope.tunnel)?;
    if head.is_plain_connect() && scope.tunnel.is_some() {
        // It is asked as an origin, and must not be: TLS inside TLS, without end, would use up a thread's stack.
        return Err(ProxyError::BadRequest("CONNECT inside a tunnel leads nowhere"));
    }
    if matches!(&target.authority.host, Host::Name(name) if &**name == OWN_HOST) {
        return own_host(&head.method);
    }
    let routed = scope.route.is_some_and(|route| route.takes(&target.authority));
    if !routed && has_no_scheme(head, scope) {
        return Err(ProxyError::BadRequest("a request to a proxy names its :authority"));
    }
    let upstream = upstream_for(&target, scope);
    Ok(if head.is_plain_connect() {
        connect(target.authority, upstream, routed)
    } else if upgrades {
        Action::Upgrade(upstream)
    } else {
        Action::Forward(upstream)
    })
}

/// An HTTP/2 request may say in Host where it goes, but by which scheme is told together with the authority only: what
/// was meant to be encrypted must not go on in clear. Where a route leads, it says that itself.
fn has_no_scheme(head: &RequestHead, scope: &Scope<'_>) -> bool {
    head.version == Version::HTTP_2 && scope.tunnel.is_none() && head.names_no_authority()
}

/// Where a target leads.
pub(crate) fn upstream_for(target: &Target, scope: &Scope<'_>) -> Upstream {
    let loopback = match scope.route {
        Some(route) if route.takes(&target.authority) => return route.lead(&target.authority),
        Some(_) if !target.authority.host.is_loopback() => Loopback::Refused,
        _ => Loopback::Allowed,
    };
    let Target { scheme, authority } = target.clone();
    Upstream { scheme, authority, routing: None, told: None, loopback }
}

/// Chromium opens `ws://` by CONNECT and speaks plain HTTP inside. Where the route decides, that must be
/// served like any other request; elsewhere the bytes are nobody's business.
fn connect(asked: Authority, upstream: Upstream, routed: bool) -> Action {
    if routed { Action::Intercept { asked, upstream } } else { Action::Tunnel { asked, upstream } }
}

fn own_host(method: &Method) -> Result<Action, ProxyError> {
    if method == Method::CONNECT {
        return Err(ProxyError::BadRequest("this host has nothing to connect to"));
    }
    Ok(Action::Respond(Answer::ContextName))
}
