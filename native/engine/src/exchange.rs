//! One request and its response, counted and timed from head to end.
//!
//! Bodies hold the exchange while they move, so it ends when the last of them does, however that comes
//! about; the embedder is told then.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

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
    /// The authority asked for, as far as anyone wants to know.
    pub(crate) authority: String,
    carrier: Arc<Carrier>,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    status: AtomicU16,
    head: Mutex<Duration>,
    complete: AtomicBool,
    begun: Instant,
    method: String,
    path: String,
    /// Given back before it is no longer counted: who sees that there is room finds it.
    slots: OnceLock<Slots>,
    _counted: Counted,
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
            authority: text(&|| target::shown(request, connection.tunnel())),
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
            status: AtomicU16::new(0),
            head: Mutex::default(),
            complete: AtomicBool::new(false),
            begun: Instant::now(),
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
        *self.head.lock() = self.begun.elapsed();
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

    fn event(&self) -> Event {
        let complete = self.complete.load(Relaxed);
        Event::Request {
            context_id: self.context().id.clone(),
            web_contents_id: self.context().web_contents_id,
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
        self.carrier.end();
        self.connection.proxy.emit(|| self.event());
    }
}
