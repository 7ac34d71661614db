//! An exchange over an HTTP/2 connection to an upstream.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::response::Parts;
use http::{HeaderMap, Request, Version};

use super::http2_connection::{Asked, Http2, failed};
use super::upload::{self, Uploading};
use crate::body::{Frame, Frames};
use crate::client::Client;
use crate::counters::Counted;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::forward;
use crate::head::{RequestHead, ResponseHead, http2_uri};
use crate::http1::{Deadline, Framing, of_response};
use crate::http2::{Interim, Received, Sending};
use crate::response::{Body, Response};
use crate::route::Upstream;

/// Why there is no response.
pub(super) struct Failure {
    pub(super) error: ProxyError,
    /// Whether the upstream is known not to have looked at the request, all of which is still there.
    pub(super) unsent: bool,
    /// Whether the connection was closed before the upstream said anything.
    pub(super) unanswered: bool,
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        Self { error, unsent: false, unanswered: false }
    }
}

/// Sends a request, and waits for the response's head as long as the request's body moves.
pub(super) async fn send(
    connection: &Http2,
    exchange: &Arc<Exchange>,
    upstream: &Upstream,
    request: Request<()>,
    client: &mut Client<'_>,
) -> Result<Response, Failure> {
    let bodiless = client.framing() == Framing::None;
    let method = request.method().clone();
    let mut uploading = Uploading::begin(exchange, bodiless);
    let Asked { response, sending, open } =
        ask(connection, request, bodiless, &uploading, client).await?;
    uploading.send_on(Sending::new(sending, bodiless));
    let mut waiting = Waiting { response, uploading, upstream, interim: Interim::default() };
    let (parts, body) = waiting.head(client).await?;
    let head = ResponseHead::of_http2(&parts);
    let framing = of_response(&head, &method).map_err(ProxyError::UpstreamProtocol)?;
    // Whatever came with an answer that cannot have a body would be the next one in HTTP/1.1.
    let body = Received::begin(body).filter(|_| framing != Framing::None);
    let relay = Http2Relay { body, uploading: waiting.uploading, _open: open };
    Ok(Response::new(head, Body::Http2(Box::new(relay))))
}

/// Waits for a place among the connection's streams.
async fn ask(
    connection: &Http2,
    request: Request<()>,
    ends: bool,
    uploading: &Uploading,
    client: &mut Client<'_>,
) -> Result<Asked, Failure> {
    let mut asking = pin!(connection.ask(request, ends));
    let mut deadline = Deadline::default();
    poll_fn(|cx| {
        if let Poll::Ready(asked) = asking.as_mut().poll(cx) {
            return Poll::Ready(asked.map_err(|error| Failure { unsent: true, ..error.into() }));
        }
        if client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(ProxyError::ClientGone.into()));
        }
        uploading.poll_late(cx, &mut deadline).map(|late| Err(late.into()))
    })
    .await
}

/// The request as HTTP/2 has it, unless its target is none that the crate http can spell.
pub(super) fn request(head: &RequestHead, upstream: &Upstream) -> Option<Request<()>> {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_2;
    let authority = upstream.host_field();
    *request.uri_mut() = http2_uri(upstream.scheme.as_str(), &authority, &head.origin_form())?;
    *request.headers_mut() = HeaderMap::from(&head.fields);
    request.headers_mut().remove(http::header::HOST);
    request.headers_mut().remove(http::header::CONNECTION);
    if let Some(token) = request.headers_mut().get_mut(http::header::PROXY_AUTHORIZATION) {
        // RFC 7541, section 7.1.3: no compression is to remember it.
        token.set_sensitive(true);
    }
    Some(request)
}

/// A request whose head has been sent.
struct Waiting<'a> {
    response: ResponseFuture,
    uploading: Uploading,
    upstream: &'a Upstream,
    interim: Interim,
}

impl Waiting<'_> {
    /// The final response's head. Interim ones are passed on.
    async fn head(&mut self, client: &mut Client<'_>) -> Result<(Parts, RecvStream), Failure> {
        let (mut deadline, mut next_look) = (Deadline::default(), Deadline::default());
        poll_fn(|cx| {
            let uploaded = client.poll_upload_http2(cx, &mut self.uploading);
            let uploaded = uploaded.map_err(|error| upload::broken(&error))?;
            if let Poll::Ready(head) = self.poll_head(cx, client) {
                return Poll::Ready(head);
            }
            let _ = client.poll_informed(cx)?;
            let uploading = uploaded.is_pending();
            if upload::poll_gone(cx, client, uploading, &mut next_look).is_ready() {
                return Poll::Ready(Err(ProxyError::ClientGone.into()));
            }
            self.uploading.poll_late(cx, &mut deadline).map(|late| Err(late.into()))
        })
        .await
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<'_>,
    ) -> Poll<Result<(Parts, RecvStream), Failure>> {
        let untouched = self.uploading.is_untouched();
        // A connection that goes away says which requests it has not looked at (RFC 9113, section 6.8).
        let broken = |error: h2::Error| {
            let unsent = untouched && error.is_go_away() && error.is_remote();
            let unanswered = error.is_io();
            Failure { error: failed(error), unsent, unanswered }
        };
        while let Some(interim) = ready!(self.response.poll_informational(cx)) {
            let (parts, ()) = interim.map_err(broken)?.into_parts();
            let mut head = ResponseHead::of_http2(&parts);
            forward::check(&head, self.upstream)?;
            forward::strip(&mut head);
            self.interim.check(&head)?;
            client.begin_to_inform(&head)?;
        }
        let response = ready!(Pin::new(&mut self.response).poll(cx));
        Poll::Ready(response.map(http::Response::into_parts).map_err(broken))
    }
}

/// A response on its way from an HTTP/2 upstream, and the request's body as far as it is still on its way there.
pub(crate) struct Http2Relay {
    body: Option<Received>,
    uploading: Uploading,
    _open: Counted,
}

impl Http2Relay {
    /// The response's body, until its end.
    pub(crate) fn body(&mut self) -> &mut Option<Received> {
        &mut self.body
    }

    /// Moves what can be moved of the request's body; ready when all has been sent, or the upstream wants no more.
    pub(crate) fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut impl Frames,
    ) -> Poll<io::Result<()>> {
        self.uploading.poll(cx, body)
    }
}

impl Frames for Http2Relay {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        self.body.as_mut().map_or(Poll::Ready(Ok(None)), |body| body.poll_frame(cx))
    }

    fn is_at_end(&self) -> bool {
        self.body.as_ref().is_none_or(Frames::is_at_end)
    }
}
