//! The way to an upstream: dialled, perhaps through TLS, and kept for the context's next request.

mod dial;
mod origin;
mod pool;
mod sender;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;

pub(crate) use dial::Dialer;
pub(crate) use pool::{Lease, Pool};
pub(crate) use tls::Tls;

use crate::authority::Authority;
use crate::body::RequestBody;
use crate::context::Context;
use crate::error::ProxyError;
use crate::headers;
use crate::route::Upstream;
use crate::server::Proxy;
use crate::stream::Stream;
use tls::Alpn;

/// Sends one request over an HTTP/1.1 connection that will carry no other, so that it may be upgraded.
pub(crate) async fn send_alone(
    proxy: &Arc<Proxy>,
    context: &Arc<Context>,
    upstream: &Upstream,
    mut request: Request<RequestBody>,
    moved: impl Fn() -> u64,
) -> Result<Response<Incoming>, ProxyError> {
    let dialled = dial(proxy, context, upstream, Alpn::Http1).await?;
    let handshake = http1::handshake(TokioIo::new(dialled.stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| failed(context, error))?;
    drive(proxy, context, connection.with_upgrades());
    *request.version_mut() = Version::HTTP_11;
    if request.method() != Method::CONNECT {
        *request.uri_mut() = origin_form(request.uri());
    }
    let response = sender.send_request(request);
    let limit = proxy.timeouts.response_head;
    let response = while_moving(limit, moved, response).await.ok_or(ProxyError::ResponseTimeout)?;
    response.map_err(|error| failed(context, error))
}

/// Opens a stream of bytes to an upstream; a gateway is asked for it by a CONNECT of its own.
pub(crate) async fn open_tunnel(
    proxy: &Arc<Proxy>,
    context: &Arc<Context>,
    upstream: &Upstream,
    asked: &Authority,
) -> Result<Stream, ProxyError> {
    if upstream.routing.is_none() {
        let connect = proxy.dialer.connect_tcp(upstream);
        return attempt(context, upstream, connect).await.map(Stream::from);
    }
    let mut request = Request::new(RequestBody::empty());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() =
        Uri::try_from(asked.to_string()).map_err(|_| ProxyError::UpstreamProtocol(None))?;
    headers::address(request.headers_mut(), upstream);
    // RFC 9112, section 3.2.2: the target of a CONNECT is not the gateway.
    if let Ok(host) = HeaderValue::try_from(asked.to_string()) {
        request.headers_mut().insert(HOST, host);
    }
    let mut response = send_alone(proxy, context, upstream, request, || 0).await?;
    if response.status() != StatusCode::OK {
        return Err(ProxyError::GatewayRefused(response.status()));
    }
    let upgraded = Stream::upgraded(hyper::upgrade::on(&mut response));
    upgraded.await.map_err(|error| failed(context, error))
}

async fn dial(
    proxy: &Proxy,
    context: &Context,
    upstream: &Upstream,
    alpn: Alpn,
) -> Result<dial::Dialled, ProxyError> {
    attempt(context, upstream, proxy.dialer.connect(upstream, context.pool.tls(), alpn)).await
}

/// Connects, unless the origin is being left alone.
async fn attempt<T>(
    context: &Context,
    upstream: &Upstream,
    connect: impl Future<Output = Result<T, ProxyError>>,
) -> Result<T, ProxyError> {
    let breakers = context.breakers.as_ref();
    let attempt = breakers.map(|breakers| breakers.attempt(upstream)).transpose()?;
    let outcome = until_released(context, connect).await;
    if let Some(attempt) = attempt {
        attempt.ended(&outcome);
    }
    outcome
}

/// Fails where connecting would: whoever waits for another's attempt must not wait for one that decides.
fn check_breaker(context: &Context, upstream: &Upstream) -> Result<(), ProxyError> {
    context.breakers.as_ref().map_or(Ok(()), |breakers| breakers.check(upstream))
}

async fn until_released<T>(
    context: &Context,
    work: impl Future<Output = Result<T, ProxyError>>,
) -> Result<T, ProxyError> {
    context.released.run_until_cancelled(work).await.unwrap_or(Err(ProxyError::Released))
}

/// Runs an upstream connection until it ends or the context is released.
fn drive(
    proxy: &Proxy,
    context: &Context,
    connection: impl Future<Output = hyper::Result<()>> + Send + 'static,
) {
    let counted = proxy.counters.upstream_connections.enter();
    let released = context.released.clone();
    proxy.tasks.spawn(async move {
        if let Some(Err(error)) = released.run_until_cancelled(connection).await {
            tracing::debug!(%error, "an upstream connection ended early");
        }
        drop(counted);
    });
}

/// Waits for a response, for as long as the request's body keeps moving and `limit` after that.
async fn while_moving<T>(
    limit: Duration,
    moved: impl Fn() -> u64,
    response: impl Future<Output = T>,
) -> Option<T> {
    let mut response = std::pin::pin!(response);
    let mut seen = moved();
    loop {
        if let Ok(done) = tokio::time::timeout(limit, response.as_mut()).await {
            return Some(done);
        }
        let now = moved();
        if now == seen {
            return None;
        }
        seen = now;
    }
}

/// What an upstream connection's failure means to whoever waits for its response.
fn failed(context: &Context, error: hyper::Error) -> ProxyError {
    if context.released.is_cancelled() {
        ProxyError::Released
    } else if error.is_user() {
        ProxyError::BadRequest("the request's body is malformed or incomplete")
    } else if error.is_parse() {
        ProxyError::UpstreamProtocol(Some(error))
    } else {
        ProxyError::UpstreamClosed(error)
    }
}

/// RFC 9112, section 3.2.1: what an origin server is asked for, byte for byte as the client wrote it.
fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()))
}
