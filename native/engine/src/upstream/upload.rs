//! A request's body on its way to an upstream: how long nothing of it may move, and whose fault it is when
//! nothing does, or when it breaks, whichever version either side speaks.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use crate::body::Frames;
use crate::client::Client;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::http1::{Deadline, PumpError};
use crate::http2::Sending;
use crate::options::Timeouts;

const MALFORMED: ProxyError =
    ProxyError::BadRequest("the request's body is malformed or incomplete");

/// What it means that the client's side of an upload failed.
pub(crate) fn broken(error: &io::Error) -> ProxyError {
    match error.kind() {
        io::ErrorKind::InvalidData => MALFORMED,
        _ => ProxyError::ClientGone,
    }
}

/// Ready when the client has gone away.
pub(super) fn poll_gone(
    cx: &mut Context<'_>,
    client: &mut Client<'_>,
    uploading: bool,
    next_look: &mut Deadline,
) -> Poll<()> {
    match client {
        Client::Http1(client) if uploading => client.poll_broken(cx, next_look),
        client => client.poll_gone(cx),
    }
}

/// How long nothing may move before the response's head.
pub(super) fn patience(timeouts: &Timeouts, uploading: bool) -> Duration {
    let idle = timeouts.idle.filter(|_| uploading);
    idle.map_or(timeouts.response_head, |idle| idle.min(timeouts.response_head))
}

/// What it means that nothing has moved for so long.
pub(super) fn late(awaits_client: bool) -> ProxyError {
    if awaits_client { ProxyError::RequestTimeout } else { ProxyError::ResponseTimeout }
}

/// A request's body on its way to an HTTP/2 upstream, and how it is getting on.
pub(crate) struct Uploading {
    exchange: Arc<Exchange>,
    /// Where it goes, until it has been sent, or the upstream wants no more.
    sending: Option<Sending>,
    /// Whether nothing of it has been read, so that it can still go another way.
    untouched: bool,
    turn: Turn,
    moved: Instant,
}

/// Who must do something next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Client,
    Upstream,
    /// The upstream, and all it has to do is to answer.
    Answer,
}

impl Uploading {
    pub(super) fn begin(exchange: &Arc<Exchange>, bodiless: bool) -> Self {
        let turn = if bodiless { Turn::Answer } else { Turn::Upstream };
        let exchange = Arc::clone(exchange);
        Self { exchange, sending: None, untouched: true, turn, moved: Instant::now() }
    }

    /// Whether all of the body is still there.
    pub(super) fn is_untouched(&self) -> bool {
        self.untouched
    }

    /// There is a stream for it now: only from here on is it the upstream that takes its time.
    pub(super) fn send_on(&mut self, sending: Sending) {
        self.moved = Instant::now();
        self.sending = Some(sending).filter(|_| self.turn != Turn::Answer);
    }

    /// Moves what can be moved; ready when all has been sent, or the upstream wants no more. That the client does not
    /// send the rest ends the exchange. Nothing is read before some of it can be sent.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut impl Frames,
    ) -> Poll<io::Result<()>> {
        let Self { exchange, sending: Some(sending), moved, untouched, .. } = self else {
            return Poll::Ready(Ok(()));
        };
        if *untouched && ready!(sending.poll_window(cx)) {
            (*untouched, *moved) = (false, Instant::now());
        }
        let sent = sending.poll_body(cx, body, |bytes| {
            exchange.moved_up(bytes);
            *moved = Instant::now();
        });
        match sent {
            Poll::Pending if sending.awaits_window() => self.turn = Turn::Upstream,
            Poll::Pending => self.turn = Turn::Client,
            Poll::Ready(Err(PumpError::From(error))) => return Poll::Ready(Err(error)),
            Poll::Ready(_) => {
                self.sending = None;
                (self.turn, self.moved) = (Turn::Answer, Instant::now());
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// Ready when nothing has moved for too long.
    pub(super) fn poll_late(
        &self,
        cx: &mut Context<'_>,
        deadline: &mut Deadline,
    ) -> Poll<ProxyError> {
        let timeouts = &self.exchange.connection.proxy.timeouts;
        deadline.count_from(self.moved, patience(timeouts, self.turn != Turn::Answer));
        deadline.poll(cx).map(|()| late(self.turn == Turn::Client))
    }
}
