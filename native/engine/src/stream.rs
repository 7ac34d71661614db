//! One byte stream, whichever way it came: TCP, TLS to an upstream, or an HTTP/2 stream.
//!
//! Bytes that were read while telling protocols apart, or that hyper had read beyond an upgrade, are given
//! back first: none is lost.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::limits::Slot;

/// A byte stream that begins with the bytes already read from it.
#[derive(Debug)]
pub(crate) struct Stream {
    early: Bytes,
    io: Io,
    /// The connection's place among those that the server may have.
    slot: Slot,
}

#[derive(Debug)]
enum Io {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Http2(TokioIo<Upgraded>),
}

impl Stream {
    fn new(io: Io) -> Self {
        Self { early: Bytes::new(), io, slot: Slot::default() }
    }

    /// Keeps a place taken until this is dropped.
    pub(crate) fn holding(mut self, slot: Slot) -> Self {
        self.slot = slot;
        self
    }

    /// What is left of a connection after an upgrade or a CONNECT.
    pub(crate) async fn upgraded(upgrade: OnUpgrade) -> hyper::Result<Self> {
        Ok(match upgrade.await?.downcast::<TokioIo<Self>>() {
            Ok(parts) => {
                let mut stream = parts.io.into_inner();
                stream.give_back(parts.read_buf);
                stream
            }
            Err(upgraded) => Self::new(Io::Http2(TokioIo::new(upgraded))),
        })
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
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::new(Io::Tcp(tcp))
    }
}

impl From<TlsStream<TcpStream>> for Stream {
    fn from(tls: TlsStream<TcpStream>) -> Self {
        Self::new(Io::Tls(Box::new(tls)))
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
        !matches!(self.io, Io::Http2(_))
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
