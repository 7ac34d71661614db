//! A certificate that somebody else has signed, for the listening sockets to show. It may be exchanged while they
//! listen: the next handshake has the new one.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use super::alpn;
use crate::error::LeafError;

/// A certificate with its chain and its key.
#[derive(Clone)]
pub struct ServerCertificate(Arc<CertifiedKey>);

/// Why a certificate and a key cannot be shown.
#[derive(Debug, Error)]
pub enum InvalidCertificate {
    /// There is none, or it is no PEM.
    #[error("there is no PEM certificate")]
    Certificate,
    /// There is none, or it is no PEM.
    #[error("there is no PEM private key")]
    Key,
    /// TLS does not take them, or not together.
    #[error("the certificate cannot be served with this key: {0}")]
    Unfit(#[from] rustls::Error),
}

impl ServerCertificate {
    /// Takes a certificate, followed by what leads to a root, and its private key, both in PEM (RFC 7468).
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, InvalidCertificate> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or(InvalidCertificate::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| InvalidCertificate::Key)?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider())?;
        Ok(Self(Arc::new(certified)))
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerCertificate")
    }
}

/// The certificate that is shown now.
#[derive(Debug)]
pub(crate) struct Shown(RwLock<ServerCertificate>);

impl Shown {
    pub(crate) fn new(certificate: ServerCertificate) -> Arc<Self> {
        Arc::new(Self(RwLock::new(certificate)))
    }

    pub(crate) fn replace(&self, certificate: ServerCertificate) {
        *self.0.write() = certificate;
    }

    /// TLS settings that show it.
    pub(crate) fn serve(self: &Arc<Self>, http2: bool) -> Result<Arc<ServerConfig>, LeafError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = alpn(http2);
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().0))
    }
}
