//! How many connections a server takes, and what it says to those beyond.
//!
//! Turning a connection away must cost less than serving it, and must not keep the next from being accepted.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::{Places, SOON, Slot};
use crate::error::ProxyError;
use crate::http1;
use crate::respond;
use crate::server::Proxy;
use crate::stream::Stream;

/// How many may take their time at once to read why: their descriptors come on top of the limit.
const FAREWELLS: usize = 64;

/// The places for a server's connections.
#[derive(Debug)]
pub(crate) struct Connections {
    served: Places,
    farewells: Arc<Semaphore>,
}

impl Connections {
    pub(crate) fn new(limit: Option<NonZeroU32>) -> Self {
        Self { served: Places::new(limit), farewells: Arc::new(Semaphore::new(FAREWELLS)) }
    }

    /// A place for one more, unless all are taken.
    pub(crate) fn enter(&self) -> Option<Slot> {
        self.served.take()
    }
}

/// Answers without a request, and closes. Where clients speak TLS there is no answer: none could read it, and to
/// shake hands for it costs more than to serve them.
pub(crate) fn turn_away(socket: TcpStream, proxy: &Arc<Proxy>) {
    let error = ProxyError::ConnectionLimit(SOON);
    respond::report(proxy, None, None, &error);
    if !proxy.tls.is_plain() {
        return;
    }
    let farewell = Arc::clone(&proxy.connections.farewells).try_acquire_owned().ok();
    let (stopping, lingers) = (proxy.stopping.clone(), farewell.is_some());
    proxy.tasks.spawn(stopping.run_until_cancelled_owned(async move {
        let answer = respond::with_error(&error, None);
        let _ = http1::turn_away(Stream::from(socket), answer, lingers).await;
        drop(farewell);
    }));
}
