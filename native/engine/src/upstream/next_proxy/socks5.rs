//! SOCKS 5 (RFC 1928), with credentials where they are wanted (RFC 1929).
//!
//! Names are sent as names, so that the next proxy resolves them. Nothing is read beyond the reply: what the
//! upstream says first stays in the stream.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::credentials::Credentials;
use super::error::NextProxyError;
use crate::authority::{Authority, Host};
use crate::stream::Stream;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASS: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;
const COMMAND_CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks for a tunnel.
pub(super) async fn connect(
    mut stream: Stream,
    target: &Authority,
    credentials: Option<&Credentials>,
) -> Result<Stream, NextProxyError> {
    authenticate(&mut stream, credentials).await?;
    send(&mut stream, &request(target)?).await?;
    let [version, reply, _, kind] = receive(&mut stream).await?;
    match (version, reply) {
        (VERSION, 0) => skip_bound_address(&mut stream, kind).await?,
        (VERSION, code) => return Err(NextProxyError::RefusedSocks(code)),
        _ => return Err(NextProxyError::Protocol),
    }
    Ok(stream)
}

/// RFC 1928, section 3.
async fn authenticate(
    stream: &mut Stream,
    credentials: Option<&Credentials>,
) -> Result<(), NextProxyError> {
    let offer: &[u8] = match credentials {
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USER_AND_PASS],
        None => &[VERSION, 1, NO_AUTHENTICATION],
    };
    send(stream, offer).await?;
    match (receive(stream).await?, credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => Ok(()),
        ([VERSION, USER_AND_PASS], Some(credentials)) => {
            send(stream, &credentials.socks_message()).await?;
            match receive(stream).await? {
                [1, 0] => Ok(()),
                [1, _] => Err(NextProxyError::CredentialsRefused),
                _ => Err(NextProxyError::Protocol),
            }
        }
        ([VERSION, NONE_ACCEPTABLE], Some(_)) => Err(NextProxyError::CredentialsRefused),
        ([VERSION, NONE_ACCEPTABLE], None) => Err(NextProxyError::CredentialsMissing),
        _ => Err(NextProxyError::Protocol),
    }
}

/// RFC 1928, section 4.
fn request(target: &Authority) -> Result<Vec<u8>, NextProxyError> {
    let mut request = vec![VERSION, COMMAND_CONNECT, 0];
    match &target.host {
        Host::Name(name) => {
            let length = u8::try_from(name.len()).map_err(|_| NextProxyError::Protocol)?;
            request.extend([NAME, length]);
            request.extend(name.bytes());
        }
        Host::Ip(ip) => match ip.to_canonical() {
            IpAddr::V4(ip) => {
                request.push(IPV4);
                request.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                request.push(IPV6);
                request.extend(ip.octets());
            }
        },
    }
    request.extend(target.port.to_be_bytes());
    Ok(request)
}

/// The address that the next proxy dialled from, which is of no use to anyone, and its port.
async fn skip_bound_address(stream: &mut Stream, kind: u8) -> Result<(), NextProxyError> {
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(receive::<1>(stream).await?[0]),
        _ => return Err(NextProxyError::Protocol),
    };
    let mut skipped = vec![0; length + 2];
    stream.read_exact(&mut skipped).await.map_err(NextProxyError::Closed)?;
    Ok(())
}

async fn send(stream: &mut Stream, message: &[u8]) -> Result<(), NextProxyError> {
    stream.write_all(message).await.map_err(NextProxyError::Closed)?;
    stream.flush().await.map_err(NextProxyError::Closed)
}

async fn receive<const N: usize>(stream: &mut Stream) -> Result<[u8; N], NextProxyError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(NextProxyError::Closed)?;
    Ok(bytes)
}
