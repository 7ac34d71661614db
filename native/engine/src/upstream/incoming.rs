//! A response on its way from an HTTP/1.1 upstream, and what becomes of its connection.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Method;

use super::http1::Http1;
use super::origin::Origin;
use crate::body::{Frame, Frames};
use crate::client::Upload;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::head::ResponseHead;
use crate::headers::keeps_alive;
use crate::http1::{Framing, PumpError, Wire, of_response, pump, pump_frames};
use crate::respond::INCOMPLETE;
use crate::response::{Body, Response};
use crate::stream::Stream;

/// A response on its way from an upstream, and the request's body as far as it is still on its way there.
pub(crate) struct Relay {
    connection: Box<Http1>,
    framing: Framing,
    /// Where the connection goes once it is free, if it may carry another request.
    home: Option<Arc<Origin>>,
    exchange: Arc<Exchange>,
}

impl Relay {
    pub(super) fn new(
        mut connection: Box<Http1>,
        head: &ResponseHead,
        method: &Method,
        home: Option<&Arc<Origin>>,
        exchange: &Arc<Exchange>,
    ) -> Result<Self, ProxyError> {
        let framing = of_response(head, method).map_err(ProxyError::UpstreamProtocol)?;
        connection.wire.receive(framing);
        let reusable = keeps_alive(head.version, &head.fields) && framing != Framing::UntilClose;
        let home = home.filter(|_| reusable).cloned();
        Ok(Self { connection, framing, home, exchange: Arc::clone(exchange) })
    }

    pub(crate) fn into_response(self, head: ResponseHead) -> Response {
        Response::new(head, Body::Http1(self))
    }

    /// The bytes that follow a change of protocol.
    pub(crate) fn into_stream(self) -> Stream {
        self.connection.into_stream()
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Moves both bodies between an HTTP/1.1 client and the upstream; ready when the response has been sent,
    /// and the rest of the request too, if there is one: an upstream that has answered early may want it.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Wire,
        rest: bool,
    ) -> Poll<io::Result<()>> {
        let Self { connection, exchange, .. } = self;
        if connection.uploading {
            let count = |bytes| exchange.moved_up(bytes);
            let upload = pump(cx, client, &mut connection.wire, count);
            connection.uploaded(upload)?;
        }
        let count = |bytes| exchange.moved_down(bytes);
        ready!(pump(cx, &mut connection.wire, client, count)).map_err(|error| {
            if let PumpError::From(_) = error {
                exchange.failed(INCOMPLETE);
            }
            error.into_inner()
        })?;
        exchange.completed();
        let wanted = connection.uploading && rest && connection.wire.poll_read(cx, 1).is_pending();
        if wanted { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Moves what can be moved of an HTTP/2 client's upload.
    pub(crate) fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        upload: &mut Option<Upload>,
    ) -> io::Result<()> {
        let Self { connection, exchange, .. } = self;
        if connection.uploading {
            let count = |bytes| exchange.moved_up(bytes);
            let upload = pump_frames(cx, upload, &mut connection.wire, count);
            connection.uploaded(upload)?;
        }
        Ok(())
    }

    /// The response has been read: the connection may carry the next request.
    pub(crate) fn finish(self) {
        if let Some(home) = self.home
            && !self.connection.uploading
            && !self.connection.refused
            && self.connection.wire.is_idle()
        {
            home.keep(self.connection);
        }
    }
}

/// The response's body.
impl Frames for Relay {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        self.connection.wire.poll_frame(cx)
    }

    fn is_at_end(&self) -> bool {
        self.connection.wire.is_at_end()
    }
}
