//! What the embedder is told: one typed stream of events.
//!
//! Events observe and never steer. None carries a credential, a cookie, a field value or a query string.

use std::sync::Arc;
use std::time::Duration;

/// Receives events on the server's own threads. It must return at once, must not panic, and must not stop
/// the server: stopping waits for the thread it would be called from.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// Something the proxy did.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A downstream connection was accepted or has ended.
    Connection {
        /// Whether it began or ended.
        phase: Phase,
        /// Counts up from one for each server.
        connection_id: u64,
    },
    /// An exchange has ended: its response is fully relayed, or was cut off. A reverse proxy counts with it what has
    /// passed through the tunnel that it has turned into.
    Request {
        /// Names the exchange; only a reverse proxy names them.
        request_id: Option<String>,
        /// The context that asked.
        context_id: String,
        /// The `WebContents` the context was made for.
        web_contents_id: u32,
        /// The request method.
        method: String,
        /// The authority asked for, before any route.
        authority: String,
        /// The path asked for, without its query.
        path: String,
        /// The status sent downstream.
        status: u16,
        /// Bytes of request body sent upstream.
        bytes_up: u64,
        /// Bytes of response body sent downstream.
        bytes_down: u64,
        /// From the request's head to the response's.
        head: Duration,
        /// From the request's head to the exchange's end.
        duration: Duration,
        /// Whether it has turned into a tunnel, by an upgrade, and has ended with that.
        upgraded: bool,
        /// Whether the response went through whole.
        outcome: Outcome,
        /// What went wrong, where it was not the client that went away: an error token of RFC 9209, section 2.3.
        error: Option<&'static str>,
    },
    /// A tunnel was opened or has ended.
    Tunnel {
        /// Whether it began or ended.
        phase: Phase,
        /// Counts up from one for each server.
        tunnel_id: u64,
        /// What asked for it.
        kind: TunnelKind,
        /// The context that asked.
        context_id: String,
        /// The `WebContents` the context was made for.
        web_contents_id: u32,
        /// The authority asked for, before any route.
        authority: String,
        /// Bytes relayed upstream so far.
        bytes_up: u64,
        /// Bytes relayed downstream so far.
        bytes_down: u64,
        /// How long it has been open.
        duration: Duration,
    },
    /// A request was answered by an error of ours.
    Error {
        /// Names the exchange; only a reverse proxy names them.
        request_id: Option<String>,
        /// The context that asked, if it was known.
        context_id: Option<String>,
        /// The error token of RFC 9209, section 2.3.
        code: &'static str,
        /// The authority asked for, if it could be read.
        authority: Option<String>,
        /// What failed, in plain words.
        message: String,
    },
}

/// The two ends of something that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It began.
    Opened,
    /// It ended.
    Closed,
}

/// What asked for a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelKind {
    /// A CONNECT request.
    Connect,
    /// An upgrade the upstream has answered with 101.
    Upgrade,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole response was relayed.
    Complete,
    /// A peer went away, or the context was released, before the response's end.
    Aborted,
}
