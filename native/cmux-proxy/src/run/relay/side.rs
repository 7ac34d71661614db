//! One side of a namespace: where listeners and connections are made. Whatever runs on a side's runtime makes its
//! sockets there.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;

/// How long to wait where no connection can be accepted, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A thread, by the runtime that it runs.
#[derive(Clone)]
pub(super) struct Side(Handle);

impl Side {
    pub(super) fn of(runtime: &Runtime) -> Self {
        Self(runtime.handle().clone())
    }

    pub(super) async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.0.spawn(TcpListener::bind(address)).await?
    }

    /// Connects to the first of these addresses that takes it.
    async fn connect(&self, addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
        self.0.spawn(async move { TcpStream::connect(&*addresses).await }).await?
    }
}

/// Held by every connection that is relayed, and by whoever may take another.
pub(super) type Open = mpsc::Sender<Infallible>;

/// Takes connections from one side to one of these addresses on the other.
pub(super) async fn lead(listener: TcpListener, to: Side, addresses: Vec<SocketAddr>, open: Open) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let relayed = relay(stream, to.clone(), addresses.clone());
                let open = open.clone();
                tokio::spawn(async move {
                    let _open = open;
                    relayed.await
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Relays a connection until both sides have ended it. One that leads nowhere, or that one side breaks off, is
/// broken off: it must not look whole to the other.
async fn relay(mut downstream: TcpStream, to: Side, addresses: Vec<SocketAddr>) -> io::Result<()> {
    let Ok(mut upstream) = to.connect(addresses).await else {
        return downstream.set_zero_linger();
    };
    downstream.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    if copy_bidirectional(&mut downstream, &mut upstream).await.is_err() {
        downstream.set_zero_linger()?;
        upstream.set_zero_linger()?;
    }
    Ok(())
}
