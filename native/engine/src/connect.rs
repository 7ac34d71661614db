//! CONNECT: a tunnel to where the authority leads.
//!
//! The upstream is dialled before the client is told 200, except where the tunnel will be looked into:
//! there the client speaks first, and what goes wrong later is told inside.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::authority::Authority;
use crate::body::ResponseBody;
use crate::error::ProxyError;
use crate::event::TunnelKind;
use crate::exchange::Exchange;
use crate::intercept::Interception;
use crate::respond;
use crate::route::Upstream;
use crate::stream::Stream;
use crate::tunnel::Tunnel;
use crate::upstream;

/// Dials, answers 200, and relays bytes from then on.
pub(crate) async fn tunnel(
    exchange: &Arc<Exchange>,
    mut request: Request<Incoming>,
    asked: &Authority,
    upstream: &Upstream,
) -> Result<Response<ResponseBody>, ProxyError> {
    let proxy = &exchange.connection.proxy;
    let dialled = upstream::open_tunnel(proxy, &exchange.context, upstream, asked).await?;
    let downstream = hyper::upgrade::on(&mut request);
    Tunnel::open(proxy, &exchange.context, TunnelKind::Connect, asked.to_string())
        .holding(exchange.tunnel_slot())
        .spawn(Stream::upgraded(downstream), async { Ok(dialled) });
    Ok(respond::with_tunnel())
}

/// Answers 200, and lets what comes first decide whether the bytes are requests.
pub(crate) fn intercept(
    exchange: &Exchange,
    mut request: Request<Incoming>,
    asked: Authority,
    upstream: Upstream,
) -> Response<ResponseBody> {
    let downstream = hyper::upgrade::on(&mut request);
    let proxy = Arc::clone(&exchange.connection.proxy);
    let context = Arc::clone(&exchange.context);
    let slot = exchange.tunnel_slot();
    Interception { proxy, context, asked, upstream, slot }.spawn(downstream);
    respond::with_tunnel()
}
