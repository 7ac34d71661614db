//! The client's side of an exchange: its upload, its patience, whichever version it speaks.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use hyper::body::{Body as _, Incoming};

use crate::error::ProxyError;
use crate::head::ResponseHead;
use crate::http1::{Downstream, Framing, PumpError, Wire, pump, pump_frames};

/// Whoever waits for the response.
pub(crate) enum Client<'a> {
    /// The HTTP/1.1 connection itself.
    Http1(&'a mut Downstream),
    /// The request's body; hyper drops the exchange when the client goes away.
    Http2(&'a mut Http2Upload),
    /// The proxy itself, on the way to somewhere else.
    Nobody,
}

impl Client<'_> {
    /// How the request's body is framed towards an HTTP/1.1 upstream.
    pub(crate) fn framing(&self) -> Framing {
        match self {
            Self::Http1(client) => client.framing(),
            Self::Http2(upload) => upload.framing(),
            Self::Nobody => Framing::None,
        }
    }

    /// Moves what can be moved of the request's body; ready when all of it has been sent.
    pub(crate) fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        upstream: &mut Wire,
        count: impl FnMut(usize),
    ) -> Poll<Result<(), PumpError>> {
        match self {
            Self::Http1(client) => pump(cx, client.wire(), upstream, count),
            Self::Http2(upload) => pump_frames(cx, &mut upload.body, upstream, count),
            Self::Nobody => upstream.poll_send(cx).map_err(PumpError::To),
        }
    }

    /// Ready when the client has gone away.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Http1(client) => client.poll_gone(cx),
            Self::Http2(_) | Self::Nobody => Poll::Pending,
        }
    }

    /// Does some work for as long as the client is there to wait for it.
    pub(crate) async fn while_waiting<T>(
        &mut self,
        work: impl Future<Output = Result<T, ProxyError>>,
    ) -> Result<T, ProxyError> {
        let mut work = std::pin::pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Pending => self.poll_gone(cx).map(|()| Err(ProxyError::ClientGone)),
            done @ Poll::Ready(_) => done,
        })
        .await
    }

    /// Passes on an interim response (RFC 9110, section 15.2), where the client can be told of one.
    pub(crate) async fn inform(&mut self, head: &ResponseHead) -> io::Result<()> {
        match self {
            Self::Http1(client) => client.inform(head).await,
            Self::Http2(_) | Self::Nobody => Ok(()),
        }
    }
}

/// The body of an HTTP/2 request.
pub(crate) struct Http2Upload {
    body: Option<Incoming>,
    length: Option<u64>,
}

impl Http2Upload {
    pub(crate) fn new(body: Incoming) -> Self {
        let length = body.size_hint().exact();
        Self { body: Some(body).filter(|body| !body.is_end_stream()), length }
    }

    /// The body, to be sent in another way.
    pub(crate) fn take(&mut self) -> Option<Incoming> {
        self.body.take()
    }

    fn framing(&self) -> Framing {
        match (&self.body, self.length) {
            (None, _) => Framing::None,
            (Some(_), Some(length)) => Framing::Length(length),
            (Some(_), None) => Framing::Chunked,
        }
    }
}
