//! The half of a stream that we send: one frame at a time, as far as the peer has opened a window for it.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;

use crate::body::{Frame, Frames};
use crate::fields::Fields;
use crate::headers;
use crate::http1::PumpError;

/// What is sent on a stream. Dropped before its end, it is reset.
pub(crate) struct Sending {
    stream: SendStream<Bytes>,
    /// What the peer has no window for yet.
    waiting: Bytes,
    /// Whether nothing follows what waits.
    last: bool,
    ended: bool,
}

impl Sending {
    /// On a stream whose head has been sent, and perhaps its end.
    pub(crate) fn new(stream: SendStream<Bytes>, ended: bool) -> Self {
        Self { stream, waiting: Bytes::new(), last: ended, ended }
    }

    /// Whether it is the peer's turn, to open a window.
    pub(crate) fn awaits_window(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Ready when the peer has reset the stream, or its connection has ended, even if our half had ended before.
    pub(super) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(cx).map(|_| ())
    }

    pub(crate) fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// Moves what can be moved of a body; ready when it has been sent to its end. Content is counted as it goes.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut impl Frames,
        mut count: impl FnMut(usize),
    ) -> Poll<Result<(), PumpError>> {
        self.check(cx).map_err(PumpError::To)?;
        loop {
            ready!(self.poll_waiting(cx, &mut count)).map_err(PumpError::To)?;
            if self.ended {
                // Asked once more, it opens its window by what has gone on last.
                let _ = body.poll_frame(cx);
                return Poll::Ready(Ok(()));
            }
            match ready!(body.poll_frame(cx)).map_err(PumpError::From)? {
                Some(Frame::Data(data)) => {
                    self.last = body.is_at_end();
                    self.waiting = data;
                }
                Some(Frame::Trailers(fields)) => self.end(fields).map_err(PumpError::To)?,
                None => self.last = true,
            }
        }
    }

    /// Sends what waits, as far as there is a window; ready when nothing waits any more.
    fn poll_waiting(
        &mut self,
        cx: &mut Context<'_>,
        count: &mut impl FnMut(usize),
    ) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let room = ready!(self.poll_room(cx, self.waiting.len()))?;
            let piece = self.waiting.split_to(room);
            count(piece.len());
            self.ended = self.last && self.waiting.is_empty();
            self.stream.send_data(piece, self.ended).map_err(io::Error::other)?;
        }
        if self.last && !self.ended {
            self.ended = true;
            self.stream.send_data(Bytes::new(), true).map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready once there is a window, which a stream without a place has not; or once there never will be one.
    pub(crate) fn poll_window(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_room(cx, 1).map(|room| room.is_ok())
    }

    /// How much of so many bytes can be sent now, once it is any.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        self.stream.reserve_capacity(wanted);
        let room = match self.stream.capacity() {
            0 => match ready!(self.stream.poll_capacity(cx)) {
                Some(room) => room.map_err(io::Error::other)?,
                None => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            },
            room => room,
        };
        Poll::Ready(Ok(room.min(wanted)))
    }

    /// Fails once the peer has reset the stream, and sees to it that this is heard of.
    pub(super) fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        match self.stream.poll_reset(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(reason)) => Err(io::Error::other(h2::Error::from(reason))),
            Poll::Ready(Err(error)) => Err(io::Error::other(error)),
        }
    }

    fn end(&mut self, mut trailers: Fields) -> io::Result<()> {
        headers::strip_trailers(&mut trailers);
        if trailers.is_empty() {
            self.last = true;
            return Ok(());
        }
        self.ended = true;
        self.stream.send_trailers(HeaderMap::from(&trailers)).map_err(io::Error::other)
    }

    /// For a tunnel: sends some of these bytes, once there is a window for any.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let room = ready!(self.poll_room(cx, bytes.len()))?;
        let piece = Bytes::copy_from_slice(bytes.get(..room).unwrap_or_default());
        self.stream.send_data(piece, false).map_err(io::Error::other)?;
        Poll::Ready(Ok(room))
    }

    /// For a tunnel: sends its end.
    pub(super) fn shut(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        self.stream.send_data(Bytes::new(), true).map_err(io::Error::other)
    }
}
