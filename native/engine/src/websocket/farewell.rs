//! Telling both ends of an open WebSocket that the gateway between them goes away (RFC 6455, section 7.4.1).
//!
//! A frame that has begun is relayed to its end. Behind it each peer gets a Close with the status 1001, as from the other
//! one, and once it has answered with its own, or ended, its connection is ended. What a peer has still sent before that
//! has nobody to go to. A peer that has been told already, or has said Close itself, is not told twice.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::timeout;

use super::frames::Frames;
use crate::stream::{self, Stream};

/// How long both may take for it: those that do not answer are cut off.
const LIMIT: Duration = Duration::from_secs(2);

/// A WebSocket that is being ended.
pub(crate) struct Farewell {
    pub(crate) client: Peer,
    pub(crate) upstream: Peer,
}

/// One end, and what has still to be done for it.
pub(crate) struct Peer {
    pub(crate) stream: Stream,
    /// Where in its frames it is.
    pub(crate) frames: Frames,
    /// What is to be sent to it.
    pub(crate) unsent: BytesMut,
    /// Whether nothing more is to be sent to it.
    pub(crate) told: bool,
    /// Whether nothing more is expected of it.
    pub(crate) heard: bool,
    /// Whether its connection has been ended.
    pub(crate) ended: bool,
}

impl Farewell {
    /// Tells both, and waits until they have ended or the limit is over.
    pub(crate) async fn say(mut self) {
        let (to_client, to_upstream) = (close(None), close(Some(random_key())));
        let said = poll_fn(|cx| {
            let Self { client, upstream } = &mut self;
            upstream.poll_hear(cx, client, &to_client);
            client.poll_hear(cx, upstream, &to_upstream);
            let ended = [client.poll_end(cx).is_ready(), upstream.poll_end(cx).is_ready()];
            if ended == [true; 2] { Poll::Ready(()) } else { Poll::Pending }
        });
        if timeout(LIMIT, said).await.is_err() {
            tracing::debug!("a WebSocket did not end in time");
        }
    }
}

impl Peer {
    /// Reads what this peer says, passes the rest of its frame on to the other one, and tells that one then.
    fn poll_hear(&mut self, cx: &mut Context<'_>, other: &mut Self, close: &[u8]) {
        loop {
            self.take(&[], other, close);
            if other.poll_send(cx).is_pending() || self.heard {
                return;
            }
            match self.poll_read(cx, other, close) {
                Poll::Ready(Ok(1..)) => self.heard = self.frames.is_closed(),
                Poll::Ready(_) => self.heard = true,
                Poll::Pending => return,
            }
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        other: &mut Self,
        close: &[u8],
    ) -> Poll<io::Result<usize>> {
        const PIECE: usize = 64 * 1024;
        stream::with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch.get_mut(..PIECE).unwrap_or_default());
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            self.take(buffer.filled(), other, close);
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    /// Takes what this peer has said: the rest of a frame is for the other one, and behind it that one is told.
    fn take(&mut self, said: &[u8], other: &mut Self, close: &[u8]) {
        let rest = if other.told { 0 } else { self.frames.pass_rest(said) };
        let (frame, behind) = said.split_at(rest);
        other.unsent.extend_from_slice(frame);
        if !other.told && (self.frames.is_between() || self.heard) {
            // Behind a Close nothing may come, and in the middle of a frame nothing can.
            if self.frames.is_between() && !self.frames.is_closed() {
                other.unsent.extend_from_slice(close);
            }
            other.told = true;
        }
        self.frames.pass(behind);
    }

    /// Sends what is to be sent; one that cannot be sent anything needs nothing more.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.unsent.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.unsent));
            if let Ok(sent @ 1..) = written {
                self.unsent.advance(sent);
            } else {
                self.unsent.clear();
                (self.told, self.heard) = (true, true);
            }
        }
        let _ = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(())
    }

    /// Ends its connection, once both have said all.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.ended && self.told && self.heard && self.unsent.is_empty() {
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            self.ended = true;
        }
        if self.ended { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A Close that says 1001, "going away". What clients send is masked, and nothing else is (section 5.1).
fn close(key: Option<[u8; 4]>) -> Vec<u8> {
    const GOING_AWAY: [u8; 2] = 1001u16.to_be_bytes();
    match key {
        None => [[0x88, 0x02], GOING_AWAY].concat(),
        Some(key) => {
            let masked = [GOING_AWAY[0] ^ key[0], GOING_AWAY[1] ^ key[1]];
            [[0x88, 0x82].as_slice(), &key, &masked].concat()
        }
    }
}

/// What it hides is known, so a system without randomness loses nothing.
fn random_key() -> [u8; 4] {
    let mut key = [0; 4];
    let _ = getrandom::fill(&mut key);
    key
}
