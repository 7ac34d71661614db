//! A request's body read whole, and put back where it came from: what sends it on need not know.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;

use super::downstream::Downstream;
use super::framing::Framing;
use super::wire::Frame;
use crate::error::ProxyError;
use crate::respond;
use crate::upstream::broken_upload;

impl Downstream {
    /// Reads the request's body to its end; its length. A client that waits to be told to send it is told so.
    pub(crate) async fn hold_body(
        &mut self,
        limit: u64,
        idle: Option<Duration>,
    ) -> Result<u64, ProxyError> {
        if self.expects && self.wire.unread().is_empty() {
            self.inform(&respond::with_continue()).await.map_err(|_| ProxyError::ClientGone)?;
        }
        self.expects = false;
        let mut held = BytesMut::new();
        while let Some(Frame::Data(data)) = self.next_frame(idle).await? {
            if (held.len() + data.len()) as u64 > limit {
                return Err(ProxyError::BodyTooLarge);
            }
            held.extend_from_slice(&data);
        }
        let length = held.len() as u64;
        self.framing = if length > 0 { Framing::Length(length) } else { Framing::None };
        self.wire.hold(held);
        Ok(length)
    }

    /// The next frame of the body, within a time; a trailer section is its end.
    async fn next_frame(&mut self, idle: Option<Duration>) -> Result<Option<Frame>, ProxyError> {
        self.deadline.restart(idle);
        let frame = poll_fn(|cx| match self.wire.poll_frame(cx) {
            Poll::Pending => self.deadline.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            frame @ Poll::Ready(_) => frame,
        });
        frame.await.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => ProxyError::RequestTimeout,
            _ => broken_upload(&error),
        })
    }
}
