//! The way through another proxy, for upstreams that are not on this machine.
//!
//! Whatever the upstream speaks, the next proxy is asked for a tunnel to it, by CONNECT or by SOCKS 5, so that
//! what comes of it is a stream of bytes like any other. Names are resolved by the next proxy, never here.
//!
//! That has a price: which address a public name leads to, the next proxy alone decides. What this machine can
//! tell by itself, it still does: `localhost`, a loopback address, and a number that means one
//! ([`number`]) are never handed over.

mod answers;
mod connect;
mod credentials;
mod error;
mod number;
mod proxy;
mod socks5;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::timeout;

pub use answers::{ProxyAnswer, ProxyResolver, UpstreamProxy};
pub use error::NextProxyError;
pub use proxy::{InvalidProxy, NextProxy, ProxyList};

use super::dial::Dialer;
use super::tls::{Alpn, Tls};
use crate::authority::{Authority, Host, Scheme, leads_to_loopback};
use crate::error::ProxyError;
use crate::route::{Loopback, Upstream};
use crate::stream::Stream;
use answers::Answers;
use number::Reading;
use proxy::{Hop, Protocol};

/// How long a proxy that could not be reached is tried last.
const AVOIDED: Duration = Duration::from_secs(30);
/// How many such proxies are remembered.
const MOST_AVOIDED: usize = 64;

/// How a server gets to the next proxy.
pub(super) struct NextProxies {
    answers: Answers,
    avoided: Mutex<HashMap<(Protocol, Authority), Instant>>,
}

impl NextProxies {
    pub(super) fn new(source: UpstreamProxy) -> Self {
        Self { answers: Answers::new(source), avoided: Mutex::default() }
    }

    /// The ways in order, but those that have just failed after the others.
    fn in_order(&self, ProxyList(mut hops): ProxyList) -> Vec<Hop> {
        let avoided = self.avoided.lock();
        hops.sort_by_key(|hop| match hop {
            Hop::Direct => false,
            Hop::Through(proxy) => avoided
                .get(&(proxy.protocol, proxy.authority.clone()))
                .is_some_and(|since| since.elapsed() < AVOIDED),
        });
        hops
    }

    fn avoid(&self, hop: &Hop) {
        let Hop::Through(proxy) = hop else { return };
        let mut avoided = self.avoided.lock();
        if avoided.len() >= MOST_AVOIDED {
            avoided.clear();
        }
        avoided.insert((proxy.protocol, proxy.authority.clone()), Instant::now());
    }
}

impl Dialer {
    /// Opens a stream of bytes to an upstream by way of the next proxy. A way that cannot be gone is given up
    /// for the next one on the list; a proxy that answers has the last word.
    pub(super) async fn open_through(
        &self,
        next: &NextProxies,
        upstream: &Upstream,
        scheme: Scheme,
        tls: &Tls,
    ) -> Result<Stream, ProxyError> {
        let Some(target) = target(&upstream.authority)? else {
            return self.connect_tcp(upstream).await.map(Stream::from);
        };
        let list = next.answers.lead_to(scheme, &target, self.timeouts.connect).await?;
        let mut first = None;
        for hop in next.in_order(list) {
            match self.open_by(&hop, upstream, &target, tls).await {
                Err(error) if is_unreachable(&error) => {
                    next.avoid(&hop);
                    first.get_or_insert(error);
                }
                outcome => return outcome,
            }
        }
        next.answers.forget(scheme, &target);
        Err(first.unwrap_or(ProxyError::NextProxy(NextProxyError::Unknown("there is none"))))
    }

    async fn open_by(
        &self,
        hop: &Hop,
        upstream: &Upstream,
        target: &Authority,
        tls: &Tls,
    ) -> Result<Stream, ProxyError> {
        match hop {
            Hop::Direct => self.connect_tcp(upstream).await.map(Stream::from),
            Hop::Through(proxy) => timeout(self.timeouts.connect, self.pass(proxy, target, tls))
                .await
                .unwrap_or(Err(NextProxyError::Timeout.into())),
        }
    }

    /// Gets a proxy to open a tunnel.
    async fn pass(
        &self,
        proxy: &NextProxy,
        target: &Authority,
        tls: &Tls,
    ) -> Result<Stream, ProxyError> {
        let own_leg = Upstream {
            scheme: Scheme::Http,
            authority: proxy.authority.clone(),
            routing: None,
            told: None,
            // Whoever named it has asked for it.
            loopback: Loopback::Allowed,
        };
        let mut stream = Stream::from(self.connect_tcp(&own_leg).await.map_err(on_own_leg)?);
        if proxy.protocol == Protocol::Https {
            let handshake =
                tls.connect(&self.trust, stream, &proxy.authority.host, Alpn::Http1).await;
            stream = handshake.map_err(on_own_leg)?.into();
        }
        let credentials = proxy.credentials.as_deref();
        let opened = match proxy.protocol {
            Protocol::Http | Protocol::Https => connect::connect(stream, target, credentials).await,
            Protocol::Socks5 => socks5::connect(stream, target, credentials).await,
        };
        Ok(opened?)
    }
}

/// What to ask the next proxy for; nothing where a number means this machine's loopback.
fn target(asked: &Authority) -> Result<Option<Authority>, ProxyError> {
    let Host::Name(name) = &asked.host else { return Ok(Some(asked.clone())) };
    match number::read(name) {
        Reading::Name => Ok(Some(asked.clone())),
        Reading::Address(ip) if leads_to_loopback(ip.into()) => Ok(None),
        Reading::Address(ip) => Ok(Some(Authority { host: Host::Ip(ip.into()), port: asked.port })),
        Reading::Nonsense => {
            Err(ProxyError::BadRequest("the host is neither a name nor an address"))
        }
    }
}

/// A failure between here and the next proxy, told as such.
fn on_own_leg(error: ProxyError) -> ProxyError {
    ProxyError::NextProxy(match error {
        ProxyError::Dns(source) => NextProxyError::Dns(source),
        ProxyError::Connect(source) => NextProxyError::Connect(source),
        ProxyError::ConnectTimeout => NextProxyError::Timeout,
        ProxyError::TlsCertificate(source) => NextProxyError::Certificate(source),
        ProxyError::TlsProtocol(source) => NextProxyError::Tls(source),
        other => return other,
    })
}

fn is_unreachable(error: &ProxyError) -> bool {
    match error {
        ProxyError::NextProxy(error) => error.is_unreachable(),
        ProxyError::Dns(_) | ProxyError::Connect(_) | ProxyError::ConnectTimeout => true,
        _ => false,
    }
}
