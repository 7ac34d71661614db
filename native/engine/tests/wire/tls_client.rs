//! Clients that speak TLS, and trust the proxy's own authority alone.

use std::io::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{Context, DEADLINE, Peer, Proxy};

/// How a client shakes hands.
pub(crate) fn config(authority: &str, alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// What a client of `localhost` says first.
pub(crate) fn hello(proxy: &Proxy, alpn: &[&str]) -> Vec<u8> {
    let trusting = config(&proxy.server.certificate_authority().pem, alpn);
    let name = "localhost".try_into().unwrap();
    let mut tls = rustls::ClientConnection::new(trusting.into(), name).unwrap();
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).unwrap();
    hello
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Shakes hands for this name, or says why not.
    pub(crate) async fn shake_hands(
        self,
        name: &str,
        config: ClientConfig,
    ) -> io::Result<Peer<TlsStream<S>>> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, self.0);
        timeout(DEADLINE, handshake).await.expect("the handshake ends").map(Peer)
    }
}

impl Proxy {
    /// A client inside TLS, inside a tunnel to this authority.
    pub(crate) async fn inside(
        &self,
        context: &Context,
        authority: &str,
        alpn: &[&str],
    ) -> Peer<TlsStream<TcpStream>> {
        let host = authority.rsplit_once(':').unwrap().0.trim_matches(['[', ']']);
        let config = config(&self.server.certificate_authority().pem, alpn);
        self.tunnel(context, authority).await.shake_hands(host, config).await.unwrap()
    }

    /// A client of a secure listener.
    pub(crate) async fn connect_securely(&self, alpn: &[&str]) -> Peer<TlsStream<TcpStream>> {
        let config = config(&self.server.certificate_authority().pem, alpn);
        self.connect().await.shake_hands("127.0.0.1", config).await.unwrap()
    }
}

impl<S> Peer<TlsStream<S>> {
    /// The protocol agreed on.
    pub(crate) fn agreed(&self) -> Option<&[u8]> {
        self.0.get_ref().1.alpn_protocol()
    }
}

/// Shakes hands with `localhost` inside an HTTP/2 stream, and opens that stream's window no further.
pub(crate) async fn shake_hands_in_stream(
    up: &mut SendStream<Bytes>,
    down: &mut RecvStream,
    config: ClientConfig,
) -> ClientConnection {
    let mut tls = ClientConnection::new(config.into(), "localhost".try_into().unwrap()).unwrap();
    send_records(&mut tls, up);
    while tls.is_handshaking() {
        let data = timeout(DEADLINE, down.data()).await.expect("a flight").unwrap().unwrap();
        tls.read_tls(&mut &data[..]).unwrap();
        tls.process_new_packets().unwrap();
        send_records(&mut tls, up);
    }
    tls
}

/// Says something inside such a stream.
pub(crate) fn say(tls: &mut ClientConnection, up: &mut SendStream<Bytes>, text: &str) {
    tls.writer().write_all(text.as_bytes()).unwrap();
    send_records(tls, up);
}

fn send_records(tls: &mut ClientConnection, up: &mut SendStream<Bytes>) {
    let mut records = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut records).unwrap();
    }
    up.send_data(records.into(), false).unwrap();
}
