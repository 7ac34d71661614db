//! An HTTP/2 stream whose CONNECT has been answered, as bytes (RFC 9113, section 8.5).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::sending::Sending;
use crate::counters::Counted;

/// The bytes of a stream.
pub(crate) struct Tunnel {
    sending: Sending,
    receiving: RecvStream,
    /// What has come and was not read yet.
    unread: Bytes,
    /// Whether its end is ours.
    shut: bool,
    /// It is one of its connection's streams for as long as it is open.
    _open: Counted,
}

impl Tunnel {
    pub(super) fn new(sending: SendStream<Bytes>, receiving: RecvStream, open: Counted) -> Self {
        let sending = Sending::new(sending, false);
        Self { sending, receiving, unread: Bytes::new(), shut: false, _open: open }
    }

    /// Breaks the stream off, unless our half has ended: what is left of that shall arrive.
    pub(crate) fn reset(&mut self) {
        if !self.shut {
            self.sending.reset(Reason::CONNECT_ERROR);
        }
    }

    /// The next bytes; none at the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        loop {
            match ready!(self.receiving.poll_data(cx)) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => return Poll::Ready(Ok(data)),
                Some(Err(error)) => return Poll::Ready(self.ended_by(&error)),
                None => break,
            }
        }
        match ready!(self.receiving.poll_trailers(cx)) {
            Ok(None) => Poll::Ready(Ok(Bytes::new())),
            Ok(Some(_)) => {
                self.sending.reset(Reason::PROTOCOL_ERROR);
                Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
            }
            Err(error) => Poll::Ready(self.ended_by(&error)),
        }
    }

    /// A stream that is reset is a broken connection and not an ended one, unless all that it still stood open for
    /// was what its sender had left to say.
    fn ended_by(&self, error: &h2::Error) -> io::Result<Bytes> {
        match error.reason() {
            Some(Reason::NO_ERROR | Reason::CANCEL) if self.shut => Ok(Bytes::new()),
            _ => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            self.unread = ready!(self.poll_receive(cx))?;
        }
        let length = self.unread.len().min(buf.remaining());
        buf.put_slice(self.unread.get(..length).unwrap_or_default());
        self.unread.advance(length);
        // What fails here fails above, the next time.
        let _ = self.receiving.flow_control().release_capacity(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.sending.check(cx)?;
        if buf.is_empty() { Poll::Ready(Ok(0)) } else { self.sending.poll_write(cx, buf) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        Poll::Ready(self.sending.shut())
    }
}
