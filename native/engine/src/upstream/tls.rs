//! TLS towards upstreams: the platform's roots, and those the embedder adds.
//!
//! Certificates are always verified. Each context has its own session cache, so that no tab can tell by a
//! resumed session what another has visited.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::Host;
use crate::error::{ProxyError, StartError};
use crate::stream::Stream;

/// Whom the server trusts. The platform's roots are read when the first TLS upstream is dialled.
pub(crate) struct Trust {
    extra: Vec<CertificateDer<'static>>,
    /// Named wherever it is needed, so that no process-wide default decides which cryptography is used.
    provider: Arc<CryptoProvider>,
    verifier: OnceCell<Arc<Verifier>>,
}

impl Trust {
    pub(crate) fn new(extra_ca: Option<&str>) -> Result<Self, StartError> {
        let extra = extra_ca.map(parse_pem).transpose()?.unwrap_or_default();
        let provider = Arc::new(ring::default_provider());
        Ok(Self { extra, provider, verifier: OnceCell::new() })
    }

    async fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, ProxyError> {
        let verifier = self.verifier.get_or_try_init(|| {
            let (extra, provider) = (self.extra.clone(), Arc::clone(&self.provider));
            let load = move || Verifier::new_with_extra_roots(extra, provider).map(Arc::new);
            async {
                let loaded = tokio::task::spawn_blocking(load).await;
                let loaded = loaded.map_err(|error| rustls::Error::General(error.to_string()));
                loaded.flatten().map_err(ProxyError::TrustStore)
            }
        });
        Ok(Arc::<Verifier>::clone(verifier.await?) as _)
    }
}

fn parse_pem(pem: &str) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let refuse = |reason: String| StartError::ExtraCa(reason);
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| refuse(error.to_string()))?;
    if certificates.is_empty() {
        return Err(refuse("there is no PEM certificate in it".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| refuse(error.to_string()))?;
    }
    Ok(certificates)
}

/// What to offer an upstream by ALPN (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpn {
    /// HTTP/2, or else HTTP/1.1.
    Any,
    /// HTTP/1.1 alone: an upgrade needs it.
    Http1,
}

/// One context's TLS towards its upstreams.
#[derive(Default)]
pub(crate) struct Tls(OnceLock<Configs>);

struct Configs {
    any: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
}

impl Tls {
    /// Shakes hands over a connection just dialled.
    pub(crate) async fn connect(
        &self,
        trust: &Trust,
        stream: Stream,
        host: &Host,
        alpn: Alpn,
    ) -> Result<TlsStream<Stream>, ProxyError> {
        let configs = self.configs(trust).await?;
        let config = match alpn {
            Alpn::Any => &configs.any,
            Alpn::Http1 => &configs.http1,
        };
        let connector = TlsConnector::from(Arc::clone(config));
        connector.connect(server_name(host)?, stream).await.map_err(classify)
    }

    async fn configs(&self, trust: &Trust) -> Result<&Configs, ProxyError> {
        if let Some(configs) = self.0.get() {
            return Ok(configs);
        }
        let verifier = trust.verifier().await?;
        let configs = Configs::new(&trust.provider, verifier).map_err(ProxyError::TrustStore)?;
        Ok(self.0.get_or_init(|| configs))
    }
}

impl Configs {
    fn new(
        provider: &Arc<CryptoProvider>,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> Result<Self, rustls::Error> {
        let mut any = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        any.resumption = Resumption::in_memory_sessions(64);
        let mut http1 = any.clone();
        any.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { any: Arc::new(any), http1: Arc::new(http1) })
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, ProxyError> {
    match host {
        Host::Ip(ip) => Ok(ServerName::from(IpAddr::to_canonical(ip))),
        Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| ProxyError::BadRequest("the host is not a name that TLS can verify")),
    }
}

fn classify(error: std::io::Error) -> ProxyError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => ProxyError::TlsCertificate(error),
        _ => ProxyError::TlsProtocol(error),
    }
}
