//! What RFC 9113 has a server refuse, and h2 lets through.

use std::future::poll_fn;
use std::io;

use bytes::BytesMut;

use crate::connection::{FIRST_READ, PREFACE};
use crate::error::ProxyError;
use crate::fields::Fields;
use crate::stream::Stream;

/// Its length, its type, its flags and its stream (section 4.1).
const FRAME_HEAD: usize = 9;
/// The type SETTINGS, and the flag of those that acknowledge others (section 6.5).
const SETTINGS: u8 = 4;
const ACK: u8 = 1;

/// Whether the client's preface goes on with its settings (section 3.4): h2 would wait for them for as long
/// as the client likes. What is read is given back.
pub(super) async fn begins_with_settings(stream: &mut Stream) -> io::Result<bool> {
    let mut read = BytesMut::new();
    let is_preface = |read: &[u8]| read.iter().zip(PREFACE).all(|(octet, right)| octet == right);
    while read.len() < PREFACE.len() + FRAME_HEAD && is_preface(&read) {
        if poll_fn(|cx| stream.poll_read_more(cx, &mut read, FIRST_READ)).await? == 0 {
            break;
        }
    }
    let first = read.strip_prefix(PREFACE);
    let settings = matches!(first, Some([_, _, _, SETTINGS, flags, ..]) if flags & ACK == 0);
    stream.give_back(read.freeze());
    Ok(settings)
}

/// Refuses values that begin or end with white space (section 8.2.1), and a length that is told twice: h2 takes one
/// that is told alike, and an HTTP/1.1 origin might not.
pub(super) fn check(fields: &Fields) -> Result<(), ProxyError> {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let padded = |value: &[u8]| blank(value.first()) || blank(value.last());
    if fields.iter().any(|(_, value)| padded(value)) {
        return Err(ProxyError::BadRequest("a field value begins or ends with white space"));
    }
    if fields.get_all("content-length").count() > 1 {
        return Err(ProxyError::BadRequest("Content-Length occurs more than once"));
    }
    Ok(())
}
