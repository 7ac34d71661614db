//! The sending end of an upstream connection, of either version.

use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{CONNECTION, HOST, HeaderValue, TE};
use hyper::{Request, Response, Uri, Version};

use super::origin_form;
use crate::body::RequestBody;
use crate::headers;
use crate::route::Upstream;

pub(super) enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

impl Sender {
    /// A copy of a request that may be sent twice (RFC 9110, section 9.2.2), in case the connection, kept
    /// from before, is being closed. It costs nothing where there is a body, which cannot be sent twice.
    pub(super) fn spare(&self, request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
        let repeatable = request.method().is_idempotent() && request.body().is_end_stream();
        let Self::Http1(_) = self else { return None };
        repeatable.then(|| {
            let mut spare = Request::new(RequestBody::empty());
            *spare.method_mut() = request.method().clone();
            *spare.uri_mut() = request.uri().clone();
            *spare.headers_mut() = request.headers().clone();
            spare
        })
    }

    /// Gives the request the form its protocol asks for.
    pub(super) fn prepare(&self, request: &mut Request<RequestBody>, upstream: &Upstream) {
        headers::address(request.headers_mut(), upstream);
        match self {
            Self::Http1(_) => {
                *request.version_mut() = Version::HTTP_11;
                *request.uri_mut() = origin_form(request.uri());
                // RFC 9110, section 10.1.4: in HTTP/1.1 the field is this hop's own.
                if request.headers().contains_key(TE) {
                    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("te"));
                }
            }
            Self::Http2(_) => {
                *request.version_mut() = Version::HTTP_2;
                request.headers_mut().remove(CONNECTION);
                if let Some(uri) = absolute_form(request.uri(), upstream) {
                    request.headers_mut().remove(HOST);
                    *request.uri_mut() = uri;
                }
            }
        }
    }

    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

fn absolute_form(uri: &Uri, upstream: &Upstream) -> Option<Uri> {
    let mut parts = origin_form(uri).into_parts();
    parts.scheme = upstream.scheme.as_str().parse().ok();
    parts.authority = upstream.authority_field().parse().ok();
    Uri::from_parts(parts).ok()
}
