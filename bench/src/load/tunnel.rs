//! CONNECT: the request, and the head of its answer.

use std::io;

use memchr::memmem;

/// The request that opens a tunnel to a port of the origin.
pub fn request(port: u16, authorization: &str) -> Vec<u8> {
    let authority = format!("127.0.0.1:{port}");
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n").into_bytes()
}

/// Takes a piece of the answer; `Some` once its head is whole. Nothing follows it: the origin speaks second.
pub fn answered(head: &mut Vec<u8>, bytes: &[u8]) -> io::Result<Option<()>> {
    head.extend_from_slice(bytes);
    let Some(end) = memmem::find(head, b"\r\n\r\n") else { return Ok(None) };
    if head.get(9..12) == Some(b"200") && end + 4 == head.len() {
        return Ok(Some(()));
    }
    Err(io::Error::other(String::from_utf8_lossy(head).into_owned()))
}
