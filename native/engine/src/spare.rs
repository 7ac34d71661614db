//! Memory that one message has let go of, kept on its thread for the next.
//!
//! A message needs a few small pieces of memory for as long as it takes to pass it on, and connections hold none while
//! nothing moves. To ask the allocator for each, and to give it back, would cost about as much as everything else that
//! is done for a request.

use std::cell::RefCell;
use std::thread::LocalKey;

use bytes::BytesMut;

/// As many as there are exchanges in flight on a busy thread. What is let go of beyond goes back to the allocator.
const MOST: usize = 64;
/// A larger piece is not worth keeping: it was there for one message that was long.
pub(crate) const LARGEST: usize = 8 * 1024;

/// Pieces of one kind.
pub(crate) type Spares<T> = RefCell<Vec<T>>;

thread_local! {
    static BUFFERS: Spares<BytesMut> = const { RefCell::new(Vec::new()) };
}

/// A piece that is kept, or a new one without any memory.
pub(crate) fn take<T: Default>(spares: &'static LocalKey<Spares<T>>) -> T {
    spares.try_with(|spares| spares.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

/// Keeps a piece, unless there are enough of them, or the thread ends.
pub(crate) fn keep<T>(spares: &'static LocalKey<Spares<T>>, piece: T) {
    let _ = spares.try_with(|spares| {
        let mut spares = spares.borrow_mut();
        if spares.len() < MOST {
            spares.push(piece);
        }
    });
}

/// An empty buffer.
pub(crate) fn buffer() -> BytesMut {
    take(&BUFFERS)
}

/// Takes a buffer back; its content is forgotten.
pub(crate) fn give_back(mut buffer: BytesMut) {
    buffer.clear();
    // What has been used up in front is not in its capacity until it is asked for.
    let is_large = buffer.try_reclaim(LARGEST + 1);
    if !is_large {
        keep(&BUFFERS, buffer);
    }
}
