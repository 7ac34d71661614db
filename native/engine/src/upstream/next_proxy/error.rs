//! What can go wrong between this proxy and the next.

use std::io;

use thiserror::Error;

/// Why the next proxy did not lead to the upstream. None of the messages names it, and none shows credentials.
#[derive(Debug, Error)]
pub enum NextProxyError {
    /// The embedder did not say which proxy to use.
    #[error("which proxy to use could not be found out: {0}")]
    Unknown(&'static str),
    /// Its name could not be resolved.
    #[error("the next proxy's name could not be resolved")]
    Dns(#[source] io::Error),
    /// It refused the connection, or could not be reached.
    #[error("the next proxy could not be reached")]
    Connect(#[source] io::Error),
    /// Its certificate is not trusted for its name.
    #[error("the next proxy's certificate is not trusted")]
    Certificate(#[source] io::Error),
    /// The TLS handshake with it failed for another reason.
    #[error("the TLS handshake with the next proxy failed")]
    Tls(#[source] io::Error),
    /// It did not answer in time.
    #[error("the next proxy did not answer in time")]
    Timeout,
    /// It closed the connection before it answered.
    #[error("the next proxy closed the connection before it answered")]
    Closed(#[source] io::Error),
    /// Its answer breaks the rules of its protocol.
    #[error("the next proxy's answer is not valid")]
    Protocol,
    /// It wants credentials, and none were given.
    #[error("the next proxy asked for credentials")]
    CredentialsMissing,
    /// It does not accept the credentials, or not of this kind.
    #[error("the next proxy refused the credentials")]
    CredentialsRefused,
    /// It answered CONNECT with this status.
    #[error("the next proxy refused the tunnel with {0}")]
    Refused(u16),
    /// It answered with this reply code of RFC 1928, section 6.
    #[error("the next proxy refused the tunnel: {}", reply(*.0))]
    RefusedSocks(u8),
}

impl NextProxyError {
    /// Whether another proxy may do better: this one did not answer, or not as one.
    pub(super) fn is_unreachable(&self) -> bool {
        match self {
            Self::Dns(_)
            | Self::Connect(_)
            | Self::Certificate(_)
            | Self::Tls(_)
            | Self::Timeout
            | Self::Closed(_)
            | Self::Protocol => true,
            Self::Unknown(_)
            | Self::CredentialsMissing
            | Self::CredentialsRefused
            | Self::Refused(_)
            | Self::RefusedSocks(_) => false,
        }
    }
}

/// RFC 1928, section 6.
fn reply(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "command not supported",
        8 => "kind of address not supported",
        _ => "an unknown reply",
    }
}
