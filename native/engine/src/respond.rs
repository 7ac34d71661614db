//! Answers of the proxy's own: the one table from error to status.
//!
//! Every error has a status, an error token of RFC 9209 and a short text. None of them says more about the
//! inside than the client may know.

use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
};
use hyper::{Response, StatusCode};

use crate::authenticate::REALM;
use crate::body::ResponseBody;
use crate::context::Context;
use crate::decide::Answer;
use crate::error::ProxyError;
use crate::event::Event;
use crate::server::Proxy;

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const CONTEXT: HeaderName = HeaderName::from_static("tabport-context");

/// The table: status and error token (RFC 9209, section 2.3) of every error.
fn classify(error: &ProxyError) -> (StatusCode, &'static str) {
    match error {
        ProxyError::BadRequest(_) => (StatusCode::BAD_REQUEST, "http_request_error"),
        ProxyError::Unauthenticated | ProxyError::Released => {
            (StatusCode::PROXY_AUTHENTICATION_REQUIRED, "http_request_denied")
        }
        ProxyError::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "http_request_error"),
        ProxyError::LoopbackRefused => (StatusCode::FORBIDDEN, "destination_ip_prohibited"),
        ProxyError::Loop => (StatusCode::LOOP_DETECTED, "proxy_loop_detected"),
        ProxyError::Dns(_) => (StatusCode::BAD_GATEWAY, "dns_error"),
        ProxyError::Connect(_) => (StatusCode::BAD_GATEWAY, "connection_refused"),
        ProxyError::ConnectTimeout | ProxyError::TlsTimeout => {
            (StatusCode::GATEWAY_TIMEOUT, "connection_timeout")
        }
        ProxyError::TrustStore(_) => (StatusCode::BAD_GATEWAY, "proxy_configuration_error"),
        ProxyError::TlsCertificate(_) => (StatusCode::BAD_GATEWAY, "tls_certificate_error"),
        ProxyError::TlsProtocol(_) => (StatusCode::BAD_GATEWAY, "tls_protocol_error"),
        ProxyError::UpstreamClosed(_) => (StatusCode::BAD_GATEWAY, "connection_terminated"),
        ProxyError::UpstreamProtocol(_) => (StatusCode::BAD_GATEWAY, "http_protocol_error"),
        ProxyError::ResponseTimeout => (StatusCode::GATEWAY_TIMEOUT, "http_response_timeout"),
        ProxyError::GatewayRefused(_) => (StatusCode::BAD_GATEWAY, "destination_unavailable"),
    }
}

/// The answer to a request that cannot be served.
pub(crate) fn with_error(error: &ProxyError) -> Response<ResponseBody> {
    let (status, token) = classify(error);
    let mut response = Response::new(ResponseBody::own(format!("{error}\n")));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Ok(value) = HeaderValue::try_from(format!("tabport; error={token}")) {
        fields.insert(PROXY_STATUS, value);
    }
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            if let Ok(challenge) = HeaderValue::try_from(format!("Basic realm=\"{REALM}\"")) {
                fields.insert(PROXY_AUTHENTICATE, challenge);
            }
        }
        // What follows a malformed request on the same connection cannot be trusted either.
        StatusCode::BAD_REQUEST => {
            fields.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

/// An answer that needs no upstream.
pub(crate) fn with_answer(answer: Answer, context: &Context) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::own(String::new()));
    match answer {
        Answer::ContextName => {
            *response.status_mut() = StatusCode::NO_CONTENT;
            let fields = response.headers_mut();
            fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            if let Ok(id) = HeaderValue::from_str(&context.id) {
                fields.insert(CONTEXT, id);
            }
        }
    }
    response
}

/// The answer to a CONNECT whose tunnel is open.
pub(crate) fn with_tunnel() -> Response<ResponseBody> {
    Response::new(ResponseBody::own(String::new()))
}

/// Tells the embedder, and whoever reads the traces, that a request has failed.
pub(crate) fn report(proxy: &Proxy, asked: Option<(&Context, &str)>, error: &ProxyError) {
    let (_, code) = classify(error);
    tracing::debug!(code, %error, "a request failed");
    proxy.emit(|| Event::Error {
        context_id: asked.map(|(context, _)| context.id.clone()),
        code,
        authority: asked.map(|(_, authority)| authority.to_owned()),
        message: error.to_string(),
    });
}
