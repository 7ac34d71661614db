//! Listening, and everything that lives as long as the server.
//!
//! A [`Server`] is a handle: it starts its own threads, so that an embedder's event loop never carries a
//! byte, and stopping it joins them. All state hangs off the handle; nothing is global to the process.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::certificate::{Certificate, Certificates};
use crate::connection::{self, Connection};
use crate::context::{ContextInfo, Contexts};
use crate::counters::{Counters, Stats};
use crate::error::{ContextError, StartError};
use crate::event::{Event, EventSink};
use crate::limits::{self, Connections, ContextLimits, Limits};
use crate::options::{ServerOptions, Timeouts};
use crate::route::Route;
use crate::share::{Inbox, Load, Shares};
use crate::stream::Stream;
use crate::upstream::Dialer;
use crate::workers::{self, Work, Workers};

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
        let listener = workers::bind(options.bind, options.allow_non_loopback)?;
        let address = listener.local_addr().map_err(StartError::Threads)?;
        let certificates = Certificates::new(&options.certificates)?;
        let secure = || certificates.for_listener(address.ip(), options.http2);
        let (secure, listener_certificate) = options.secure.then(secure).transpose()?.unzip();
        let proxy = Arc::new(Proxy {
            address,
            http2: options.http2,
            secure,
            listener_certificate,
            certificates,
            timeouts: options.timeouts,
            connections: Connections::new(options.limits.connections),
            limits: options.limits,
            dialer: Dialer::new(&options, address)?,
            contexts: Contexts::default(),
            counters: Counters::default(),
            events: options.on_event,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let workers = Workers::start(options.workers, &listener, &proxy)?;
        tracing::debug!(%address, "listening");
        Ok(Self { proxy, workers: Arc::new(workers) })
    }

    /// The address it listens on, with the real port; still known after [`stop`](Self::stop).
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.proxy.address
    }

    /// The authority that has signed every certificate this server shows; its key never leaves the server.
    #[must_use]
    pub fn certificate_authority(&self) -> &Certificate {
        self.proxy.certificates.authority()
    }

    /// The certificate of a secure listener.
    #[must_use]
    pub fn listener_certificate(&self) -> Option<&Certificate> {
        self.proxy.listener_certificate.as_ref()
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

    /// A snapshot of the counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.proxy.counters.snapshot(self.proxy.contexts.count())
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
    pub(crate) address: SocketAddr,
    pub(crate) http2: bool,
    /// What clients of a secure listener shake hands with.
    pub(crate) secure: Option<Arc<ServerConfig>>,
    listener_certificate: Option<Certificate>,
    pub(crate) certificates: Certificates,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    pub(crate) connections: Connections,
    pub(crate) dialer: Dialer,
    pub(crate) contexts: Contexts,
    pub(crate) counters: Counters,
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    events: Option<EventSink>,
}

impl Proxy {
    /// Whether anyone listens for events: what only they need is not computed otherwise.
    pub(crate) fn is_observed(&self) -> bool {
        self.events.is_some()
    }

    /// Tells the embedder; the event is only made when someone listens. While a panic unwinds nobody is told:
    /// a second one, in the sink, would abort the process.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(sink) = self.events.as_ref().filter(|_| !thread::panicking()) {
            sink(event());
        }
    }
}

/// Accepts until the server stops, then waits a moment for the connections' tasks to end.
pub(crate) async fn accept(listener: TcpListener, work: Work) {
    const DRAIN: Duration = Duration::from_millis(900);
    let Work { number, shares, mut inbox, proxy } = work;
    let stopping = proxy.stopping.clone();
    tokio::join!(
        stopping.run_until_cancelled(accept_loop(&listener, &shares, number, &proxy)),
        stopping.run_until_cancelled(take_over(&mut inbox, &proxy)),
        stopping.run_until_cancelled(close_idle_upstreams(&proxy)),
    );
    drop(listener);
    proxy.tasks.close();
    let _ = tokio::time::timeout(DRAIN, proxy.tasks.wait()).await;
}

async fn accept_loop(listener: &TcpListener, shares: &Shares, own: usize, proxy: &Arc<Proxy>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                if let Some((socket, load)) = shares.assign(socket, own) {
                    unless_it_panics("a connection", || begin(socket, load, proxy));
                }
            }
            Err(error) => pause_after(&error).await,
        }
    }
}

async fn take_over(inbox: &mut Inbox, proxy: &Arc<Proxy>) {
    while let Some((socket, load)) = inbox.next().await {
        unless_it_panics("a connection", || begin(socket, load, proxy));
    }
}

/// A panic costs what it happens in, and not the thread: its other connections, and those still to come.
fn unless_it_panics(what: &str, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!("{what} was lost to a panic");
    }
}

fn begin(socket: TcpStream, load: Load, proxy: &Arc<Proxy>) {
    let Some(slot) = proxy.connections.enter() else { return limits::turn_away(socket, proxy) };
    // A head and a short body are two writes now and then; Nagle's algorithm would hold back the second.
    let _ = socket.set_nodelay(true);
    let connection = Connection::accepted(proxy);
    proxy.tasks.spawn(connection::accept(Stream::accepted(socket, (load, slot)), connection));
}

/// When no descriptor is left, `accept` fails at once, again and again, until some are closed.
async fn pause_after(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        tracing::warn!(%error, "cannot accept connections for now");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn close_idle_upstreams(proxy: &Proxy) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        // It reads from those connections, so what it meets is not all of our own making.
        unless_it_panics("a sweep of idle connections", || proxy.contexts.close_idle_upstreams());
    }
}
