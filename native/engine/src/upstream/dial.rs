//! From an upstream's name to an open connection.
//!
//! A name is resolved once, and the addresses that come of it are the ones checked and dialled: what a
//! name means cannot change in between.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::next_proxy::NextProxies;
use super::tls::{Alpn, Tls, Trust};
use crate::authority::{Authority, Host, Scheme, leads_to_loopback};
use crate::error::{ProxyError, StartError};
use crate::face::Face;
use crate::options::{ServerOptions, Timeouts};
use crate::route::{Loopback, Upstream};
use crate::stream::Stream;

/// How a server reaches upstreams.
pub(crate) struct Dialer {
    own: Box<[SocketAddr]>,
    connect_to: HashMap<Authority, SocketAddr>,
    next_proxies: Option<NextProxies>,
    /// Whether upstreams are offered HTTP/2.
    http2: bool,
    pub(super) timeouts: Timeouts,
    pub(super) trust: Trust,
}

/// A connection, and what was agreed on it.
pub(crate) struct Dialled {
    pub(crate) stream: Stream,
    pub(crate) http2: bool,
}

impl Dialer {
    /// `own` is what the server itself listens on: dialling that would be a loop.
    pub(crate) fn new(options: &ServerOptions, own: &[SocketAddr]) -> Result<Self, StartError> {
        Ok(Self {
            own: own.into(),
            connect_to: options.connect_to.clone(),
            next_proxies: options.upstream_proxy.clone().map(NextProxies::new),
            http2: match &options.face {
                Face::ReverseProxy(face) => face.upstream_http2,
                Face::ForwardProxy | Face::Gateway(_) => true,
            },
            timeouts: options.timeouts,
            trust: Trust::new(options.extra_ca.as_deref())?,
        })
    }

    /// Connects, and shakes hands where the upstream speaks TLS.
    pub(crate) async fn connect(
        &self,
        upstream: &Upstream,
        tls: &Tls,
        alpn: Alpn,
    ) -> Result<Dialled, ProxyError> {
        let stream = self.open(upstream, upstream.scheme, tls).await?;
        if upstream.scheme == Scheme::Http {
            return Ok(Dialled { stream, http2: false });
        }
        let alpn = if self.http2 { alpn } else { Alpn::Http1 };
        let handshake = tls.connect(&self.trust, stream, &upstream.authority.host, alpn);
        let stream = timeout(self.timeouts.tls_handshake, handshake)
            .await
            .map_err(|_| ProxyError::TlsTimeout)??;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Dialled { stream: stream.into(), http2 })
    }

    /// A stream of bytes to the upstream, without TLS. Where it is not on this machine, the next proxy leads
    /// there, if there is one; it may depend on the scheme.
    pub(crate) async fn open(
        &self,
        upstream: &Upstream,
        scheme: Scheme,
        tls: &Tls,
    ) -> Result<Stream, ProxyError> {
        let Upstream { authority, .. } = upstream;
        let near = authority.host.is_loopback() || self.connect_to.contains_key(authority);
        match &self.next_proxies {
            // Boxed, so that what dials directly does not pay for its size.
            Some(next) if !near => Box::pin(self.open_through(next, upstream, scheme, tls)).await,
            _ => self.connect_tcp(upstream).await.map(Stream::from),
        }
    }

    pub(super) async fn connect_tcp(&self, upstream: &Upstream) -> Result<TcpStream, ProxyError> {
        let connect = async {
            let addresses = self.resolve(upstream).await?;
            connect_first(&addresses).await.map_err(ProxyError::Connect)
        };
        let tcp = timeout(self.timeouts.connect, connect)
            .await
            .map_err(|_| ProxyError::ConnectTimeout)??;
        // A head and its body are two writes now and then; Nagle's algorithm would hold back the second.
        let _ = tcp.set_nodelay(true);
        Ok(tcp)
    }

    async fn resolve(&self, upstream: &Upstream) -> Result<Vec<SocketAddr>, ProxyError> {
        let addresses = match self.connect_to.get(&upstream.authority) {
            Some(address) => vec![*address],
            None => self.look_up(upstream).await?,
        };
        if addresses.iter().any(|address| self.is_own(*address)) {
            return Err(ProxyError::Loop);
        }
        Ok(addresses)
    }

    async fn look_up(&self, upstream: &Upstream) -> Result<Vec<SocketAddr>, ProxyError> {
        let Authority { host, port } = &upstream.authority;
        let addresses: Vec<_> = match host {
            Host::Ip(ip) => vec![SocketAddr::new(*ip, *port)],
            // RFC 6761, section 6.3: never a matter for DNS. A server may listen on either of the two.
            Host::Name(_) if host.is_loopback() => loopback_addresses(*port).to_vec(),
            Host::Name(name) => {
                lookup_host((&**name, *port)).await.map_err(ProxyError::Dns)?.collect()
            }
        };
        if addresses.is_empty() {
            return Err(ProxyError::Dns(io::ErrorKind::NotFound.into()));
        }
        let refused = upstream.loopback == Loopback::Refused;
        if refused && addresses.iter().any(|address| leads_to_loopback(address.ip())) {
            return Err(ProxyError::LoopbackRefused);
        }
        Ok(addresses)
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        self.own.iter().any(|own| leads_to(address, *own))
    }
}

/// Whether connecting to this address ends at one that is listened on.
fn leads_to(address: SocketAddr, own: SocketAddr) -> bool {
    let (host, listening) = (address.ip().to_canonical(), own.ip().to_canonical());
    let same_host = || {
        let covered = listening.is_unspecified() && (own.is_ipv6() || host.is_ipv4());
        host == listening
            || host.is_unspecified()
            || (listening.is_unspecified() && leads_to_loopback(host))
            || (covered && is_of_this_machine(host))
    };
    address.port() == own.port() && same_host()
}

/// A socket can only be bound to an address that the machine has, as far as it is let at all.
fn is_of_this_machine(host: IpAddr) -> bool {
    UdpSocket::bind((host, 0)).is_ok()
}

fn loopback_addresses(port: u16) -> [SocketAddr; 2] {
    let [v4, v6] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    [SocketAddr::new(v4, port), SocketAddr::new(v6, port)]
}

/// RFC 8305, section 5: an address that does not answer at once is given company by the next.
async fn connect_first(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    const HEAD_START: Duration = Duration::from_millis(250);
    if let [address] = addresses {
        return TcpStream::connect(*address).await;
    }
    let mut attempts = JoinSet::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        attempts.spawn(TcpStream::connect(*address));
        let first = first_success(&mut attempts, &mut failure);
        if let Ok(Some(tcp)) = timeout(HEAD_START, first).await {
            return Ok(tcp);
        }
    }
    first_success(&mut attempts, &mut failure).await.ok_or(failure)
}

/// The first attempt to succeed, or `None` once all have failed.
async fn first_success(
    attempts: &mut JoinSet<io::Result<TcpStream>>,
    failure: &mut io::Error,
) -> Option<TcpStream> {
    while let Some(attempt) = attempts.join_next().await {
        match attempt.map_err(io::Error::from).flatten() {
            Ok(tcp) => return Some(tcp),
            Err(error) => *failure = error,
        }
    }
    None
}
