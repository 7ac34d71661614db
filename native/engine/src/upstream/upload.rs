//! A request's body on its way to an upstream, whichever version either side speaks.

use std::io;

use crate::error::ProxyError;

pub(super) const MALFORMED: ProxyError =
    ProxyError::BadRequest("the request's body is malformed or incomplete");

/// What it means that the client's side of an upload failed.
pub(super) fn broken(error: &io::Error) -> ProxyError {
    match error.kind() {
        io::ErrorKind::InvalidData => MALFORMED,
        _ => ProxyError::ClientGone,
    }
}
