//! Bodies in frames: as HTTP/2 has them, and as an HTTP/1.1 body is read on its way to there.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::fields::Fields;

/// A frame of a body.
pub(crate) enum Frame {
    Data(Bytes),
    Trailers(Fields),
}

/// Where the frames of a body come from.
pub(crate) trait Frames {
    /// The next frame; `None` at the end. Whoever asks for it has passed on the one before.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>>;

    /// Whether it is known already that no frame follows.
    fn is_at_end(&self) -> bool;
}

/// A body that is there already.
impl Frames for Bytes {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        let whole = std::mem::take(self);
        Poll::Ready(Ok((!whole.is_empty()).then_some(Frame::Data(whole))))
    }

    fn is_at_end(&self) -> bool {
        self.is_empty()
    }
}
