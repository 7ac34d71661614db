//! Bytes relayed both ways, unread.
//!
//! A relay holds no buffer while it is idle: each thread has one large buffer, filled only when a peer has
//! something to say, and a relay keeps no more than what its other peer would not take yet. Half-close is
//! carried across (RFC 9110, section 9.3.6), with a limit on how long the open half may stay silent.

#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::stream::{self, Stream};
use crate::websocket::{Farewell, Frames, Peer};

/// How long a relay may move no byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// While both directions are open; `None` is for ever.
    pub(crate) idle: Option<Duration>,
    /// Once one direction has ended.
    pub(crate) half_close: Duration,
}

/// Which way bytes went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// To the upstream.
    Up,
    /// To the client.
    Down,
}

/// Two streams, and what is between them. It is polled, rather than awaited, so that an idle tunnel is no
/// larger than this.
pub(crate) struct Relay {
    downstream: Stream,
    upstream: Stream,
    limits: Limits,
    up: Direction,
    down: Direction,
    silence: Silence,
}

impl Relay {
    pub(crate) fn new(downstream: Stream, upstream: Stream, limits: Limits) -> Self {
        let (up, down) = (Direction::default(), Direction::default());
        Self { downstream, upstream, limits, up, down, silence: Silence::default() }
    }

    /// Keeps an eye on where the frames of a WebSocket begin, so that it can be ended between two of them.
    pub(crate) fn of_websocket(mut self) -> Self {
        self.up.frames = Some(Box::default());
        self.down.frames = Some(Box::default());
        self
    }

    /// What is left to be said at the end of a WebSocket; of anything else nothing is.
    pub(crate) fn into_farewell(self) -> Option<Farewell> {
        let Self { downstream, upstream, up, down, .. } = self;
        let (up_frames, down_frames) = (up.frames?, down.frames?);
        let peer = |stream, frames: Box<Frames>, from: Reader, to: Reader, unsent| Peer {
            stream,
            told: to == Reader::Closed,
            heard: from != Reader::Open || frames.is_closed(),
            frames: *frames,
            unsent,
            ended: false,
        };
        let client = peer(downstream, up_frames, up.reader, down.reader, down.rest);
        let upstream = peer(upstream, down_frames, down.reader, up.reader, up.rest);
        Some(Farewell { client, upstream })
    }

    /// Moves what can be moved now. Ready when both directions have ended, either peer has failed, or both
    /// have been silent for too long.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut count: impl FnMut(Way, usize),
    ) -> Poll<io::Result<()>> {
        match ready!(self.poll_both(cx, &mut count)) {
            Ok(End::Whole) => Poll::Ready(Ok(())),
            Ok(End::Silent) => {
                // What a peer has not taken is lost, and must not look whole to it either.
                self.upstream.reset_on_drop(!self.up.rest.is_empty());
                self.downstream.reset_on_drop(!self.down.rest.is_empty());
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Err(error) => {
                // What one peer has broken off must not look whole to the other. The system has a time limit of its
                // own, for peers that take nothing: that is no end either.
                self.downstream.reset_on_drop(true);
                self.upstream.reset_on_drop(true);
                Poll::Ready(Err(error))
            }
        }
    }

    fn poll_both(
        &mut self,
        cx: &mut Context<'_>,
        count: &mut impl FnMut(Way, usize),
    ) -> Poll<io::Result<End>> {
        let Self { downstream, upstream, limits, up, down, silence } = self;
        let up_ended = up.poll(cx, downstream, upstream)?.is_ready();
        let down_ended = down.poll(cx, upstream, downstream)?.is_ready();
        let mut moved = false;
        for (way, bytes) in [(Way::Up, up.take_moved()), (Way::Down, down.take_moved())] {
            if bytes > 0 {
                moved = true;
                count(way, bytes);
            }
        }
        if up_ended && down_ended {
            return Poll::Ready(Ok(End::Whole));
        }
        let half_closed = up_ended || down_ended;
        let limit = if half_closed { Some(limits.half_close) } else { limits.idle };
        silence.poll(cx, limit, moved).map(|()| Ok(End::Silent))
    }
}

/// How a relay ends that nobody breaks off.
enum End {
    /// Both directions have ended.
    Whole,
    /// No byte has moved for too long.
    Silent,
}

/// One direction of a relay.
#[derive(Debug, Default)]
struct Direction {
    /// What was read and not yet taken by the other peer.
    rest: BytesMut,
    moved: usize,
    unflushed: bool,
    reader: Reader,
    /// Of a WebSocket that may have to be ended.
    frames: Option<Box<Frames>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Reader {
    #[default]
    Open,
    Ended,
    /// The end has been passed on.
    Closed,
}

impl Direction {
    /// Moves what can be moved now; ready when this direction has ended and its end has been passed on.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.write_rest(cx, to))?;
            match self.reader {
                Reader::Open => match self.read_and_write(cx, from, to) {
                    Poll::Ready(read) => read?,
                    Poll::Pending => return self.flush(cx, to),
                },
                Reader::Ended => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.reader = Reader::Closed;
                }
                Reader::Closed => return Poll::Ready(Ok(())),
            }
        }
    }

    fn take_moved(&mut self) -> usize {
        std::mem::take(&mut self.moved)
    }

    /// Reads into the thread's buffer and writes from it; only what the peer does not take is kept.
    fn read_and_write(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
    ) -> Poll<io::Result<()>> {
        stream::with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch.get_mut(..to.appetite()).unwrap_or_default());
            ready!(Pin::new(from).poll_read(cx, &mut buffer))?;
            let mut filled = buffer.filled();
            if filled.is_empty() {
                self.reader = Reader::Ended;
            }
            if let Some(frames) = &mut self.frames {
                frames.pass(filled);
            }
            while !filled.is_empty() {
                match Pin::new(&mut *to).poll_write(cx, filled) {
                    Poll::Ready(written) => filled.advance(self.wrote(written?)?),
                    Poll::Pending => break,
                }
            }
            self.rest.extend_from_slice(filled);
            Poll::Ready(Ok(()))
        })
    }

    fn write_rest(&mut self, cx: &mut Context<'_>, to: &mut Stream) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.rest))?;
            let written = self.wrote(written)?;
            self.rest.advance(written);
            if self.rest.is_empty() {
                self.rest = BytesMut::new();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, bytes: usize) -> io::Result<usize> {
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.moved += bytes;
        self.unflushed = true;
        Ok(bytes)
    }

    fn flush(&mut self, cx: &mut Context<'_>, to: &mut Stream) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Pending
    }
}

/// The time since a byte last moved, measured only where there is a limit to it.
#[derive(Default)]
struct Silence(Option<Watch>);

struct Watch {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    fn poll(&mut self, cx: &mut Context<'_>, limit: Option<Duration>, moved: bool) -> Poll<()> {
        let Some(limit) = limit else { return Poll::Pending };
        let watch = match self.0.as_mut() {
            Some(watch) if watch.limit == limit && !moved => watch,
            _ => {
                let timer = Box::pin(sleep_until(Instant::now() + limit));
                self.0.insert(Watch { limit, timer })
            }
        };
        watch.timer.as_mut().poll(cx)
    }
}
