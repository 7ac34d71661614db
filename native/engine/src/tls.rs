//! TLS towards clients: the handshake of the secure listener, and of tunnels that are looked into.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::certificate::{Certificate, Certificates, ListenerLeaf, ServerCertificate, Shown};
use crate::connection::Protocol;
use crate::error::LeafError;
use crate::options::ServerOptions;
use crate::stream::Stream;

/// What clients of the listening sockets are shown.
pub(crate) enum Listener {
    /// Nothing: they speak no TLS.
    Plain,
    /// A certificate of the server's own authority.
    Own(ListenerLeaf),
    /// One from elsewhere.
    Given(Arc<ServerConfig>, Arc<Shown>),
}

impl Listener {
    /// A certificate that is given goes before one of the server's own authority.
    pub(crate) fn new(
        options: &ServerOptions,
        own: &Certificates,
        addresses: &[SocketAddr],
    ) -> Result<Self, LeafError> {
        if let Some(given) = options.certificate.clone().map(Shown::new) {
            return Ok(Self::Given(given.serve(options.http2)?, given));
        }
        if !options.secure {
            return Ok(Self::Plain);
        }
        Ok(Self::Own(ListenerLeaf::new(own, addresses, options.http2)?))
    }

    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// What clients shake hands with now, where they do.
    pub(crate) fn config(&self, own: &Certificates) -> Option<Arc<ServerConfig>> {
        match self {
            Self::Plain => None,
            Self::Own(leaf) => Some(leaf.config(own)),
            Self::Given(config, _) => Some(Arc::clone(config)),
        }
    }

    /// The one of the server's own authority that is shown now.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        if let Self::Own(leaf) = self { Some(leaf.certificate()) } else { None }
    }

    /// Shows another in place of the one that was given.
    pub(crate) fn replace(&self, certificate: ServerCertificate) {
        if let Self::Given(_, given) = self {
            given.replace(certificate);
        }
    }
}

/// Shakes hands as a server, within a time, and says what ALPN has agreed on (RFC 7301).
pub(crate) async fn accept(
    stream: Stream,
    config: Arc<ServerConfig>,
    limit: Duration,
) -> io::Result<(Stream, Protocol)> {
    let handshake = Box::pin(TlsAcceptor::from(config).accept(stream));
    let tls = timeout(limit, handshake).await??;
    let protocol = match tls.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        Some(_) => Protocol::Http1,
        None => Protocol::Unknown,
    };
    Ok((Stream::from(tls), protocol))
}
