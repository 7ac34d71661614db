//! How many descriptors the process may have open: a connection takes one, and a tunnel two.
//!
//! The limit that most processes start with, 1024, is for the sake of programs that call select(2); up to the hard one
//! each may raise it for itself.

/// Raises the limit as far as the system lets it.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit on open files stays as it is");
    }
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_limit() {}
