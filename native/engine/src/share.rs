//! Which thread serves a connection: the one with the fewest.
//!
//! A thread that has just woken up accepts everything that is waiting, so who accepts says nothing about
//! who has time. A connection stays where it is given, and counts there until its stream is dropped.

use std::net;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::counters::Counted;

/// The threads of one server, as those see them who hand out connections.
#[derive(Clone)]
pub(crate) struct Shares(Arc<[Share]>);

struct Share {
    load: Arc<AtomicUsize>,
    inbox: UnboundedSender<(net::TcpStream, Load)>,
}

/// What one thread is given by the others.
pub(crate) struct Inbox(UnboundedReceiver<(net::TcpStream, Load)>);

/// A connection's part in its thread's load.
#[derive(Debug)]
pub(crate) struct Load {
    thread: Arc<AtomicUsize>,
    /// Until its thread has it.
    arriving: Option<Counted>,
}

impl Shares {
    pub(crate) fn among(threads: usize) -> (Self, Vec<Inbox>) {
        let channels = (0..threads).map(|_| unbounded_channel());
        let share = |(inbox, received)| (Share { load: Arc::default(), inbox }, Inbox(received));
        let (shares, inboxes): (Vec<_>, _) = channels.map(share).unzip();
        (Self(shares.into()), inboxes)
    }

    /// Gives a connection to the thread that has the fewest. It comes back where that is the thread that
    /// asks; a thread that cannot be given any more is stopping, and then they all are.
    pub(crate) fn assign(
        &self,
        socket: TcpStream,
        own: usize,
        arriving: Counted,
    ) -> Option<(TcpStream, Load)> {
        let load = |number: &usize| self.0.get(*number).map(|share| share.load.load(Relaxed));
        let others = (0..self.0.len()).filter(|number| *number != own);
        let lightest = std::iter::once(own).chain(others).min_by_key(load)?;
        let share = self.0.get(lightest)?;
        share.load.fetch_add(1, Relaxed);
        let load = Load { thread: Arc::clone(&share.load), arriving: Some(arriving) };
        if lightest == own {
            return Some((socket, load));
        }
        let _ = share.inbox.send((socket.into_std().ok()?, load));
        None
    }
}

impl Inbox {
    /// The next connection that another thread has given to this one.
    pub(crate) async fn next(&mut self) -> Option<(TcpStream, Load)> {
        loop {
            let (socket, load) = self.0.recv().await?;
            if let Ok(socket) = TcpStream::from_std(socket) {
                return Some((socket, load));
            }
        }
    }
}

impl Load {
    /// Its thread has it, and counts it otherwise.
    pub(crate) fn arrived(&mut self) {
        self.arriving = None;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.thread.fetch_sub(1, Relaxed);
    }
}
