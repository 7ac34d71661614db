//! Accepting connections, and what a thread does besides: taking over those that others have accepted for it, and
//! closing upstream connections that have waited too long.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use crate::connection::{self, Connection};
use crate::face::Acting;
use crate::limits;
use crate::server::Proxy;
use crate::share::{Inbox, Load, Shares};
use crate::stream::Stream;
use crate::workers::Work;

/// Accepts until the server drains or stops, and once it stops waits a moment for the connections' tasks to end.
pub(crate) async fn accept(listeners: Vec<TcpListener>, work: Work) {
    const DRAIN: Duration = Duration::from_millis(900);
    let Work { number, shares, mut inbox, proxy, accepting: still } = work;
    let (stopping, draining) = (proxy.stopping.clone(), proxy.draining.clone());
    let accepting = async {
        draining.run_until_cancelled(accept_loop(&listeners, &shares, number, &proxy)).await;
        accept_waiting(&listeners, &shares, number, &proxy);
        drop((listeners, still));
    };
    tokio::join!(
        accepting,
        stopping.run_until_cancelled(take_over(&mut inbox, &proxy)),
        stopping.run_until_cancelled(close_idle_upstreams(&proxy)),
    );
    proxy.tasks.close();
    let _ = tokio::time::timeout(DRAIN, proxy.tasks.wait()).await;
}

async fn accept_loop(listeners: &[TcpListener], shares: &Shares, own: usize, proxy: &Arc<Proxy>) {
    let mut failing = false;
    loop {
        match next(listeners).await {
            Ok(socket) => {
                failing = false;
                give(socket, shares, own, proxy);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "cannot accept connections for now");
                }
                // Without a descriptor left it fails at once, again and again, until some are closed.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Whoever the system has let in already would be reset with the listening socket. A stop waits for nobody.
fn accept_waiting(listeners: &[TcpListener], shares: &Shares, own: usize, proxy: &Arc<Proxy>) {
    for listener in listeners {
        while !proxy.stopping.is_cancelled()
            && let Ok((socket, _)) = SockRef::from(listener).accept()
            && socket.set_nonblocking(true).is_ok()
            && let Ok(socket) = TcpStream::from_std(socket.into())
        {
            give(socket, shares, own, proxy);
        }
    }
}

fn give(socket: TcpStream, shares: &Shares, own: usize, proxy: &Arc<Proxy>) {
    if let Some((socket, load)) = shares.assign(socket, own, proxy.arriving.enter()) {
        unless_it_panics("a connection", || begin(socket, load, proxy));
    }
}

/// The next connection, whichever address it has come to.
async fn next(listeners: &[TcpListener]) -> io::Result<TcpStream> {
    poll_fn(|cx| {
        let accepted = listeners.iter().map(|listener| listener.poll_accept(cx));
        accepted.into_iter().find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
    .map(|(socket, _)| socket)
}

async fn take_over(inbox: &mut Inbox, proxy: &Arc<Proxy>) {
    while let Some((socket, load)) = inbox.next().await {
        unless_it_panics("a connection", || begin(socket, load, proxy));
    }
}

/// A panic costs what it happens in, and not the thread: its other connections, and those still to come.
fn unless_it_panics(what: &str, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!("{what} was lost to a panic");
    }
}

fn begin(socket: TcpStream, mut load: Load, proxy: &Arc<Proxy>) {
    let Some(slot) = proxy.connections.enter() else { return limits::turn_away(socket, proxy) };
    // A head and a short body are two writes now and then; Nagle's algorithm would hold back the second.
    let _ = socket.set_nodelay(true);
    let connection = Connection::accepted(proxy, proxy.face.identify(&socket));
    load.arrived();
    proxy.tasks.spawn(connection::accept(Stream::accepted(socket, (load, slot)), connection));
}

/// Whether it says nothing of the next.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

async fn close_idle_upstreams(proxy: &Proxy) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        // It reads from those connections, so what it meets is not all of our own making.
        unless_it_panics("a sweep of idle connections", || {
            proxy.contexts.close_idle_upstreams();
            if let Acting::Gateway(gateway) = &proxy.face {
                gateway.admissions.forget_idle();
            }
        });
    }
}
