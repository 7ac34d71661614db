//! Whether an address that a program hands over with a socket becomes one of the workspace, and how a socket is made
//! to take it.
//!
//! That is so for TCP and UDP. A UDP socket that is bound to a wildcard and any port is a client's, which may well
//! speak to the network next: it stays as it is, and hears what is sent to the workspace all the same.

use std::ffi::c_void;
use std::mem::{size_of, zeroed};
use std::net::Ipv4Addr;
use std::ptr;

use libc::{
    IPPROTO_IPV6, IPPROTO_MPTCP, IPPROTO_TCP, IPPROTO_UDP, IPV6_V6ONLY, SO_PROTOCOL, SO_REUSEPORT,
    SOL_SOCKET, c_int, sockaddr, sockaddr_storage, socklen_t,
};

use crate::address::Address;
use crate::{next, settings};

/// How many descriptors are looked at for a socket's sister. Servers open theirs early, and so with low numbers.
const SEARCHED: c_int = 4096;

/// What a socket is bound to when it is asked to be bound to this; `None` where that is nobody else's business.
pub(crate) fn to_bind(fd: c_int, asked: Address) -> Option<Address> {
    let inside = inside(fd, asked)?;
    let of_a_client = asked.is_wildcard() && asked.port() == 0 && protocol(fd) == Some(IPPROTO_UDP);
    (!of_a_client).then_some(inside)
}

/// Where a socket sends or connects to when it is asked to do so to this; `None` where that is left alone.
pub(crate) fn to_reach(fd: c_int, asked: Address) -> Option<Address> {
    inside(fd, asked)
}

fn inside(fd: c_int, asked: Address) -> Option<Address> {
    let workspace = settings::workspace()?;
    if !asked.is_localhost() || settings::is_shared(asked.port()) {
        return None;
    }
    match protocol(fd)? {
        IPPROTO_TCP | IPPROTO_MPTCP | IPPROTO_UDP => {}
        _ => return None,
    }
    if asked.is_v6() {
        // Where it is bound already it is too late, and the call that follows says so.
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    Some(asked.inside(workspace))
}

/// Lets a socket have an address of the workspace beside another of this program that has the same one in the other
/// family, as `127.0.0.1` and `::1` would have been two addresses; says whether there is such a sister.
///
/// Connections then come to the IPv4 socket alone, because the kernel prefers it.
pub(crate) fn join_sister(fd: c_int, address: Address) -> bool {
    if settings::workspace().is_none_or(|workspace| address.ip() != workspace) {
        return false;
    }
    let Some(sister) = holder(fd, address, !address.is_v6()) else { return false };
    set(sister, SOL_SOCKET, SO_REUSEPORT, 1);
    set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    true
}

/// Whether another socket of this program has this very address, in the same family.
pub(crate) fn is_taken(fd: c_int, address: Address) -> bool {
    holder(fd, address, address.is_v6()).is_some()
}

/// Another socket of this program that has an address in one of the families.
fn holder(fd: c_int, address: Address, v6: bool) -> Option<c_int> {
    let protocol = protocol(fd)?;
    (0..SEARCHED).find(|other| {
        local_address(*other).is_some_and(|local| {
            local.is_v6() == v6
                && local.ip() == address.ip()
                && local.port() == address.port()
                && *other != fd
                && self::protocol(*other) == Some(protocol)
        })
    })
}

/// Where a socket is bound, as the kernel has it.
pub(crate) fn local_address(fd: c_int) -> Option<Address> {
    // SAFETY: zeros are an address.
    let mut storage: sockaddr_storage = unsafe { zeroed() };
    let mut length = size::<sockaddr_storage>();
    let at = ptr::from_mut(&mut storage).cast::<sockaddr>();
    // SAFETY: there is as much room as is said to be.
    if unsafe { next::getsockname(fd, at, &raw mut length) } != 0 {
        return None;
    }
    // SAFETY: no more than the room has been written, and all of it can be read.
    unsafe { Address::read(at, length.min(size::<sockaddr_storage>())) }
}

fn protocol(fd: c_int) -> Option<c_int> {
    let (mut value, mut length): (c_int, _) = (0, size::<c_int>());
    let at = ptr::from_mut(&mut value).cast::<c_void>();
    // SAFETY: there is as much room as is said to be.
    let read = unsafe { libc::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, at, &raw mut length) };
    (read == 0).then_some(value)
}

fn set(fd: c_int, level: c_int, option: c_int, value: c_int) {
    let at = ptr::from_ref(&value).cast::<c_void>();
    // SAFETY: there are as many bytes as are said to be.
    unsafe { libc::setsockopt(fd, level, option, at, size::<c_int>()) };
}

fn size<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or_default()
}

/// Room that libc has written an address to, and how much of it there was before.
pub(crate) struct Written {
    at: *mut sockaddr,
    room: socklen_t,
}

impl Written {
    /// To be asked before the call.
    pub(crate) fn to(at: *mut sockaddr, room: socklen_t) -> Self {
        Self { at, room }
    }

    /// Shows an address of the workspace as the `localhost` that it is for this program.
    ///
    /// # Safety
    ///
    /// The room is there, unless it is null, and libc has set the length.
    pub(crate) unsafe fn reveal(&self, length: socklen_t) {
        let reveal = |workspace: Ipv4Addr| {
            // SAFETY: no more than the room has been written.
            let address = unsafe { Address::read(self.at, length.min(self.room)) }?;
            // SAFETY: it was read from there.
            unsafe { address.outside(workspace).write(self.at) };
            Some(())
        };
        settings::workspace().and_then(reveal);
    }
}

/// Calls what writes an address, and shows that one as the program knows it.
///
/// # Safety
///
/// `length` is null, or says how much room there is at `address`; the call sets it, unless it fails.
pub(crate) unsafe fn revealed<Result: Default + PartialOrd>(
    address: *mut sockaddr,
    length: *mut socklen_t,
    call: impl FnOnce() -> Result,
) -> Result {
    if address.is_null() || length.is_null() {
        return call();
    }
    // SAFETY: it is not null.
    let written = Written::to(address, unsafe { length.read_unaligned() });
    let result = call();
    if result >= Result::default() {
        // SAFETY: the call has set it.
        unsafe { written.reveal(length.read_unaligned()) };
    }
    result
}
