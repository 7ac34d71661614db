//! One stream of a client's connection: a request, and its answer.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Method, Request};

use super::malformed;
use super::reply::Reply;
use super::sending::Sending;
use super::tunnel::Tunnel;
use crate::client::{Client, Http2Upload, Upload};
use crate::connection::Connection;
use crate::counters::Counted;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::head::RequestHead;
use crate::http1::{Deadline, PumpError};
use crate::request;
use crate::respond::{INCOMPLETE, STALLED};
use crate::response::{Body, Response};
use crate::stream::Stream;

/// Serves a stream until its client has the response or goes away, or its context is released. Dropped before its
/// end, the stream is reset.
pub(super) fn serve(
    connection: Arc<Connection>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    open: Counted,
) -> impl Future<Output = ()> {
    let idle = connection.proxy.timeouts.idle;
    // Boxed: it is large, and a long response has no use for it.
    let beginning = Box::pin(begin(connection, request, respond, open));
    async move {
        let Some(mut answer) = beginning.await else { return };
        let exchange = answer.exchange.as_ref();
        let released = exchange.map(|exchange| exchange.context().released.clone());
        let sent = {
            // Pinned here, and below: handed over, it would be copied, and kept twice.
            let sending = pin!(answer.send(idle));
            released.unwrap_or_default().run_until_cancelled_owned(sending).await
        };
        match sent {
            Some(Ok(())) => answer.end(),
            Some(Err(error)) => tracing::debug!(%error, "a stream ended early"),
            None => {}
        }
    }
}

/// Does what is asked, and sends the head of the response; its body, if one is to follow.
async fn begin(
    connection: Arc<Connection>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    open: Counted,
) -> Option<Answer> {
    let (parts, receiving) = request.into_parts();
    let head = RequestHead::of_http2(parts);
    let is_head = head.method == Method::HEAD;
    let reply = Reply::new(respond);
    let served = Served { reply, receiving: Some(receiving), is_head, open };
    match check(&connection, &head).and_then(|()| request::begin(&connection, &head)) {
        Ok(exchange) => {
            let released = exchange.context().released.clone();
            let carrying_out = pin!(served.carry_out(&exchange, head));
            released.run_until_cancelled(carrying_out).await?
        }
        Err(error) => served.answer(request::refuse(&connection, &error), None),
    }
}

fn check(connection: &Connection, head: &RequestHead) -> Result<(), ProxyError> {
    let fields = u32::try_from(head.fields.iter().count()).unwrap_or(u32::MAX);
    if fields > connection.proxy.limits.head_fields {
        return Err(ProxyError::HeadTooLarge);
    }
    malformed::check(&head.fields)
}

/// A stream whose request has been read.
struct Served {
    reply: Reply,
    /// The client's half, unless it is the body of a request.
    receiving: Option<RecvStream>,
    is_head: bool,
    open: Counted,
}

impl Served {
    async fn carry_out(mut self, exchange: &Arc<Exchange>, head: RequestHead) -> Option<Answer> {
        // What follows a CONNECT is none of its body.
        let body = self.receiving.take_if(|_| head.method != Method::CONNECT);
        let mut upload = Http2Upload::new(body, &head.fields);
        let response = {
            let client = Client::Http2(&mut upload, &self.reply);
            let mut carried_out = pin!(request::carry_out(exchange, head, client));
            poll_fn(|cx| match carried_out.as_mut().poll(cx) {
                Poll::Pending => self.reply.poll_gone(cx).map(|()| None),
                response @ Poll::Ready(_) => response,
            })
            .await?
        };
        // Where the context was released just now, nothing of it shall still be told that.
        if exchange.context().released.is_cancelled() {
            return None;
        }
        self.answer(response, upload.take())
    }

    fn answer(self, response: Response, upload: Option<Upload>) -> Option<Answer> {
        let Response { head, mut body, switch, exchange } = response;
        if self.is_head && matches!(body, Body::Own(_)) {
            body = Body::Own(Bytes::new());
        }
        let ends = switch.is_none() && body.is_at_end();
        let sending = self.reply.answer(&head, ends)?;
        if let (Some(switch), Some(receiving)) = (switch, self.receiving) {
            exchange.inspect(|exchange| exchange.completed());
            switch.spawn(Stream::from(Tunnel::new(sending, receiving, self.open)));
            return None;
        }
        let sending = Sending::new(sending, ends);
        Some(Answer { body, upload, sending, exchange, _open: self.open })
    }
}

/// A response whose head has been sent.
struct Answer {
    body: Body,
    /// What is left of the request's body.
    upload: Option<Upload>,
    sending: Sending,
    exchange: Option<Arc<Exchange>>,
    _open: Counted,
}

impl Answer {
    /// Sends the body to its end, unless nothing moves for too long.
    async fn send(&mut self, idle: Option<Duration>) -> io::Result<()> {
        let exchange = self.exchange.clone();
        let exchange = exchange.as_deref();
        let mut seen = exchange.map(Exchange::moved);
        let mut deadline = Deadline::default();
        deadline.restart(idle);
        poll_fn(|cx| {
            let sent = self.poll_body(cx, exchange);
            if sent.is_ready() {
                return sent;
            }
            let moved = exchange.map(Exchange::moved);
            if moved != seen {
                seen = moved;
                deadline.restart(idle);
            }
            deadline.poll(cx).map(|()| {
                exchange.inspect(|exchange| exchange.failed(STALLED));
                Err(io::ErrorKind::TimedOut.into())
            })
        })
        .await
    }

    fn end(self) {
        if let Some(exchange) = self.exchange {
            exchange.completed();
        }
        if let Body::Http1(relay) = self.body {
            relay.finish();
        }
    }

    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        exchange: Option<&Exchange>,
    ) -> Poll<io::Result<()>> {
        let Self { body, upload, sending, .. } = self;
        let count = |bytes| exchange.into_iter().for_each(|exchange| exchange.moved_down(bytes));
        let sent = match body {
            Body::Own(text) => sending.poll_body(cx, text, count),
            Body::Http1(relay) => {
                relay.poll_upload(cx, upload)?;
                sending.poll_body(cx, relay, count)
            }
            Body::Http2(relay) => {
                let uploaded = match upload {
                    Some(upload) => relay.poll_upload(cx, upload)?,
                    None => Poll::Ready(()),
                };
                let sent = sending.poll_body(cx, &mut **relay, count);
                // An upstream that has answered early may want the rest of the request.
                if matches!(sent, Poll::Ready(Ok(()))) && uploaded.is_pending() {
                    ready!(sending.poll_reset(cx));
                }
                sent
            }
        };
        sent.map_err(|error| {
            if let PumpError::From(error) = &error {
                exchange.inspect(|exchange| exchange.failed(INCOMPLETE));
                sending.reset(reason_of(error));
            }
            error.into_inner()
        })
    }
}

/// What the client is told of a response that was broken off: what the upstream has said, but for what would make an
/// end of it, or have the request sent again.
fn reason_of(error: &io::Error) -> Reason {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<h2::Error>());
    match error.and_then(h2::Error::reason) {
        None | Some(Reason::NO_ERROR | Reason::REFUSED_STREAM) => Reason::INTERNAL_ERROR,
        Some(reason) => reason,
    }
}
