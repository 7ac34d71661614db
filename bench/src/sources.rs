//! Where connections come from.
//!
//! A port that was just used cannot be used again for a minute. Thousands of connections a second would
//! use them all up, so that the bench would measure that. Each connection therefore comes from the next of
//! 200 loopback addresses, every one of which has ports of its own; the system's settings stay as they are.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

const FIRST: u32 = 2;
const COUNT: u32 = 200;

pub struct Sources(u32);

impl Default for Sources {
    /// Starts elsewhere in each process.
    fn default() -> Self {
        Self(std::process::id())
    }
}

impl Sources {
    /// Begins to connect, from the next address.
    pub fn connect(&mut self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.socket(Type::STREAM.nonblocking())?;
        match socket.connect(&to.into()) {
            Err(error) if !is_in_progress(&error) => Err(error),
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }

    /// Connects, from the next address; reads and writes will wait as well.
    pub fn connect_and_wait(&mut self, to: SocketAddr) -> io::Result<std::net::TcpStream> {
        let socket = self.socket(Type::STREAM)?;
        socket.connect(&to.into())?;
        Ok(socket.into())
    }

    fn socket(&mut self, kind: Type) -> io::Result<Socket> {
        self.0 = self.0.wrapping_add(1);
        let host = (FIRST + self.0 % COUNT) as u8;
        let socket = Socket::new(Domain::IPV4, kind, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 0).into())?;
        socket.set_tcp_nodelay(true)?;
        Ok(socket)
    }
}

/// `EINPROGRESS` has no `ErrorKind` that is stable.
fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(115)
}
