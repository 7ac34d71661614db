//! An exchange over an HTTP/2 connection to an upstream.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::{HeaderMap, Request, Version};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use super::upload;
use crate::client::Client;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead, http2_uri};
use crate::headers;
use crate::http1::{self, Deadline, Framing, Wire};
use crate::response::{Body as ResponseBody, Response};
use crate::route::Upstream;

/// Why there is no response, and whether the connection has not taken the request.
pub(super) struct Failure {
    pub(super) error: ProxyError,
    pub(super) unsent: bool,
}

/// Sends a request, and waits for the response's head as long as the request's body moves.
pub(super) async fn send(
    mut sender: SendRequest<RequestBody>,
    exchange: &Arc<Exchange>,
    upstream: &Upstream,
    head: &RequestHead,
    client: &mut Client<'_>,
) -> Result<Response, Failure> {
    let (body, mut queue) = body_of(exchange, client);
    let request = request(head, upstream, body).ok_or(Failure {
        error: ProxyError::BadRequest("the request target is not valid"),
        unsent: false,
    })?;
    let limit = Some(exchange.connection.proxy.timeouts.response_head);
    let mut deadline = Deadline::default();
    let mut response = std::pin::pin!(sender.try_send_request(request));
    let mut seen = None;
    let failure = |error| Failure { error, unsent: false };
    let response = poll_fn(|cx| {
        if let (Some(upload), Client::Http1(client)) = (&mut queue, &mut *client)
            && upload
                .poll(cx, client.wire())
                .map_err(|error| failure(upload::broken(&error)))?
                .is_ready()
        {
            queue = None;
        }
        if let Poll::Ready(response) = response.as_mut().poll(cx) {
            return Poll::Ready(response.map_err(|mut error| {
                let unsent = error.take_message().is_some();
                Failure { error: failed(error.into_error()), unsent }
            }));
        }
        if queue.is_none() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(failure(ProxyError::ClientGone)));
        }
        if seen.replace(exchange.moved()) != Some(exchange.moved()) {
            deadline.restart(limit);
        }
        deadline.poll(cx).map(|()| Err(failure(ProxyError::ResponseTimeout)))
    });
    let (parts, body) = response.await?.into_parts();
    let body = Some(body).filter(|body| !body.is_end_stream());
    Ok(Response::new(ResponseHead::of_http2(&parts), ResponseBody::Http2(body, queue)))
}

fn request(
    head: &RequestHead,
    upstream: &Upstream,
    body: RequestBody,
) -> Option<Request<RequestBody>> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_2;
    let authority = upstream.authority_field();
    *request.uri_mut() = http2_uri(upstream.scheme.as_str(), &authority, &head.origin_form())?;
    *request.headers_mut() = HeaderMap::from(&head.fields);
    request.headers_mut().remove(hyper::header::HOST);
    Some(request)
}

fn body_of(exchange: &Arc<Exchange>, client: &mut Client<'_>) -> (RequestBody, Option<Queue>) {
    let exchange = Arc::clone(exchange);
    match client {
        Client::Http1(client) if client.framing() != Framing::None => {
            let (sender, receiver) = mpsc::channel(1);
            (
                RequestBody::Queue(receiver),
                Some(Queue { sender: PollSender::new(sender), exchange }),
            )
        }
        Client::Http2(upload) => match upload.take() {
            Some(body) => (RequestBody::Relayed(body, exchange), None),
            None => (RequestBody::Empty, None),
        },
        Client::Http1(_) | Client::Nobody => (RequestBody::Empty, None),
    }
}

/// What an upstream connection's failure means to whoever waits for its response.
pub(super) fn failed(error: hyper::Error) -> ProxyError {
    if error.is_user() {
        upload::MALFORMED
    } else if error.is_parse() {
        ProxyError::UpstreamProtocol("it is not HTTP/2")
    } else {
        ProxyError::UpstreamClosed(io::Error::other(error))
    }
}

/// A request's body, as hyper asks for it.
pub(super) enum RequestBody {
    Empty,
    /// That of an HTTP/2 client.
    Relayed(Incoming, Arc<Exchange>),
    /// That of an HTTP/1.1 client, frame by frame; `None` is its end.
    Queue(mpsc::Receiver<Option<http1::Frame>>),
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Relayed(body, exchange) => {
                let mut frame = ready!(Pin::new(body).poll_frame(cx));
                if let Some(Ok(frame)) = &mut frame {
                    exchange.moved_up(frame.data_ref().map_or(0, Bytes::len));
                    frame.trailers_mut().map(strip_trailers);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Self::Queue(frames) => Poll::Ready(match ready!(frames.poll_recv(cx)) {
                Some(Some(http1::Frame::Data(data))) => Some(Ok(Frame::data(data))),
                Some(Some(http1::Frame::Trailers(fields))) => {
                    Some(Ok(Frame::trailers(HeaderMap::from(&fields))))
                }
                Some(None) => None,
                // Dropped before its end: what was sent must not pass for the whole.
                None => Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Relayed(body, _) => body.is_end_stream(),
            Self::Queue(_) => false,
        }
    }
}

/// Removes from trailers what may only stand in a head.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    let mut fields = Fields::from(&*trailers);
    headers::strip_trailers(&mut fields);
    *trailers = HeaderMap::from(&fields);
}

/// The upload of an HTTP/1.1 client to an HTTP/2 upstream: one frame at a time, as the upstream takes them.
pub(crate) struct Queue {
    sender: PollSender<Option<http1::Frame>>,
    exchange: Arc<Exchange>,
}

impl Queue {
    /// Ready when all has been sent, or the upstream wants no more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, client: &mut Wire) -> Poll<io::Result<()>> {
        loop {
            if ready!(self.sender.poll_reserve(cx)).is_err() {
                return Poll::Ready(Ok(()));
            }
            let mut frame = ready!(client.poll_frame(cx))?;
            match &mut frame {
                Some(http1::Frame::Data(data)) => self.exchange.moved_up(data.len()),
                Some(http1::Frame::Trailers(fields)) => headers::strip_trailers(fields),
                None => {}
            }
            let ended = frame.is_none();
            if self.sender.send_item(frame).is_err() || ended {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
