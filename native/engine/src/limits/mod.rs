//! How much a server and each of its contexts may have at once, and how fast.
//!
//! Heads are limited from the start; everything else only where the embedder says so, and costs nothing
//! until then. Whoever is over a limit is told at once, and when to come back: nothing here waits.

mod admission;
mod breaker;
mod connections;
mod workspaces;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use admission::{Admission, Slots, admit};
pub(crate) use breaker::Breakers;
pub(crate) use connections::{Connections, turn_away};
pub(crate) use workspaces::Admissions;

/// Limits of a server. Those that are `None` are off, which is the default.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a request's head: its request line and fields. Default 64 KiB; beyond it the answer is 431.
    /// In HTTP/2 it is the size of the field list, in which each field counts 32 bytes more (RFC 9113,
    /// section 6.5.2).
    pub head_bytes: u32,
    /// Fields of a request's head. Default 128; beyond it the answer is 431.
    pub head_fields: u32,
    /// Connections from clients that are open at once, those that have become tunnels included. Beyond it
    /// a new one is answered 503 with `Retry-After`, before it has said anything, and closed; a secure
    /// listener just closes it.
    pub connections: Option<NonZeroU32>,
    /// The limits of each context that is not given its own; of a gateway, those of each host it leads to.
    pub context: ContextLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            head_fields: 128,
            connections: None,
            context: ContextLimits::default(),
        }
    }
}

/// Limits of one context, all of them off by default. What the proxy answers by itself is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContextLimits {
    /// Requests in flight at once, each from its head to the end of its response; HTTP/2 streams and
    /// requests inside an intercepted tunnel are requests too. A CONNECT and an upgrade count here until
    /// they are answered, and among `tunnels` from their head on: a page with many `WebSocket`s can still
    /// load. Beyond it the answer is 503 with `Retry-After`.
    pub concurrent_requests: Option<NonZeroU32>,
    /// Tunnels at once, by CONNECT or upgrade; an upgrade inside an intercepted tunnel is one with it, unless
    /// that speaks HTTP/2 and may carry several.
    /// Beyond it the answer is 503 with `Retry-After`.
    pub tunnels: Option<NonZeroU32>,
    /// How fast requests may come. Beyond it the answer is 429 with `Retry-After`.
    pub rate: Option<Rate>,
    /// When an upstream that cannot be reached is left alone for a while.
    pub breaker: Option<BreakerLimits>,
}

impl ContextLimits {
    /// Whether a request has to ask for anything.
    fn admit(&self) -> bool {
        self.concurrent_requests.is_some() || self.tunnels.is_some() || self.rate.is_some()
    }
}

/// A rate of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, evenly spaced.
    pub per_second: NonZeroU32,
    /// Requests that may come at once, after a time with none.
    pub burst: NonZeroU32,
}

/// When a context stops dialling an upstream origin, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// How many attempts to connect must fail in a row: by DNS, TCP, TLS or time. An upstream's answer,
    /// whatever its status, is no failure.
    pub failures: NonZeroU32,
    /// For how long what would need a new connection is answered 503 then, with what is left of it in
    /// `Retry-After`. After that one attempt is let through, and decides.
    pub open: Duration,
}

/// When to come back to what frees itself at a time that nobody knows.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// How many there may be of something at once; a default one has no limit.
#[derive(Debug, Default)]
struct Places(Option<Arc<Semaphore>>);

impl Places {
    fn new(limit: Option<NonZeroU32>) -> Self {
        let semaphore = |limit: NonZeroU32| {
            let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
            Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)))
        };
        Self(limit.map(semaphore))
    }

    /// Whether none is taken.
    fn are_free(&self) -> bool {
        self.0.as_ref().is_none_or(|places| Arc::strong_count(places) == 1)
    }

    /// Takes one, unless all are taken.
    fn take(&self) -> Option<Slot> {
        let Some(places) = &self.0 else { return Some(Slot::default()) };
        let place = Arc::clone(places).try_acquire_owned().ok()?;
        Some(Slot { _place: Some(Arc::new(place)) })
    }
}

/// One of a limited number of places, taken until the last clone is dropped, however that comes about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot {
    _place: Option<Arc<OwnedSemaphorePermit>>,
}
