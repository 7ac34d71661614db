//! Requests that are read whole before the upstream is asked, where a reverse proxy is told to: an upstream that can do
//! but one thing at a time is spared a client's slow line.
//!
//! What is sent then has a length, and so no trailers: HTTP/1.1 has no place for them.

use crate::client::Client;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::face::Acting;
use crate::head::RequestHead;

/// Reads the body, if bodies are to be read whole and there is one, and says in the fields what it has become.
pub(crate) async fn hold(
    exchange: &Exchange,
    head: &mut RequestHead,
    client: &mut Client<'_>,
) -> Result<(), ProxyError> {
    let proxy = &exchange.connection.proxy;
    let Acting::ReverseProxy(face) = &proxy.face else { return Ok(()) };
    let Some(limit) = face.buffer_requests else { return Ok(()) };
    let Some(length) = client.hold(limit, proxy.timeouts.idle).await? else { return Ok(()) };
    let fields = &mut head.fields;
    if !fields.contains("content-length") {
        fields.push("Content-Length", length.to_string().as_bytes());
    }
    for gone in ["transfer-encoding", "trailer", "expect"] {
        fields.remove(gone);
    }
    Ok(())
}
