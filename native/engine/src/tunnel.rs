//! A tunnel: two peers, counted and reported for as long as bytes may pass between them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::context::Context;
use crate::counters::Counted;
use crate::event::{Event, Phase, TunnelKind};
use crate::exchange::Exchange;
use crate::face::Acting;
use crate::limits::Slot;
use crate::relay::{Limits, Relay, Way};
use crate::server::Proxy;
use crate::stream::Stream;

/// An open tunnel; it counts as open until it is dropped.
pub(crate) struct Tunnel {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) context: Arc<Context>,
    kind: TunnelKind,
    authority: String,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    begun: Instant,
    /// Whether what it carries is in the frames of a WebSocket.
    is_websocket: bool,
    /// What it is part of, where an exchange lasts as long as its tunnel.
    exchange: Option<Arc<Exchange>>,
    /// Its place among those that the context may have, given back before it is no longer counted.
    slot: Slot,
    counted: Counted,
}

impl Tunnel {
    pub(crate) fn open(
        proxy: &Arc<Proxy>,
        context: &Arc<Context>,
        kind: TunnelKind,
        authority: String,
    ) -> Self {
        let tunnel = Self {
            proxy: Arc::clone(proxy),
            context: Arc::clone(context),
            kind,
            authority,
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
            begun: Instant::now(),
            exchange: None,
            counted: proxy.counters.tunnels.enter(),
            slot: Slot::default(),
            is_websocket: false,
        };
        proxy.emit(|| tunnel.event(Phase::Opened));
        tunnel
    }

    /// Keeps a place taken until the tunnel ends.
    pub(crate) fn holding(mut self, slot: Slot) -> Self {
        self.slot = slot;
        self
    }

    /// Says that it carries a WebSocket.
    pub(crate) fn of_websocket(mut self, is_websocket: bool) -> Self {
        self.is_websocket = is_websocket;
        self
    }

    /// Makes it part of the exchange that it has come of, in a reverse proxy.
    pub(crate) fn of(mut self, exchange: &Arc<Exchange>) -> Self {
        if matches!(self.proxy.face, Acting::ReverseProxy(_)) {
            exchange.becomes_tunnel();
            self.exchange = Some(Arc::clone(exchange));
        }
        self
    }

    /// Relays in a task of its own, until the context is released, or a gateway drains that has opened it for an
    /// upgrade.
    pub(crate) fn spawn(self, downstream: Stream, upstream: Stream) {
        let Proxy { timeouts, face, draining, .. } = &*self.proxy;
        let (idle, ends) = match face {
            Acting::ReverseProxy(proxy) => (proxy.upgraded_idle, &self.context.released),
            Acting::Gateway(_) if self.kind == TunnelKind::Upgrade => (timeouts.idle, draining),
            Acting::Gateway(_) | Acting::ForwardProxy => (timeouts.idle, &self.context.released),
        };
        if idle.is_none() {
            downstream.ask_after_peer();
            upstream.ask_after_peer();
        }
        let limits = Limits { idle, half_close: timeouts.half_close };
        let relay = Relay::new(downstream, upstream, limits);
        let is_farewelled = matches!(face, Acting::Gateway(_)) && self.is_websocket;
        let relay = if is_farewelled { relay.of_websocket() } else { relay };
        let released = Box::pin(ends.clone().cancelled_owned());
        let tasks = self.proxy.tasks.clone();
        tasks.spawn(Relaying { relaying: Some((relay, self)), released });
    }

    /// Tells both ends of a WebSocket that it is over, unless everything is.
    fn say_farewell(self, relay: Relay) {
        let Some(farewell) = relay.into_farewell() else { return };
        let (tasks, released) = (self.proxy.tasks.clone(), self.context.released.clone());
        tasks.spawn(async move {
            released.run_until_cancelled(farewell.say()).await;
            drop(self);
        });
    }

    fn count(&self, way: Way, bytes: usize) {
        let totals = &self.proxy.counters;
        let (own, total) = match way {
            Way::Up => (&self.bytes_up, &totals.bytes_up),
            Way::Down => (&self.bytes_down, &totals.bytes_down),
        };
        own.fetch_add(bytes as u64, Relaxed);
        match (&self.exchange, way) {
            (Some(exchange), Way::Up) => exchange.moved_up(bytes),
            (Some(exchange), Way::Down) => exchange.moved_down(bytes),
            (None, _) => drop(total.fetch_add(bytes as u64, Relaxed)),
        }
    }

    fn event(&self, phase: Phase) -> Event {
        Event::Tunnel {
            phase,
            tunnel_id: self.counted.number(),
            kind: self.kind,
            context_id: self.context.id.clone(),
            web_contents_id: self.context.web_contents_id,
            authority: self.authority.clone(),
            bytes_up: self.bytes_up.load(Relaxed),
            bytes_down: self.bytes_down.load(Relaxed),
            duration: self.begun.elapsed(),
        }
    }
}

struct Relaying {
    relaying: Option<(Relay, Tunnel)>,
    released: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Future for Relaying {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Self { relaying, released } = &mut *self;
        if released.as_mut().poll(cx).is_ready() {
            if let Some((relay, tunnel)) = relaying.take() {
                tunnel.say_farewell(relay);
            }
            return Poll::Ready(());
        }
        let Some((relay, tunnel)) = relaying else { return Poll::Ready(()) };
        let ended = ready!(relay.poll(cx, |way, bytes| tunnel.count(way, bytes)));
        match (ended, &tunnel.exchange) {
            (Err(error), _) => tracing::debug!(%error, "a tunnel ended early"),
            (Ok(()), Some(exchange)) => exchange.tunnel_ended_well(),
            (Ok(()), None) => {}
        }
        Poll::Ready(())
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.proxy.emit(|| self.event(Phase::Closed));
    }
}
