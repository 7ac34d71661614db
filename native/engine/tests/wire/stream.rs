//! Clients that speak HTTP/2, stream by stream.

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE};

/// Shakes hands, and runs the connection in the background.
pub(crate) async fn speak<S>(stream: S) -> SendRequest<Bytes>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender.ready().await.unwrap()
}

/// A stream with its own request body; its response is awaited by `answered`.
pub(crate) fn begin(
    sender: &mut SendRequest<Bytes>,
    context: Option<&Context>,
    method: Method,
    uri: &str,
) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(context) = context {
        request = request.header("proxy-authorization", format!("Basic {}", context.credentials));
    }
    sender.send_request(request.body(()).unwrap(), false).unwrap()
}

pub(crate) async fn answered(response: h2::client::ResponseFuture) -> Response<RecvStream> {
    timeout(DEADLINE, response).await.expect("an answer").unwrap()
}

/// The whole body, as text, and its trailers.
pub(crate) async fn text(response: Response<RecvStream>) -> (String, Option<HeaderMap>) {
    let (bytes, trailers) = whole(response).await;
    (String::from_utf8(bytes).unwrap(), trailers)
}

/// The whole body, and its trailers.
pub(crate) async fn whole(response: Response<RecvStream>) -> (Vec<u8>, Option<HeaderMap>) {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(data) = timeout(DEADLINE, body.data()).await.expect("the body ends") {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    (bytes, body.trailers().await.unwrap())
}

/// A GET without a body, answered.
pub(crate) async fn get(
    sender: &mut SendRequest<Bytes>,
    context: &Context,
    uri: &str,
) -> Response<RecvStream> {
    let (response, mut body) = begin(sender, Some(context), Method::GET, uri);
    body.send_data(Bytes::new(), true).unwrap();
    answered(response).await
}

/// Sends all of it, as fast as the windows allow, and ends the stream.
pub(crate) async fn send_all(stream: &mut SendStream<Bytes>, mut bytes: Bytes) {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx));
        let capacity = timeout(DEADLINE, capacity).await.expect("nobody reads").unwrap().unwrap();
        stream.send_data(bytes.split_to(capacity.min(bytes.len())), false).unwrap();
    }
    stream.send_data(Bytes::new(), true).unwrap();
}

/// Whether the stream ends, cleanly or not, without another byte.
pub(crate) async fn is_ended(stream: &mut RecvStream) -> bool {
    loop {
        match timeout(DEADLINE, stream.data()).await.expect("the stream ends") {
            Some(Ok(data)) if data.is_empty() => {}
            Some(Ok(_)) => return false,
            Some(Err(_)) | None => return true,
        }
    }
}
