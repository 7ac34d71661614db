//! A request forwarded, its response relayed: neither is held longer than it takes to pass a frame on.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode, Version};

use crate::body::{RequestBody, ResponseBody};
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::headers;
use crate::route::Upstream;

/// Sends the request over one of the context's upstream connections, and answers with the response.
pub(crate) async fn forward(
    exchange: &Arc<Exchange>,
    request: Request<Incoming>,
    upstream: &Upstream,
) -> Result<Response<ResponseBody>, ProxyError> {
    let (mut parts, body) = request.into_parts();
    headers::strip_request(&mut parts.headers);
    if parts.version == Version::HTTP_2 {
        headers::join_cookies(&mut parts.headers);
    }
    let request = Request::from_parts(parts, RequestBody::relayed(body, exchange));
    let (response, lease) = exchange.context.pool.send(exchange, upstream, request).await?;
    check(&response)?;
    let idle = exchange.connection.proxy.timeouts.idle;
    Ok(relay(response, |body| ResponseBody::relayed(body, lease, idle)))
}

/// Refuses answers that would change what the client believes of this proxy: a switch of protocols nobody
/// asked for, a challenge, which would make a browser drop credentials that are valid, and a body whose
/// coding would be lost here.
pub(crate) fn check(response: &Response<Incoming>) -> Result<(), ProxyError> {
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(ProxyError::UpstreamProtocol(None))
        }
        _ if !headers::is_plainly_framed(response.headers()) => {
            Err(ProxyError::UpstreamProtocol(None))
        }
        _ => Ok(()),
    }
}

/// The upstream's response, less what ends at this hop.
pub(crate) fn relay(
    response: Response<Incoming>,
    body: impl FnOnce(Incoming) -> ResponseBody,
) -> Response<ResponseBody> {
    let mut response = response.map(body);
    // RFC 9110, section 2.5: the version is this hop's own.
    *response.version_mut() = Version::HTTP_11;
    // RFC 9112, section 6.3: the chunks have told the length, and the field may say another.
    if response.headers().contains_key(TRANSFER_ENCODING) {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    headers::strip_hop_by_hop(response.headers_mut());
    response
}
