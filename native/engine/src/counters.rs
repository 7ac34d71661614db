//! Counters: gauges that return to zero, totals that only grow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A snapshot of a server's counters. The gauges are zero after [`Server::stop`](crate::Server::stop).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Contexts that are not released.
    pub contexts: u64,
    /// Downstream connections that carry requests; one that has become a tunnel counts there.
    pub connections: u64,
    /// Exchanges in flight.
    pub requests: u64,
    /// Open tunnels, those of upgrades included.
    pub tunnels: u64,
    /// Upstream connections that carry requests, pooled ones included; those of tunnels count there.
    pub upstream_connections: u64,
    /// What has been counted since the start.
    pub total: Totals,
}

/// What a server has counted since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Downstream connections accepted.
    pub connections: u64,
    /// Exchanges begun with valid credentials.
    pub requests: u64,
    /// Tunnels opened.
    pub tunnels: u64,
    /// Bytes of bodies and tunnels relayed upstream.
    pub bytes_up: u64,
    /// Bytes of bodies and tunnels relayed downstream.
    pub bytes_down: u64,
}

/// The live counters of one server.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: Gauge,
    /// Those of them that have been accepted, and not answered yet.
    pub(crate) fresh: Gauge,
    /// Those of them that end, and are given a moment for that.
    pub(crate) leaving: Gauge,
    pub(crate) requests: Gauge,
    pub(crate) tunnels: Gauge,
    pub(crate) upstream_connections: Gauge,
    pub(crate) bytes_up: AtomicU64,
    pub(crate) bytes_down: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self, contexts: usize) -> Stats {
        Stats {
            contexts: contexts as u64,
            connections: self.connections.now(),
            requests: self.requests.now(),
            tunnels: self.tunnels.now(),
            upstream_connections: self.upstream_connections.now(),
            total: Totals {
                connections: self.connections.total(),
                requests: self.requests.total(),
                tunnels: self.tunnels.total(),
                bytes_up: self.bytes_up.load(Ordering::Relaxed),
                bytes_down: self.bytes_down.load(Ordering::Relaxed),
            },
        }
    }
}

/// How many there are now, and how many there have been.
#[derive(Debug, Default)]
pub(crate) struct Gauge(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Gauge {
    /// Counts one more, until the returned [`Counted`] is dropped.
    pub(crate) fn enter(&self) -> Counted {
        let number = self.0.begun.fetch_add(1, Ordering::Relaxed) + 1;
        Counted { counts: Arc::clone(&self.0), number }
    }

    pub(crate) fn now(&self) -> u64 {
        // `ended` first: it never overtakes `begun`, so the difference cannot be negative.
        let ended = self.0.ended.load(Ordering::Acquire);
        self.total() - ended
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }
}

/// Something that is being counted; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Counted {
    counts: Arc<Counts>,
    number: u64,
}

impl Counted {
    /// Its number among all that were ever counted here, from one.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counts.ended.fetch_add(1, Ordering::Release);
    }
}
