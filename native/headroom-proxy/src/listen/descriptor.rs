//! Sockets that whoever has started this process has opened: one by its number, or those that systemd tells of.

use std::env;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use super::ListenError;

/// The first that systemd hands over (`sd_listen_fds(3)`).
const FIRST: i32 = 3;

/// The socket with this number.
pub(super) fn of(number: i32) -> Result<TcpListener, ListenError> {
    listener(number)
        .map_err(|source| ListenError::Socket { place: format!("descriptor {number}"), source })
}

/// The sockets of systemd's socket activation.
pub(super) fn of_systemd() -> Result<Vec<Arc<TcpListener>>, ListenError> {
    let number = |name| env::var(name).ok().and_then(|value| value.parse::<i32>().ok());
    let own = i32::try_from(std::process::id()).ok();
    let count = number("LISTEN_FDS").filter(|count| *count > 0 && number("LISTEN_PID") == own);
    let count = count.ok_or(ListenError::NotActivated)?;
    (FIRST..FIRST.saturating_add(count)).map(|number| of(number).map(Arc::new)).collect()
}

#[cfg(unix)]
fn listener(number: i32) -> io::Result<TcpListener> {
    use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};

    use socket2::Socket;

    let none = || io::Error::from_raw_os_error(9);
    if number < FIRST {
        return Err(none());
    }
    // SAFETY: the descriptor is only asked whether it is open; a number that is none is told by an error.
    let is_open = unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned().is_ok();
    if !is_open {
        return Err(none());
    }
    // SAFETY: it is open, it is not one of the standard three, and nothing in this process has been told of it: this
    // runs once, before anything is opened, and each number is asked for once.
    let socket = Socket::from(unsafe { OwnedFd::from_raw_fd(number) });
    if !socket.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
    }
    socket.set_cloexec(true)?;
    Ok(socket.into())
}

#[cfg(not(unix))]
fn listener(_: i32) -> io::Result<TcpListener> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Unix hands over sockets"))
}
