//! Listening, and everything that lives as long as the server.
//!
//! A [`Server`] is a handle: it starts its own threads, so that an embedder's event loop never carries a
//! byte, and stopping it joins them. All state hangs off the handle; nothing is global to the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::authenticate::Token;
use crate::certificate::{Certificate, Certificates, ServerCertificate};
use crate::context::{ContextInfo, Contexts};
use crate::counters::{Counters, Gauge, Stats};
use crate::error::{ContextError, StartError};
use crate::event::{Event, EventSink};
use crate::face::Acting;
use crate::limits::{Connections, ContextLimits, Limits};
use crate::listen::{self, Listening};
use crate::options::{ServerOptions, Timeouts};
use crate::route::Route;
use crate::tls;
use crate::upstream::Dialer;
use crate::workers::Workers;

/// A running proxy. Clones are handles to the same one; dropping them does not stop it.
#[derive(Clone)]
pub struct Server {
    proxy: Arc<Proxy>,
    workers: Arc<Workers>,
}

impl Server {
    /// Binds, and starts serving. It blocks on the system's answer to `bind`, and, where the authority is kept
    /// in a folder, on the file there.
    pub fn start(options: ServerOptions) -> Result<Self, StartError> {
        let Listening { sockets, addresses, first } = listen::bind(&options)?;
        let certificates = Certificates::new(&options.certificates)?;
        let tls = tls::Listener::new(&options, &certificates, &addresses)?;
        let (contexts, stopping) = (Contexts::default(), CancellationToken::new());
        let limits = &options.limits.context;
        let face = Acting::new(options.face.clone(), &contexts, limits, &stopping)?;
        let proxy = Arc::new(Proxy {
            address: first,
            face,
            http2: options.http2,
            tls,
            certificates,
            timeouts: options.timeouts,
            connections: Connections::new(options.limits.connections),
            limits: options.limits,
            dialer: Dialer::new(&options, &addresses)?,
            addresses,
            contexts,
            counters: Counters::default(),
            arriving: Gauge::default(),
            events: options.on_event,
            ending: AtomicBool::new(false),
            draining: stopping.child_token(),
            stopping,
            tasks: TaskTracker::new(),
        });
        let workers = Workers::start(options.workers, &sockets, &proxy)?;
        tracing::debug!(addresses = ?proxy.addresses, "bound");
        Ok(Self { proxy, workers: Arc::new(workers) })
    }

    /// The address it listens on, with the real port, the first if there are several; still known after
    /// [`stop`](Self::stop).
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.proxy.address
    }

    /// Every address it listens on.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.proxy.addresses
    }

    /// The authority that has signed every certificate this server shows; its key never leaves the server.
    #[must_use]
    pub fn certificate_authority(&self) -> &Certificate {
        self.proxy.certificates.authority()
    }

    /// The certificate of a secure listener, where it is of its own authority; another one from a day before it would end.
    #[must_use]
    pub fn listener_certificate(&self) -> Option<Certificate> {
        self.proxy.tls.certificate()
    }

    /// The limits of a context that is not given its own.
    #[must_use]
    pub fn context_limits(&self) -> &ContextLimits {
        &self.proxy.limits.context
    }

    /// Makes a context for a `WebContents`; one it already had is released.
    pub fn create_context(
        &self,
        web_contents_id: u32,
        route: Option<Route>,
    ) -> Result<ContextInfo, ContextError> {
        self.create_context_with_limits(web_contents_id, route, &self.proxy.limits.context)
    }

    /// Makes a context with limits of its own, in place of the server's.
    pub fn create_context_with_limits(
        &self,
        web_contents_id: u32,
        route: Option<Route>,
        limits: &ContextLimits,
    ) -> Result<ContextInfo, ContextError> {
        self.proxy.contexts.create(web_contents_id, route, limits, &self.proxy.stopping)
    }

    /// Releases a context: its credentials die, and its requests, tunnels and upstream connections end.
    /// A stopped server holds no context, so releasing one there does nothing.
    pub fn release_context(&self, id: &str) -> Result<(), ContextError> {
        self.proxy.contexts.release(id)
    }

    /// Gives a gateway other tokens, which count from the next request on. A forward proxy, and a gateway that
    /// lets in anyone, has no use for them.
    pub fn replace_tokens(&self, tokens: Vec<Token>) {
        if let Acting::Gateway(gateway) = &self.proxy.face {
            gateway.gate.replace_tokens(tokens);
        }
    }

    /// Shows clients another certificate from the next handshake on, where the options have given one.
    pub fn replace_certificate(&self, certificate: ServerCertificate) {
        self.proxy.tls.replace(certificate);
    }

    /// A snapshot of the counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.proxy.counters.snapshot(self.proxy.contexts.count())
    }

    /// Makes ready to [`stop`](Self::stop): accepts nothing more, ends connections as they fall idle, and waits until
    /// what is in flight has ended or `limit` is over. Clients are told that their connection ends; one that has just
    /// connected, and may still shake hands, has a second to ask and be answered. A gateway's tunnels of upgrades are
    /// ended at once, since they would last for ever: both ends of a WebSocket get a Close with 1001 (RFC 6455, section
    /// 7.4.1), and two seconds to answer it. A stop cuts it short.
    ///
    /// Its waiting is done on the caller's runtime, of tokio with time.
    pub async fn drain(&self, limit: Duration) {
        const LOOK_EVERY: Duration = Duration::from_millis(10);
        const LATECOMERS: Duration = Duration::from_secs(1);
        self.proxy.ending.store(true, Relaxed);
        self.proxy.draining.cancel();
        let begun = Instant::now();
        let drained = async {
            while !self.proxy.is_drained(begun.elapsed() < LATECOMERS) {
                self.proxy.contexts.cut_waiting();
                sleep(LOOK_EVERY).await;
            }
        };
        // Over the limit, what is left ends with the stop.
        let _ = timeout(limit, drained).await;
    }

    /// Stops: ends all traffic, frees the port, joins the threads. Blocks for at most about a second.
    /// It may be called again, and from several threads: every call returns when the server has stopped.
    pub fn stop(&self) {
        self.proxy.contexts.stop();
        self.proxy.stopping.cancel();
        self.workers.join();
    }
}

/// What every connection of one server shares.
pub(crate) struct Proxy {
    address: SocketAddr,
    addresses: Vec<SocketAddr>,
    pub(crate) face: Acting,
    pub(crate) http2: bool,
    pub(crate) tls: tls::Listener,
    pub(crate) certificates: Certificates,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    pub(crate) connections: Connections,
    pub(crate) dialer: Dialer,
    pub(crate) contexts: Contexts,
    pub(crate) counters: Counters,
    /// Threads that accept connections, and connections on their way to the threads that serve them.
    pub(crate) arriving: Gauge,
    pub(crate) stopping: CancellationToken,
    /// Cancelled when nothing new may begin, and when the server stops.
    pub(crate) draining: CancellationToken,
    /// The same for whoever asks at every request: the token has a lock, which all threads would wait for.
    ending: AtomicBool,
    pub(crate) tasks: TaskTracker,
    events: Option<EventSink>,
}

impl Proxy {
    /// Whether anyone listens for events: what only they need is not computed otherwise.
    pub(crate) fn is_observed(&self) -> bool {
        self.events.is_some()
    }

    /// Whether connections are to end with their next answer.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Relaxed)
    }

    /// Whether nothing is in flight any more, nor may begin if there is time for that, or nobody waits for it. A connection
    /// that has been answered, and is kept alive, is not waited for.
    fn is_drained(&self, has_time: bool) -> bool {
        // In the order in which a connection passes from one to the next: it is counted there before it leaves here.
        let is_closed = self.arriving.now() == 0;
        let Counters { requests, tunnels, fresh, leaving, .. } = &self.counters;
        let fresh = if has_time { fresh.now() } else { 0 };
        let http2 = self.face.shared().map_or(0, |shared| shared.http2.now());
        let busy = fresh + http2 + requests.now() + tunnels.now() + leaving.now();
        self.stopping.is_cancelled() || (is_closed && busy == 0)
    }

    /// Tells the embedder; the event is only made when someone listens. While a panic unwinds nobody is told:
    /// a second one, in the sink, would abort the process.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(sink) = self.events.as_ref().filter(|_| !thread::panicking()) {
            sink(event());
        }
    }
}
