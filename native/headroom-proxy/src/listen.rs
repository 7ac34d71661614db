//! Where to listen: at an address of its own, on sockets that were handed over, or on one that another process listens
//! on now.
//!
//! A port that changes hands is refused to nobody as long as somebody listens on it. Two processes may share it if both
//! say so before they bind (`SO_REUSEPORT`); a process that knows nothing of that can be given its socket by whoever
//! starts it; and where it was started long ago, its socket can be taken from it (Linux).

mod descriptor;
#[cfg(target_os = "linux")]
mod take_over;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;

use tabport_engine::Bind;
use thiserror::Error;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    Address(SocketAddr),
    /// Loopback, of both families.
    Localhost(u16),
    /// A socket that whoever has started this process has opened.
    Descriptor(i32),
    /// Those of systemd's socket activation.
    Systemd,
}

/// The text says of no place where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an address and a port, localhost and a port, fd:NUMBER or systemd")]
pub(crate) struct InvalidListen;

/// Why there is nothing to listen on.
#[derive(Debug, Error)]
pub(crate) enum ListenError {
    #[error("{place} is no socket to listen on: {source}")]
    Socket { place: String, source: io::Error },
    #[error("systemd has handed over no sockets: LISTEN_FDS and LISTEN_PID do not say so")]
    NotActivated,
    #[error("the socket of process {process} cannot be taken: {source}")]
    TakeOver { process: u32, source: io::Error },
}

impl FromStr for Listen {
    type Err = InvalidListen;

    fn from_str(text: &str) -> Result<Self, InvalidListen> {
        if let Some(number) = text.strip_prefix("fd:") {
            let number = number.parse().ok().filter(|number| *number >= 0);
            return number.map(Self::Descriptor).ok_or(InvalidListen);
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            return port.parse().map(Self::Localhost).map_err(|_| InvalidListen);
        }
        match text {
            "systemd" => Ok(Self::Systemd),
            _ => text.parse().map(Self::Address).map_err(|_| InvalidListen),
        }
    }
}

impl Listen {
    /// Where it is asked, if that can be told by itself.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Localhost(port) => Some((Ipv4Addr::LOCALHOST, *port).into()),
            Self::Descriptor(_) | Self::Systemd => None,
        }
    }

    /// What the engine is to bind, or to listen on.
    pub(crate) fn bind(
        &self,
        reuse_port: bool,
        take_over: Option<u32>,
    ) -> Result<Bind, ListenError> {
        let addresses = match self {
            Self::Descriptor(number) => {
                return descriptor::of(*number).map(|socket| sockets(vec![socket]));
            }
            Self::Systemd => return descriptor::of_systemd().map(Bind::Sockets),
            Self::Address(address) => vec![*address],
            // Any two ports would not be one.
            Self::Localhost(0) => vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)],
            Self::Localhost(port) => loopback(*port),
        };
        if let Some(process) = take_over {
            let taken = taken(process, &addresses, reuse_port);
            return taken.map(sockets).map_err(|source| ListenError::TakeOver { process, source });
        }
        Ok(match addresses[..] {
            _ if reuse_port => Bind::Shared(addresses),
            [address] => Bind::Address(address),
            _ => Bind::Addresses { addresses, allow_partial: false },
        })
    }
}

/// Loopback of the families that this machine has. A port that is taken in one of them is an error, as everywhere: whoever
/// asks there would be answered by somebody else.
fn loopback(port: u16) -> Vec<SocketAddr> {
    const HOSTS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let is_there = |host: &IpAddr| UdpSocket::bind((*host, 0)).is_ok();
    HOSTS.into_iter().filter(is_there).map(|host| SocketAddr::new(host, port)).collect()
}

fn sockets(all: Vec<TcpListener>) -> Bind {
    Bind::Sockets(all.into_iter().map(Arc::new).collect())
}

#[cfg(target_os = "linux")]
fn taken(process: u32, at: &[SocketAddr], reuse_port: bool) -> io::Result<Vec<TcpListener>> {
    take_over::take(process, at, reuse_port)
}

#[cfg(not(target_os = "linux"))]
fn taken(_: u32, _: &[SocketAddr], _: bool) -> io::Result<Vec<TcpListener>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux can do that"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_5_a_place_is_an_address_or_named_in_one_of_three_ways() {
        for (text, place) in [
            ("0.0.0.0:8787", Listen::Address(([0, 0, 0, 0], 8787).into())),
            ("[::1]:1", Listen::Address("[::1]:1".parse().unwrap())),
            ("localhost:8787", Listen::Localhost(8787)),
            ("fd:3", Listen::Descriptor(3)),
            ("systemd", Listen::Systemd),
        ] {
            assert_eq!(text.parse(), Ok(place));
        }
        for text in
            ["8787", "localhost", "localhost:x", "example.test:1", "fd:", "fd:-1", "fd:x", ""]
        {
            assert_eq!(text.parse::<Listen>(), Err(InvalidListen), "{text}");
        }
    }
}
