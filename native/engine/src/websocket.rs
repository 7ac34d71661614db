//! WebSocket over HTTP/2 (RFC 8441), for upstreams that speak it over HTTP/1.1 (RFC 6455).
//!
//! Such a client sends no key, so the proxy asks with one of its own, and an upstream that does not answer to
//! that very key has not understood the question. What is inside passes unread, but for where its frames end
//! (`frames`), which is what it takes to tell both ends that a gateway goes away (`farewell`).

mod farewell;
mod frames;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{Method, StatusCode};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::error::ProxyError;
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};
use crate::respond;
pub(crate) use farewell::{Farewell, Peer};
pub(crate) use frames::Frames;

const ACCEPT: &str = "Sec-WebSocket-Accept";

/// What an upstream is asked with on behalf of a client.
pub(crate) struct Key(String);

impl Key {
    /// Turns an extended CONNECT into the request that means the same in HTTP/1.1.
    pub(crate) fn ask(head: &mut RequestHead) -> Result<Self, ProxyError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| ProxyError::Internal)?;
        let key = BASE64_STANDARD.encode(random);
        head.method = Method::GET;
        head.protocol = None;
        head.fields.set("Sec-WebSocket-Key", key.as_bytes());
        Ok(Self(key))
    }

    /// Turns the upstream's 101 into the answer that means the same in HTTP/2.
    pub(crate) fn answer(&self, head: &mut ResponseHead) -> Result<(), ProxyError> {
        if !self.is_accepted(&head.fields) {
            return Err(ProxyError::UpstreamProtocol("it did not accept the WebSocket's key"));
        }
        head.status = respond::with_tunnel().head.status;
        head.fields.remove(ACCEPT);
        Ok(())
    }

    /// RFC 6455, section 4.2.2.
    fn is_accepted(&self, fields: &Fields) -> bool {
        const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{}{GUID}", self.0).as_bytes());
        let expected = BASE64_STANDARD.encode(digest);
        let mut answers = fields.get_all(ACCEPT);
        answers.next() == Some(expected.as_bytes()) && answers.next().is_none()
    }
}

/// Refuses an answer that a client would take for an open WebSocket (RFC 8441, section 5).
pub(crate) fn check_refusal(status: StatusCode) -> Result<(), ProxyError> {
    if status.is_success() {
        return Err(ProxyError::UpstreamProtocol("it does not switch to WebSocket"));
    }
    Ok(())
}
