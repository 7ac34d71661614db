//! The functions that carry an address beside the bytes: those of UDP, and of TCP's fast open.
//!
//! Several messages at once are taken in portions: both calls may do less than they were asked for.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_int, c_uint, mmsghdr, msghdr, sockaddr, socklen_t, ssize_t, timespec};

use crate::address::Address;
use crate::next;
use crate::socket::{Written, revealed, to_reach};

/// How many messages a call takes at most, where it must keep something for each.
const PORTION: c_uint = 32;

/// `sendto(2)`: `localhost` is the workspace's address.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendto(
    fd: c_int,
    bytes: *const c_void,
    count: usize,
    flags: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> ssize_t {
    // SAFETY: the caller's.
    let asked = unsafe { Address::read(address, length) };
    let Some(inside) = asked.and_then(|asked| to_reach(fd, asked)) else {
        // SAFETY: the caller's.
        return unsafe { next::sendto(fd, bytes, count, flags, address, length) };
    };
    let (address, length) = inside.raw();
    // SAFETY: the caller's, and the address lives until the function ends.
    unsafe { next::sendto(fd, bytes, count, flags, address, length) }
}

/// `sendmsg(2)`: `localhost` is the workspace's address.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller's.
    let Some(inside) = (unsafe { addressed(fd, message) }) else {
        // SAFETY: the caller's.
        return unsafe { next::sendmsg(fd, message, flags) };
    };
    // SAFETY: it has been read already.
    let changed = unsafe { with_address(&*message, &inside) };
    // SAFETY: the caller's, and the address lives until the function ends.
    unsafe { next::sendmsg(fd, &raw const changed, flags) }
}

/// `sendmmsg(2)`: `localhost` is the workspace's address.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    let portion = count.min(PORTION);
    let mut inside = [const { None::<Address> }; PORTION as usize];
    for (at, inside) in (0..portion as usize).zip(&mut inside) {
        // SAFETY: there are as many messages as the caller says, or more.
        *inside = unsafe { addressed(fd, &raw const (*messages.add(at)).msg_hdr) };
    }
    if inside.iter().all(Option::is_none) && portion == count {
        // SAFETY: the caller's.
        return unsafe { next::sendmmsg(fd, messages, count, flags) };
    }
    let mut changed = [const { MaybeUninit::<mmsghdr>::uninit() }; PORTION as usize];
    for ((at, inside), changed) in (0..portion as usize).zip(&inside).zip(&mut changed) {
        // SAFETY: there are as many messages as the caller says, or more.
        let mut message = unsafe { messages.add(at).read() };
        if let Some(inside) = inside {
            message.msg_hdr = with_address(&message.msg_hdr, inside);
        }
        changed.write(message);
    }
    let first = changed.as_mut_ptr().cast::<mmsghdr>();
    // SAFETY: as many have been written, and their addresses live until the function ends.
    let sent = unsafe { next::sendmmsg(fd, first, portion, flags) };
    for at in 0..usize::try_from(sent).unwrap_or_default() {
        // SAFETY: as many are in both places.
        unsafe { (*messages.add(at)).msg_len = (*first.add(at)).msg_len };
    }
    sent
}

/// `recvfrom(2)`: a peer in the workspace is one on `localhost`.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvfrom(
    fd: c_int,
    bytes: *mut c_void,
    count: usize,
    flags: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> ssize_t {
    // SAFETY: the caller's.
    unsafe {
        revealed(address, length, || next::recvfrom(fd, bytes, count, flags, address, length))
    }
}

/// `recvfrom(2)` as programs call it that are compiled with `_FORTIFY_SOURCE`, and so how much room there is.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __recvfrom_chk(
    fd: c_int,
    bytes: *mut c_void,
    count: usize,
    room: usize,
    flags: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> ssize_t {
    let call = || {
        // SAFETY: the caller's.
        unsafe { next::__recvfrom_chk(fd, bytes, count, room, flags, address, length) }
    };
    // SAFETY: the caller's.
    unsafe { revealed(address, length, call) }
}

/// `recvmsg(2)`: a peer in the workspace is one on `localhost`.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller's, null included.
    let written = unsafe { room_of(message) };
    // SAFETY: the caller's.
    let received = unsafe { next::recvmsg(fd, message, flags) };
    if received >= 0 {
        // SAFETY: the call has set the length.
        unsafe { written.reveal((*message).msg_namelen) };
    }
    received
}

/// `recvmmsg(2)`: a peer in the workspace is one on `localhost`.
///
/// # Safety
///
/// That of the function itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> c_int {
    let portion = count.min(PORTION);
    let mut written = [const { None::<Written> }; PORTION as usize];
    for (at, written) in (0..portion as usize).zip(&mut written) {
        // SAFETY: there are as many messages as the caller says, or more.
        *written = Some(unsafe { room_of(&raw const (*messages.add(at)).msg_hdr) });
    }
    // SAFETY: the caller's.
    let received = unsafe { next::recvmmsg(fd, messages, portion, flags, timeout) };
    let count = usize::try_from(received).unwrap_or_default();
    for (at, written) in (0..count).zip(written.iter().flatten()) {
        // SAFETY: the call has set the length.
        unsafe { written.reveal((*messages.add(at)).msg_hdr.msg_namelen) };
    }
    received
}

/// The address that a message goes to instead of its own.
///
/// # Safety
///
/// `message` is null, or a message.
unsafe fn addressed(fd: c_int, message: *const msghdr) -> Option<Address> {
    // SAFETY: the caller's.
    let message = unsafe { message.as_ref() }?;
    // SAFETY: a message's address is as long as it says.
    let asked = unsafe { Address::read(message.msg_name.cast(), message.msg_namelen) }?;
    to_reach(fd, asked)
}

/// The same message to another address, which must live as long as it does.
fn with_address(message: &msghdr, address: &Address) -> msghdr {
    let (name, length) = address.raw();
    let mut changed = *message;
    (changed.msg_name, changed.msg_namelen) = (name.cast_mut().cast(), length);
    changed
}

/// Where the address of whoever has sent a message will be.
///
/// # Safety
///
/// `message` is null, or a message.
unsafe fn room_of(message: *const msghdr) -> Written {
    // SAFETY: the caller's.
    match unsafe { message.as_ref() } {
        Some(message) => Written::to(message.msg_name.cast(), message.msg_namelen),
        None => Written::to(ptr::null_mut(), 0),
    }
}
