//! The functions that a program calls to have, to open and to look at a connection.

use libc::{EADDRINUSE, c_int, sockaddr, socklen_t};

use crate::address::Address;
use crate::next;
use crate::socket::{is_taken, join_sister, local_address, revealed, to_bind, to_reach};

/// `bind(2)`: a wildcard and `localhost` are the workspace's address.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    // SAFETY: the caller's.
    let asked = unsafe { Address::read_to_bind(address, length) };
    let Some(inside) = asked.and_then(|asked| to_bind(fd, asked)) else {
        // SAFETY: the caller's.
        return unsafe { next::bind(fd, address, length) };
    };
    let (address, length) = inside.raw();
    // SAFETY: the address lives until the function ends.
    let bound = unsafe { next::bind(fd, address, length) };
    if bound != 0 && errno() == EADDRINUSE {
        if !is_taken(fd, inside) && join_sister(fd, inside) {
            // SAFETY: the same.
            return unsafe { next::bind(fd, address, length) };
        }
        // Looking for it has set others.
        set_errno(EADDRINUSE);
    }
    bound
}

/// `listen(2)`: not before now does the kernel mind that two sockets with `SO_REUSEADDR` have one address.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn listen(fd: c_int, backlog: c_int) -> c_int {
    // SAFETY: the caller's.
    let listens = unsafe { next::listen(fd, backlog) };
    if listens != 0 && errno() == EADDRINUSE {
        if local_address(fd).is_some_and(|address| join_sister(fd, address)) {
            // SAFETY: the same.
            return unsafe { next::listen(fd, backlog) };
        }
        set_errno(EADDRINUSE);
    }
    listens
}

/// `connect(2)`: `localhost` is the workspace's address.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    // SAFETY: the caller's.
    let asked = unsafe { Address::read(address, length) };
    let Some(inside) = asked.and_then(|asked| to_reach(fd, asked)) else {
        // SAFETY: the caller's.
        return unsafe { next::connect(fd, address, length) };
    };
    let (address, length) = inside.raw();
    // SAFETY: the address lives until the function ends.
    unsafe { next::connect(fd, address, length) }
}

/// `getsockname(2)`: the workspace's address is `localhost`.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getsockname(
    fd: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { revealed(address, length, || next::getsockname(fd, address, length)) }
}

/// `getpeername(2)`: the workspace's address is `localhost`.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getpeername(
    fd: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { revealed(address, length, || next::getpeername(fd, address, length)) }
}

/// `accept(2)`: a client in the workspace is one on `localhost`.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn accept(
    fd: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { revealed(address, length, || next::accept(fd, address, length)) }
}

/// `accept4(2)`: a client in the workspace is one on `localhost`.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn accept4(
    fd: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { revealed(address, length, || next::accept4(fd, address, length, flags)) }
}

fn errno() -> c_int {
    // SAFETY: every thread has its own.
    unsafe { *libc::__errno_location() }
}

fn set_errno(error: c_int) {
    // SAFETY: every thread has its own.
    unsafe { *libc::__errno_location() = error };
}
