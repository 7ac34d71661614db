//! The end of a client's connection, once everything has been sent.
//!
//! A client opens windows as it reads, and says so. Were its connection closed by then, the system would answer that with
//! a reset, and throw away what is still on its way to the client: the end of a response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::Instant;

use crate::http1::Deadline;
use crate::stream::Stream;

/// How long a client may be silent, and still be given time.
pub(super) const SILENCE: Duration = Duration::from_secs(1);
/// How long it is given in all: it could say something for ever.
const LONGEST: Duration = Duration::from_secs(30);
/// How much of what it says is listened to: enough for what opens windows, and not for a flood.
const MOST: usize = 256 * 1024;

/// Gives a client time to read what it was sent.
#[derive(Default)]
pub(super) struct Parting {
    silence: Deadline,
    /// Once it has been told that this is all.
    until: Option<Instant>,
    heard: usize,
}

impl Parting {
    /// Says that this is all, then reads and forgets; ready when the client has ended, too, or has had its time.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
    ) -> Poll<io::Result<()>> {
        if self.until.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            self.silence.restart(Some(SILENCE));
        }
        let until = *self.until.get_or_insert_with(|| Instant::now() + LONGEST);
        while self.heard < MOST && Instant::now() < until {
            match poll_read_some(cx, stream)? {
                Poll::Ready(0) => break,
                Poll::Ready(bytes) => self.heard += bytes,
                Poll::Pending => return self.silence.poll(cx).map(Ok),
            }
            self.silence.restart(Some(SILENCE));
        }
        Poll::Ready(Ok(()))
    }
}

fn poll_read_some(cx: &mut Context<'_>, stream: &mut Stream) -> Poll<io::Result<usize>> {
    let mut scratch = [0; 1024];
    let mut buffer = ReadBuf::new(&mut scratch);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}
