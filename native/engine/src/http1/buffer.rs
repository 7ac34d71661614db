//! A request's body read whole, and put back where it came from: what sends it on need not know.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use super::downstream::Downstream;
use super::framing::Framing;
use crate::body::{Frame, Frames as _};
use crate::buffer::Room;
use crate::error::ProxyError;
use crate::respond;
use crate::upstream::broken_upload;

impl Downstream {
    /// Reads the request's body to its end; its length. A client that waits to be told to send it is told so.
    pub(crate) async fn hold_body(
        &mut self,
        mut room: Room<'_>,
        idle: Option<Duration>,
    ) -> Result<u64, ProxyError> {
        let announced =
            if let Framing::Length(length) = self.framing { Some(length) } else { None };
        let mut held = room.buffer(announced)?;
        if self.expects && self.wire.unread().is_empty() {
            self.begin_to_inform(&respond::with_continue());
            let sent = poll_fn(|cx| self.wire.poll_send(cx)).await;
            sent.map_err(|_| ProxyError::ClientGone)?;
        }
        self.expects = false;
        while let Some(Frame::Data(data)) = self.next_frame(idle).await? {
            room.take(data.len())?;
            held.extend_from_slice(&data);
        }
        let length = held.len() as u64;
        self.framing = if length > 0 { Framing::Length(length) } else { Framing::None };
        self.wire.hold(held);
        self.taken = room.keep();
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

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::http1::Wire;

    /// An HTTP/2 upstream takes frames, and who waits for its answer sees by each that the body moves.
    #[tokio::test]
    async fn what_is_held_is_sent_on_in_pieces() {
        const LENGTH: usize = 1_000_000;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut wire = Wire::new(socket.into());
        wire.hold(BytesMut::zeroed(LENGTH));
        let mut pieces = Vec::new();
        while let Some(Frame::Data(data)) = poll_fn(|cx| wire.poll_frame(cx)).await.unwrap() {
            pieces.push(data.len());
        }
        assert_eq!(pieces.iter().sum::<usize>(), LENGTH);
        assert!(pieces.iter().all(|length| *length <= 64 * 1024), "{pieces:?}");
    }
}
