//! The fields that tell a gateway where a request leads, read strictly.
//!
//! A field that could be read in two ways leads nowhere: sent twice, empty, or no text, it is an error, and
//! nothing is dialled for it.

use thiserror::Error;

use crate::authority::{Authority, parse_port};
use crate::fields::Fields;
use crate::headers::{HOST_OVERRIDE, PORT, WORKSPACE};
use crate::workspace::InvalidName;

/// Why a gateway does not know where a request leads. The texts are what clients of older gateways know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RoutingError {
    /// A routing field is no text.
    #[error("invalid header value (not UTF-8)")]
    NotUtf8,
    /// The workspace is no text.
    #[error("invalid header value (not UTF-8): X-Cmux-Workspace-Internal")]
    WorkspaceNotUtf8,
    /// Host is no text.
    #[error("invalid Host header (not UTF-8)")]
    HostNotUtf8,
    /// A routing field has no value.
    #[error("header value cannot be empty")]
    Empty,
    /// The workspace has no value.
    #[error("X-Cmux-Workspace-Internal cannot be empty")]
    WorkspaceEmpty,
    /// A routing field stands there more than once.
    #[error("a routing header is sent more than once: {0}")]
    Duplicate(&'static str),
    /// The port is not a number from 1 to 65535, in digits.
    #[error("invalid port in X-Cmux-Port-Internal")]
    Port,
    /// Neither field nor authority names a port.
    #[error("missing required header: X-Cmux-Port-Internal")]
    PortMissing,
    /// Neither field nor authority names a workspace, and there is no default upstream.
    #[error("missing required header: X-Cmux-Workspace-Internal")]
    WorkspaceMissing,
    /// The name leads nowhere.
    #[error("invalid workspace name: {0}")]
    Workspace(#[from] InvalidName),
    /// What is to be sent as Host is none.
    #[error("invalid host in X-Cmux-Host-Override")]
    HostOverride,
}

/// What the routing fields say.
pub(super) struct RoutingFields<'a> {
    pub(super) port: Option<u16>,
    pub(super) workspace: Option<&'a str>,
    /// What Host is to be, a valid one.
    pub(super) host: Option<&'a str>,
}

impl<'a> RoutingFields<'a> {
    pub(super) fn read(fields: &'a Fields) -> Result<Self, RoutingError> {
        let port = read(fields, PORT, RoutingError::NotUtf8, RoutingError::Empty)?;
        let port = port.map(parse_port).transpose().map_err(|_| RoutingError::Port)?;
        let (not_utf8, empty) = (RoutingError::WorkspaceNotUtf8, RoutingError::WorkspaceEmpty);
        let workspace = read(fields, WORKSPACE, not_utf8, empty)?;
        let host = read(fields, HOST_OVERRIDE, RoutingError::NotUtf8, RoutingError::Empty)?;
        if host.is_some_and(|host| Authority::parse(host, Some(80)).is_err()) {
            return Err(RoutingError::HostOverride);
        }
        Ok(Self { port, workspace, host })
    }
}

fn read<'a>(
    fields: &'a Fields,
    name: &'static str,
    not_utf8: RoutingError,
    empty: RoutingError,
) -> Result<Option<&'a str>, RoutingError> {
    let mut values = fields.get_all(name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(RoutingError::Duplicate(name));
    }
    match std::str::from_utf8(value) {
        Err(_) => Err(not_utf8),
        Ok("") => Err(empty),
        Ok(value) => Ok(Some(value)),
    }
}
