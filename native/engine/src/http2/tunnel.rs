//! An HTTP/2 stream whose CONNECT has been answered, as bytes (RFC 9113, section 8.5).
//!
//! What hyper hides is told apart here: a stream that is reset, by either side, is a broken connection and not
//! an ended one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

/// The bytes of a stream.
pub(crate) struct Tunnel {
    io: TokioIo<Upgraded>,
    /// Cancelled when the sending half has ended: to reset it, or because it was reset.
    sending: CancellationToken,
    /// Whether its end is ours.
    shut: bool,
    /// Whether the end of what is received has been seen.
    ended: bool,
}

impl Tunnel {
    pub(crate) fn new(upgraded: Upgraded, sending: CancellationToken) -> Self {
        Self { io: TokioIo::new(upgraded), sending, shut: false, ended: false }
    }

    /// Resets the stream, unless it has been ended.
    pub(crate) fn reset(&self) {
        self.sending.cancel();
    }

    /// A client's reset reads as an end, and is known only by the sending half, which is woken by the same
    /// frame: it is let go first.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut && self.sending.is_cancelled() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if buf.filled().len() == before { self.poll_end(cx) } else { Poll::Ready(Ok(())) }
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
