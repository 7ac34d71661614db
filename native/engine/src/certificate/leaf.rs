//! A leaf: the certificate that one host is served with, and the TLS settings around it.
//!
//! Every leaf has a key of its own, which is cleared once `ring` has read it; `ring`'s own copy cannot be.

use std::sync::Arc;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use zeroize::Zeroizing;

use super::authority::Authority;
use super::validity::Validity;
use super::{Certificate, alpn};
use crate::authority::{Host, without_dot};
use crate::error::LeafError;

/// Clients refuse more than 398 days.
const DAYS: u64 = 397;

pub(super) struct Leaf {
    der: CertificateDer<'static>,
    key: Arc<dyn SigningKey>,
    pub(super) certificate: Certificate,
    pub(super) validity: Validity,
}

/// Makes a certificate for these hosts; the first gives it its name.
pub(super) fn issue(authority: &Authority, hosts: &[Host], now: u64) -> Result<Leaf, LeafError> {
    let validity = Validity::starting(now, DAYS).within(authority.validity);
    let key = Zeroizing::new(KeyPair::generate()?);
    let signed = authority.sign(&params(hosts, validity)?, &key)?;
    let certificate = Certificate::new(signed.pem(), signed.der());
    let key = ring::sign::any_ecdsa_type(&PrivatePkcs8KeyDer::from(key.serialized_der()).into())?;
    Ok(Leaf { der: signed.into(), key, certificate, validity })
}

fn params(hosts: &[Host], validity: Validity) -> Result<CertificateParams, LeafError> {
    let mut params = CertificateParams::default();
    validity.apply_to(&mut params);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name(hosts.first()));
    params.subject_alt_names = hosts.iter().map(alternative_name).collect::<Result<_, _>>()?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// What the certificate is called where people look at it; nobody looks for the host in there any more.
fn common_name(host: Option<&Host>) -> String {
    /// RFC 5280, appendix A.1.
    const LONGEST: usize = 64;
    match host {
        Some(Host::Name(name)) => without_dot(name).chars().take(LONGEST).collect(),
        // OpenSSL takes a bare IPv4 address for a DNS name, which the authority's constraints do not permit.
        Some(Host::Ip(ip)) => format!("address {ip}"),
        None => String::new(),
    }
}

fn alternative_name(host: &Host) -> Result<SanType, rcgen::Error> {
    Ok(match host {
        Host::Name(name) => SanType::DnsName(without_dot(name).try_into()?),
        Host::Ip(ip) => SanType::IpAddress(*ip),
    })
}

impl Leaf {
    /// TLS settings that show it. Sessions are kept in memory, with these settings and nowhere else, and
    /// clients get their number alone: no server can resume another's.
    pub(super) fn serve(
        &self,
        authority: &Authority,
        http2: bool,
    ) -> Result<Arc<ServerConfig>, LeafError> {
        let chain = vec![self.der.clone(), authority.der.clone()];
        let certified = CertifiedKey::new(chain, Arc::clone(&self.key));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = alpn(http2);
        Ok(Arc::new(config))
    }
}
