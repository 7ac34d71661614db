//! The way to an upstream: dialled, perhaps through TLS, and kept for the context's next request.

mod dial;
mod http1;
mod http2;
mod http2_connection;
mod incoming;
mod next_proxy;
mod origin;
mod pool;
mod room;
mod tls;
mod upload;

use std::sync::Arc;

use http::{Method, StatusCode, Version};

pub(crate) use dial::Dialer;
pub(crate) use http2::Http2Relay;
pub(crate) use incoming::Relay;
pub use next_proxy::{
    InvalidProxy, NextProxy, NextProxyError, ProxyAnswer, ProxyList, ProxyResolver, UpstreamProxy,
};
pub(crate) use pool::Pool;
pub(crate) use tls::Tls;
pub(crate) use upload::{Uploading, broken as broken_upload};

use crate::authority::{Authority, Scheme};
use crate::client::Client;
use crate::context::Context;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};
use crate::headers;
use crate::route::Upstream;
use crate::server::Proxy;
use crate::stream::Stream;
use http1::Http1;
use tls::Alpn;

/// Sends one request over an HTTP/1.1 connection that will carry no other, so that it may be upgraded.
pub(crate) async fn send_alone(
    exchange: &Arc<Exchange>,
    upstream: &Upstream,
    head: &RequestHead,
    client: &mut Client<'_>,
) -> Result<(ResponseHead, Relay), ProxyError> {
    let (proxy, context) = (&exchange.connection.proxy, exchange.context());
    let dial = Box::pin(dial(proxy, context, upstream, Alpn::Http1));
    let dialled = client.while_waiting(dial).await?;
    let mut connection = Box::new(Http1::new(dialled.stream, proxy));
    let count = |bytes| exchange.moved_up(bytes);
    let answer = connection.send(head, client, &proxy.timeouts, count).await;
    let answer = answer.map_err(|failure| failure.error)?;
    let relay = Relay::new(connection, &answer, &head.method, None, exchange)?;
    Ok((answer, relay))
}

/// Opens a stream of bytes to an upstream; a gateway is asked for it by a CONNECT of its own.
pub(crate) async fn open_tunnel(
    proxy: &Arc<Proxy>,
    context: &Arc<Context>,
    upstream: &Upstream,
    asked: &Authority,
) -> Result<Stream, ProxyError> {
    if upstream.routing.is_none() {
        // What a tunnel carries is TLS as a rule, and browsers take it for that when they look for a proxy.
        let opened = proxy.dialer.open(upstream, Scheme::Https, context.pool.tls());
        return attempt(context, upstream, opened).await;
    }
    let mut head = RequestHead {
        method: Method::CONNECT,
        target: asked.to_string().into_bytes(),
        version: Version::HTTP_11,
        protocol: None,
        fields: Fields::default(),
    };
    headers::address(&mut head.fields, upstream);
    // RFC 9112, section 3.2.2: the target of a CONNECT is not the gateway.
    head.fields.set("Host", &head.target);
    let dialled = dial(proxy, context, upstream, Alpn::Http1).await?;
    let mut gateway = Http1::new(dialled.stream, proxy);
    let answer = gateway.send(&head, &mut Client::Nobody, &proxy.timeouts, |_| {}).await;
    match answer.map_err(|failure| failure.error)?.status {
        StatusCode::OK => Ok(gateway.into_stream()),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(ProxyError::GatewayToken),
        status => Err(ProxyError::GatewayRefused(status)),
    }
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
