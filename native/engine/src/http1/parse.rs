//! Heads read strictly: whatever two readers could take for different things is refused.

use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};
use httparse::{Error, Header, Status};

use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};
use crate::limits::Limits;

/// How large a head may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    /// Bytes, from the first line to the empty line after the fields.
    pub(crate) bytes: usize,
    /// Field lines.
    pub(crate) fields: usize,
}

impl From<&Limits> for HeadLimits {
    fn from(limits: &Limits) -> Self {
        let size = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        Self { bytes: size(limits.head_bytes), fields: size(limits.head_fields) }
    }
}

/// What a response head may be; a server that sends more is broken.
const RESPONSE: HeadLimits = HeadLimits { bytes: 256 * 1024, fields: 256 };

/// Why a head cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadError {
    Malformed(&'static str),
    TooLarge,
}

/// A head and its length, or `None` while it is incomplete.
type Parsed<T> = Result<Option<(T, usize)>, HeadError>;

pub(crate) fn request(bytes: &[u8], limits: HeadLimits) -> Parsed<RequestHead> {
    let mut storage = [const { MaybeUninit::uninit() }; 128];
    let mut more = Vec::new();
    let headers = room(&mut storage, &mut more, limits.fields);
    let mut parsed = httparse::Request::new(&mut []);
    let status = parsed.parse_with_uninit_headers(bytes, headers);
    let Some(length) = length(status, bytes, limits)? else { return Ok(None) };
    let method = parsed.method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let head = RequestHead {
        protocol: None,
        method: method.ok_or(HeadError::Malformed("the method is not valid"))?,
        target: parsed.path.unwrap_or_default().as_bytes().to_vec(),
        version: version(parsed.version),
        fields: fields(parsed.headers, length),
    };
    Ok(Some((head, length)))
}

pub(crate) fn response(bytes: &[u8]) -> Parsed<ResponseHead> {
    let headers = &mut [const { MaybeUninit::uninit() }; RESPONSE.fields];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let status = config.parse_response_with_uninit_headers(&mut parsed, bytes, headers);
    let Some(length) = length(status, bytes, RESPONSE)? else { return Ok(None) };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(HeadError::Malformed("the status is not valid"))?;
    let reason = match parsed.reason.unwrap_or_default() {
        "" => opaque_reason(bytes.get(..length).unwrap_or_default()),
        text => text.as_bytes(),
    };
    let usual = status.canonical_reason().is_some_and(|usual| usual.as_bytes() == reason);
    let head = ResponseHead {
        status,
        reason: (!usual).then(|| reason.into()),
        version: version(parsed.version),
        fields: fields(parsed.headers, length),
    };
    Ok(Some((head, length)))
}

/// The reason phrase behind the status of a valid head: one with obs-text (RFC 9112, section 4) is empty to the parser, which
/// deals in text.
fn opaque_reason(head: &[u8]) -> &[u8] {
    const STATUS: &[u8] = b"HTTP/1.1 200 ";
    let lines = head.split(|byte| *byte == b'\n');
    let mut lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
    first.get(STATUS.len()..).unwrap_or_default()
}

/// The trailer section after a chunked body (RFC 9112, section 7.1.2).
pub(super) fn trailers(bytes: &[u8]) -> Parsed<Fields> {
    const LIMITS: HeadLimits = HeadLimits { bytes: 16 * 1024, fields: 64 };
    let mut headers = [httparse::EMPTY_HEADER; LIMITS.fields];
    let parsed = httparse::parse_headers(bytes, &mut headers);
    let (status, headers) = match parsed {
        Ok(Status::Complete((length, headers))) => (Ok(Status::Complete(length)), headers),
        Ok(Status::Partial) => (Ok(Status::Partial), &[][..]),
        Err(error) => (Err(error), &[][..]),
    };
    let length = length(status, bytes, LIMITS)?;
    Ok(length.map(|length| (fields(headers, length), length)))
}

/// Room for as many fields as are allowed; only an unusual limit needs memory of its own.
fn room<'a, 'b, const N: usize>(
    usual: &'a mut [MaybeUninit<Header<'b>>; N],
    more: &'a mut Vec<MaybeUninit<Header<'b>>>,
    fields: usize,
) -> &'a mut [MaybeUninit<Header<'b>>] {
    if fields > N {
        more.resize_with(fields, MaybeUninit::uninit);
        return more;
    }
    usual.get_mut(..fields).unwrap_or_default()
}

fn length(
    status: Result<Status<usize>, Error>,
    bytes: &[u8],
    limits: HeadLimits,
) -> Result<Option<usize>, HeadError> {
    match status {
        Ok(Status::Complete(length)) if length > limits.bytes => Err(HeadError::TooLarge),
        Ok(Status::Partial) if bytes.len() >= limits.bytes => Err(HeadError::TooLarge),
        Ok(Status::Partial) => Ok(None),
        Ok(Status::Complete(length)) => {
            let head = bytes.get(..length).unwrap_or_default();
            if has_bare_line_feed(head) {
                return Err(HeadError::Malformed("a line does not end in CR LF"));
            }
            Ok(Some(length))
        }
        Err(Error::TooManyHeaders) => Err(HeadError::TooLarge),
        Err(Error::HeaderName | Error::HeaderValue) => {
            Err(HeadError::Malformed("a field line is not valid"))
        }
        Err(Error::NewLine) => Err(HeadError::Malformed("a line does not end in CR LF")),
        Err(Error::Version) => Err(HeadError::Malformed("the version is not HTTP/1.0 or HTTP/1.1")),
        Err(Error::Status | Error::Token) => {
            Err(HeadError::Malformed("the first line is not valid"))
        }
    }
}

/// RFC 9112, section 2.2, lets a recipient take a bare LF for a line's end; where the next one does not,
/// that hides a message.
fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head)
        .any(|at| at.checked_sub(1).and_then(|before| head.get(before)) != Some(&b'\r'))
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 }
}

fn fields(headers: &[Header<'_>], bytes: usize) -> Fields {
    // Room for what is added on the way: Host, framing, routing fields.
    let mut fields = Fields::with_capacity(headers.len() + 4, bytes + 128);
    for header in headers {
        fields.push(header.name, header.value);
    }
    fields
}
