//! The parts of HTTP/1.1 that a fuzzer tries one by one, without a connection.

use bytes::BytesMut;

use super::framing::{self, Decoder, Framing, Piece};
use super::parse::{self, HeadLimits};
use super::serialize;
use crate::fields::Fields;
use crate::head::RequestHead;
use crate::headers;
use crate::route::Upstream;

/// A request's head that is complete and valid, and how many bytes it has; its length can be told.
#[must_use]
pub fn request(bytes: &[u8]) -> Option<(RequestHead, usize)> {
    let limits = HeadLimits { bytes: 64 * 1024, fields: 192 };
    let (head, length) = parse::request(bytes, limits).ok()??;
    framing::of_request(&head).is_ok().then_some((head, length))
}

/// The head as it goes on to the upstream.
#[must_use]
pub fn forwarded(mut head: RequestHead, upstream: &Upstream) -> Vec<u8> {
    let framing = framing::of_request(&head).unwrap_or(Framing::None);
    headers::strip_request(&mut head.fields);
    headers::address(&mut head.fields, upstream);
    let mut out = BytesMut::new();
    serialize::write_request(&mut out, &head, framing);
    out.to_vec()
}

/// A request's body, decoded from input that arrives in pieces of this size: its content, its trailers, and
/// how much of the input it took. `None` if it is not valid, or not complete.
#[must_use]
pub fn body(head: &RequestHead, input: &[u8], size: usize) -> Option<(Vec<u8>, Fields, usize)> {
    let mut decoder = Decoder::new(framing::of_request(head).ok()?);
    let (mut content, mut used, mut arrived) = (Vec::new(), 0, 0);
    loop {
        let unread = input.get(used..arrived)?;
        used += match decoder.next(unread).ok()? {
            Piece::Data(length) => {
                content.extend_from_slice(unread.get(..length)?);
                length
            }
            Piece::Framing(length) => length,
            Piece::Trailers(fields, length) => return Some((content, fields, used + length)),
            Piece::End => return Some((content, Fields::default(), used)),
            Piece::Incomplete if arrived == input.len() => return None,
            Piece::Incomplete => {
                arrived = input.len().min(arrived + size.max(1));
                0
            }
        };
    }
}
