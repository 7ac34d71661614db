//! Messages as bytes.

use std::io::Write as _;

use bytes::{BufMut as _, BytesMut};
use http::Version;

use super::framing::Framing;
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};

/// A request's head, in origin-form, or authority-form for CONNECT.
pub(crate) fn write_request(out: &mut BytesMut, head: &RequestHead, framing: Framing) {
    let target = head.origin_form();
    let method = head.method.as_str();
    out.reserve(method.len() + target.len() + head.fields.size() + 64);
    out.put_slice(method.as_bytes());
    out.put_u8(b' ');
    out.put_slice(&target);
    out.put_slice(b" HTTP/1.1\r\n");
    write_fields(out, &head.fields);
    // RFC 9110, section 10.1.4: in HTTP/1.1 the field is this hop's own.
    if head.fields.contains("te") {
        write_field(out, b"connection", b"te");
    }
    end_head(out, framing, &head.fields);
}

/// A response's head, and what the connection is told about its future.
pub(super) fn write_response(
    out: &mut BytesMut,
    head: &ResponseHead,
    framing: Framing,
    connection: Option<&str>,
) {
    let reason = head.reason.as_deref();
    let reason = reason.or(head.status.canonical_reason().map(str::as_bytes)).unwrap_or_default();
    out.reserve(reason.len() + head.fields.size() + 64);
    // RFC 9110, section 2.5: the version is this hop's own.
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(head.status.as_str().as_bytes());
    out.put_u8(b' ');
    out.put_slice(reason);
    out.put_slice(b"\r\n");
    write_fields(out, &head.fields);
    if let Some(connection) = connection {
        write_field(out, b"connection", connection.as_bytes());
    }
    end_head(out, framing, &head.fields);
}

/// What a client that speaks this version is told of a connection that ends after the response, or does not.
pub(super) fn connection_option(version: Version, keep: bool) -> Option<&'static str> {
    match (version, keep) {
        (Version::HTTP_10, true) => Some("keep-alive"),
        (Version::HTTP_10, false) | (_, true) => None,
        (_, false) => Some("close"),
    }
}

pub(super) fn chunk(out: &mut BytesMut, data: &[u8]) {
    out.reserve(data.len() + 20);
    let _ = write!(out.writer(), "{:x}\r\n", data.len());
    out.put_slice(data);
    out.put_slice(b"\r\n");
}

pub(super) fn last_chunk(out: &mut BytesMut, trailers: &Fields) {
    out.put_slice(b"0\r\n");
    write_fields(out, trailers);
    out.put_slice(b"\r\n");
}

fn write_fields(out: &mut BytesMut, fields: &Fields) {
    for (name, value) in fields.iter() {
        write_field(out, name, value);
    }
}

fn write_field(out: &mut BytesMut, name: &[u8], value: &[u8]) {
    out.put_slice(name);
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

fn end_head(out: &mut BytesMut, framing: Framing, fields: &Fields) {
    match framing {
        Framing::Chunked => write_field(out, b"transfer-encoding", b"chunked"),
        Framing::Length(length) if !fields.contains("content-length") => {
            write_field(out, b"content-length", length.to_string().as_bytes());
        }
        _ => {}
    }
    out.put_slice(b"\r\n");
}
