//! One request and its response, counted and timed from head to end.
//!
//! Bodies hold the exchange while they move, so it ends when the last of them does, however that comes
//! about; the embedder is told then.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::{Request, Response};
use parking_lot::Mutex;

use crate::authority::{Authority, Scheme};
use crate::body::ResponseBody;
use crate::connection::Connection;
use crate::context::Context;
use crate::counters::Counted;
use crate::event::{Event, Outcome};
use crate::limits::{Slot, Slots};

/// An exchange in flight.
pub(crate) struct Exchange {
    pub(crate) connection: Arc<Connection>,
    pub(crate) context: Arc<Context>,
    pub(crate) authority: String,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    status: AtomicU16,
    head: Mutex<Duration>,
    complete: AtomicBool,
    begun: Instant,
    method: String,
    path: String,
    counted: Counted,
    slots: OnceLock<Slots>,
}

impl Exchange {
    pub(crate) fn begin(
        connection: Arc<Connection>,
        context: Arc<Context>,
        request: &Request<Incoming>,
    ) -> Arc<Self> {
        let counted = connection.proxy.counters.requests.enter();
        context.exchange_begins(counted.number(), &connection.carrier());
        let observed = connection.proxy.is_observed();
        let text = |text: &str| if observed { text.to_owned() } else { String::new() };
        Arc::new(Self {
            authority: if observed { authority_of(&connection, request) } else { String::new() },
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
            status: AtomicU16::new(0),
            head: Mutex::default(),
            complete: AtomicBool::new(false),
            begun: Instant::now(),
            method: text(request.method().as_str()),
            path: text(request.uri().path()),
            counted,
            slots: OnceLock::new(),
            connection,
            context,
        })
    }

    /// Ties the response to the exchange, which now ends when the response's body does.
    pub(crate) fn answer(
        self: Arc<Self>,
        response: Response<ResponseBody>,
    ) -> Response<ResponseBody> {
        self.status.store(response.status().as_u16(), Relaxed);
        *self.head.lock() = self.begun.elapsed();
        // The body of an answer to HEAD is never asked for.
        if self.method == "HEAD" {
            self.completed();
        }
        response.map(|body| body.of(self))
    }

    /// Keeps what its context's limits have granted until it ends.
    pub(crate) fn hold(&self, slots: Slots) {
        let _ = self.slots.set(slots);
    }

    /// The place of the tunnel that it turns into.
    pub(crate) fn tunnel_slot(&self) -> Slot {
        self.slots.get().map(|slots| slots.tunnel.clone()).unwrap_or_default()
    }

    pub(crate) fn moved_up(&self, bytes: usize) {
        self.bytes_up.fetch_add(bytes as u64, Relaxed);
        self.connection.proxy.counters.bytes_up.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn moved_down(&self, bytes: usize) {
        self.bytes_down.fetch_add(bytes as u64, Relaxed);
        self.connection.proxy.counters.bytes_down.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes of request body sent so far: while they grow, the upstream is not late.
    pub(crate) fn bytes_up(&self) -> u64 {
        self.bytes_up.load(Relaxed)
    }

    /// The whole response has gone through.
    pub(crate) fn completed(&self) {
        self.complete.store(true, Relaxed);
    }

    fn event(&self) -> Event {
        let complete = self.complete.load(Relaxed);
        Event::Request {
            context_id: self.context.id.clone(),
            web_contents_id: self.context.web_contents_id,
            method: self.method.clone(),
            authority: self.authority.clone(),
            path: self.path.clone(),
            status: self.status.load(Relaxed),
            bytes_up: self.bytes_up.load(Relaxed),
            bytes_down: self.bytes_down.load(Relaxed),
            head: *self.head.lock(),
            duration: self.begun.elapsed(),
            outcome: if complete { Outcome::Complete } else { Outcome::Aborted },
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.context.exchange_ends(self.counted.number());
        self.connection.proxy.emit(|| self.event());
    }
}

/// The authority as the client put it, without userinfo, for events only.
fn authority_of(connection: &Connection, request: &Request<Incoming>) -> String {
    if let Some(authority) = connection.tunnel() {
        return authority.to_string();
    }
    match (request.uri().host(), request.uri().port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => host_field(request).map_or_else(String::new, |host| host.to_string()),
    }
}

fn host_field(request: &Request<Incoming>) -> Option<Authority> {
    let host = request.headers().get(HOST)?.to_str().ok()?;
    Authority::parse(host, Some(Scheme::Http.default_port())).ok()
}
