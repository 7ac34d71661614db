//! The engine's events as JavaScript objects, told apart by `type`.

use std::time::Duration;

use napi::bindgen_prelude::Either4;
use napi_derive::napi;
use tabport_engine::{Event, Outcome, Phase, TunnelKind};

use crate::stats::number;

/// Something the proxy did; `type` tells which. No event carries a credential, a cookie, a field value or a
/// query string.
#[napi]
pub type ProxyEvent = Either4<ConnectionEvent, RequestEvent, TunnelEvent, ErrorEvent>;

/// A connection from a client was accepted or has ended.
#[napi(object, object_from_js = false)]
pub struct ConnectionEvent {
    /// Tells the events apart.
    #[napi(js_name = "type", ts_type = "'connection'")]
    pub tag: &'static str,
    /// Whether it began or ended.
    #[napi(ts_type = "'opened' | 'closed'")]
    pub phase: &'static str,
    /// Counts up from 1 for each server.
    pub connection_id: i64,
}

/// A request is over: its response is fully relayed, or was cut off.
#[napi(object, object_from_js = false)]
pub struct RequestEvent {
    /// Tells the events apart.
    #[napi(js_name = "type", ts_type = "'request'")]
    pub tag: &'static str,
    /// The context that asked.
    pub context_id: String,
    /// The `WebContents` the context was made for.
    pub web_contents_id: u32,
    /// The request method.
    pub method: String,
    /// The host and port asked for, before any route.
    pub authority: String,
    /// The path asked for, without its query.
    pub path: String,
    /// The status that the client received.
    pub status: u32,
    /// Bytes of the request's body.
    pub bytes_up: i64,
    /// Bytes of the response's body.
    pub bytes_down: i64,
    /// Milliseconds from the request's head to the response's.
    pub head_ms: f64,
    /// Milliseconds from the request's head to the end.
    pub duration_ms: f64,
    /// Whether the response went through whole.
    #[napi(ts_type = "'complete' | 'aborted'")]
    pub outcome: &'static str,
}

/// A tunnel was opened or has ended.
#[napi(object, object_from_js = false)]
pub struct TunnelEvent {
    /// Tells the events apart.
    #[napi(js_name = "type", ts_type = "'tunnel'")]
    pub tag: &'static str,
    /// Whether it began or ended.
    #[napi(ts_type = "'opened' | 'closed'")]
    pub phase: &'static str,
    /// Counts up from 1 for each server.
    pub tunnel_id: i64,
    /// Whether a CONNECT request asked for it, or an upgrade such as a WebSocket's.
    #[napi(ts_type = "'connect' | 'upgrade'")]
    pub kind: &'static str,
    /// The context that asked.
    pub context_id: String,
    /// The `WebContents` the context was made for.
    pub web_contents_id: u32,
    /// The host and port asked for, before any route.
    pub authority: String,
    /// Bytes relayed to the upstream so far.
    pub bytes_up: i64,
    /// Bytes relayed to the client so far.
    pub bytes_down: i64,
    /// Milliseconds it has been open.
    pub duration_ms: f64,
}

/// A request was answered by an error of the proxy's own.
#[napi(object, object_from_js = false)]
pub struct ErrorEvent {
    /// Tells the events apart.
    #[napi(js_name = "type", ts_type = "'error'")]
    pub tag: &'static str,
    /// The context that asked, if it was known.
    pub context_id: Option<String>,
    /// The error token of RFC 9209, section 2.3, such as `connection_refused`.
    pub code: &'static str,
    /// The host and port asked for, if they could be read.
    pub authority: Option<String>,
    /// What failed, in plain words.
    pub message: String,
}

/// The event as JavaScript receives it.
pub(crate) fn to_js(event: Event) -> ProxyEvent {
    match event {
        Event::Connection { phase, connection_id } => Either4::A(ConnectionEvent {
            tag: "connection",
            phase: phase_name(phase),
            connection_id: number(connection_id),
        }),
        Event::Request {
            context_id,
            web_contents_id,
            method,
            authority,
            path,
            status,
            bytes_up,
            bytes_down,
            head,
            duration,
            outcome,
            // The rest is what a reverse proxy says.
            ..
        } => Either4::B(RequestEvent {
            tag: "request",
            context_id,
            web_contents_id,
            method,
            authority,
            path,
            status: status.into(),
            bytes_up: number(bytes_up),
            bytes_down: number(bytes_down),
            head_ms: milliseconds(head),
            duration_ms: milliseconds(duration),
            outcome: outcome_name(outcome),
        }),
        Event::Tunnel {
            phase,
            tunnel_id,
            kind,
            context_id,
            web_contents_id,
            authority,
            bytes_up,
            bytes_down,
            duration,
        } => Either4::C(TunnelEvent {
            tag: "tunnel",
            phase: phase_name(phase),
            tunnel_id: number(tunnel_id),
            kind: kind_name(kind),
            context_id,
            web_contents_id,
            authority,
            bytes_up: number(bytes_up),
            bytes_down: number(bytes_down),
            duration_ms: milliseconds(duration),
        }),
        Event::Error { context_id, code, authority, message, .. } => {
            Either4::D(ErrorEvent { tag: "error", context_id, code, authority, message })
        }
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Opened => "opened",
        Phase::Closed => "closed",
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Aborted => "aborted",
    }
}

fn kind_name(kind: TunnelKind) -> &'static str {
    match kind {
        TunnelKind::Connect => "connect",
        TunnelKind::Upgrade => "upgrade",
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
