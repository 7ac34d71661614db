//! Origins that speak TLS, with certificates of an authority made for the test.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tabport_engine::ServerOptions;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::harness::{DEADLINE, Origin, Peer};

/// Signs the certificates of a test's origins.
pub(crate) struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl CertificateAuthority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// An origin with a certificate for this name, that speaks these protocols.
    pub(crate) async fn origin(&self, name: &str, alpn: &[&str]) -> TlsOrigin {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = protocols(alpn);
        TlsOrigin { tcp: Origin::start().await, config }
    }

    /// A proxy's options that trust this authority, and dial each origin under the name given.
    pub(crate) fn options(&self, origins: &[(&str, &TlsOrigin)]) -> ServerOptions {
        let dialled = origins
            .iter()
            .map(|(authority, origin)| (authority.parse().unwrap(), origin.tcp.address()));
        ServerOptions {
            extra_ca: Some(self.pem.clone()),
            connect_to: dialled.collect(),
            ..ServerOptions::default()
        }
    }
}

/// A TLS server that the proxy dials.
pub(crate) struct TlsOrigin {
    pub(crate) tcp: Origin,
    config: ServerConfig,
}

fn protocols(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

impl TlsOrigin {
    /// Speaks other protocols from now on.
    pub(crate) fn now_speaks(&mut self, alpn: &[&str]) {
        self.config.alpn_protocols = protocols(alpn);
    }

    fn acceptor(&self) -> TlsAcceptor {
        Arc::new(self.config.clone()).into()
    }

    pub(crate) async fn accept(&self) -> Peer<TlsStream<TcpStream>> {
        let tcp = self.tcp.accept().await.0;
        let handshake = timeout(DEADLINE, self.acceptor().accept(tcp)).await;
        Peer(handshake.expect("the handshake ends").unwrap())
    }

    /// Accepts a connection whose handshake the proxy gives up.
    pub(crate) async fn is_refused(&self) {
        let tcp = self.tcp.accept().await.0;
        let handshake = timeout(DEADLINE, self.acceptor().accept(tcp)).await;
        assert!(handshake.expect("the handshake ends").is_err(), "the certificate was accepted");
    }

    /// Accepts, reads one request's head, and answers 200 with this body.
    pub(crate) async fn answer(&self, body: &str) -> (Peer<TlsStream<TcpStream>>, String) {
        let mut peer = self.accept().await;
        let head = peer.head().await;
        peer.answer(body).await;
        (peer, head)
    }
}

impl Peer<TlsStream<TcpStream>> {
    /// The name asked for in the handshake.
    pub(crate) fn sni(&self) -> Option<&str> {
        self.0.get_ref().1.server_name()
    }

    /// The protocol agreed on.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.0.get_ref().1.alpn_protocol()
    }
}
