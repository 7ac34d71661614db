//! A request forwarded, its response relayed: neither is held longer than it takes to pass bytes on.

use std::sync::Arc;

use http::{StatusCode, Version};

use crate::client::Client;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::head::{RequestHead, ResponseHead};
use crate::headers;
use crate::response::Response;
use crate::route::Upstream;

/// Sends the request over one of the context's upstream connections, and answers with the response.
pub(crate) async fn forward(
    exchange: &Arc<Exchange>,
    mut head: RequestHead,
    mut client: Client<'_>,
    upstream: &Upstream,
) -> Result<Response, ProxyError> {
    readdress(&mut head, upstream);
    let pool = &exchange.context().pool;
    let mut response = pool.send(exchange, upstream, &head, &mut client).await?;
    check(&response.head, upstream)?;
    strip(&mut response.head);
    Ok(response)
}

/// Makes a request this hop's own: removes what ends here, and says what the upstream has to know. A reverse proxy
/// has no business with routing fields.
pub(crate) fn readdress(head: &mut RequestHead, upstream: &Upstream) {
    let fields = &mut head.fields;
    if upstream.forwarded().is_some() {
        headers::strip_connection(fields);
    } else {
        headers::strip_request(fields);
    }
    headers::address(fields, upstream);
    if head.version == Version::HTTP_2 {
        headers::join_cookies(fields);
    }
    upstream.join_base(head);
}

/// Removes what ends at this hop from a response, and a length from one that has no body.
pub(crate) fn strip(head: &mut ResponseHead) {
    headers::strip_hop_by_hop(&mut head.fields);
    if head.status.is_informational() || head.status == StatusCode::NO_CONTENT {
        headers::strip_length(&mut head.fields);
    }
}

/// Refuses answers that would change what the client believes of this proxy: a switch of protocols nobody
/// asked for, and a challenge, which would make a browser drop credentials that are valid. A reverse proxy has asked
/// for none, and passes on what its upstream says.
pub(crate) fn check(head: &ResponseHead, upstream: &Upstream) -> Result<(), ProxyError> {
    match head.status {
        StatusCode::SWITCHING_PROTOCOLS => {
            Err(ProxyError::UpstreamProtocol("it switches protocols unasked"))
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED if upstream.routing.is_some() => {
            Err(ProxyError::GatewayToken)
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED if upstream.forwarded().is_none() => {
            Err(ProxyError::UpstreamProtocol("it asks for proxy credentials"))
        }
        _ => Ok(()),
    }
}
