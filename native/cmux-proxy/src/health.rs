//! `cmux-proxy health`: asks a gateway's admin listener whether it takes requests, for images that hold no other
//! program which could.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a running gateway for its /healthz: 0 if it takes requests, and 1 if it drains or does not answer.
#[derive(Debug, Args)]
pub(crate) struct HealthArguments {
    /// Its --admin address
    #[arg(env = "CMUX_ADMIN", value_name = "ADDR")]
    address: SocketAddr,
}

/// Why a gateway is not healthy.
#[derive(Debug, Error)]
pub(crate) enum Unhealthy {
    #[error("{0} does not answer: {1}")]
    Silent(SocketAddr, io::Error),
    #[error("{0} answers {1}")]
    Answered(SocketAddr, StatusCode),
    #[error("the system: {0}")]
    System(#[from] io::Error),
}

/// Asks once.
pub(crate) fn check(arguments: &HealthArguments) -> Result<(), Unhealthy> {
    let address = arguments.address;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let late = |_| Unhealthy::Silent(address, io::ErrorKind::TimedOut.into());
    match runtime.block_on(async { timeout(PATIENCE, ask(address)).await.map_err(late) })? {
        Ok(StatusCode::OK) => Ok(()),
        Ok(status) => Err(Unhealthy::Answered(address, status)),
        Err(error) => Err(Unhealthy::Silent(address, error)),
    }
}

async fn ask(address: SocketAddr) -> io::Result<StatusCode> {
    let socket = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = http1::handshake(socket).await.map_err(io::Error::other)?;
    let request = Request::get("/healthz").header("host", address.to_string());
    let request = request.body(String::new()).map_err(io::Error::other)?;
    let asked = async { sender.send_request(request).await };
    let (response, _) = tokio::join!(asked, connection);
    response.map(|response| response.status()).map_err(io::Error::other)
}
