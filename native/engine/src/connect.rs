//! CONNECT: a tunnel to where the authority leads.
//!
//! The upstream is dialled before the client is told 200, except where the tunnel will be looked into:
//! there the client speaks first, and what goes wrong later is told inside.

use std::sync::Arc;

use crate::authority::Authority;
use crate::error::ProxyError;
use crate::event::TunnelKind;
use crate::exchange::Exchange;
use crate::intercept::Interception;
use crate::respond;
use crate::response::{Response, Switch};
use crate::route::Upstream;
use crate::tunnel::Tunnel;
use crate::upstream;

/// Dials, answers 200, and relays bytes from then on.
pub(crate) async fn tunnel(
    exchange: &Arc<Exchange>,
    asked: &Authority,
    upstream: &Upstream,
) -> Result<Response, ProxyError> {
    let (proxy, context) = (&exchange.connection.proxy, exchange.context());
    // A client that has ended its half already may still wait for the other.
    let dialled = Box::pin(upstream::open_tunnel(proxy, context, upstream, asked)).await?;
    let tunnel = Tunnel::open(proxy, context, TunnelKind::Connect, asked.to_string())
        .holding(exchange.tunnel_slot());
    let switch = Some(Box::new(Switch::Tunnel(tunnel, dialled)));
    Ok(Response { switch, ..respond::with_tunnel() })
}

/// Answers 200, and lets what comes first decide whether the bytes are requests.
pub(crate) fn intercept(exchange: &Exchange, asked: Authority, upstream: Upstream) -> Response {
    let proxy = Arc::clone(&exchange.connection.proxy);
    let context = Arc::clone(exchange.context());
    let slot = exchange.tunnel_slot();
    let interception = Interception { proxy, context, asked, upstream, slot };
    let switch = Some(Box::new(Switch::Intercept(interception)));
    Response { switch, ..respond::with_tunnel() }
}
