//! One request and its response, counted and timed from head to end.
//!
//! Bodies hold the exchange while they move, so it ends when the last of them does, however that comes
//! about; the embedder is told then.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::Version;
use parking_lot::Mutex;

use crate::connection::Connection;
use crate::context::{Carrier, Context};
use crate::counters::Counted;
use crate::event::{Event, Outcome};
use crate::head::RequestHead;
use crate::limits::{Slot, Slots};
use crate::target;

/// An exchange in flight.
pub(crate) struct Exchange {
    pub(crate) connection: Arc<Connection>,
    /// What a reverse proxy calls it.
    pub(crate) request_id: Option<Arc<str>>,
    /// The authority asked for, as far as anyone wants to know.
    pub(crate) authority: String,
    /// Whether it has an HTTP/2 stream to itself.
    pub(crate) is_stream: bool,
    carrier: Arc<Carrier>,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    status: AtomicU16,
    head: Mutex<Duration>,
    complete: AtomicBool,
    tunnel: Tunnel,
    error: OnceLock<&'static str>,
    /// `None` where nobody is told how long it takes.
    begun: Option<Instant>,
    method: String,
    path: String,
    /// Given back before it is no longer counted: who sees that there is room finds it.
    slots: OnceLock<Slots>,
    _counted: Counted,
}

/// What has become of an exchange that its tunnel is part of.
#[derive(Default)]
struct Tunnel {
    opened: AtomicBool,
    ended_well: AtomicBool,
}

impl Exchange {
    pub(crate) fn begin(
        connection: &Arc<Connection>,
        carrier: Arc<Carrier>,
        request: &RequestHead,
    ) -> Arc<Self> {
        carrier.begin();
        let observed = connection.proxy.is_observed();
        let text = |text: &dyn Fn() -> String| if observed { text() } else { String::new() };
        Arc::new(Self {
            request_id: connection.proxy.face.name(&request.fields),
            authority: text(&|| target::shown(request, connection.tunnel())),
            is_stream: request.version == Version::HTTP_2,
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
            status: AtomicU16::new(0),
            head: Mutex::default(),
            complete: AtomicBool::new(false),
            tunnel: Tunnel::default(),
            error: OnceLock::new(),
            begun: observed.then(Instant::now),
            method: text(&|| request.method.to_string()),
            path: text(&|| request.path().into_owned()),
            _counted: connection.proxy.counters.requests.enter(),
            slots: OnceLock::new(),
            connection: Arc::clone(connection),
            carrier,
        })
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.carrier.context
    }

    /// The response's head is there.
    pub(crate) fn answered(&self, status: u16) {
        self.status.store(status, Relaxed);
        *self.head.lock() = self.elapsed();
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

    /// Bytes of both bodies so far: while they grow, nobody is late.
    pub(crate) fn moved(&self) -> u64 {
        self.bytes_up.load(Relaxed).wrapping_add(self.bytes_down.load(Relaxed))
    }

    /// The whole response has gone through.
    pub(crate) fn completed(&self) {
        self.complete.store(true, Relaxed);
    }

    /// It turns into a tunnel, and lasts as long.
    pub(crate) fn becomes_tunnel(&self) {
        self.tunnel.opened.store(true, Relaxed);
    }

    /// Both ends of its tunnel have said that they have ended.
    pub(crate) fn tunnel_ended_well(&self) {
        self.tunnel.ended_well.store(true, Relaxed);
    }

    /// Something else than the client has gone wrong; what comes first counts.
    pub(crate) fn failed(&self, token: &'static str) {
        let _ = self.error.set(token);
    }

    fn elapsed(&self) -> Duration {
        self.begun.map(|begun| begun.elapsed()).unwrap_or_default()
    }

    fn event(&self) -> Event {
        let upgraded = self.tunnel.opened.load(Relaxed);
        let complete = if upgraded { &self.tunnel.ended_well } else { &self.complete };
        let complete = complete.load(Relaxed);
        Event::Request {
            request_id: self.request_id.as_deref().map(str::to_owned),
            upgraded,
            error: self.error.get().copied(),
            context_id: self.context().id.clone(),
            web_contents_id: self.context().web_contents_id,
            method: self.method.clone(),
            authority: self.authority.clone(),
            path: self.path.clone(),
            status: self.status.load(Relaxed),
            bytes_up: self.bytes_up.load(Relaxed),
            bytes_down: self.bytes_down.load(Relaxed),
            head: *self.head.lock(),
            duration: self.elapsed(),
            outcome: if complete { Outcome::Complete } else { Outcome::Aborted },
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.carrier.end();
        self.connection.proxy.emit(|| self.event());
    }
}
