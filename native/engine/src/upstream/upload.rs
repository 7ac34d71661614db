//! A request's body on its way to an upstream: how long nothing of it may move, and whose fault it is when
//! nothing does, or when it breaks, whichever version either side speaks.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::http1::{Deadline, Framing};
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

/// How long nothing may move before the response's head.
pub(super) fn patience(timeouts: &Timeouts, uploading: bool) -> Duration {
    let idle = timeouts.idle.filter(|_| uploading);
    idle.map_or(timeouts.response_head, |idle| idle.min(timeouts.response_head))
}

/// What it means that nothing has moved for so long.
pub(super) fn late(awaits_client: bool) -> ProxyError {
    if awaits_client { ProxyError::RequestTimeout } else { ProxyError::ResponseTimeout }
}

/// How an upload over HTTP/2 is getting on. It may be sent in another task than the one that waits for the
/// response, which therefore cannot see for itself.
pub(super) struct Progress {
    exchange: Arc<Exchange>,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct State {
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

impl Progress {
    pub(super) fn begin(exchange: &Arc<Exchange>, framing: Framing) -> Arc<Self> {
        let turn = if framing == Framing::None { Turn::Answer } else { Turn::Upstream };
        let state = Mutex::new(State { turn, moved: Instant::now() });
        Arc::new(Self { exchange: Arc::clone(exchange), state })
    }

    /// So many bytes have come from the client; what has none does not count as moving.
    pub(super) fn moved(&self, bytes: usize) {
        self.exchange.moved_up(bytes);
        let mut state = self.state.lock();
        state.turn = Turn::Upstream;
        if bytes > 0 {
            state.moved = Instant::now();
        }
    }

    /// The upstream would take more.
    pub(super) fn awaits_client(&self) {
        self.state.lock().turn = Turn::Client;
    }

    pub(super) fn ended(&self) {
        *self.state.lock() = State { turn: Turn::Answer, moved: Instant::now() };
    }

    /// Ready when nothing has moved for too long.
    pub(super) fn poll_late(
        &self,
        cx: &mut Context<'_>,
        deadline: &mut Deadline,
    ) -> Poll<ProxyError> {
        let State { turn, moved } = *self.state.lock();
        let timeouts = &self.exchange.connection.proxy.timeouts;
        deadline.count_from(moved, patience(timeouts, turn != Turn::Answer));
        deadline.poll(cx).map(|()| late(turn == Turn::Client))
    }
}
