//! Asking a running program whether it takes requests, for images that hold no other program which could.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

/// Why a program is not healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// Nobody answers there.
    #[error("{0} does not answer: {1}")]
    Silent(SocketAddr, io::Error),
    /// It has another answer than 200.
    #[error("{0} answers {1}")]
    Answered(SocketAddr, StatusCode),
    /// There is no way to ask.
    #[error("the system: {0}")]
    System(#[from] io::Error),
}

/// Asks once for `/healthz`. A wildcard, which is where a program listens and nobody is reached, stands for loopback.
pub fn check(address: SocketAddr) -> Result<(), Unhealthy> {
    let address = reachable(address);
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let late = |_| Unhealthy::Silent(address, io::ErrorKind::TimedOut.into());
    match runtime.block_on(async { timeout(PATIENCE, ask(address)).await.map_err(late) })? {
        Ok(StatusCode::OK) => Ok(()),
        Ok(status) => Err(Unhealthy::Answered(address, status)),
        Err(error) => Err(Unhealthy::Silent(address, error)),
    }
}

fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        named => named,
    };
    SocketAddr::new(loopback, address.port())
}

async fn ask(address: SocketAddr) -> io::Result<StatusCode> {
    let socket = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = http1::handshake(socket).await.map_err(io::Error::other)?;
    let request = Request::get("/healthz").header("host", address.to_string());
    let request = request.body(String::new()).map_err(io::Error::other)?;
    // With the sender and the response's body gone, the connection ends, even if the program would keep it alive.
    let asked = async move { sender.send_request(request).await.map(|it| it.status()) };
    let (status, _) = tokio::join!(asked, connection);
    status.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_asked_at_loopback_of_its_family() {
        for (listens, asked) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[fd00::1]:1", "[fd00::1]:1"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap(), "{listens}");
        }
    }
}
