//! Whether a peer that says nothing is still there (RFC 9113, section 6.7).

use std::future::pending;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::parting::Parting;
use crate::stream::Stream;

/// A stream that notes when something has come: whatever it is, the peer is there.
pub(crate) struct Watched {
    stream: Stream,
    heard: Heard,
    /// A client's.
    parting: Option<Parting>,
}

/// When something was heard last, and what else is known of how far the peer has come.
#[derive(Clone)]
pub(crate) struct Heard(Arc<Marks>);

struct Marks {
    begun: Instant,
    /// Milliseconds after that.
    last: AtomicU64,
    /// Whether there is something that the peer has not taken yet.
    behind: AtomicBool,
    /// Whether it has had time to read all that it was sent.
    rests: AtomicBool,
}

impl Watched {
    pub(crate) fn new(stream: Stream) -> (Self, Heard) {
        let marks = Marks {
            begun: Instant::now(),
            last: AtomicU64::default(),
            behind: AtomicBool::default(),
            rests: AtomicBool::default(),
        };
        let heard = Heard(Arc::new(marks));
        (Self { stream, heard: heard.clone(), parting: None }, heard)
    }

    /// The same for a client's, which is given time to read to the end.
    pub(super) fn of_client(stream: Stream) -> (Self, Heard) {
        let (watched, heard) = Self::new(stream);
        (Self { parting: Some(Parting::default()), ..watched }, heard)
    }

    fn sent<T>(&self, sent: Poll<T>) -> Poll<T> {
        self.heard.0.behind.store(sent.is_pending(), Relaxed);
        sent
    }
}

/// How long a peer may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepAlive {
    /// Before it is asked whether it is there.
    pub(crate) after: Duration,
    /// Once it has been asked.
    pub(crate) within: Duration,
}

impl KeepAlive {
    /// Ready when the peer has been silent, and has not answered a PING either. It is not asked while that is of no
    /// interest. An answer may be late where there is much to be said before: then the rest counts.
    pub(crate) async fn until_gone(
        self,
        heard: Heard,
        pings: Option<PingPong>,
        matters: impl Fn() -> bool,
    ) {
        let Some(mut pings) = pings else { return pending().await };
        loop {
            heard.silence(self.after).await;
            if !matters() {
                sleep(self.after).await;
                continue;
            }
            let mut pong = pin!(pings.ping(Ping::opaque()));
            let mut by = Instant::now() + self.within;
            loop {
                let answer = timeout_at(by, pong.as_mut()).await;
                let late = heard.last() + self.within;
                match answer {
                    Ok(Ok(_)) => break,
                    // The connection has ended, and its owner knows.
                    Ok(Err(_)) => return pending().await,
                    Err(_) if late > by => by = late,
                    Err(_) => return,
                }
            }
        }
    }
}

impl Heard {
    async fn silence(&self, limit: Duration) {
        loop {
            let until = self.last() + limit;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    fn last(&self) -> Instant {
        self.0.begun + Duration::from_millis(self.0.last.load(Relaxed))
    }

    pub(super) fn is_silent_for(&self, time: Duration) -> bool {
        self.last().elapsed() >= time
    }

    /// Whether the peer does not take what it is sent.
    pub(super) fn is_behind(&self) -> bool {
        self.0.behind.load(Relaxed)
    }

    /// Says whether it has had time to read all that it was sent: its connection can be closed then without a delay.
    pub(super) fn rests(&self, rests: bool) {
        self.0.rests.store(rests, Relaxed);
    }

    fn again(&self) {
        let after = self.0.begun.elapsed().as_millis();
        self.0.last.store(u64::try_from(after).unwrap_or_default(), Relaxed);
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            self.heard.again();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.sent(sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.sent(sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_flush(cx);
        self.sent(sent)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, heard, parting } = &mut *self;
        match parting {
            Some(parting) if !heard.0.rests.load(Relaxed) => parting.poll(cx, stream),
            _ => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// A connection, and the task that is done once its peer is found to be gone.
    async fn watch(keep_alive: KeepAlive) -> (TcpStream, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, heard) = Watched::new(Stream::from(listener.accept().await.unwrap().0));
        let task = tokio::spawn(async move {
            let handshake = h2::server::handshake(stream);
            let mut serving: h2::server::Connection<_, Bytes> = handshake.await.unwrap();
            let gone = keep_alive.until_gone(heard, serving.ping_pong(), || true);
            tokio::select! {
                () = gone => {}
                other = serving.accept() => panic!("the connection ended: {other:?}"),
            }
        });
        (peer, task)
    }

    #[tokio::test]
    async fn whoever_does_not_answer_is_gone() {
        let short = Duration::from_millis(20);
        let (mut peer, task) = watch(KeepAlive { after: short, within: short }).await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        tokio::io::AsyncWriteExt::write_all(&mut peer, preface).await.unwrap();
        timeout(LONG, task).await.expect("it is found to be gone").unwrap();
    }

    #[tokio::test]
    async fn whoever_answers_stays() {
        let (after, within) = (Duration::from_millis(20), Duration::from_millis(700));
        let (peer, task) = watch(KeepAlive { after, within }).await;
        let (_sender, connection) = h2::client::handshake(peer).await.unwrap();
        let answering = timeout(2 * within, connection).await;
        assert!(answering.is_err(), "{answering:?}");
        assert!(!task.is_finished());
    }
}
