//! How long a message's body is (RFC 9112, section 6.3), and where in it one is.
//!
//! Every message whose length two readers could take differently is refused: that is how one request is
//! hidden in another.

use http::{Method, StatusCode, Version};

use super::chunked::Chunked;
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    None,
    /// By `Content-Length`.
    Length(u64),
    /// By the last chunk.
    Chunked,
    /// By the end of the connection; a response only.
    UntilClose,
}

/// The longest body, or chunk of one. More is nobody's: where a number is cut off, it means something else.
pub(super) const LONGEST: u64 = i64::MAX.unsigned_abs();

/// What is wrong with a message's framing.
pub(crate) type Ambiguous = &'static str;

pub(super) fn of_request(head: &RequestHead) -> Result<Framing, Ambiguous> {
    Ok(declared(&head.fields, head.version)?.unwrap_or(Framing::None))
}

/// The framing of a response to a request with this method.
pub(crate) fn of_response(head: &ResponseHead, method: &Method) -> Result<Framing, Ambiguous> {
    let declared = declared(&head.fields, head.version)?;
    let without = head.status.is_informational()
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || method == Method::HEAD
        || (method == Method::CONNECT && head.status.is_success());
    Ok(if without { Framing::None } else { declared.unwrap_or(Framing::UntilClose) })
}

fn declared(fields: &Fields, version: Version) -> Result<Option<Framing>, Ambiguous> {
    let (mut length, mut coding) = (None, None);
    for (name, value) in fields.iter() {
        let seen = match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => &mut length,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => &mut coding,
            _ => continue,
        };
        if seen.replace(value).is_some() {
            return Err("the body's length is given more than once");
        }
    }
    match (length, coding) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err("Content-Length stands beside Transfer-Encoding"),
        (Some(length), None) => Ok(Some(Framing::Length(parse_length(length)?))),
        (None, Some(_)) if version == Version::HTTP_10 => Err("HTTP/1.0 has no Transfer-Encoding"),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => {
            Ok(Some(Framing::Chunked))
        }
        (None, Some(_)) => Err("the only transfer coding understood is chunked"),
    }
}

/// One or more digits; no sign, no list (RFC 9110, section 8.6).
fn parse_length(value: &[u8]) -> Result<u64, Ambiguous> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits);
    let length = text.and_then(|text| text.parse().ok());
    length.filter(|length| *length <= LONGEST).ok_or("Content-Length is not a number")
}

/// Where in a body one is.
#[derive(Debug)]
pub(crate) enum Decoder {
    Done,
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

/// What comes next in a body.
pub(super) enum Piece {
    /// So many bytes of content.
    Data(usize),
    /// So many bytes that only frame.
    Framing(usize),
    /// Trailer fields, in so many bytes; the body ends with them.
    Trailers(Fields, usize),
    /// It cannot be told yet.
    Incomplete,
    /// The body has ended.
    End,
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::None | Framing::Length(0) => Self::Done,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::default()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Reads the next piece off the front of the input, which the caller then uses up.
    pub(super) fn next(&mut self, input: &[u8]) -> Result<Piece, Ambiguous> {
        let piece = match self {
            Self::Done => return Ok(Piece::End),
            _ if input.is_empty() => return Ok(Piece::Incomplete),
            Self::UntilClose => return Ok(Piece::Data(input.len())),
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= taken as u64;
                (*left == 0, Piece::Data(taken))
            }
            Self::Chunked(chunked) => {
                let piece = chunked.next(input)?;
                (matches!(piece, Piece::Trailers(..)), piece)
            }
        };
        if piece.0 {
            *self = Self::Done;
        }
        Ok(piece.1)
    }

    /// Whether a body may end where the connection does.
    pub(super) fn ends_with_connection(&mut self) -> bool {
        let ends = matches!(self, Self::Done | Self::UntilClose);
        if ends {
            *self = Self::Done;
        }
        ends
    }
}
