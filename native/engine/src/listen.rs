//! Binding what a server listens on: one address, the first free port of a range, or several addresses.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::{Domain, Socket, Type};

use crate::error::StartError;
use crate::options::{Bind, ServerOptions};

/// The listening sockets of one server, at least one.
pub(crate) struct Listening {
    pub(crate) sockets: Vec<TcpListener>,
    /// Their addresses, with the real ports.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) first: SocketAddr,
}

/// Binds the listening sockets.
pub(crate) fn bind(options: &ServerOptions) -> Result<Listening, StartError> {
    let check = |host: IpAddr| match host {
        _ if options.allow_non_loopback || host.to_canonical().is_loopback() => Ok(()),
        _ => Err(StartError::NonLoopback(host)),
    };
    match &options.bind {
        Bind::Address(address) => {
            check(address.ip())?;
            one(listen(*address, Manner::default()).map_err(failure(*address))?)
        }
        Bind::Shared(addresses) => {
            addresses.iter().try_for_each(|address| check(address.ip()))?;
            let manner = Manner { own_family: addresses.len() > 1, shared: true };
            several(addresses, false, manner)
        }
        Bind::AutoPort { host, start, attempts } => {
            check(*host)?;
            one(first_free(*host, *start, *attempts)?)
        }
        Bind::Addresses { addresses, allow_partial } => {
            addresses.iter().try_for_each(|address| check(address.ip()))?;
            let manner = Manner { own_family: true, shared: false };
            several(&without_covered(addresses), *allow_partial, manner)
        }
        Bind::Sockets(sockets) => {
            let given = given(sockets)?;
            given.addresses.iter().try_for_each(|address| check(address.ip()))?;
            Ok(given)
        }
    }
}

/// Sockets that listen already; whoever has them besides is not disturbed.
fn given(sockets: &[Arc<TcpListener>]) -> Result<Listening, StartError> {
    let mut all: Option<Listening> = None;
    for socket in sockets {
        let own = socket.try_clone().map_err(StartError::Threads)?;
        own.set_nonblocking(true).map_err(StartError::Threads)?;
        collect(&mut all, one(own)?);
    }
    all.ok_or(StartError::NoAddress)
}

fn collect(all: &mut Option<Listening>, mut next: Listening) {
    match all {
        None => *all = Some(next),
        Some(all) => {
            all.sockets.append(&mut next.sockets);
            all.addresses.append(&mut next.addresses);
        }
    }
}

fn one(socket: TcpListener) -> Result<Listening, StartError> {
    let first = socket.local_addr().map_err(StartError::Threads)?;
    Ok(Listening { sockets: vec![socket], addresses: vec![first], first })
}

fn several(
    addresses: &[SocketAddr],
    allow_partial: bool,
    manner: Manner,
) -> Result<Listening, StartError> {
    let mut bound: Option<Listening> = None;
    let mut failed = None;
    for address in addresses {
        match listen(*address, manner).map_err(failure(*address)).and_then(one) {
            Ok(next) => collect(&mut bound, next),
            Err(error) if allow_partial => {
                tracing::warn!(%error, "one address less to listen on");
                failed = failed.or(Some(error));
            }
            Err(error) => return Err(error),
        }
    }
    bound.ok_or(failed.unwrap_or(StartError::NoAddress))
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
        match listen(address, Manner::default()) {
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

/// What a socket leaves to others.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// A wildcard of IPv6 leaves IPv4 alone: among several addresses each stands for its own family, or `0.0.0.0`
    /// beside `::` could not be bound.
    own_family: bool,
    /// Others of the same manner may have the port, too.
    shared: bool,
}

fn listen(address: SocketAddr, manner: Manner) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows the option means something else: that another process may take the port as well.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(manner.shared)?;
    if address.is_ipv6() && manner.own_family {
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
