//! TLS towards clients: the handshake of the secure listener, and of tunnels that are looked into.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::connection::Protocol;
use crate::stream::Stream;

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
