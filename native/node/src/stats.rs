//! A server's counters as a JavaScript object.

use napi_derive::napi;
use tabport_engine::Stats;

/// A snapshot of a server's counters. All but `total` are gauges: they fall again, to zero once the server
/// has stopped.
#[napi(object, object_from_js = false)]
pub struct ProxyStats {
    /// Contexts that are not released.
    pub contexts: i64,
    /// Connections from clients that carry requests; one that has become a tunnel counts there.
    pub connections: i64,
    /// Requests in flight.
    pub requests: i64,
    /// Open tunnels, those of a `WebSocket` included.
    pub tunnels: i64,
    /// Connections to upstreams that carry requests, idle ones included; those of tunnels count there.
    pub upstream_connections: i64,
    /// What has been counted since the start.
    pub total: ProxyTotals,
}

/// What a server has counted since its start.
#[napi(object, object_from_js = false)]
pub struct ProxyTotals {
    /// Connections accepted from clients.
    pub connections: i64,
    /// Requests with valid credentials.
    pub requests: i64,
    /// Tunnels opened, those of a `WebSocket` included.
    pub tunnels: i64,
    /// Bytes of bodies and tunnels relayed to upstreams.
    pub bytes_up: i64,
    /// Bytes of bodies and tunnels relayed to clients.
    pub bytes_down: i64,
    /// Events that `onEvent` never saw because the application was too busy to receive them.
    pub events_dropped: i64,
}

impl ProxyStats {
    pub(crate) fn new(stats: &Stats, events_dropped: u64) -> Self {
        Self {
            contexts: number(stats.contexts),
            connections: number(stats.connections),
            requests: number(stats.requests),
            tunnels: number(stats.tunnels),
            upstream_connections: number(stats.upstream_connections),
            total: ProxyTotals {
                connections: number(stats.total.connections),
                requests: number(stats.total.requests),
                tunnels: number(stats.total.tunnels),
                bytes_up: number(stats.total.bytes_up),
                bytes_down: number(stats.total.bytes_down),
                events_dropped: number(events_dropped),
            },
        }
    }
}

/// A count as a JavaScript number: a `u64` would become a `BigInt`.
pub(crate) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
