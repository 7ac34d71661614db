//! What a server is started with.
//!
//! Everything here is already parsed: a door turns its own spelling (JavaScript values, flags, environment)
//! into these types, and reports what does not fit in its own words.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::authority::Authority;
use crate::certificate::ServerCertificate;
use crate::event::EventSink;
use crate::face::Face;
use crate::limits::Limits;
use crate::upstream::UpstreamProxy;

/// How a [`Server`](crate::Server) listens, dials and reports.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where to listen.
    pub bind: Bind,
    /// What it does with requests.
    pub face: Face,
    /// Whether HTTP/2 is served beside HTTP/1.1, on the same port: by prior knowledge, and inside TLS by ALPN.
    pub http2: bool,
    /// Whether an address other than loopback may be bound.
    pub allow_non_loopback: bool,
    /// Whether clients speak TLS to the listening socket, with a certificate of the server's own authority.
    /// ALPN offers `h2`, where [`http2`](Self::http2) is set, and `http/1.1`.
    pub secure: bool,
    /// What clients are shown instead of a certificate of the server's own authority; they speak TLS to the listening
    /// sockets then.
    pub certificate: Option<ServerCertificate>,
    /// The authority that clients have to trust, for the insides of tunnels and for a secure listener.
    pub certificates: CertificateOptions,
    /// PEM certificates trusted in addition to the platform's roots.
    pub extra_ca: Option<String>,
    /// The address really dialled for an authority, as curl's `--connect-to`.
    pub connect_to: HashMap<Authority, SocketAddr>,
    /// The next proxy, for upstreams that are not on this machine; `None` dials them directly. It resolves
    /// their names, and so decides alone whether one leads to a loopback address, of its own machine.
    pub upstream_proxy: Option<UpstreamProxy>,
    /// The limits on time.
    pub timeouts: Timeouts,
    /// The limits on everything else.
    pub limits: Limits,
    /// How many threads serve connections.
    pub workers: usize,
    /// Receives every [`Event`](crate::Event), on the server's own threads; it must not block.
    pub on_event: Option<EventSink>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            bind: Bind::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
            face: Face::default(),
            http2: true,
            allow_non_loopback: false,
            secure: false,
            certificate: None,
            extra_ca: None,
            certificates: CertificateOptions::default(),
            connect_to: HashMap::new(),
            upstream_proxy: None,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            workers: 2,
            on_event: None,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("bind", &self.bind)
            .field("http2", &self.http2)
            .field("timeouts", &self.timeouts)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Where to listen.
#[derive(Debug, Clone)]
pub enum Bind {
    /// One address; port 0 asks the system for a free one.
    Address(SocketAddr),
    /// Addresses where other sockets of the same user may listen, too, if they say the same: so one process can take
    /// over from another (`SO_REUSEPORT`). Elsewhere than on Unix they are like any addresses.
    Shared(Vec<SocketAddr>),
    /// The first free port from `start` on, at most `attempts` ports, never past 65535.
    AutoPort {
        /// The address to listen on.
        host: IpAddr,
        /// The first port to try.
        start: u16,
        /// How many ports to try, at least one.
        attempts: u32,
    },
    /// Several addresses. One that another covers, being the same or a wildcard of its family with its port, is
    /// left out.
    Addresses {
        /// The addresses to listen on.
        addresses: Vec<SocketAddr>,
        /// Whether it is enough that one of them can be bound.
        allow_partial: bool,
    },
    /// Sockets that listen already, from whoever has started this process.
    Sockets(Vec<Arc<TcpListener>>),
}

/// The certificates a server makes: where their authority is kept, and what it may vouch for.
#[derive(Debug, Clone, Default)]
pub struct CertificateOptions {
    /// A folder for the authority and its private key, so that it stays the same from start to start. `None`
    /// makes one in memory, which ends with the server. A folder that is missing is made, for its owner
    /// alone (0700); one that its group or others may enter is refused.
    pub directory: Option<PathBuf>,
    /// What the authority may vouch for beside `localhost` and everything below it, 127.0.0.0/8 and `::1`:
    /// addresses, and DNS names, each of which stands for everything below it, too.
    pub names: Vec<String>,
}

/// Limits on time. A stream that keeps moving is never cut by any of them.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Resolving and connecting to an upstream; getting a tunnel from the next proxy. Default 10 s.
    pub connect: Duration,
    /// A TLS handshake, with an upstream or with a client. Default 10 s.
    pub tls_handshake: Duration,
    /// Receiving a request's head, and how long a connection from a client may wait for its next request; one that
    /// speaks HTTP/2 is told to end after that time without a stream, and at most twice that. Default 60 s.
    pub request_head: Duration,
    /// Waiting for an upstream's response head once the request is sent. Default 300 s.
    pub response_head: Duration,
    /// How long a body or a tunnel may move no byte; `None`, the default, is for ever.
    pub idle: Option<Duration>,
    /// How long a half-closed tunnel may move no byte. Default 30 s.
    pub half_close: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            tls_handshake: Duration::from_secs(10),
            request_head: Duration::from_secs(60),
            response_head: Duration::from_secs(300),
            idle: None,
            half_close: Duration::from_secs(30),
        }
    }
}
