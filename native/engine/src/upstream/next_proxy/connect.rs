//! A CONNECT to the next proxy, in HTTP/1.1 (RFC 9110, section 9.3.6).

use std::io;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::error::NextProxyError;
use crate::authority::Authority;
use crate::stream::Stream;

/// How long the head of its answer may be, in bytes and in fields.
const LONGEST_HEAD: usize = 16 * 1024;
const MOST_FIELDS: usize = 100;

/// Asks for a tunnel. What comes right behind the answer is not lost.
pub(super) async fn connect(
    mut stream: Stream,
    target: &Authority,
    credentials: Option<&Credentials>,
) -> Result<Stream, NextProxyError> {
    let request = request(target, credentials);
    stream.write_all(request.as_bytes()).await.map_err(NextProxyError::Closed)?;
    stream.flush().await.map_err(NextProxyError::Closed)?;
    let mut read = BytesMut::new();
    let status = loop {
        match answer(&read)? {
            // RFC 9110, section 15.2: the answer proper is still to come.
            Some((100 | 102..=199, end)) => read.advance(end),
            Some((status, end)) => {
                read.advance(end);
                break status;
            }
            None => {
                if stream.read_buf(&mut read).await.map_err(NextProxyError::Closed)? == 0 {
                    return Err(NextProxyError::Closed(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        }
    };
    accept(status, credentials.is_some())?;
    stream.give_back(read.freeze());
    Ok(stream)
}

fn request(target: &Authority, credentials: Option<&Credentials>) -> Zeroizing<String> {
    let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    // In one piece: a string that grows leaves copies of a secret behind.
    Zeroizing::new(match credentials.map(Credentials::basic) {
        Some(value) => [&head, "Proxy-Authorization: ", &value, "\r\n\r\n"].concat(),
        None => head + "\r\n",
    })
}

/// The status of the answer and the length of its head, once that is whole.
fn answer(read: &[u8]) -> Result<Option<(u16, usize)>, NextProxyError> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let end = match response.parse(read) {
        Ok(httparse::Status::Complete(end)) => Some(end),
        Ok(httparse::Status::Partial) => None,
        Err(_) => return Err(NextProxyError::Protocol),
    };
    if end.unwrap_or(read.len()) > LONGEST_HEAD {
        return Err(NextProxyError::Protocol);
    }
    Ok(response.code.zip(end))
}

/// Whatever the fields of a successful answer say, a tunnel begins behind its head.
fn accept(status: u16, credentials_given: bool) -> Result<(), NextProxyError> {
    Err(match status {
        200..=299 => return Ok(()),
        407 if credentials_given => NextProxyError::CredentialsRefused,
        407 => NextProxyError::CredentialsMissing,
        300..=599 => NextProxyError::Refused(status),
        _ => NextProxyError::Protocol,
    })
}
