//! An HTTP/1.1 connection to an upstream, and one exchange over it.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};

use http::StatusCode;

use super::upload;
use crate::client::Client;
use crate::counters::Counted;
use crate::error::ProxyError;
use crate::forward;
use crate::head::{RequestHead, ResponseHead};
use crate::http1::{Deadline, HeadError, PumpError, Wire, parse_response, write_request};
use crate::options::Timeouts;
use crate::server::Proxy;
use crate::stream::Stream;

/// A connection to an upstream; it counts as one until it is dropped.
pub(crate) struct Http1 {
    pub(super) wire: Wire,
    deadline: Deadline,
    /// Whether the request is still being sent; it may be while the response already comes.
    pub(super) uploading: bool,
    /// Whether the upstream did not take all of the request.
    pub(super) refused: bool,
    _counted: Counted,
    _among: Option<Counted>,
}

/// Why there is no response.
pub(super) struct Failure {
    pub(super) error: ProxyError,
    /// Whether the connection was closed before the upstream said anything.
    pub(super) unanswered: bool,
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        Self { error, unanswered: false }
    }
}

impl Http1 {
    pub(super) fn new(stream: Stream, proxy: &Proxy) -> Self {
        Self {
            wire: Wire::new(stream),
            deadline: Deadline::default(),
            uploading: false,
            refused: false,
            _counted: proxy.counters.upstream_connections.enter(),
            _among: None,
        }
    }

    /// Counts it among the connections to its origin, too.
    pub(super) fn among(self, open: Counted) -> Self {
        Self { _among: Some(open), ..self }
    }

    /// The bytes that follow a change of protocol, or a CONNECT.
    pub(super) fn into_stream(self) -> Stream {
        self.wire.into_stream()
    }

    /// Whether it can take a request, as far as is known without asking the system.
    pub(super) fn is_usable(&mut self) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        self.wire.is_idle() && self.wire.poll_read(cx, 1).is_pending()
    }

    /// The same, but the system is asked.
    pub(super) fn is_surely_usable(&self) -> bool {
        !self.wire.stream().is_readable()
    }

    /// Sends a request, and waits for the response's head: as long as the request's body keeps moving, and the
    /// limit after that. Interim responses are passed on.
    pub(super) async fn send(
        &mut self,
        head: &RequestHead,
        client: &mut Client<'_>,
        timeouts: &Timeouts,
        mut count: impl FnMut(usize),
    ) -> Result<ResponseHead, Failure> {
        let framing = client.framing();
        write_request(self.wire.unsent(), head, framing);
        self.wire.send(framing);
        self.uploading = true;
        self.deadline.stop();
        let mut next_look = Deadline::default();
        loop {
            let head = poll_fn(|cx| {
                if let head @ Poll::Ready(_) = self.poll_head(cx, client, timeouts, &mut count) {
                    return head;
                }
                upload::poll_gone(cx, client, self.uploading, &mut next_look)
                    .map(|()| Err(ProxyError::ClientGone.into()))
            });
            let mut head = head.await?;
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(head);
            }
            forward::strip(&mut head);
            self.inform(client, &head).await?;
        }
    }

    /// Passes on an interim response; a client that does not read them cannot make the exchange last.
    async fn inform(
        &mut self,
        client: &mut Client<'_>,
        head: &ResponseHead,
    ) -> Result<(), ProxyError> {
        let mut inform = pin!(client.inform(head));
        poll_fn(|cx| {
            // First: where both sides are quick, neither is ever waited for.
            if self.deadline.poll(cx).is_ready() {
                return Poll::Ready(Err(ProxyError::ResponseTimeout));
            }
            inform.as_mut().poll(cx)
        })
        .await
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<'_>,
        timeouts: &Timeouts,
        count: &mut impl FnMut(usize),
    ) -> Poll<Result<ResponseHead, Failure>> {
        let mut moved = false;
        if self.uploading {
            let waiting = self.wire.unsent().len();
            let upload = client.poll_upload(cx, &mut self.wire, |bytes| {
                moved = true;
                count(bytes);
            });
            self.uploaded(upload).map_err(|error| upload::broken(&error))?;
            // A body that was held is counted at once, and sent bit by bit.
            moved |= !self.uploading || self.wire.unsent().len() < waiting;
        }
        if let Poll::Ready(head) = self.poll_read_head(cx) {
            return Poll::Ready(head);
        }
        if moved || !self.deadline.is_set() {
            self.deadline.restart(Some(upload::patience(timeouts, self.uploading)));
        }
        let awaits_client = self.uploading && self.wire.unsent().is_empty();
        self.deadline.poll(cx).map(|()| Err(upload::late(awaits_client).into()))
    }

    /// An upstream that does not want the rest of a request has perhaps answered it; a client that does not
    /// send the rest ends the exchange.
    pub(super) fn uploaded(&mut self, upload: Poll<Result<(), PumpError>>) -> io::Result<()> {
        match upload {
            Poll::Pending => {}
            Poll::Ready(Err(PumpError::From(error))) => return Err(error),
            Poll::Ready(sent) => {
                self.uploading = false;
                self.refused = sent.is_err();
            }
        }
        Ok(())
    }

    fn poll_read_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, Failure>> {
        const PIECE: usize = 32 * 1024;
        loop {
            if !self.wire.unread().is_empty() {
                match parse_response(self.wire.unread()) {
                    Ok(None) => {}
                    Ok(Some((head, length))) => {
                        self.wire.use_up(length);
                        return Poll::Ready(Ok(head));
                    }
                    Err(error) => return Poll::Ready(Err(broken(error).into())),
                }
            }
            let unanswered = self.wire.unread().is_empty();
            let closed = match ready!(self.wire.poll_read(cx, PIECE)) {
                Ok(1..) => continue,
                Ok(0) => io::ErrorKind::UnexpectedEof.into(),
                Err(error) => error,
            };
            let error = ProxyError::UpstreamClosed(closed);
            return Poll::Ready(Err(Failure { error, unanswered }));
        }
    }
}

fn broken(error: HeadError) -> ProxyError {
    match error {
        HeadError::Malformed(reason) => ProxyError::UpstreamProtocol(reason),
        HeadError::TooLarge => ProxyError::UpstreamProtocol("its head is too large"),
    }
}
