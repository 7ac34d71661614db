//! An exchange over an HTTP/2 connection to an upstream.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::SendRequest;
use hyper::{HeaderMap, Request, Version};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use super::upload::{self, Progress};
use crate::client::{Client, Upload};
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

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        Self { error, unsent: false }
    }
}

impl From<TrySendError<Request<RequestBody>>> for Failure {
    fn from(mut error: TrySendError<Request<RequestBody>>) -> Self {
        let unsent = error.take_message().is_some();
        Self { error: failed(error.into_error()), unsent }
    }
}

/// Sends a request, and waits for the response's head as long as the request's body moves.
pub(super) async fn send(
    mut sender: SendRequest<RequestBody>,
    exchange: &Arc<Exchange>,
    upstream: &Upstream,
    head: &RequestHead,
    client: &mut Client<'_>,
) -> Result<Response, Failure> {
    let progress = Progress::begin(exchange, client.framing());
    let (body, mut queue) = body_of(client, &progress);
    let request = request(head, upstream, body)
        .ok_or(ProxyError::BadRequest("the request target is not valid"))?;
    let mut response = pin!(sender.try_send_request(request));
    let mut deadline = Deadline::default();
    let response = poll_fn(|cx| {
        poll_queue(cx, &mut queue, client).map_err(|error| upload::broken(&error))?;
        if let Poll::Ready(response) = response.as_mut().poll(cx) {
            return Poll::Ready(response.map_err(Failure::from));
        }
        if queue.is_none() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(ProxyError::ClientGone.into()));
        }
        progress.poll_late(cx, &mut deadline).map(|late| Err(late.into()))
    });
    let (parts, body) = response.await?.into_parts();
    let body = Some(body).filter(|body| !body.is_end_stream());
    Ok(Response::new(ResponseHead::of_http2(&parts), ResponseBody::Http2(body, queue)))
}

fn poll_queue(
    cx: &mut Context<'_>,
    queue: &mut Option<Queue>,
    client: &mut Client<'_>,
) -> io::Result<()> {
    if let (Some(upload), Client::Http1(client)) = (&mut *queue, client)
        && upload.poll(cx, client.wire())?.is_ready()
    {
        *queue = None;
    }
    Ok(())
}

fn request(
    head: &RequestHead,
    upstream: &Upstream,
    body: RequestBody,
) -> Option<Request<RequestBody>> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_2;
    let authority = upstream.host_field();
    *request.uri_mut() = http2_uri(upstream.scheme.as_str(), &authority, &head.origin_form())?;
    *request.headers_mut() = HeaderMap::from(&head.fields);
    request.headers_mut().remove(hyper::header::HOST);
    if let Some(token) = request.headers_mut().get_mut(hyper::header::PROXY_AUTHORIZATION) {
        // RFC 7541, section 7.1.3: no compression is to remember it.
        token.set_sensitive(true);
    }
    Some(request)
}

fn body_of(client: &mut Client<'_>, progress: &Arc<Progress>) -> (RequestBody, Option<Queue>) {
    let progress = Arc::clone(progress);
    match client {
        Client::Http1(client) if client.framing() != Framing::None => {
            let (sender, receiver) = mpsc::channel(1);
            let queue = Queue { sender: PollSender::new(sender), progress };
            (RequestBody::Queue(receiver), Some(queue))
        }
        Client::Http2(upload) => {
            let relayed = |body| RequestBody::Relayed(body, progress);
            (upload.take().map_or(RequestBody::Empty, relayed), None)
        }
        Client::Http1(_) | Client::Nobody => (RequestBody::Empty, None),
    }
}

/// What an upstream connection's failure means to whoever waits for its response.
pub(super) fn failed(error: hyper::Error) -> ProxyError {
    // What fails of the request's body is told by whoever reads it; hyper counts it as its user's fault, too, that a
    // connection ends under a request which waits for a place.
    if error.is_parse() {
        ProxyError::UpstreamProtocol("it is not HTTP/2")
    } else {
        ProxyError::UpstreamClosed(io::Error::other(error))
    }
}

/// A request's body, as hyper asks for it.
pub(super) enum RequestBody {
    Empty,
    /// That of an HTTP/2 client.
    Relayed(Upload, Arc<Progress>),
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
            Self::Relayed(body, progress) => {
                let Poll::Ready(mut frame) = Pin::new(&mut *body).poll_frame(cx) else {
                    progress.awaits_client();
                    return Poll::Pending;
                };
                if let Some(Ok(frame)) = &mut frame {
                    progress.moved(frame.data_ref().map_or(0, Bytes::len));
                    frame.trailers_mut().map(strip_trailers);
                }
                // hyper does not ask again behind the last frame.
                if frame.is_none() || body.is_end_stream() {
                    progress.ended();
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
    progress: Arc<Progress>,
}

impl Queue {
    /// Ready when all has been sent, or the upstream wants no more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, client: &mut Wire) -> Poll<io::Result<()>> {
        while ready!(self.sender.poll_reserve(cx)).is_ok() {
            let Poll::Ready(frame) = client.poll_frame(cx) else {
                self.progress.awaits_client();
                return Poll::Pending;
            };
            let mut frame = frame?;
            match &mut frame {
                Some(http1::Frame::Data(data)) => self.progress.moved(data.len()),
                Some(http1::Frame::Trailers(fields)) => headers::strip_trailers(fields),
                None => {}
            }
            let ended = frame.is_none();
            if self.sender.send_item(frame).is_err() || ended {
                break;
            }
        }
        self.progress.ended();
        Poll::Ready(Ok(()))
    }
}
