//! How many connections a server takes, and what it says to those beyond.
//!
//! Turning a connection away must cost less than serving it, and must not keep the next from being accepted.

use std::io::Write as _;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Places, SOON, Slot};
use crate::error::ProxyError;
use crate::respond;
use crate::server::Proxy;

/// How long a connection that is turned away has to read why.
const FAREWELL: Duration = Duration::from_secs(1);
/// How many may take that long at once: their descriptors come on top of the limit.
const FAREWELLS: usize = 64;

/// The places for a server's connections.
#[derive(Debug)]
pub(crate) struct Connections {
    served: Places,
    turned_away: Arc<Semaphore>,
}

impl Connections {
    pub(crate) fn new(limit: Option<NonZeroU32>) -> Self {
        Self { served: Places::new(limit), turned_away: Arc::new(Semaphore::new(FAREWELLS)) }
    }

    /// A place for one more, unless all are taken.
    pub(crate) fn enter(&self) -> Option<Slot> {
        self.served.take()
    }
}

/// Answers without a request, and closes.
pub(crate) fn turn_away(socket: TcpStream, proxy: &Arc<Proxy>) {
    let error = ProxyError::ConnectionLimit(SOON);
    respond::report(proxy, None, &error);
    let answer = respond::to_text(&error);
    match Arc::clone(&proxy.connections.turned_away).try_acquire_owned() {
        Ok(place) => {
            let farewell = tokio::time::timeout(FAREWELL, farewell(socket, answer, place));
            let stopping = proxy.stopping.clone();
            proxy.tasks.spawn(stopping.run_until_cancelled_owned(farewell));
        }
        Err(_) => {
            let _ = socket.into_std().and_then(|mut socket| socket.write_all(answer.as_bytes()));
        }
    }
}

/// Closing a socket with unread bytes resets it, and the answer may be lost with that: a request that is on
/// its way is read first.
async fn farewell(
    mut socket: TcpStream,
    answer: String,
    _place: OwnedSemaphorePermit,
) -> std::io::Result<()> {
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await?;
    let mut unread = [0; 1024];
    while socket.read(&mut unread).await? > 0 {}
    Ok(())
}
