//! An HTTP/1.1 client's connection: one request after the other, each answered before the next is read.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, StatusCode, Version};

use super::answer::After;
use super::deadline::Deadline;
use super::framing::{self, Framing};
use super::parse::{self, HeadError, HeadLimits};
use super::serialize::write_response;
use super::wire::Wire;
use crate::buffer::Taken;
use crate::client::Client;
use crate::connection::Connection;
use crate::error::ProxyError;
use crate::head::{RequestHead, ResponseHead};
use crate::headers::keeps_alive;
use crate::request;
use crate::response::Response;
use crate::stream::Stream;

/// How much of a request may be read before it is asked for, to learn whether the client is still there.
const READ_AHEAD: usize = 64 * 1024;

/// How many empty lines before a request line are ignored: robustness asks for one.
const EMPTY_LINES: usize = 4;

/// A client's connection, and what is known of its current request.
pub(crate) struct Downstream {
    pub(super) wire: Wire,
    pub(super) deadline: Deadline,
    pub(super) version: Version,
    pub(super) method: Method,
    pub(super) framing: Framing,
    pub(super) keep_alive: bool,
    /// Whether the client waits to be told to send its body, and may never send it.
    pub(super) expects: bool,
    /// What a body that was read whole takes of the room for those.
    pub(super) taken: Taken,
}

/// How far the head being read has come.
#[derive(Default)]
struct Reading {
    empty_lines: usize,
    /// How many of the unread bytes have been looked at in vain.
    parsed: usize,
}

/// Serves a connection until either side ends it, or it changes hands.
pub(crate) async fn serve(stream: Stream, connection: Arc<Connection>) -> io::Result<()> {
    let (mut client, mut fresh) = (Downstream::new(stream), connection.take_fresh());
    loop {
        let response = match client.next_head(&connection).await? {
            Some(Ok(head)) => {
                let client = Client::Http1(&mut client);
                request::serve(&connection, head, client).await
            }
            Some(Err(error)) => Some(request::refuse(&connection, &error)),
            None => None,
        };
        let Some(response) = response else { return Ok(()) };
        // The client shall not ask again where nobody will answer.
        client.keep_alive &= !connection.proxy.is_ending();
        match client.answer(response, connection.proxy.timeouts.idle).await? {
            After::Keep => drop(fresh.take()),
            After::Close => {
                // What is still being sent to us would be answered by a reset, and the response be lost.
                let _leaving = (!client.wire.has_received()).then(|| connection.leaves());
                return client.linger().await;
            }
            After::Switch(switch) => {
                let stream = client.wire.into_stream();
                switch.spawn(stream);
                return Ok(());
            }
        }
    }
}

/// Answers a connection that will not be served, without waiting for a request. Closing a socket with unread
/// bytes resets it, and the answer may be lost with that, so one that `lingers` is read to its end.
pub(crate) async fn turn_away(stream: Stream, response: Response, lingers: bool) -> io::Result<()> {
    let mut client = Downstream { keep_alive: false, ..Downstream::new(stream) };
    client.answer(response, None).await?;
    if lingers { client.linger().await } else { Ok(()) }
}

impl Downstream {
    fn new(stream: Stream) -> Self {
        Self {
            wire: Wire::new(stream),
            deadline: Deadline::default(),
            version: Version::HTTP_11,
            method: Method::GET,
            framing: Framing::None,
            keep_alive: true,
            expects: false,
            taken: None,
        }
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// What was held of the request has been sent on.
    pub(crate) fn let_go(&mut self) {
        self.taken = None;
    }

    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.wire.unread().len() < READ_AHEAD {
            match ready!(self.wire.poll_read(cx, READ_AHEAD)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// The same while its body waits to be taken, and is not read: it is looked at now and then.
    pub(crate) fn poll_broken(
        &mut self,
        cx: &mut Context<'_>,
        next_look: &mut Deadline,
    ) -> Poll<()> {
        const EVERY: Duration = Duration::from_secs(1);
        loop {
            if !next_look.is_set() {
                next_look.restart(Some(EVERY));
            }
            ready!(next_look.poll(cx));
            if self.wire.is_broken(cx) {
                return Poll::Ready(());
            }
            next_look.stop();
        }
    }

    /// Writes an interim response, to be sent before anything else; HTTP/1.0 knows none.
    pub(crate) fn begin_to_inform(&mut self, head: &ResponseHead) {
        if self.version != Version::HTTP_10 {
            self.expects &= head.status != StatusCode::CONTINUE;
            write_response(self.wire.unsent(), head, Framing::None, None);
        }
    }

    /// Reads the next request's head. `None` when the client has ended, or takes too long.
    async fn next_head(
        &mut self,
        connection: &Connection,
    ) -> io::Result<Option<Result<RequestHead, ProxyError>>> {
        let limits = HeadLimits::from(&connection.proxy.limits);
        self.deadline.restart(Some(connection.proxy.timeouts.request_head));
        let mut reading = Reading::default();
        poll_fn(|cx| {
            loop {
                if let Some(head) = self.parse_head(&mut reading, limits) {
                    return Poll::Ready(Ok(Some(head)));
                }
                match self.wire.poll_read(cx, limits.bytes) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Ok(None)),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return self.deadline.poll(cx).map(|()| Ok(None)),
                }
            }
        })
        .await
    }

    /// The head, once it is complete, or why it is refused. A long one is only read again when there is
    /// another line: a client that sends it byte by byte must not cost more than it does itself.
    fn parse_head(
        &mut self,
        reading: &mut Reading,
        limits: HeadLimits,
    ) -> Option<Result<RequestHead, ProxyError>> {
        const SHORT: usize = 4096;
        if let Err(reason) = self.skip_empty_lines(reading) {
            return Some(Err(ProxyError::BadRequest(reason)));
        }
        let unread = self.wire.unread();
        let new = unread.get(reading.parsed..).filter(|new| !new.is_empty())?;
        let worth_it = unread.len() < SHORT
            || unread.len() >= limits.bytes
            || memchr::memchr(b'\n', new).is_some();
        reading.parsed = unread.len();
        if !worth_it {
            return None;
        }
        match parse::request(unread, limits) {
            Ok(None) => None,
            Ok(Some((head, length))) => {
                self.wire.use_up(length);
                Some(self.begin(&head).map(|()| head).map_err(ProxyError::BadRequest))
            }
            Err(HeadError::Malformed(reason)) => Some(Err(ProxyError::BadRequest(reason))),
            Err(HeadError::TooLarge) => Some(Err(ProxyError::HeadTooLarge)),
        }
    }

    /// RFC 9112, section 2.2. They are let go of as they come: kept, each would be read again with the next.
    fn skip_empty_lines(&mut self, reading: &mut Reading) -> Result<(), &'static str> {
        while self.wire.unread().starts_with(b"\r\n") {
            if reading.empty_lines == EMPTY_LINES {
                return Err("too many empty lines stand before the request line");
            }
            reading.empty_lines += 1;
            reading.parsed = 0;
            self.wire.use_up(2);
        }
        if self.wire.unread().starts_with(b"\n") {
            return Err("a line does not end in CR LF");
        }
        Ok(())
    }

    fn begin(&mut self, head: &RequestHead) -> Result<(), framing::Ambiguous> {
        self.version = head.version;
        self.method = head.method.clone();
        self.keep_alive = keeps_alive(head.version, &head.fields);
        self.expects = head.fields.contains("expect");
        self.framing = framing::of_request(head)?;
        self.wire.receive(self.framing);
        Ok(())
    }
}
