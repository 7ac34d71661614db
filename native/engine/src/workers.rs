//! The server's own threads, and the sockets they share.
//!
//! Each thread has a runtime of its own and accepts from the same listening sockets. A connection stays on
//! the thread it is given to, so that its bytes never cross between cores.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::runtime;

use crate::accept;
use crate::counters::Counted;
use crate::error::StartError;
use crate::server::Proxy;
use crate::share::{Inbox, Shares};

/// The threads of one server.
pub(crate) struct Workers(Mutex<Vec<JoinHandle<()>>>);

impl Workers {
    /// Starts `count` threads that serve the listeners. When one cannot be had, the others are stopped.
    pub(crate) fn start(
        count: usize,
        listeners: &[TcpListener],
        proxy: &Arc<Proxy>,
    ) -> Result<Self, StartError> {
        let workers = Self(Mutex::default());
        let (shares, inboxes) = Shares::among(count.max(1));
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let (shares, accepting) = (shares.clone(), proxy.arriving.enter());
            let work = Work { number, shares, inbox, proxy: Arc::clone(proxy), accepting };
            match Self::spawn(work, listeners) {
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

    fn spawn(work: Work, listeners: &[TcpListener]) -> io::Result<JoinHandle<()>> {
        let listeners: Vec<_> =
            listeners.iter().map(TcpListener::try_clone).collect::<io::Result<_>>()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(format!("tabport-{}", work.number)).spawn(move || {
            let served = runtime.block_on(async {
                let listeners = listeners.into_iter().map(tokio::net::TcpListener::from_std);
                accept::accept(listeners.collect::<io::Result<_>>()?, work).await;
                io::Result::Ok(())
            });
            if let Err(error) = served {
                tracing::error!(%error, "a listening socket is unusable");
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
    /// For as long as connections may come of it.
    pub(crate) accepting: Counted,
}
