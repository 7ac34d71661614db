//! The server's own threads, and the socket they share.
//!
//! Each thread has a runtime of its own and accepts from the one listening socket. A connection stays on
//! the thread it is given to, so that its bytes never cross between cores.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use socket2::{Domain, Socket, Type};
use tokio::runtime;

use crate::error::StartError;
use crate::options::Bind;
use crate::server::{self, Proxy};
use crate::share::{Inbox, Shares};

/// The threads of one server.
pub(crate) struct Workers(Mutex<Vec<JoinHandle<()>>>);

impl Workers {
    /// Starts `count` threads that serve the listener. When one cannot be had, the others are stopped.
    pub(crate) fn start(
        count: usize,
        listener: &TcpListener,
        proxy: &Arc<Proxy>,
    ) -> Result<Self, StartError> {
        let workers = Self(Mutex::default());
        let (shares, inboxes) = Shares::among(count.max(1));
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let work = Work { number, shares: shares.clone(), inbox, proxy: Arc::clone(proxy) };
            match Self::spawn(work, listener) {
                Ok(thread) => workers.0.lock().push(thread),
                Err(error) => {
                    proxy.stopping.cancel();
                    workers.join();
                    return Err(StartError::Threads(error));
                }
            }
        }
        Ok(workers)
    }

    fn spawn(work: Work, listener: &TcpListener) -> io::Result<JoinHandle<()>> {
        let listener = listener.try_clone()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(format!("tabport-{}", work.number)).spawn(move || {
            let served = runtime.block_on(async {
                server::accept(tokio::net::TcpListener::from_std(listener)?, work).await;
                io::Result::Ok(())
            });
            if let Err(error) = served {
                tracing::error!(%error, "the listening socket is unusable");
            }
            // A DNS look-up that hangs must not hold up the thread.
            runtime.shutdown_background();
        })
    }

    /// Waits for every thread. Later and concurrent calls wait too: the lock is held meanwhile.
    pub(crate) fn join(&self) {
        for thread in self.0.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker thread has panicked");
            }
        }
    }
}

/// What one thread has to do.
pub(crate) struct Work {
    pub(crate) number: usize,
    pub(crate) shares: Shares,
    pub(crate) inbox: Inbox,
    pub(crate) proxy: Arc<Proxy>,
}

/// Binds the listening socket.
pub(crate) fn bind(bind: Bind, allow_non_loopback: bool) -> Result<TcpListener, StartError> {
    let host = match bind {
        Bind::Address(address) => address.ip(),
        Bind::AutoPort { host, .. } => host,
    };
    if !allow_non_loopback && !host.to_canonical().is_loopback() {
        return Err(StartError::NonLoopback(host));
    }
    match bind {
        Bind::Address(address) => {
            listen(address).map_err(|source| StartError::Bind { address, source })
        }
        Bind::AutoPort { host, start, attempts } => first_free(host, start, attempts),
    }
}

/// Only "address in use" moves on to the next port: any other failure would be the same there.
fn first_free(host: IpAddr, start: u16, attempts: u32) -> Result<TcpListener, StartError> {
    let offset = u16::try_from(attempts.saturating_sub(1)).unwrap_or(u16::MAX);
    let last = start.saturating_add(offset);
    for port in start..=last {
        let address = SocketAddr::new(host, port);
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => return Err(StartError::Bind { address, source }),
        }
    }
    Err(StartError::NoFreePort { host, first: start, last })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows the option means something else: that another process may take the port as well.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
