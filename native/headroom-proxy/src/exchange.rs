//! The log of exchanges: one line each, at its end. None has a field, a query or a byte of a body.

use std::time::Duration;

use tabport_engine::{Event, Outcome};

/// Writes what there is to be said of an event, if there is anything.
pub(crate) fn log(event: &Event) {
    match event {
        Event::Request { .. } => log_exchange(event),
        // What could not be read is no exchange.
        Event::Error { context_id: None, request_id, code, .. } => {
            let request_id = request_id.as_deref();
            tracing::warn!(target: TARGET, request_id, error = *code, "refused");
        }
        Event::Connection { .. } | Event::Tunnel { .. } | Event::Error { .. } => {}
    }
}

const TARGET: &str = "headroom_proxy";

fn log_exchange(event: &Event) {
    let Event::Request {
        request_id,
        method,
        path,
        status,
        bytes_up,
        bytes_down,
        head,
        duration,
        upgraded,
        outcome,
        error,
        ..
    } = event
    else {
        return;
    };
    /// Of what went wrong elsewhere than at the client whoever runs this wants to hear.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: TARGET,
                request_id = request_id.as_deref(),
                method,
                path,
                status,
                bytes_up,
                bytes_down,
                first_byte_ms = milliseconds(*head),
                duration_ms = milliseconds(*duration),
                protocol = if *upgraded { "ws" } else { "http" },
                outcome = name(*outcome),
                error,
                "forwarded"
            )
        };
    }
    if error.is_some() { line!(warn) } else { line!(info) }
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Aborted => "aborted",
    }
}

/// To the microsecond.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
