//! HTTP/2 towards clients (RFC 9113): hyper's, with this proxy's limits.
//!
//! Each stream is a request like any other. A CONNECT that is answered 200 turns its stream into bytes, which
//! `tunnel` reads and writes.

pub(crate) mod limits;
mod malformed;
mod streams;
mod tunnel;

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::CONNECTION;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::time::timeout;

use crate::body::ResponseBody;
use crate::client::{Client, Http2Upload};
use crate::connection::Connection;
use crate::error::ProxyError;
use crate::head::RequestHead;
use crate::request;
use crate::response::Body;
use crate::server::Proxy;
use crate::stream::Stream;
use streams::Streams;
pub(crate) use streams::{carries, ends_with, has_answered, is_stream};
pub(crate) use tunnel::Tunnel;

/// Serves a connection until either side ends it. A client without streams is told to go after a while, lest it hold
/// the connection for ever by answering PINGs; so is one of a gateway that drains. A forward proxy ends everything at
/// once, and need not watch for it.
pub(crate) async fn serve(mut stream: Stream, connection: Arc<Connection>) -> hyper::Result<()> {
    let proxy = Arc::clone(&connection.proxy);
    let limit = proxy.timeouts.request_head;
    let begun = timeout(limit, malformed::begins_with_settings(&mut stream)).await;
    let Ok(Ok(true)) = begun else { return Ok(()) };
    let (streams, fresh) = (Streams::of(&connection), connection.take_fresh());
    let builder = builder(streams.clone(), &proxy);
    // Boxed: it is moved three times before it is polled.
    let service =
        service_fn(move |request| Box::pin(serve_stream(Arc::clone(&connection), request)));
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let _counted = proxy.face.shared().map(|shared| shared.http2.enter());
    drop(fresh);
    tokio::select! {
        ended = serving.as_mut() => return ended,
        () = streams.idle(limit) => {}
        () = proxy.draining.cancelled(), if proxy.face.shared().is_some() => {}
    }
    serving.as_mut().graceful_shutdown();
    serving.await
}

fn builder(streams: Streams, proxy: &Proxy) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(limits::STREAM_WINDOW)
        .initial_connection_window_size(limits::CONNECTION_WINDOW)
        .keep_alive_interval(limits::PING_EVERY)
        .keep_alive_timeout(limits::PING_TIMEOUT)
        .max_concurrent_streams(limits::STREAMS)
        .max_pending_accept_reset_streams(limits::RESETS_AHEAD)
        .max_local_error_reset_streams(limits::ERRORS)
        .max_header_list_size(proxy.limits.head_bytes)
        .enable_connect_protocol()
        .auto_date_header(false);
    builder
}

/// Nobody is there to be answered: the stream is reset.
#[derive(Debug, Error)]
#[error("the client went away")]
struct ClientGone;

/// Serves one stream of an HTTP/2 connection.
async fn serve_stream(
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
) -> Result<Response<ResponseBody>, ClientGone> {
    let upgrade = (request.method() == Method::CONNECT).then(|| hyper::upgrade::on(&mut request));
    let is_head = request.method() == Method::HEAD;
    let (parts, body) = request.into_parts();
    let (head, mut upload) = (RequestHead::of_http2(&parts), Http2Upload::new(body));
    let client = Client::Http2(&mut upload);
    let fields = u32::try_from(head.fields.iter().count()).unwrap_or(u32::MAX);
    let response = if fields > connection.proxy.limits.head_fields {
        request::refuse(&connection, &ProxyError::HeadTooLarge)
    } else if let Err(error) = malformed::check(&parts.headers) {
        request::refuse(&connection, &error)
    } else {
        let response = request::serve(&connection, head, client).await;
        response.ok_or(ClientGone)?
    };
    if streams::ends_by().is_cancelled() {
        // Its context was released just now: nothing of it shall still be told that.
        return Err(ClientGone);
    }
    if let (Some(switch), Some(upgrade)) = (response.switch, upgrade) {
        let (tasks, reset) = (&connection.proxy.tasks, streams::ends_by());
        tasks.spawn(async move {
            Stream::upgraded(upgrade, reset).await.map(|stream| switch.spawn(stream))
        });
    }
    let own = is_head && matches!(response.body, Body::Own(_));
    let body = if own { Body::Own(Bytes::new()) } else { response.body };
    has_answered();
    let mut answer = Response::new(ResponseBody::new(body, upload.take(), response.exchange));
    *answer.status_mut() = response.head.status;
    *answer.headers_mut() = HeaderMap::from(&response.head.fields);
    answer.headers_mut().remove(CONNECTION);
    Ok(answer)
}
