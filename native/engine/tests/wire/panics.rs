//! A panic costs the request, the tunnel or the connection that it happens in, and nothing else.
//!
//! The embedder's own callbacks stand for every bug there could be: they are called from the accept loop, from
//! every task, while an exchange runs, and while what has ended is dropped.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use bytes::Bytes;
use http::Method;
use tabport_engine::{ContextLimits, Event, Limits, Phase, ServerOptions, UpstreamProxy};
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Origin, Peer, Proxy};
use crate::panics_ways::{Echo, Outcome, Way, Workspace};
use crate::stream::{answered, begin, get, speak, text};

const ONCE: u64 = 1;
const ALWAYS: u64 = u64::MAX;

/// When the embedder's callback panics, and how often it still will.
#[derive(Clone)]
struct Faults(Arc<(Moment, AtomicU64)>);

/// What the embedder is being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Any,
    ConnectionOpened,
    ConnectionClosed,
    RequestEnded,
    TunnelOpened,
    TunnelClosed,
    Failed,
}

use Moment::{
    Any, ConnectionClosed, ConnectionOpened, Failed, RequestEnded, TunnelClosed, TunnelOpened,
};

impl Moment {
    fn of(event: &Event) -> Self {
        match event {
            Event::Connection { phase: Phase::Opened, .. } => ConnectionOpened,
            Event::Connection { phase: Phase::Closed, .. } => ConnectionClosed,
            Event::Request { .. } => RequestEnded,
            Event::Tunnel { phase: Phase::Opened, .. } => TunnelOpened,
            Event::Tunnel { phase: Phase::Closed, .. } => TunnelClosed,
            Event::Error { .. } => Failed,
        }
    }
}

impl Faults {
    fn at(moment: Moment) -> Self {
        Self(Arc::new((moment, AtomicU64::new(0))))
    }

    fn allow(&self, times: u64) {
        self.0.1.store(times, SeqCst);
    }

    fn left(&self) -> u64 {
        self.0.1.load(SeqCst)
    }

    fn meet(&self, moment: Moment) {
        let (at, left) = &*self.0;
        if *at == Any || *at == moment {
            let spent = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
            assert!(spent.is_err(), "injected at {moment:?}");
        }
    }

    /// A proxy whose sink panics, and whose contexts may have one of everything.
    fn proxy(&self, workers: usize) -> Proxy {
        let one = NonZeroU32::new(1);
        let context =
            ContextLimits { concurrent_requests: one, tunnels: one, ..ContextLimits::default() };
        let limits = Limits { context, ..Limits::default() };
        Proxy::with(ServerOptions { limits, workers, ..self.options() })
    }

    fn options(&self) -> ServerOptions {
        let faults = self.clone();
        let on_event = Arc::new(move |event: Event| faults.meet(Moment::of(&event)));
        ServerOptions { on_event: Some(on_event), ..ServerOptions::default() }
    }
}

/// Every way for a panic to come, on one way through the proxy: once and again and again, among neighbours on
/// the same thread and on another.
async fn costs_only_itself(way: Way, moments: &[Moment]) {
    for (&moment, times, workers) in
        moments.iter().flat_map(|moment| [(moment, ONCE, 1), (moment, ALWAYS, 2)])
    {
        let (faults, echo) = (Faults::at(moment), Echo::start().await);
        let proxy = faults.proxy(workers);
        let workspace = Workspace::of(&proxy, &echo);
        let neighbour = proxy.context();
        let mut neighbour = proxy.tunnel(&neighbour, &echo.authority()).await;
        let quiet = "everything but the neighbour ends";
        let is_quiet = |stats: &tabport_engine::Stats| {
            stats.requests + stats.connections == 0 && stats.tunnels == 1
        };
        proxy.until(quiet, is_quiet).await;

        faults.allow(times);
        for _ in 0..3 {
            let outcome = workspace.attempt(&proxy, way).await;
            let harmless = [Outcome::Served, Outcome::Cut, Outcome::Told(502), Outcome::Told(503)];
            assert!(harmless.contains(&outcome), "{way:?} at {moment:?}: {outcome:?}");
            proxy.until(quiet, is_quiet).await;
        }
        assert!(faults.left() < times, "{way:?} never comes to {moment:?}");
        faults.allow(0);
        workspace.serves_again(&proxy, way).await;
        neighbour.send("still here").await;
        neighbour.expect("still here").await;
    }
}

#[tokio::test]
async fn in_a_request() {
    let moments = [ConnectionOpened, RequestEnded, ConnectionClosed];
    for way in [Way::Get, Way::Http2Get] {
        costs_only_itself(way, &moments).await;
    }
}

#[tokio::test]
async fn in_a_request_that_fails() {
    for way in [Way::Failing, Way::Http2Failing] {
        costs_only_itself(way, &[Failed, RequestEnded]).await;
    }
    costs_only_itself(Way::Refused, &[Failed]).await;
}

#[tokio::test]
async fn in_a_tunnel() {
    let moments = [TunnelOpened, RequestEnded, TunnelClosed];
    for way in [Way::Connect, Way::Upgrade, Way::Http2Connect] {
        costs_only_itself(way, &moments).await;
    }
}

#[tokio::test]
async fn in_a_tunnel_that_is_looked_into() {
    let inside = [ConnectionOpened, RequestEnded, ConnectionClosed];
    costs_only_itself(Way::Inside, &inside).await;
    for way in [Way::InsideUpgrade, Way::Relayed] {
        costs_only_itself(way, &inside).await;
        costs_only_itself(way, &[TunnelOpened, TunnelClosed]).await;
    }
    costs_only_itself(Way::RelayedFailing, &[Failed]).await;
}

/// It comes from the accept loop itself, on behalf of no connection.
#[tokio::test]
async fn in_turning_a_connection_away() {
    let (faults, echo) = (Faults::at(Failed), Echo::start().await);
    let limits = Limits { connections: NonZeroU32::new(1), ..Limits::default() };
    let proxy = Proxy::with(ServerOptions { limits, workers: 1, ..faults.options() });
    let workspace = Workspace::of(&proxy, &echo);
    let first = proxy.connect().await;
    proxy.until("the place is taken", |stats| stats.connections == 1).await;
    faults.allow(5);
    for _ in 0..5 {
        assert_eq!(workspace.attempt(&proxy, Way::Get).await, Outcome::Cut);
    }
    assert_eq!(faults.left(), 0);
    assert_eq!(workspace.attempt(&proxy, Way::Get).await, Outcome::Told(503));
    drop(first);
    workspace.serves_again(&proxy, Way::Get).await;
}

/// What a panic has left of a client's connection is not to be trusted with another request.
#[tokio::test]
async fn a_request_that_panics_is_the_last_of_its_connection() {
    let (faults, echo) = (Faults::at(TunnelOpened), Echo::start().await);
    let proxy = faults.proxy(1);
    let context = proxy.context();
    faults.allow(ONCE);
    let mut client = proxy.connect().await;
    let twice = context.connect(&echo.authority()).repeat(2);
    client.send(twice).await;
    let told = String::from_utf8(client.ends_soon().await).unwrap();
    assert!(told.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{told}");
    assert!(told.contains("proxy-status: tabport; error=proxy_internal_error\r\n"), "{told}");
    assert_eq!(told.matches("HTTP/1.1").count(), 1, "{told}");
}

#[tokio::test]
async fn other_streams_of_its_connection_go_on() {
    let echo = Echo::start().await;
    for (moment, method, told) in
        [(TunnelOpened, Method::CONNECT, Some(502)), (RequestEnded, Method::GET, None)]
    {
        let faults = Faults::at(moment);
        let proxy = Proxy::with(ServerOptions { workers: 1, ..faults.options() });
        let (context, other) = (proxy.context(), proxy.context());
        let mut sender = speak(proxy.connect().await.0).await;
        let authority = echo.authority();
        let (response, mut up) = begin(&mut sender, Some(&other), Method::CONNECT, &authority);
        let mut down = answered(response).await.into_body();
        proxy.until("the CONNECT is over", |stats| stats.requests == 0).await;
        faults.allow(ONCE);
        let uri = if told.is_some() { authority.clone() } else { format!("http://{authority}/") };
        let (response, mut body) = begin(&mut sender, Some(&context), method, &uri);
        let _ = body.send_data(Bytes::new(), true);
        let response = timeout(DEADLINE, response).await.expect("an answer or a reset");
        if let Some(told) = told {
            assert_eq!(response.unwrap().status(), told);
        }
        proxy.until("it is over", |stats| stats.requests == 0).await;
        assert_eq!(faults.left(), 0);
        up.send_data("still here".into(), false).unwrap();
        let echoed = timeout(DEADLINE, down.data()).await.expect("the tunnel is dead");
        assert_eq!(echoed.unwrap().unwrap(), "still here");
        let again = get(&mut sender, &context, &format!("http://{authority}/")).await;
        assert_eq!(text(again).await.0, "ok");
    }
}

/// The function that chooses the next proxy is called in the middle of a dial.
#[tokio::test]
async fn in_choosing_the_next_proxy() {
    let (faults, echo) = (Faults::at(Any), Echo::start().await);
    let (asked, next) = (faults.clone(), format!("PROXY {}", echo.authority()));
    let resolver = move |_, _: &_, answer: tabport_engine::ProxyAnswer| {
        asked.meet(Any);
        answer.give(Ok(next.parse().unwrap()));
    };
    let upstream_proxy = Some(UpstreamProxy::Asked(Arc::new(resolver)));
    for (way, told) in [
        (Way::Get, Outcome::Told(502)),
        (Way::Connect, Outcome::Told(502)),
        (Way::Upgrade, Outcome::Told(502)),
        (Way::Inside, Outcome::Told(502)),
        (Way::Relayed, Outcome::Cut),
        (Way::Http2Get, Outcome::Told(502)),
    ] {
        let upstream_proxy = upstream_proxy.clone();
        let proxy = Proxy::with(ServerOptions { upstream_proxy, ..ServerOptions::default() });
        let workspace = Workspace::at(&proxy, "site.example", 80);
        faults.allow(2);
        for _ in 0..2 {
            assert_eq!(workspace.attempt(&proxy, way).await, told, "{way:?}");
        }
        assert_eq!(workspace.attempt(&proxy, way).await, Outcome::Served, "{way:?}");
    }
}

#[tokio::test]
async fn in_stopping() {
    let (faults, echo, silent) = (Faults::at(Any), Echo::start().await, Origin::start().await);
    let proxy = Proxy::with(faults.options());
    let contexts: Vec<Context> = (0..4).map(|_| proxy.context()).collect();
    let mut open: Vec<Peer> = Vec::new();
    for context in &contexts {
        open.push(proxy.tunnel(context, &echo.authority()).await);
        let mut waiting = proxy.connect().await;
        waiting.send(context.get(&silent.url())).await;
        silent.accept().await.head().await;
        open.push(waiting);
    }
    let mut sender = speak(proxy.connect().await.0).await;
    let more = proxy.context();
    let (_response, _body) = begin(&mut sender, Some(&more), Method::GET, &silent.url());
    silent.accept().await.head().await;
    faults.allow(ALWAYS);
    proxy.server.stop();
    assert!(faults.left() < ALWAYS - 4, "hardly any of it was told");
    for peer in &mut open {
        peer.ends_soon().await;
    }
}
