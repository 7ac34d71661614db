//! Requests that are read whole before the upstream is asked, where a reverse proxy is told to: an upstream that can do
//! but one thing at a time is spared a client's slow line.
//!
//! What is sent then has a length, and so no trailers: HTTP/1.1 has no place for them. All bodies that are held share one
//! measure of bytes. Each takes of it what has come, not what was announced, so that nobody keeps room by a promise; and
//! whoever finds none is told at once: waiting for it, with a part of the room taken, could be for one another.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::client::Client;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::face::Acting;
use crate::head::RequestHead;
use crate::limits::SOON;

/// How much of requests' bodies is held before the upstream is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferLimits {
    /// Bytes of one body; beyond it the answer is 413.
    pub body: u64,
    /// Bytes of all bodies at once, and no less than of one; beyond it the answer is 503 with `Retry-After`.
    pub all: u64,
}

/// What is left for bodies that are held.
pub(crate) struct Buffers {
    longest: u64,
    free: Arc<Semaphore>,
}

/// What one body takes of it while it is being read.
pub(crate) struct Room<'a> {
    buffers: &'a Buffers,
    length: u64,
    taken: Option<OwnedSemaphorePermit>,
}

/// What one body takes of it until it has been sent on.
pub(crate) type Taken = Option<OwnedSemaphorePermit>;

impl Buffers {
    pub(crate) fn new(limits: BufferLimits) -> Self {
        let all = usize::try_from(limits.all.max(limits.body)).unwrap_or(usize::MAX);
        let free = Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS)));
        Self { longest: limits.body, free }
    }

    fn room(&self) -> Room<'_> {
        Room { buffers: self, length: 0, taken: None }
    }
}

/// How much memory there is for a body before any of it has come: all that is announced could be more than there is,
/// and that is the end of the process.
const AT_FIRST: usize = 64 * 1024;

impl Room<'_> {
    /// Where a body is kept that announces its length, or not; refused where it could not be kept now.
    pub(crate) fn buffer(&self, announced: Option<u64>) -> Result<BytesMut, ProxyError> {
        let length = announced.unwrap_or_default();
        if length > self.buffers.longest {
            return Err(ProxyError::BodyTooLarge);
        }
        let free = self.buffers.free.available_permits();
        let length = usize::try_from(length).ok().filter(|length| *length <= free);
        let capacity = length.map(|length| length.min(AT_FIRST));
        capacity.map(BytesMut::with_capacity).ok_or(ProxyError::BuffersFull(SOON))
    }

    /// Takes room for a part that has come.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), ProxyError> {
        self.length += bytes as u64;
        if self.length > self.buffers.longest {
            return Err(ProxyError::BodyTooLarge);
        }
        let full = ProxyError::BuffersFull(SOON);
        let Ok(bytes) = u32::try_from(bytes) else { return Err(full) };
        let more =
            Arc::clone(&self.buffers.free).try_acquire_many_owned(bytes).map_err(|_| full)?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Ok(())
    }

    /// The body has come to its end.
    pub(crate) fn keep(self) -> Taken {
        self.taken
    }
}

/// Reads the body, if bodies are to be read whole and there is one, and says in the fields what it has become.
pub(crate) async fn hold(
    exchange: &Exchange,
    head: &mut RequestHead,
    client: &mut Client<'_>,
) -> Result<(), ProxyError> {
    let proxy = &exchange.connection.proxy;
    let Acting::ReverseProxy(face) = &proxy.face else { return Ok(()) };
    let Some(buffers) = &face.buffers else { return Ok(()) };
    let room = buffers.room();
    let Some(length) = client.hold(room, proxy.timeouts.idle).await? else { return Ok(()) };
    let fields = &mut head.fields;
    if !fields.contains("content-length") {
        fields.push("Content-Length", length.to_string().as_bytes());
    }
    for gone in ["transfer-encoding", "trailer", "expect"] {
        fields.remove(gone);
    }
    Ok(())
}
