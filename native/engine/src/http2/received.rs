//! The half of a stream that a peer sends, as a body.

use std::io;
use std::task::{Context, Poll, ready};

use h2::RecvStream;

use crate::body::{Frame, Frames};
use crate::fields::Fields;

/// What is received on a stream. The peer may send as much again only once it has gone on from here.
pub(crate) struct Received {
    stream: RecvStream,
    /// The size of the frame that was taken last.
    taken: usize,
}

impl Received {
    /// `None` stands for a body that has ended before it began.
    pub(crate) fn begin(stream: RecvStream) -> Option<Self> {
        (!stream.is_end_stream()).then_some(Self { stream, taken: 0 })
    }
}

impl Frames for Received {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        let taken = std::mem::take(&mut self.taken);
        if taken > 0 {
            // What fails here fails below, too.
            let _ = self.stream.flow_control().release_capacity(taken);
        }
        if let Some(data) = ready!(self.stream.poll_data(cx)) {
            let data = data.map_err(io::Error::other)?;
            self.taken = data.len();
            return Poll::Ready(Ok(Some(Frame::Data(data))));
        }
        let trailers = ready!(self.stream.poll_trailers(cx)).map_err(io::Error::other)?;
        Poll::Ready(Ok(trailers.map(|trailers| Frame::Trailers(Fields::from(&trailers)))))
    }

    fn is_at_end(&self) -> bool {
        self.stream.is_end_stream()
    }
}
