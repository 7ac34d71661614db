//! Answers of the proxy's own: the one table from error to status.
//!
//! Every error has a status, an error token of RFC 9209 and a short text. None of them says more about the
//! inside than the client may know.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use crate::authenticate::REALM;
use crate::context::Context;
use crate::decide::Answer;
use crate::error::ProxyError;
use crate::event::Event;
use crate::exchange::Exchange;
use crate::face::Acting;
use crate::head::ResponseHead;
use crate::health::Health;
use crate::page::{Navigation, SECURITY_POLICY};
use crate::response::{Body, Response};
use crate::server::Proxy;
use crate::upstream::NextProxyError;

/// Said of a response whose upstream has broken it off.
pub(crate) const INCOMPLETE: &str = "http_response_incomplete";
/// Said of an exchange that has stood still for too long.
pub(crate) const STALLED: &str = "connection_read_timeout";

/// The table: status and error token (RFC 9209, section 2.3) of every error.
fn classify(error: &ProxyError) -> (StatusCode, &'static str) {
    match error {
        ProxyError::BadRequest(_)
        | ProxyError::Routing(_)
        | ProxyError::ClientGone
        | ProxyError::Handshake(_) => (StatusCode::BAD_REQUEST, "http_request_error"),
        ProxyError::Untrusted | ProxyError::ForeignHost => {
            (StatusCode::FORBIDDEN, "http_request_denied")
        }
        ProxyError::UnknownProtocol | ProxyError::NoTunnels => {
            (StatusCode::NOT_IMPLEMENTED, "http_request_error")
        }
        ProxyError::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "http_request_error"),
        ProxyError::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "http_request_error"),
        ProxyError::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "http_request_error"),
        ProxyError::HeadTooLarge => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "http_request_error")
        }
        ProxyError::Internal | ProxyError::Leaf(_) => {
            (StatusCode::BAD_GATEWAY, "proxy_internal_error")
        }
        ProxyError::Unauthenticated | ProxyError::Released => {
            (StatusCode::PROXY_AUTHENTICATION_REQUIRED, "http_request_denied")
        }
        ProxyError::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "http_request_error"),
        ProxyError::LoopbackRefused => (StatusCode::FORBIDDEN, "destination_ip_prohibited"),
        ProxyError::Loop => (StatusCode::LOOP_DETECTED, "proxy_loop_detected"),
        ProxyError::Dns(_) => (StatusCode::BAD_GATEWAY, "dns_error"),
        ProxyError::Connect(_) => (StatusCode::BAD_GATEWAY, "connection_refused"),
        ProxyError::ConnectTimeout
        | ProxyError::TlsTimeout
        | ProxyError::NextProxy(NextProxyError::Timeout) => {
            (StatusCode::GATEWAY_TIMEOUT, "connection_timeout")
        }
        ProxyError::TrustStore(_) | ProxyError::GatewayToken => {
            (StatusCode::BAD_GATEWAY, "proxy_configuration_error")
        }
        ProxyError::TlsCertificate(_) => (StatusCode::BAD_GATEWAY, "tls_certificate_error"),
        ProxyError::TlsProtocol(_) => (StatusCode::BAD_GATEWAY, "tls_protocol_error"),
        ProxyError::UpstreamClosed(_) => (StatusCode::BAD_GATEWAY, "connection_terminated"),
        ProxyError::UpstreamProtocol(_) => (StatusCode::BAD_GATEWAY, "http_protocol_error"),
        ProxyError::ResponseTimeout => (StatusCode::GATEWAY_TIMEOUT, "http_response_timeout"),
        ProxyError::GatewayRefused(_) => (StatusCode::BAD_GATEWAY, "destination_unavailable"),
        ProxyError::ConnectionLimit(_)
        | ProxyError::RequestLimit(_)
        | ProxyError::BuffersFull(_)
        | ProxyError::TunnelLimit(_) => (StatusCode::SERVICE_UNAVAILABLE, "http_request_denied"),
        ProxyError::RateLimit(_) => (StatusCode::TOO_MANY_REQUESTS, "http_request_denied"),
        ProxyError::BreakerOpen(_) => (StatusCode::SERVICE_UNAVAILABLE, "destination_unavailable"),
        ProxyError::NextProxy(error) => (StatusCode::BAD_GATEWAY, next_proxy_token(error)),
    }
}

/// The error tokens of what can go wrong on the way to the next proxy. Whatever it wants of us, the client is
/// not asked for it.
fn next_proxy_token(error: &NextProxyError) -> &'static str {
    match error {
        NextProxyError::Unknown(_)
        | NextProxyError::CredentialsMissing
        | NextProxyError::CredentialsRefused => "proxy_configuration_error",
        NextProxyError::Dns(_) => "dns_error",
        NextProxyError::Connect(_) | NextProxyError::RefusedSocks(5) => "connection_refused",
        NextProxyError::Certificate(_) => "tls_certificate_error",
        NextProxyError::Tls(_) => "tls_protocol_error",
        NextProxyError::Timeout => "connection_timeout",
        NextProxyError::Closed(_) => "connection_terminated",
        NextProxyError::Protocol => "http_protocol_error",
        NextProxyError::RefusedSocks(3 | 4 | 6) => "destination_ip_unroutable",
        NextProxyError::Refused(_) | NextProxyError::RefusedSocks(_) => "destination_unavailable",
    }
}

/// The answer to a request that cannot be served: a page where a navigation has failed at its upstream, and a
/// short text otherwise.
pub(crate) fn with_error(error: &ProxyError, navigation: Option<&Navigation>) -> Response {
    let (status, token) = classify(error);
    let mut head = ResponseHead::new(status);
    let fields = &mut head.fields;
    let text = if let Some(navigation) = navigation.filter(|_| is_about_upstream(status)) {
        fields.push("content-type", b"text/html; charset=utf-8");
        fields.push("cache-control", b"no-store");
        fields.push("content-security-policy", SECURITY_POLICY.as_bytes());
        navigation.page(error)
    } else {
        fields.push("content-type", b"text/plain; charset=utf-8");
        format!("{error}\n")
    };
    fields.push("proxy-status", format!("tabport; error={token}").as_bytes());
    if let Some(wait) = error.retry_after() {
        fields.push("retry-after", whole_seconds(wait).to_string().as_bytes());
    }
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            fields.push("proxy-authenticate", format!("Basic realm=\"{REALM}\"").as_bytes());
        }
        StatusCode::METHOD_NOT_ALLOWED => fields.push("allow", b"GET, HEAD"),
        // What follows a malformed request on the same connection cannot be trusted either.
        StatusCode::BAD_REQUEST
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            fields.push("connection", b"close");
        }
        // Nor can the state in which a panic has left it.
        _ if matches!(error, ProxyError::Internal) => fields.push("connection", b"close"),
        _ => {}
    }
    fields.push("content-length", text.len().to_string().as_bytes());
    Response::new(head, Body::Own(Bytes::from(text)))
}

/// What goes wrong before there is an upstream is the client's to mend; no page could, by trying again.
fn is_about_upstream(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::LOOP_DETECTED
            | StatusCode::FORBIDDEN
    )
}

/// Rounded up, and not zero, which would invite the next attempt at once.
fn whole_seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}

/// An answer that needs no upstream.
pub(crate) fn with_answer(answer: Answer, exchange: &Exchange) -> Response {
    match answer {
        Answer::ContextName => {
            let mut head = ResponseHead::new(StatusCode::NO_CONTENT);
            head.fields.push("cache-control", b"no-store");
            head.fields.push("tabport-context", exchange.context().id.as_bytes());
            Response::empty(head)
        }
        Answer::Health => {
            let service = match &exchange.connection.proxy.face {
                Acting::ReverseProxy(proxy) => proxy.service.as_str(),
                _ => "",
            };
            with_json(
                StatusCode::OK,
                format!(r#"{{"ok":true,"service":{}}}"#, Value::from(service)),
            )
        }
    }
}

/// How the upstream is, in a few words: what is wrong with it never says where it is.
pub(crate) async fn with_upstream_health(exchange: &Arc<Exchange>) -> Result<Response, ProxyError> {
    const ILL: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
    let Acting::ReverseProxy(proxy) = &exchange.connection.proxy.face else {
        return Err(ProxyError::Internal);
    };
    Ok(match proxy.probe.ask(exchange).await {
        Health::Well => with_json(StatusCode::OK, r#"{"ok":true}"#.to_owned()),
        Health::Status(status) => {
            let status = status.as_u16();
            with_json(ILL, format!(r#"{{"ok":false,"upstream_status":{status}}}"#))
        }
        Health::Silent(why) => {
            with_json(ILL, format!(r#"{{"ok":false,"error":{}}}"#, Value::from(why)))
        }
    })
}

fn with_json(status: StatusCode, text: String) -> Response {
    let mut head = ResponseHead::new(status);
    head.fields.push("content-type", b"application/json");
    head.fields.push("cache-control", b"no-store");
    head.fields.push("content-length", text.len().to_string().as_bytes());
    Response::new(head, Body::Own(Bytes::from(text)))
}

/// What a client is told that waits before it sends its body (RFC 9110, section 10.1.1).
pub(crate) fn with_continue() -> ResponseHead {
    ResponseHead::new(StatusCode::CONTINUE)
}

/// The answer to a CONNECT whose tunnel is open.
pub(crate) fn with_tunnel() -> Response {
    Response::empty(ResponseHead::new(StatusCode::OK))
}

/// Tells the embedder, and whoever reads the traces, that a request has failed.
pub(crate) fn report(
    proxy: &Proxy,
    asked: Option<(&Context, &str)>,
    request_id: Option<&str>,
    error: &ProxyError,
) {
    let (_, code) = classify(error);
    tracing::debug!(code, %error, request_id, "a request failed");
    proxy.emit(|| Event::Error {
        request_id: request_id.map(str::to_owned),
        context_id: asked.map(|(context, _)| context.id.clone()),
        code,
        authority: asked.map(|(_, authority)| authority.to_owned()),
        message: error.to_string(),
    });
}

/// The same of an exchange, which ends with it.
pub(crate) fn report_of(exchange: &Exchange, error: &ProxyError) {
    exchange.failed(classify(error).1);
    let asked = Some((&**exchange.context(), exchange.authority.as_str()));
    report(&exchange.connection.proxy, asked, exchange.request_id.as_deref(), error);
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
            let answer = with_error(&ProxyError::BreakerOpen(nanos(wait)), None);
            let told = answer.head.fields.only("retry-after");
            assert_eq!(told, Some(seconds.to_string().as_bytes()), "{wait}");
        }
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }
}
