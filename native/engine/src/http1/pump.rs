//! A body moved from one wire to another: decoded, framed anew, never queued.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, ReadBuf};

use super::framing::Piece;
use super::wire::{Wire, malformed};
use crate::body::{Frame, Frames};
use crate::fields::Fields;
use crate::headers;
use crate::stream;

/// Which side failed.
#[derive(Debug)]
pub(crate) enum PumpError {
    /// The side the body comes from: gone, or its framing is broken.
    From(io::Error),
    /// The side it goes to.
    To(io::Error),
}

impl PumpError {
    pub(crate) fn into_inner(self) -> io::Error {
        let (Self::From(error) | Self::To(error)) = self;
        error
    }
}

/// Moves what can be moved now; ready when the body has been sent to its end. Content is counted as it goes.
pub(crate) fn pump(
    cx: &mut Context<'_>,
    from: &mut Wire,
    to: &mut Wire,
    mut count: impl FnMut(usize),
) -> Poll<Result<(), PumpError>> {
    loop {
        use_unread(cx, from, to, &mut count)?;
        ready!(to.poll_send(cx)).map_err(PumpError::To)?;
        if from.has_received() {
            return Poll::Ready(Ok(()));
        }
        let read = ready!(read_and_send(cx, from, to, &mut count))?;
        if read == 0 {
            from.at_end().map_err(PumpError::From)?;
            to.send_end(&Fields::default());
        }
    }
}

/// The same for a body that comes in frames, from an HTTP/2 stream; it is let go of at its end.
pub(crate) fn pump_frames(
    cx: &mut Context<'_>,
    from: &mut Option<impl Frames>,
    to: &mut Wire,
    mut count: impl FnMut(usize),
) -> Poll<Result<(), PumpError>> {
    loop {
        ready!(to.poll_send(cx)).map_err(PumpError::To)?;
        let Some(body) = from else { return Poll::Ready(Ok(())) };
        let mut trailers = match ready!(body.poll_frame(cx)).map_err(PumpError::From)? {
            Some(Frame::Data(data)) => {
                count(data.len());
                to.send_data(cx, &data).map_err(PumpError::To)?;
                continue;
            }
            Some(Frame::Trailers(fields)) => fields,
            None => Fields::default(),
        };
        headers::strip_trailers(&mut trailers);
        to.send_end(&trailers);
        *from = None;
    }
}

/// Uses what has been read already.
fn use_unread(
    cx: &mut Context<'_>,
    from: &mut Wire,
    to: &mut Wire,
    count: &mut impl FnMut(usize),
) -> Result<(), PumpError> {
    if from.unread.is_empty() || from.has_received() {
        return Ok(());
    }
    let unread = std::mem::take(&mut from.unread);
    let (used, sent) = relay(cx, from, to, &unread, count);
    from.unread = unread;
    from.use_up(used);
    sent
}

/// Reads into the thread's buffer, and sends from it; the number of bytes read.
fn read_and_send(
    cx: &mut Context<'_>,
    from: &mut Wire,
    to: &mut Wire,
    count: &mut impl FnMut(usize),
) -> Poll<Result<usize, PumpError>> {
    if !from.unread.is_empty() {
        return from.poll_read(cx, stream::SCRATCH).map_err(PumpError::From);
    }
    stream::with_scratch(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        let read = Pin::new(&mut from.stream).poll_read(cx, &mut buffer);
        ready!(read).map_err(PumpError::From)?;
        let (used, sent) = relay(cx, from, to, buffer.filled(), count);
        from.unread.extend_from_slice(buffer.filled().get(used..).unwrap_or_default());
        Poll::Ready(sent.map(|()| buffer.filled().len()))
    })
}

/// Passes on what the input holds of the body. How much of it was used is known even where the other side
/// fails: what is left may be the next message.
fn relay(
    cx: &mut Context<'_>,
    from: &mut Wire,
    to: &mut Wire,
    input: &[u8],
    count: &mut impl FnMut(usize),
) -> (usize, Result<(), PumpError>) {
    let mut used = 0;
    while !from.has_received() {
        let left = input.get(used..).unwrap_or_default();
        match from.receiving.next(left) {
            Ok(Piece::Data(length)) => {
                used += length;
                let sent = to.send_data(cx, left.get(..length).unwrap_or_default());
                if let Err(error) = sent {
                    return (used, Err(PumpError::To(error)));
                }
                count(length);
            }
            Ok(Piece::Framing(length)) => used += length,
            Ok(Piece::Trailers(mut fields, length)) => {
                headers::strip_trailers(&mut fields);
                to.send_end(&fields);
                return (used + length, Ok(()));
            }
            Ok(Piece::Incomplete | Piece::End) => return (used, Ok(())),
            Err(reason) => return (used, Err(PumpError::From(malformed(reason)))),
        }
    }
    to.send_end(&Fields::default());
    (used, Ok(()))
}
