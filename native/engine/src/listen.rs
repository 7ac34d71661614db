//! Binding what a server listens on: one address, the first free port of a range, or several addresses.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use crate::error::StartError;
use crate::options::Bind;

/// The listening sockets of one server, at least one.
pub(crate) struct Listening {
    pub(crate) sockets: Vec<TcpListener>,
    /// Their addresses, with the real ports.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) first: SocketAddr,
}

/// Binds the listening sockets.
pub(crate) fn bind(bind: &Bind, allow_non_loopback: bool) -> Result<Listening, StartError> {
    let check = |host: IpAddr| match host {
        _ if allow_non_loopback || host.to_canonical().is_loopback() => Ok(()),
        _ => Err(StartError::NonLoopback(host)),
    };
    match bind {
        Bind::Address(address) => {
            check(address.ip())?;
            one(listen(*address, Family::Both).map_err(failure(*address))?)
        }
        Bind::AutoPort { host, start, attempts } => {
            check(*host)?;
            one(first_free(*host, *start, *attempts)?)
        }
        Bind::Addresses { addresses, allow_partial } => {
            addresses.iter().try_for_each(|address| check(address.ip()))?;
            several(&without_covered(addresses), *allow_partial)
        }
    }
}

fn one(socket: TcpListener) -> Result<Listening, StartError> {
    let first = socket.local_addr().map_err(StartError::Threads)?;
    Ok(Listening { sockets: vec![socket], addresses: vec![first], first })
}

fn several(addresses: &[SocketAddr], allow_partial: bool) -> Result<Listening, StartError> {
    let mut bound: Option<Listening> = None;
    let mut failed = None;
    for address in addresses {
        match listen(*address, Family::Own).map_err(failure(*address)).and_then(one) {
            Ok(next) => match &mut bound {
                None => bound = Some(next),
                Some(bound) => bound.append(next),
            },
            Err(error) if allow_partial => {
                tracing::warn!(%error, "one address less to listen on");
                failed = failed.or(Some(error));
            }
            Err(error) => return Err(error),
        }
    }
    bound.ok_or(failed.unwrap_or(StartError::NoAddress))
}

impl Listening {
    fn append(&mut self, mut other: Self) {
        self.sockets.append(&mut other.sockets);
        self.addresses.append(&mut other.addresses);
    }
}

/// The addresses in order, less those that another one covers.
fn without_covered(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut kept: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !kept.iter().any(|other| covers(*other, *address)) {
            kept.retain(|other| !covers(*address, *other));
            kept.push(*address);
        }
    }
    kept
}

fn covers(one: SocketAddr, other: SocketAddr) -> bool {
    let wildcard = one.ip().is_unspecified() && one.is_ipv4() == other.is_ipv4();
    one.port() == other.port() && (wildcard || one.ip() == other.ip())
}

/// Only "address in use" moves on to the next port: any other failure would be the same there.
fn first_free(host: IpAddr, start: u16, attempts: u32) -> Result<TcpListener, StartError> {
    let offset = u16::try_from(attempts.saturating_sub(1)).unwrap_or(u16::MAX);
    let last = start.saturating_add(offset);
    for port in start..=last {
        let address = SocketAddr::new(host, port);
        match listen(address, Family::Both) {
            Ok(listener) => return Ok(listener),
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => return Err(failure(address)(source)),
        }
    }
    Err(StartError::NoFreePort { host, first: start, last })
}

fn failure(address: SocketAddr) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Bind { address, source }
}

/// Whether a wildcard of IPv6 takes the connections of IPv4, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// As the system has it.
    Both,
    /// No: among several addresses each stands for its own family, or `0.0.0.0` beside `::` could not be bound.
    Own,
}

fn listen(address: SocketAddr, family: Family) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows the option means something else: that another process may take the port as well.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && family == Family::Own {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_address_covers_is_left_out() {
        for (asked, kept) in [
            ("127.0.0.1:1 0.0.0.0:1", "0.0.0.0:1"),
            ("0.0.0.0:1 127.0.0.1:1 10.0.0.1:1", "0.0.0.0:1"),
            ("0.0.0.0:1 127.0.0.1:2 127.0.0.1:2", "0.0.0.0:1 127.0.0.1:2"),
            ("0.0.0.0:1 [::1]:1", "0.0.0.0:1 [::1]:1"),
            ("[::]:1 [::1]:1 127.0.0.1:1", "[::]:1 127.0.0.1:1"),
        ] {
            let parse = |text: &str| -> Vec<SocketAddr> {
                text.split(' ').map(|address| address.parse().unwrap()).collect()
            };
            assert_eq!(without_covered(&parse(asked)), parse(kept), "{asked}");
        }
    }
}
