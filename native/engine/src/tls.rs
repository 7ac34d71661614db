//! TLS towards clients: the handshake of the secure listener, and of tunnels that are looked into.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::certificate::{Certificate, Certificates, ServerCertificate, Shown};
use crate::connection::Protocol;
use crate::error::LeafError;
use crate::options::ServerOptions;
use crate::stream::Stream;

/// What clients of the listening sockets are shown, if they are secure.
pub(crate) struct Listener {
    /// What they shake hands with.
    pub(crate) config: Option<Arc<ServerConfig>>,
    certificate: Option<Certificate>,
    given: Option<Arc<Shown>>,
}

impl Listener {
    /// A certificate that is given goes before one of the server's own authority.
    pub(crate) fn new(
        options: &ServerOptions,
        own: &Certificates,
        addresses: &[SocketAddr],
    ) -> Result<Self, LeafError> {
        if let Some(given) = options.certificate.clone().map(Shown::new) {
            let config = Some(given.serve(options.http2)?);
            return Ok(Self { config, certificate: None, given: Some(given) });
        }
        let own = || own.for_listener(addresses, options.http2);
        let (config, certificate) = options.secure.then(own).transpose()?.unzip();
        Ok(Self { config, certificate, given: None })
    }

    /// The one of the server's own authority.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Shows another in place of the one that was given.
    pub(crate) fn replace(&self, certificate: ServerCertificate) {
        if let Some(given) = &self.given {
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
