//! The client's side of an exchange: its upload, its patience, whichever version it speaks.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::timeout;

use crate::buffer::{Room, Taken};
use crate::error::ProxyError;
use crate::head::ResponseHead;
use crate::http1::{Downstream, Framing, PumpError, Wire, pump, pump_frames};
use crate::upstream::broken_upload;

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
            Self::Http1(client) => {
                let sent = pump(cx, client.wire(), upstream, count);
                if sent.is_ready() {
                    client.let_go();
                }
                sent
            }
            Self::Http2(upload) => pump_frames(cx, &mut upload.body, upstream, count),
            Self::Nobody => upstream.poll_send(cx).map_err(PumpError::To),
        }
    }

    /// Reads the request's body to its end, and keeps it; its length, if there is one.
    pub(crate) async fn hold(
        &mut self,
        room: Room<'_>,
        idle: Option<Duration>,
    ) -> Result<Option<u64>, ProxyError> {
        match (self.framing(), self) {
            (Framing::None, _) | (_, Self::Nobody) => Ok(None),
            (_, Self::Http1(client)) => client.hold_body(room, idle).await.map(Some),
            (_, Self::Http2(upload)) => upload.hold(room, idle).await.map(Some),
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
    body: Option<Upload>,
    length: Option<u64>,
}

/// How much of a kept body is sent at once: whoever waits for the response sees by each piece that it moves.
const PIECE: usize = 64 * 1024;

/// What a client sends, as it comes or as it was kept.
pub(crate) enum Upload {
    Coming(Incoming),
    Held { content: Bytes, _taken: Taken },
}

impl Http2Upload {
    pub(crate) fn new(body: Incoming) -> Self {
        let length = body.size_hint().exact();
        let body = Some(body).filter(|body| !body.is_end_stream());
        Self { body: body.map(Upload::Coming), length }
    }

    /// The body, to be sent in another way.
    pub(crate) fn take(&mut self) -> Option<Upload> {
        self.body.take()
    }

    async fn hold(
        &mut self,
        mut room: Room<'_>,
        idle: Option<Duration>,
    ) -> Result<u64, ProxyError> {
        let mut held = room.buffer(self.length)?;
        while let Some(body) = &mut self.body {
            let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
            let frame = match idle {
                Some(idle) => timeout(idle, frame).await.map_err(|_| ProxyError::RequestTimeout)?,
                None => frame.await,
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| broken_upload(&io::Error::other(error)))?;
            let data = frame.into_data().unwrap_or_default();
            room.take(data.len())?;
            held.extend_from_slice(&data);
        }
        let length = held.len() as u64;
        self.body =
            (length > 0).then(|| Upload::Held { content: held.freeze(), _taken: room.keep() });
        self.length = Some(length);
        Ok(length)
    }

    fn framing(&self) -> Framing {
        match (&self.body, self.length) {
            (None, _) => Framing::None,
            (Some(_), Some(length)) => Framing::Length(length),
            (Some(_), None) => Framing::Chunked,
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Coming(body) => Pin::new(body).poll_frame(cx),
            Self::Held { content, .. } => {
                let piece = content.split_to(content.len().min(PIECE));
                let piece = Some(piece).filter(|piece| !piece.is_empty());
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Coming(body) => body.is_end_stream(),
            Self::Held { content, .. } => content.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Coming(body) => body.size_hint(),
            Self::Held { content, .. } => SizeHint::with_exact(content.len() as u64),
        }
    }
}
