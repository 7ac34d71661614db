//! The client's side of an exchange: its upload, its patience, whichever version it speaks.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use tokio::time::timeout;

use crate::body::{Frame, Frames};
use crate::buffer::{Room, Taken};
use crate::error::ProxyError;
use crate::fields::Fields;
use crate::head::ResponseHead;
use crate::http1::{Downstream, Framing, PumpError, Wire, pump, pump_frames};
use crate::http2::{Received, Reply};
use crate::respond;
use crate::upstream::{Uploading, broken_upload};

/// Whoever waits for the response.
pub(crate) enum Client<'a> {
    /// The HTTP/1.1 connection itself.
    Http1(&'a mut Downstream),
    /// The request's body, and the way back; the exchange is dropped when the client goes away.
    Http2(&'a mut Http2Upload, &'a Reply),
    /// The proxy itself, on the way to somewhere else.
    Nobody,
}

impl Client<'_> {
    /// How the request's body is framed towards an HTTP/1.1 upstream.
    pub(crate) fn framing(&self) -> Framing {
        match self {
            Self::Http1(client) => client.framing(),
            Self::Http2(upload, _) => upload.framing(),
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
            Self::Http2(upload, _) => pump_frames(cx, &mut upload.body, upstream, count),
            Self::Nobody => upstream.poll_send(cx).map_err(PumpError::To),
        }
    }

    /// The same towards an HTTP/2 upstream.
    pub(crate) fn poll_upload_http2(
        &mut self,
        cx: &mut Context<'_>,
        upstream: &mut Uploading,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Http1(client) => upstream.poll(cx, client.wire()),
            Self::Http2(Http2Upload { body: Some(body), .. }, _) => upstream.poll(cx, body),
            Self::Http2(..) | Self::Nobody => Poll::Ready(Ok(())),
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
            (_, Self::Http2(upload, reply)) => {
                if std::mem::take(&mut upload.expects) {
                    reply.inform(&respond::with_continue())?;
                }
                upload.hold(room, idle).await.map(Some)
            }
        }
    }

    /// Ready when the client has gone away.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Http1(client) => client.poll_gone(cx),
            Self::Http2(..) | Self::Nobody => Poll::Pending,
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
    pub(crate) async fn inform(&mut self, head: &ResponseHead) -> Result<(), ProxyError> {
        self.begin_to_inform(head)?;
        poll_fn(|cx| self.poll_informed(cx)).await
    }

    /// The same, without a wait for the client to take it.
    pub(crate) fn begin_to_inform(&mut self, head: &ResponseHead) -> Result<(), ProxyError> {
        match self {
            Self::Http1(client) => client.begin_to_inform(head),
            Self::Http2(_, reply) => return reply.inform(head),
            Self::Nobody => {}
        }
        Ok(())
    }

    /// Sends what the client was to be told, as far as it takes it.
    pub(crate) fn poll_informed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        match self {
            Self::Http1(client) => client.wire().poll_send(cx).map_err(|_| ProxyError::ClientGone),
            Self::Http2(..) | Self::Nobody => Poll::Ready(Ok(())),
        }
    }
}

/// The body of an HTTP/2 request.
pub(crate) struct Http2Upload {
    body: Option<Upload>,
    length: Option<u64>,
    /// Whether the client waits to be told to send it, and may never send it.
    expects: bool,
}

/// How much of a kept body is sent at once: whoever waits for the response sees by each piece that it moves.
const PIECE: usize = 64 * 1024;

/// What a client sends, as it comes or as it was kept.
pub(crate) enum Upload {
    Coming(Received),
    Held { content: Bytes, _taken: Taken },
}

impl Http2Upload {
    pub(crate) fn new(stream: Option<RecvStream>, fields: &Fields) -> Self {
        let length = fields.only("content-length").and_then(|text| std::str::from_utf8(text).ok());
        let length = length.and_then(|text| text.parse().ok());
        let body = stream.and_then(Received::begin).map(Upload::Coming);
        Self { body, length, expects: fields.contains("expect") }
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
            let frame = poll_fn(|cx| body.poll_frame(cx));
            let frame = match idle {
                Some(idle) => timeout(idle, frame).await.map_err(|_| ProxyError::RequestTimeout)?,
                None => frame.await,
            };
            let frame = frame.map_err(|error| broken_upload(&error))?;
            let Some(Frame::Data(data)) = frame else { break };
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

impl Frames for Upload {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        match self {
            Self::Coming(body) => body.poll_frame(cx),
            Self::Held { content, .. } => {
                let mut piece = content.split_to(content.len().min(PIECE));
                piece.poll_frame(cx)
            }
        }
    }

    fn is_at_end(&self) -> bool {
        match self {
            Self::Coming(body) => body.is_at_end(),
            Self::Held { content, .. } => content.is_at_end(),
        }
    }
}
