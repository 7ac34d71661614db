//! What a request is answered with, whichever version of HTTP the client and the upstream speak.

use std::sync::Arc;

use bytes::Bytes;

use crate::body::Frames as _;
use crate::exchange::Exchange;
use crate::head::ResponseHead;
use crate::intercept::Interception;
use crate::stream::Stream;
use crate::tunnel::Tunnel;
use crate::upstream::{Http2Relay, Relay};

/// A response on its way to the client.
pub(crate) struct Response {
    pub(crate) head: ResponseHead,
    pub(crate) body: Body,
    /// What becomes of the connection, or the HTTP/2 stream, once the head has been sent.
    pub(crate) switch: Option<Box<Switch>>,
    /// Ends with the response; an answer to who-knows-whom has none.
    pub(crate) exchange: Option<Arc<Exchange>>,
}

/// Where a response's body comes from.
pub(crate) enum Body {
    /// The proxy's own text.
    Own(Bytes),
    /// An HTTP/1.1 upstream, which may still be taking the request's body.
    Http1(Relay),
    /// An HTTP/2 upstream, of which the same is true.
    Http2(Box<Http2Relay>),
}

impl Body {
    /// Whether it is known already that nothing of it is left.
    pub(crate) fn is_at_end(&self) -> bool {
        match self {
            Self::Own(text) => text.is_at_end(),
            Self::Http1(relay) => relay.is_at_end(),
            Self::Http2(relay) => relay.is_at_end(),
        }
    }
}

/// A connection that no longer carries HTTP, or not ours to know.
pub(crate) enum Switch {
    /// Bytes to and from a peer.
    Tunnel(Tunnel, Stream),
    /// Bytes to be looked at first.
    Intercept(Interception),
}

impl Response {
    pub(crate) fn new(head: ResponseHead, body: Body) -> Self {
        Self { head, body, switch: None, exchange: None }
    }

    /// A head alone.
    pub(crate) fn empty(head: ResponseHead) -> Self {
        Self::new(head, Body::Own(Bytes::new()))
    }
}

impl Switch {
    /// Goes on with the client's stream in a task of its own, until the context is released.
    pub(crate) fn spawn(self, downstream: Stream) {
        match self {
            Self::Tunnel(tunnel, upstream) => tunnel.spawn(downstream, upstream),
            Self::Intercept(interception) => interception.spawn(downstream),
        }
    }
}
