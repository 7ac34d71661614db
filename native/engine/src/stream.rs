//! One byte stream, whichever way it came: TCP, TLS at either end, or an HTTP/2 stream.
//!
//! Bytes that were read while telling protocols apart are given back first: none is lost.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::http2;
use crate::limits::Slot;
use crate::share::Load;
use crate::spare;
use bytes::{Bytes, BytesMut};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsStream, client, server};

/// Larger buffers move bulk at a multiple of the speed of small ones; one a thread costs next to nothing.
pub(crate) const SCRATCH: usize = 512 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// Lends the thread's buffer, for one read and the writes that follow from it.
pub(crate) fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| read(buffer))
}

/// A byte stream that begins with the bytes already read from it. It is not `Debug`: those may hold credentials.
pub(crate) struct Stream {
    early: Bytes,
    io: Io,
    /// Whether it is to be broken off, and not ended, when it is dropped.
    resets: bool,
    /// A client's connection counts as its thread's work, and among those that the server may have.
    _counts: Option<(Load, Slot)>,
}

enum Io {
    Tcp(TcpStream),
    /// Around TCP, around what another proxy leads through, or around a client's tunnel.
    Tls(Box<TlsStream<Stream>>),
    Http2(Box<http2::Tunnel>),
}

impl Stream {
    fn new(io: Io, counts: Option<(Load, Slot)>) -> Self {
        Self { early: Bytes::new(), io, resets: false, _counts: counts }
    }

    /// A client's connection, which counts for as long as there is this stream.
    pub(crate) fn accepted(tcp: TcpStream, counts: (Load, Slot)) -> Self {
        Self::new(Io::Tcp(tcp), Some(counts))
    }

    /// Puts bytes back in front of those that will be read next.
    pub(crate) fn give_back(&mut self, bytes: Bytes) {
        if self.early.is_empty() {
            self.early = bytes;
        } else if !bytes.is_empty() {
            let mut joined = BytesMut::from(bytes);
            joined.extend_from_slice(&self.early);
            self.early = joined.freeze();
        }
    }

    /// Reads what there is, up to a limit, and adds it to what was read before; ready with 0 at the end.
    pub(crate) fn poll_read_more(
        &mut self,
        cx: &mut Context<'_>,
        read: &mut BytesMut,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch.get_mut(..limit).unwrap_or_default());
            ready!(Pin::new(self).poll_read(cx, &mut buffer))?;
            if read.capacity() == 0 {
                *read = spare::buffer();
            }
            read.extend_from_slice(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    /// Reads and forgets, until the peer ends.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.early.clear();
        with_scratch(|scratch| {
            loop {
                let mut buffer = ReadBuf::new(scratch);
                ready!(self.io.pin().poll_read(cx, &mut buffer))?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }

    /// How much is worth being read for it at once: what an HTTP/2 stream has no window for is kept.
    pub(crate) fn appetite(&self) -> usize {
        const PIECE: usize = 64 * 1024;
        if matches!(self.io, Io::Http2(_)) { PIECE } else { SCRATCH }
    }

    /// Says whether the peer is to see a broken connection, rather than an ended one, once this is dropped.
    pub(crate) fn reset_on_drop(&mut self, reset: bool) {
        self.resets = reset;
    }

    fn reset(&mut self) {
        match &mut self.io {
            Io::Tcp(tcp) => {
                let _ = tcp.set_zero_linger();
            }
            Io::Tls(tls) => tls.get_mut().0.reset(),
            Io::Http2(tunnel) => tunnel.reset(),
        }
    }

    /// Has the system ask now and then whether the peer is still there: one that has gone without a word would keep a
    /// connection for ever that may be silent for ever.
    pub(crate) fn ask_after_peer(&self) {
        const EVERY: Duration = Duration::from_secs(60);
        match &self.io {
            Io::Tcp(tcp) => {
                let asking = TcpKeepalive::new().with_time(EVERY);
                let _ = SockRef::from(tcp).set_tcp_keepalive(&asking);
            }
            Io::Tls(tls) => tls.get_ref().0.ask_after_peer(),
            // Its connection asks.
            Io::Http2(_) => {}
        }
    }

    /// Whether the peer has broken the connection off. Nothing has to be read to find out: then it takes no write, not
    /// even an empty one. An HTTP/2 stream is told by its connection.
    pub(crate) fn is_broken(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.io {
            Io::Tcp(tcp) => matches!(Pin::new(tcp).poll_write(cx, &[]), Poll::Ready(Err(_))),
            Io::Tls(tls) => tls.get_mut().0.is_broken(cx),
            Io::Http2(_) => false,
        }
    }

    /// Whether the peer has ended the connection, or said something, as far as the system knows.
    pub(crate) fn is_readable(&self) -> bool {
        let tcp = match &self.io {
            Io::Tcp(tcp) => tcp,
            Io::Tls(tls) => return tls.get_ref().0.is_readable(),
            Io::Http2(..) => return false,
        };
        let peeked = SockRef::from(tcp).peek(&mut [MaybeUninit::uninit()]);
        !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.resets {
            self.reset();
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::new(Io::Tcp(tcp), None)
    }
}

/// An HTTP/2 stream whose CONNECT has been answered.
impl From<http2::Tunnel> for Stream {
    fn from(tunnel: http2::Tunnel) -> Self {
        Self::new(Io::Http2(Box::new(tunnel)), None)
    }
}

impl From<client::TlsStream<Stream>> for Stream {
    fn from(tls: client::TlsStream<Stream>) -> Self {
        Self::new(Io::Tls(Box::new(tls.into())), None)
    }
}

impl From<server::TlsStream<Stream>> for Stream {
    fn from(tls: server::TlsStream<Stream>) -> Self {
        Self::new(Io::Tls(Box::new(tls.into())), None)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let take = self.early.len().min(buf.remaining());
            buf.put_slice(&self.early.split_to(take));
            return Poll::Ready(Ok(()));
        }
        self.io.pin().poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io.pin().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io.pin().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        !matches!(self.io, Io::Http2(..))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.pin().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.pin().poll_shutdown(cx)
    }
}

trait ReadWrite: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> ReadWrite for T {}

impl Io {
    fn pin(&mut self) -> Pin<&mut dyn ReadWrite> {
        match self {
            Self::Tcp(io) => Pin::new(io),
            Self::Tls(io) => Pin::new(io),
            Self::Http2(io) => Pin::new(io),
        }
    }
}
