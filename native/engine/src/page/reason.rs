//! What failed, in plain words, and what to do about it.
//!
//! The page is for the person at the tab, whose application chose the route: unlike an error's own message it may
//! name where the route leads.

use std::io;
use std::time::Duration;

use rustls::CertificateError;

use super::origin;
use crate::error::ProxyError;
use crate::options::Timeouts;
use crate::route::Upstream;

/// Two sentences for a person.
pub(super) struct Reason {
    /// What failed.
    pub(super) what: String,
    /// What to do next.
    pub(super) next: &'static str,
}

impl Reason {
    pub(super) fn of(error: &ProxyError, upstream: &Upstream, timeouts: &Timeouts) -> Self {
        Self { what: what(error, upstream, timeouts), next: next(error) }
    }
}

fn what(error: &ProxyError, upstream: &Upstream, timeouts: &Timeouts) -> String {
    let (origin, host) = (origin(upstream.scheme, &upstream.authority), &upstream.authority.host);
    match error {
        ProxyError::LoopbackRefused => {
            format!("{host} leads to this machine itself, which this tab may not reach.")
        }
        ProxyError::Loop => format!("{origin} leads back to the proxy that was asked for it."),
        ProxyError::Dns(_) => format!("The name {host} could not be resolved."),
        ProxyError::Connect(error) if is_refusal(error) => {
            format!("Nothing is listening at {origin}.")
        }
        ProxyError::Connect(_) => format!("{origin} could not be reached."),
        ProxyError::ConnectTimeout => {
            format!("{origin} did not accept a connection {}.", within(timeouts.connect))
        }
        ProxyError::TlsCertificate(error) => certificate(&origin, error),
        ProxyError::TlsProtocol(_) => format!("The TLS handshake with {origin} failed."),
        ProxyError::TlsTimeout => {
            format!("{origin} did not finish the TLS handshake {}.", within(timeouts.tls_handshake))
        }
        ProxyError::UpstreamClosed(_) => {
            format!("{origin} closed the connection before it answered.")
        }
        ProxyError::GatewayToken => {
            format!("The gateway {origin} wants a token, which the route has not or has wrong.")
        }
        ProxyError::UpstreamProtocol(_) => format!("What {origin} answered is not valid HTTP."),
        ProxyError::ResponseTimeout => {
            format!("{origin} did not answer {}.", within(timeouts.response_head))
        }
        other => sentence(&other.to_string()),
    }
}

fn next(error: &ProxyError) -> &'static str {
    match error {
        ProxyError::LoopbackRefused => {
            "A tab with a route reaches servers on this machine only where its route names them."
        }
        ProxyError::Loop => "Ask for another address, or give the tab another route.",
        ProxyError::Connect(error) if is_refusal(error) => {
            "Start the server there, or check which port it listens on."
        }
        ProxyError::Dns(_) | ProxyError::Connect(_) | ProxyError::ConnectTimeout => {
            "Check the address and the network."
        }
        ProxyError::TlsCertificate(_) => {
            "Give the server a certificate for its name, or have the application trust its issuer."
        }
        ProxyError::TlsProtocol(_) | ProxyError::TlsTimeout => {
            "Check that the server speaks TLS at this port; otherwise the route should say http://."
        }
        ProxyError::GatewayToken => "Give the tab a route with the gateway's token.",
        ProxyError::UpstreamClosed(_)
        | ProxyError::UpstreamProtocol(_)
        | ProxyError::ResponseTimeout => "Look at what the server prints: it may have failed.",
        _ => "Check the address, and where the tab's route leads.",
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}

fn certificate(origin: &str, error: &io::Error) -> String {
    let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let wrong = match refused {
        Some(rustls::Error::InvalidCertificate(reason)) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "is not for this name"
            }
            CertificateError::UnknownIssuer => "comes from an issuer that is not trusted",
            _ => "is not trusted",
        },
        _ => "is not trusted",
    };
    format!("The certificate of {origin} {wrong}.")
}

fn within(limit: Duration) -> String {
    format!("within {} s", limit.as_secs_f64())
}

/// An error's message with a capital letter and a full stop.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    format!("{}{}.", first.map_or_else(String::new, String::from), letters.as_str())
}
