//! A change of protocol, above all to WebSocket: the upstream's own answer decides.
//!
//! Only once the upstream has answered 101 is the client told so, in the upstream's words; from then on
//! bytes are relayed unread. Any other answer is relayed like every response.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, TE, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Request, Response, StatusCode};

use crate::body::{RequestBody, ResponseBody};
use crate::error::ProxyError;
use crate::event::TunnelKind;
use crate::exchange::Exchange;
use crate::forward::{check, relay};
use crate::headers;
use crate::route::Upstream;
use crate::stream::Stream;
use crate::tunnel::Tunnel;
use crate::upstream;

/// Sends the request over a connection of its own, and relays bytes if the upstream switches protocols.
pub(crate) async fn upgrade(
    exchange: &Arc<Exchange>,
    mut request: Request<Incoming>,
    upstream: &Upstream,
) -> Result<Response<ResponseBody>, ProxyError> {
    let asked = headers::upgrade_protocols(request.headers(), request.version());
    let downstream = hyper::upgrade::on(&mut request);
    let request = request_for(exchange, request, upstream, asked.clone());
    let (proxy, context) = (&exchange.connection.proxy, &exchange.context);
    let moved = || exchange.bytes_up();
    let response = upstream::send_alone(proxy, context, upstream, request, moved).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return switch(exchange, response, asked.as_ref(), downstream);
    }
    check(&response)?;
    Ok(relay(response, |body| ResponseBody::relayed(body, None, proxy.timeouts.idle)))
}

fn request_for(
    exchange: &Arc<Exchange>,
    request: Request<Incoming>,
    upstream: &Upstream,
    protocols: Option<HeaderValue>,
) -> Request<RequestBody> {
    let mut request = request.map(|body| RequestBody::relayed(body, exchange));
    let fields = request.headers_mut();
    headers::strip_request(fields);
    fields.remove(TE);
    headers::address(fields, upstream);
    name_protocol(fields, protocols);
    request
}

fn switch(
    exchange: &Exchange,
    mut response: Response<Incoming>,
    asked: Option<&HeaderValue>,
    downstream: OnUpgrade,
) -> Result<Response<ResponseBody>, ProxyError> {
    let switched = response.headers().get(UPGRADE).cloned();
    if !is_among(switched.as_ref(), asked) {
        return Err(ProxyError::UpstreamProtocol(None));
    }
    let upstream = hyper::upgrade::on(&mut response);
    let (proxy, context) = (&exchange.connection.proxy, &exchange.context);
    Tunnel::open(proxy, context, TunnelKind::Upgrade, exchange.authority.clone())
        .holding(exchange.tunnel_slot())
        .spawn(Stream::upgraded(downstream), Stream::upgraded(upstream));
    let mut response = relay(response, |_| ResponseBody::own(String::new()));
    name_protocol(response.headers_mut(), switched);
    Ok(response)
}

fn name_protocol(headers: &mut HeaderMap, protocol: Option<HeaderValue>) {
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

/// RFC 9110, section 7.8: a server must not switch to a protocol that the client did not name.
fn is_among(switched: Option<&HeaderValue>, asked: Option<&HeaderValue>) -> bool {
    let switched = switched.and_then(|value| value.to_str().ok());
    let asked = asked.and_then(|value| value.to_str().ok());
    let (Some(switched), Some(asked)) = (switched, asked) else { return false };
    asked.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case(switched.trim()))
}
