//! Everything that can go wrong, as values.
//!
//! [`ProxyError`] is what a request can run into; only `respond` turns it into a status. [`StartError`] and
//! [`ContextError`] are what an embedder can run into; each door gives them its own codes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

use crate::decide::RoutingError;
use crate::upstream::NextProxyError;

/// Why a request cannot be served.
///
/// The messages go to the client and into events: none names an address, a field value or a query.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// The request breaks a rule of RFC 9110 or 9112.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    /// A gateway does not know where the request leads.
    #[error(transparent)]
    Routing(#[from] RoutingError),
    /// A gateway's client comes from an address that is not trusted.
    #[error("this address may not use the gateway")]
    Untrusted,
    /// A browser that needs no token for where it is asks for a host that may have been made to lead to the gateway.
    #[error("this gateway does not answer a browser without a token that asks for this host")]
    ForeignHost,
    /// The request's head has too many bytes or fields.
    #[error("the request's head is too large")]
    HeadTooLarge,
    /// The request's body stopped coming.
    #[error("the request's body stopped coming")]
    RequestTimeout,
    /// The client went away; nobody reads the answer.
    #[error("the client went away")]
    ClientGone,
    /// A defect of ours.
    #[error("the proxy failed")]
    Internal,
    /// A CONNECT to a server that opens no tunnels.
    #[error("this is a reverse proxy: it opens no tunnels")]
    NoTunnels,
    /// A path that the proxy answers itself was asked for in another way than to be read.
    #[error("this path takes GET and HEAD only")]
    MethodNotAllowed,
    /// A body that was to be read whole is longer than it may be.
    #[error("the request's body is too large")]
    BodyTooLarge,
    /// Bodies that are read whole take all the room there is for them; when to come back.
    #[error("the proxy holds as much of requests as it may")]
    BuffersFull(Duration),
    /// An extended CONNECT asks for a protocol that is not relayed (RFC 8441).
    #[error("this protocol is not relayed")]
    UnknownProtocol,
    /// No credentials, or none that are valid now.
    #[error("proxy authentication required")]
    Unauthenticated,
    /// There is no certificate to answer a tunnel's TLS handshake with.
    #[error("no certificate could be made for this host")]
    Leaf(#[from] LeafError),
    /// The client did not complete the TLS handshake of a tunnel that was looked into.
    #[error("the client did not complete the TLS handshake")]
    Handshake(#[source] io::Error),
    /// A request inside a tunnel names another authority than the tunnel.
    #[error("this tunnel leads to another authority")]
    Misdirected,
    /// A routed context asked for a name that leads to the user's own loopback.
    #[error("the name resolves to a loopback address, which this context may not reach")]
    LoopbackRefused,
    /// The request would come back to this very proxy.
    #[error("the request leads back to this proxy")]
    Loop,
    /// The upstream's name could not be resolved.
    #[error("the upstream's name could not be resolved")]
    Dns(#[source] io::Error),
    /// The upstream refused the connection, or could not be reached.
    #[error("the upstream refused the connection")]
    Connect(#[source] io::Error),
    /// The upstream did not accept the connection in time.
    #[error("the upstream did not accept the connection in time")]
    ConnectTimeout,
    /// The platform's roots could not be loaded.
    #[error("the platform's certificates could not be loaded")]
    TrustStore(#[source] rustls::Error),
    /// The upstream's certificate is not trusted for its name.
    #[error("the upstream's certificate is not trusted")]
    TlsCertificate(#[source] io::Error),
    /// The TLS handshake failed for another reason.
    #[error("the TLS handshake with the upstream failed")]
    TlsProtocol(#[source] io::Error),
    /// The TLS handshake did not end in time.
    #[error("the TLS handshake with the upstream did not end in time")]
    TlsTimeout,
    /// The upstream closed the connection before it answered.
    #[error("the upstream closed the connection before it answered")]
    UpstreamClosed(#[source] io::Error),
    /// The upstream's answer is not HTTP, or not an answer to what was asked.
    #[error("the upstream's answer is not valid")]
    UpstreamProtocol(&'static str),
    /// The upstream's response head did not arrive in time.
    #[error("the upstream did not answer in time")]
    ResponseTimeout,
    /// The gateway a route names has a token, and was given none, or another.
    #[error("the gateway was given no token, or a wrong one")]
    GatewayToken,
    /// The gateway a route names did not open the tunnel.
    #[error("the gateway refused the tunnel with {}", .0.as_u16())]
    GatewayRefused(StatusCode),
    /// The next proxy did not lead to the upstream.
    #[error(transparent)]
    NextProxy(#[from] NextProxyError),
    /// The context was released while its request was in flight.
    #[error("the context was released")]
    Released,
    /// The server has as many connections as it may have; when to come back.
    #[error("the proxy has as many connections as it may have")]
    ConnectionLimit(Duration),
    /// The context has as many requests in flight as it may have; when to come back.
    #[error("the context has as many requests in flight as it may have")]
    RequestLimit(Duration),
    /// The context has as many tunnels as it may have; when to come back.
    #[error("the context has as many tunnels as it may have")]
    TunnelLimit(Duration),
    /// The context asks faster than it may; when to come back.
    #[error("the context asks faster than it may")]
    RateLimit(Duration),
    /// The upstream could not be reached several times in a row; when it will be tried again.
    #[error("the upstream could not be reached several times in a row, and is left alone for now")]
    BreakerOpen(Duration),
}

impl ProxyError {
    /// After what time the same request may do better, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ConnectionLimit(wait)
            | Self::RequestLimit(wait)
            | Self::TunnelLimit(wait)
            | Self::RateLimit(wait)
            | Self::BuffersFull(wait)
            | Self::BreakerOpen(wait) => Some(*wait),
            _ => None,
        }
    }
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Every port of the range is in use.
    #[error("no free port on {host} among {first} to {last}")]
    NoFreePort {
        /// The address to listen on.
        host: IpAddr,
        /// The first port that was tried.
        first: u16,
        /// The last port that was tried.
        last: u16,
    },
    /// There is no address to listen on.
    #[error("there is no address to listen on")]
    NoAddress,
    /// The address is not loopback, and that was not allowed.
    #[error("{0} is not a loopback address; anyone who reaches it could use the proxy")]
    NonLoopback(IpAddr),
    /// The extra certificates are not PEM certificates.
    #[error("the extra certificates cannot be read: {0}")]
    ExtraCa(String),
    /// One of the names that certificates may be for is none.
    #[error("{0:?} is neither a DNS name nor an IP address that a certificate can be for")]
    CertificateName(String),
    /// The folder of the authority cannot be used.
    #[error("the authority cannot be kept in {}: {source}", .directory.display())]
    CertificateDirectory {
        /// The folder asked for.
        directory: PathBuf,
        /// What is wrong with it, or what the system said.
        source: io::Error,
    },
    /// The authority, or the listening socket's certificate, could not be made.
    #[error(transparent)]
    Certificate(#[from] LeafError),
    /// The gateway's own context could not be made.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The system gave no thread, or no event queue.
    #[error("the server's threads could not be started: {0}")]
    Threads(#[source] io::Error),
}

/// Why a certificate could not be made, or not be served with.
#[derive(Debug, Error)]
pub enum LeafError {
    /// No key could be made, or nothing signed with it.
    #[error("the certificate could not be made: {0}")]
    Making(#[from] rcgen::Error),
    /// TLS does not take the certificate.
    #[error("the certificate cannot be served with: {0}")]
    Serving(#[from] rustls::Error),
}

/// Why a context could not be made or released.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ContextError {
    /// The server is stopped.
    #[error("the server is stopped")]
    Stopped,
    /// No live context has this id.
    #[error("no context has the id {0:?}")]
    Unknown(String),
    /// The system gave no random bytes for the credentials.
    #[error("the system gave no random bytes")]
    Random,
}
