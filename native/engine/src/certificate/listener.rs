//! The certificate of the listening sockets, where it is of the server's own authority. A server may run for longer than
//! clients accept one for, so it is made anew a day before it ends: the next handshake has the new one.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;

use super::validity::{self, Validity};
use super::{Certificate, Certificates, leaf, listener_hosts};
use crate::authority::Host;
use crate::error::LeafError;

/// A certificate is made anew when it has no more than this left.
const SPARE_DAYS: u64 = 1;

/// What the listening sockets show.
pub(crate) struct ListenerLeaf {
    hosts: Vec<Host>,
    http2: bool,
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    certificate: Certificate,
    validity: Validity,
}

impl ListenerLeaf {
    /// For the listening sockets at these addresses.
    pub(crate) fn new(
        certificates: &Certificates,
        addresses: &[SocketAddr],
        http2: bool,
    ) -> Result<Self, LeafError> {
        let ips = addresses.iter().map(|address| address.ip().to_canonical());
        let mut hosts: Vec<Host> = Vec::new();
        for host in ips.flat_map(|ip| listener_hosts(ip, &certificates.names)) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let current = Mutex::new(make(certificates, &hosts, http2, validity::now())?);
        Ok(Self { hosts, http2, current })
    }

    pub(crate) fn certificate(&self) -> Certificate {
        self.current.lock().certificate.clone()
    }

    /// TLS settings that show one which is valid. Where none can be made, the old one is better than none.
    pub(crate) fn config(&self, certificates: &Certificates) -> Arc<ServerConfig> {
        self.config_at(certificates, validity::now())
    }

    pub(super) fn config_at(&self, certificates: &Certificates, now: u64) -> Arc<ServerConfig> {
        let mut current = self.current.lock();
        if !current.validity.holds(now, SPARE_DAYS) {
            match make(certificates, &self.hosts, self.http2, now) {
                Ok(new) => *current = new,
                Err(error) => tracing::error!(%error, "the listener's certificate ends"),
            }
        }
        Arc::clone(&current.config)
    }
}

fn make(
    certificates: &Certificates,
    hosts: &[Host],
    http2: bool,
    now: u64,
) -> Result<Current, LeafError> {
    let leaf = leaf::issue(&certificates.authority, hosts, now)?;
    let config = leaf.serve(&certificates.authority, http2)?;
    Ok(Current { config, certificate: leaf.certificate, validity: leaf.validity })
}
