//! Where the responses to a stream's request go: interim ones as they come, and then the final one.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::CONNECTION;
use http::{HeaderMap, Response, StatusCode};
use parking_lot::Mutex;

use crate::error::ProxyError;
use crate::fields::Fields;
use crate::head::ResponseHead;

/// The way back to a client. It is shared by who serves the stream and who watches over it, both in the stream's task.
pub(crate) struct Reply(Mutex<State>);

struct State {
    respond: SendResponse<Bytes>,
    interim: Interim,
}

impl Reply {
    pub(super) fn new(respond: SendResponse<Bytes>) -> Self {
        Self(Mutex::new(State { respond, interim: Interim::default() }))
    }

    /// Passes on an interim response.
    pub(crate) fn inform(&self, head: &ResponseHead) -> Result<(), ProxyError> {
        let State { respond, interim } = &mut *self.0.lock();
        interim.check(head)?;
        let head = response(head.status, &head.fields);
        respond.send_informational(head).map_err(|_| ProxyError::ClientGone)
    }

    /// Ready when the client has reset the stream, or its connection has ended.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.lock().respond.poll_reset(cx).map(|_| ())
    }

    /// Sends the head of the final response; resets the stream where that cannot be.
    pub(super) fn answer(self, head: &ResponseHead, ends: bool) -> Option<SendStream<Bytes>> {
        let mut respond = self.0.into_inner().respond;
        let sent = respond.send_response(response(head.status, &head.fields), ends);
        if let Err(error) = &sent {
            tracing::debug!(%error, "a response could not be sent");
            respond.send_reset(Reason::INTERNAL_ERROR);
        }
        sent.ok()
    }
}

fn response(status: StatusCode, fields: &Fields) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::from(fields);
    response.headers_mut().remove(CONNECTION);
    response
}

/// How many interim responses may still come. HTTP/2 has no flow control for heads: whoever sends them without end
/// would fill the memory of whoever passes them on to a client that does not read.
pub(crate) struct Interim {
    bytes_left: usize,
}

impl Default for Interim {
    fn default() -> Self {
        Self { bytes_left: 64 * 1024 }
    }
}

impl Interim {
    /// Counts one more.
    pub(crate) fn check(&mut self, head: &ResponseHead) -> Result<(), ProxyError> {
        const STATUS_LINE: usize = 16;
        let size = head.fields.size() + STATUS_LINE;
        let left = self.bytes_left.checked_sub(size);
        self.bytes_left =
            left.ok_or(ProxyError::UpstreamProtocol("it never comes to an answer"))?;
        Ok(())
    }
}
