//! Answers of the proxy's own: the one table from error to status.
//!
//! Every error has a status, an error token of RFC 9209 and a short text. None of them says more about the
//! inside than the client may know.

use std::fmt::Write as _;
use std::time::Duration;

use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    RETRY_AFTER,
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
        ProxyError::ConnectionLimit(_)
        | ProxyError::RequestLimit(_)
        | ProxyError::TunnelLimit(_) => (StatusCode::SERVICE_UNAVAILABLE, "http_request_denied"),
        ProxyError::RateLimit(_) => (StatusCode::TOO_MANY_REQUESTS, "http_request_denied"),
        ProxyError::BreakerOpen(_) => (StatusCode::SERVICE_UNAVAILABLE, "destination_unavailable"),
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
    if let Some(wait) = error.retry_after() {
        fields.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
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

/// Rounded up, and not zero, which would invite the next attempt at once.
fn whole_seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}

/// The same answer in HTTP/1.1, for a connection that gets no other.
pub(crate) fn to_text(error: &ProxyError) -> String {
    let response = with_error(error);
    let mut text = format!("HTTP/1.1 {}\r\n", response.status());
    for (name, value) in response.headers() {
        let _ = write!(text, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    let body = format!("{error}\n");
    let _ = write!(text, "content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_is_never_asked_for_too_early() {
        let nanos = Duration::from_nanos;
        for (wait, seconds) in
            [(0, 1), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (4_999_999_999, 5)]
        {
            let answer = with_error(&ProxyError::BreakerOpen(nanos(wait)));
            assert_eq!(answer.headers()[RETRY_AFTER], seconds.to_string(), "{wait}");
        }
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }
}
