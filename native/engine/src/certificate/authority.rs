//! The authority: a key, and the certificate that says what may be signed with it.
//!
//! Its name and its serial number come from its key, so two authorities never share them, and a certificate
//! that was stored is known for ours by making it once more. The key's serialized form is cleared when the
//! authority is dropped. What cannot be cleared is the scalar that `ring` holds, which it does not give
//! access to, and the stack that it made the key on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use ring::digest;
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::Certificate;
use super::validity::Validity;
use crate::authority::{Host, without_dot};
use crate::error::LeafError;

/// How long an authority is valid: in memory it must not end before the longest session does, and a stored
/// one should not have to be trusted anew every few months.
const DAYS: u64 = 5 * 365;

/// How long one that was stored must still be valid to be taken.
const SPARE_DAYS: u64 = 30;

/// What signs a server's certificates.
pub(super) struct Authority {
    key: Zeroizing<KeyPair>,
    params: CertificateParams,
    pub(super) der: CertificateDer<'static>,
    pub(super) certificate: Certificate,
    pub(super) validity: Validity,
}

impl Authority {
    pub(super) fn new(names: &[Host], now: u64) -> Result<Self, LeafError> {
        Self::with_key(Zeroizing::new(KeyPair::generate()?), names, Validity::starting(now, DAYS))
    }

    fn with_key(
        key: Zeroizing<KeyPair>,
        names: &[Host],
        validity: Validity,
    ) -> Result<Self, LeafError> {
        let params = params(&key, names, validity);
        let signed = params.self_signed(&*key)?;
        let certificate = Certificate::new(signed.pem(), signed.der());
        Ok(Self { key, params, der: signed.into(), certificate, validity })
    }

    /// The authority of this key and this certificate, valid from then on, if it is still to be used, and the
    /// certificate is the one that would be made from all that now.
    pub(super) fn restore(
        key: Zeroizing<KeyPair>,
        (pem, der): (&str, CertificateDer<'static>),
        from: u64,
        names: &[Host],
        now: u64,
    ) -> Option<Self> {
        let validity = Validity::since(from, DAYS);
        if !validity.holds(now, SPARE_DAYS) {
            return None;
        }
        let made = Self::with_key(key, names, validity).ok()?;
        if signed_part(&made.der)? != signed_part(&der)? {
            return None;
        }
        Some(Self { certificate: Certificate::new(pem.to_owned(), &der), der, ..made })
    }

    /// The key in PEM. Copies that the encoder makes on its way are not cleared.
    pub(super) fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    pub(super) fn sign(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> Result<rcgen::Certificate, LeafError> {
        Ok(params.signed_by(key, &Issuer::from_params(&self.params, &*self.key))?)
    }
}

fn params(key: &KeyPair, names: &[Host], validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    validity.apply_to(&mut params);
    let hash = digest::digest(&digest::SHA256, key.public_key_raw());
    let name = hash.as_ref().first_chunk().copied().map(u32::from_be_bytes).unwrap_or_default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("tabport {name:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(constraints(names));
    params
}

fn constraints(names: &[Host]) -> NameConstraints {
    let loopback = [
        GeneralSubtree::DnsName("localhost".to_owned()),
        subnet(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
        subnet(Ipv6Addr::LOCALHOST.into(), 128),
    ];
    let added = names.iter().map(|name| match name {
        Host::Name(name) => GeneralSubtree::DnsName(without_dot(name).to_owned()),
        Host::Ip(ip @ IpAddr::V4(_)) => subnet(*ip, 32),
        Host::Ip(ip) => subnet(*ip, 128),
    });
    let permitted_subtrees = loopback.into_iter().chain(added).collect();
    NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() }
}

fn subnet(address: IpAddr, prefix: u8) -> GeneralSubtree {
    GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix))
}

/// All of a certificate but its signature, which is another each time it is made.
fn signed_part(der: &[u8]) -> Option<&[u8]> {
    // Both sequences are longer than 255 bytes, so their tag and length are four (X.690, 8.1.3.5).
    let part = der.get(4..)?;
    let [0x30, 0x82, high, low, ..] = *part else { return None };
    part.get(..4 + usize::from(u16::from_be_bytes([high, low])))
}
