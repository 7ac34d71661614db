//! One end of an HTTP/1.1 connection.
//!
//! It holds no buffer while nothing moves: bytes are read into the thread's own, and only what cannot be
//! used or sent yet is kept.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::AsyncWrite as _;

use super::framing::{Decoder, Framing, Piece};
use super::serialize;
use crate::body::{Frame, Frames};
use crate::fields::Fields;
use crate::spare;
use crate::stream::Stream;

/// One end of a connection, and where in its messages it is.
pub(crate) struct Wire {
    pub(super) stream: Stream,
    pub(super) unread: BytesMut,
    pub(super) unsent: BytesMut,
    pub(super) receiving: Decoder,
    pub(super) sending: Framing,
    unflushed: bool,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            unread: BytesMut::new(),
            unsent: BytesMut::new(),
            receiving: Decoder::Done,
            sending: Framing::None,
            unflushed: false,
        }
    }

    /// The stream, beginning with what was read and not used.
    pub(crate) fn into_stream(self) -> Stream {
        let mut stream = self.stream;
        stream.give_back(self.unread.freeze());
        stream
    }

    /// Puts content back in front of what was read behind it, to be read again.
    pub(super) fn hold(&mut self, mut content: BytesMut) {
        self.receiving = Decoder::new(Framing::Length(content.len() as u64));
        content.extend_from_slice(&self.unread);
        self.unread = content;
    }

    /// Begins to read a body.
    pub(crate) fn receive(&mut self, framing: Framing) {
        self.receiving = Decoder::new(framing);
    }

    /// Begins to write a body.
    pub(crate) fn send(&mut self, framing: Framing) {
        self.sending = framing;
    }

    /// Where what is to be sent first is written to.
    pub(crate) fn unsent(&mut self) -> &mut BytesMut {
        if self.unsent.capacity() == 0 {
            self.unsent = spare::buffer();
        }
        &mut self.unsent
    }

    /// Whether what is left of the message being read is known, and no more than this.
    pub(crate) fn is_worth_draining(&self, limit: u64) -> bool {
        match self.receiving {
            Decoder::Done => true,
            Decoder::Length(left) => left <= limit,
            Decoder::Chunked(_) | Decoder::UntilClose => false,
        }
    }

    /// Whether the message being read has been read to its end.
    pub(crate) fn has_received(&self) -> bool {
        self.receiving.is_done()
    }

    /// Whether it is between two messages.
    pub(crate) fn is_idle(&self) -> bool {
        self.has_received() && self.unread.is_empty() && self.unsent.is_empty()
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.unread
    }

    pub(crate) fn use_up(&mut self, bytes: usize) {
        self.unread.advance(bytes);
        if self.unread.is_empty() {
            spare::give_back(std::mem::take(&mut self.unread));
        }
    }

    /// Reads what there is, up to a limit; ready with 0 at the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_read_more(cx, &mut self.unread, limit)
    }

    /// Whether the peer has broken the connection off.
    pub(super) fn is_broken(&mut self, cx: &mut Context<'_>) -> bool {
        self.stream.is_broken(cx)
    }

    /// Sends what waits to be sent.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.unsent))?;
            self.wrote(sent)?;
            self.unsent.advance(sent);
            if self.unsent.is_empty() {
                spare::give_back(std::mem::take(&mut self.unsent));
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes content as the message's framing asks, at once as far as the stream takes it.
    pub(super) fn send_data(&mut self, cx: &mut Context<'_>, mut data: &[u8]) -> io::Result<()> {
        if data.is_empty() {
            // An empty chunk would be the last.
            return Ok(());
        }
        if self.sending == Framing::Chunked {
            serialize::chunk(&mut self.unsent, data);
            return Ok(());
        }
        while self.unsent.is_empty() && !data.is_empty() {
            let Poll::Ready(sent) = Pin::new(&mut self.stream).poll_write(cx, data) else { break };
            let sent = sent?;
            self.wrote(sent)?;
            data = data.get(sent..).unwrap_or_default();
        }
        self.unsent.extend_from_slice(data);
        Ok(())
    }

    /// Ends the message being written.
    pub(super) fn send_end(&mut self, trailers: &Fields) {
        if std::mem::replace(&mut self.sending, Framing::None) == Framing::Chunked {
            serialize::last_chunk(&mut self.unsent, trailers);
        }
    }

    /// The peer has ended the connection: is that the body's end too?
    pub(super) fn at_end(&mut self) -> io::Result<()> {
        if self.receiving.ends_with_connection() {
            return Ok(());
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    fn wrote(&mut self, bytes: usize) -> io::Result<()> {
        self.unflushed = true;
        if bytes == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
    }
}

/// The body being read.
impl Frames for Wire {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        const LIMIT: usize = 64 * 1024;
        loop {
            // What was kept of a body may be all of it: in pieces, it is seen to move, and waits to be taken.
            let unread = self.unread.get(..LIMIT).unwrap_or(&self.unread);
            match self.receiving.next(unread).map_err(malformed)? {
                Piece::Data(length) => {
                    let data = self.unread.split_to(length).freeze();
                    return Poll::Ready(Ok(Some(Frame::Data(data))));
                }
                Piece::Framing(length) => self.use_up(length),
                Piece::Trailers(fields, length) => {
                    self.use_up(length);
                    return Poll::Ready(
                        Ok((!fields.is_empty()).then_some(Frame::Trailers(fields))),
                    );
                }
                Piece::End => return Poll::Ready(Ok(None)),
                Piece::Incomplete => {
                    if ready!(self.poll_read(cx, LIMIT))? == 0 {
                        return Poll::Ready(self.at_end().map(|()| None));
                    }
                }
            }
        }
    }

    fn is_at_end(&self) -> bool {
        self.has_received()
    }
}

pub(super) fn malformed(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
