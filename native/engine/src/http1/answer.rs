//! A response on its way to an HTTP/1.1 client, and what becomes of the connection after it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Version};
use tokio::io::AsyncWrite as _;
use tokio::time::timeout;

use super::deadline::Deadline;
use super::downstream::Downstream;
use super::framing::{self, Framing};
use super::pump::{PumpError, pump_frames};
use super::serialize::{connection_option, write_response};
use crate::body::{Frame, Frames as _};
use crate::exchange::Exchange;
use crate::head::ResponseHead;
use crate::respond::{INCOMPLETE, STALLED};
use crate::response::{Body, Response, Switch};

/// How much of a request's body is read for the sake of the next request, when nobody wants it.
const WORTH_DRAINING: u64 = 64 * 1024;
/// How long a client may take to notice that its connection ends, before it is reset.
const LINGER: Duration = Duration::from_secs(1);

/// What becomes of the connection after a response.
pub(super) enum After {
    Keep,
    Close,
    Switch(Box<Switch>),
}

impl Downstream {
    /// Sends a response to its end.
    pub(super) async fn answer(
        &mut self,
        response: Response,
        idle: Option<Duration>,
    ) -> io::Result<After> {
        let Response { head, mut body, switch, exchange } = response;
        let framing = self.begin_answer(&head, &body, switch.is_some());
        if self.wire.has_received() {
            self.let_go();
        }
        // However it comes to be cut short, an orderly end would be taken for the body's.
        self.wire.stream_mut().reset_on_drop(framing == Framing::UntilClose);
        self.send_body(&mut body, exchange.as_deref(), idle).await?;
        self.wire.stream_mut().reset_on_drop(false);
        self.let_go();
        if let Some(exchange) = exchange {
            exchange.completed();
        }
        if let Body::Http1(relay) = body {
            relay.finish();
        }
        match switch {
            Some(switch) => Ok(After::Switch(switch)),
            None if self.keep_alive && self.drain().await? => Ok(After::Keep),
            None => Ok(After::Close),
        }
    }

    /// Writes the head, and settles how the body ends and whether the connection goes on.
    fn begin_answer(&mut self, head: &ResponseHead, body: &Body, switches: bool) -> Framing {
        let framing = match body {
            Body::Own(text) if switches || text.is_empty() => Framing::None,
            Body::Own(text) => Framing::Length(text.len() as u64),
            Body::Http1(relay) => relay.framing(),
            Body::Http2(relay) => http2_framing(head, &self.method, relay.is_at_end()),
        };
        let framing = match (framing, self.version) {
            (Framing::Chunked | Framing::UntilClose, Version::HTTP_10) => Framing::UntilClose,
            (Framing::UntilClose, _) => Framing::Chunked,
            (framing, _) => framing,
        };
        // An answer of our own may come while the client is still sending what nobody will read.
        let unwanted = matches!(body, Body::Own(_)) && !self.wire.is_worth_draining(WORTH_DRAINING);
        let unsent = self.expects && !self.wire.has_received();
        let told = head.fields.lists("connection", "close");
        self.keep_alive &= !unwanted && !unsent && !told && framing != Framing::UntilClose;
        let option = connection_option(self.version, self.keep_alive);
        let option = option.filter(|_| !switches && !head.fields.contains("connection"));
        write_response(self.wire.unsent(), head, framing, option);
        self.wire.sending = framing;
        framing
    }

    async fn send_body(
        &mut self,
        body: &mut Body,
        exchange: Option<&Exchange>,
        idle: Option<Duration>,
    ) -> io::Result<()> {
        if let Body::Own(text) = body
            && self.method != Method::HEAD
        {
            self.wire.unsent.extend_from_slice(text);
        }
        let (mut seen, mut next_look) = (None, Deadline::default());
        poll_fn(|cx| {
            let sent = self.poll_body(cx, body, exchange);
            if sent.is_ready() {
                return sent;
            }
            let moved = exchange.map(Exchange::moved);
            if moved != seen {
                seen = moved;
                self.deadline.restart(idle);
            }
            let gone = if self.wire.has_received() {
                self.poll_gone(cx)
            } else {
                self.poll_broken(cx, &mut next_look)
            };
            if gone.is_ready() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            self.deadline.poll(cx).map(|()| {
                exchange.inspect(|exchange| exchange.failed(STALLED));
                Err(io::ErrorKind::TimedOut.into())
            })
        })
        .await
    }

    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut Body,
        exchange: Option<&Exchange>,
    ) -> Poll<io::Result<()>> {
        let count = |bytes| exchange.into_iter().for_each(|exchange| exchange.moved_down(bytes));
        let sent = match body {
            Body::Own(text) => {
                count(std::mem::take(text).len());
                return self.wire.poll_send(cx);
            }
            Body::Http1(relay) => return relay.poll(cx, &mut self.wire, !self.expects),
            Body::Http2(relay) => {
                let _ = relay.poll_upload(cx, &mut self.wire)?;
                pump_frames(cx, relay.body(), &mut self.wire, count)
            }
        };
        sent.map_err(|error| {
            if let (PumpError::From(_), Some(exchange)) = (&error, exchange) {
                exchange.failed(INCOMPLETE);
            }
            error.into_inner()
        })
    }

    /// Reads what is left of a request that has been answered; whether the next one can follow.
    async fn drain(&mut self) -> io::Result<bool> {
        if self.wire.has_received() {
            return Ok(true);
        }
        self.deadline.restart(Some(LINGER));
        let mut left = WORTH_DRAINING;
        while !self.wire.has_received() {
            let frame = poll_fn(|cx| match self.wire.poll_frame(cx) {
                Poll::Pending => self.deadline.poll(cx).map(|()| Ok(None)),
                frame @ Poll::Ready(_) => frame,
            });
            left = match frame.await? {
                Some(Frame::Data(data)) if data.len() as u64 <= left => left - data.len() as u64,
                Some(Frame::Trailers(_)) => left,
                Some(Frame::Data(_)) | None => break,
            };
        }
        Ok(self.wire.has_received())
    }

    /// Ends the connection so that the response arrives: with bytes unread, closing would reset it. Inside TLS
    /// the end is something to be sent, too, and a client that does not read would keep it waiting.
    pub(super) async fn linger(self) -> io::Result<()> {
        let mut stream = self.wire.into_stream();
        let ending = async {
            poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await?;
            poll_fn(|cx| stream.poll_discard(cx)).await
        };
        timeout(LINGER, ending).await.unwrap_or(Ok(()))
    }
}

fn http2_framing(head: &ResponseHead, method: &Method, is_empty: bool) -> Framing {
    match framing::of_response(head, method) {
        Ok(Framing::None) | Err(_) => Framing::None,
        Ok(_) if is_empty => Framing::Length(0),
        Ok(framing) => framing,
    }
}
