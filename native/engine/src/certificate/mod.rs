//! The certificates a server shows: for the hosts it answers in place of, and for its own listening socket.
//!
//! Each server has an authority of its own, so that whoever trusts one trusts no other. It can vouch for
//! nothing but this machine's loopback names and what the options add to them: the constraints are part of
//! its certificate, and hold even for who has stolen its key. What clients are told of it is in
//! [`Certificate`]; the key stays in here.

mod authority;
mod cache;
mod given;
mod leaf;
mod listener;
mod store;
#[cfg(test)]
mod tests;
mod validity;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use rustls::ServerConfig;

use crate::authority::Host;
use crate::error::{LeafError, StartError};
use crate::options::CertificateOptions;
use authority::Authority;
use cache::Cache;
pub(crate) use given::Shown;
pub use given::{InvalidCertificate, ServerCertificate};
pub(crate) use listener::ListenerLeaf;

/// A certificate, as clients are told of it.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate in PEM (RFC 7468).
    pub pem: String,
    /// `sha256/` and the base64 of the SHA-256 of its DER, the form of Electron's `certificate.fingerprint`.
    pub fingerprint: String,
}

impl Certificate {
    fn new(pem: String, der: &[u8]) -> Self {
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, der));
        Self { pem, fingerprint: format!("sha256/{hash}") }
    }
}

/// The certificates of one server.
pub(crate) struct Certificates {
    authority: Authority,
    names: Vec<Host>,
    cache: Cache,
}

impl Certificates {
    /// Makes an authority, or takes the one that is kept in the folder. Blocks.
    pub(crate) fn new(options: &CertificateOptions) -> Result<Self, StartError> {
        let names = parse_names(&options.names)?;
        let authority = match &options.directory {
            None => Authority::new(&names, validity::now())?,
            Some(directory) => store::open(directory, &names, validity::now())?,
        };
        Ok(Self { authority, names, cache: Cache::default() })
    }

    pub(crate) fn authority(&self) -> &Certificate {
        &self.authority.certificate
    }

    /// TLS with a certificate for this host. Who asks again gets the same, so that sessions are resumed.
    pub(crate) fn for_host(
        &self,
        host: &Host,
        http2: bool,
    ) -> Result<Arc<ServerConfig>, LeafError> {
        let now = validity::now();
        if let Some(config) = self.cache.get(host, http2, now) {
            return Ok(config);
        }
        let leaf = leaf::issue(&self.authority, std::slice::from_ref(host), now)?;
        let config = leaf.serve(&self.authority, http2)?;
        self.cache.put(host.clone(), http2, leaf.validity, Arc::clone(&config));
        Ok(config)
    }
}

/// What is offered to clients by ALPN (RFC 7301).
fn alpn(http2: bool) -> Vec<Vec<u8>> {
    let http2 = http2.then(|| b"h2".to_vec());
    http2.into_iter().chain([b"http/1.1".to_vec()]).collect()
}

fn parse_names(names: &[String]) -> Result<Vec<Host>, StartError> {
    let parse = |name: &String| match name.parse() {
        Ok(ip) => Ok(Host::Ip(ip)),
        Err(_) => name.parse().map_err(|_| StartError::CertificateName(name.clone())),
    };
    names.iter().map(parse).collect()
}

/// What the certificate of a listening socket is for; some of it twice.
fn listener_hosts(address: IpAddr, names: &[Host]) -> Vec<Host> {
    let localhost = [
        Host::Name("localhost".into()),
        Host::Ip(Ipv4Addr::LOCALHOST.into()),
        Host::Ip(Ipv6Addr::LOCALHOST.into()),
    ];
    let mut hosts = if address.is_loopback() {
        [&localhost[..], &[Host::Ip(address)]].concat()
    } else if address.is_unspecified() {
        localhost.to_vec()
    } else if names.is_empty() {
        // For those who know the certificate by its fingerprint.
        vec![Host::Ip(address)]
    } else {
        // One address that the constraints do not permit would make the whole certificate invalid.
        Vec::new()
    };
    hosts.extend_from_slice(names);
    hosts
}
