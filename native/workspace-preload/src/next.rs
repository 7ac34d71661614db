//! The functions that the program would have called: those of the next library that has them, which is libc
//! unless something else was preloaded, too.

use std::ffi::c_void;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{c_int, c_uint, mmsghdr, msghdr, sockaddr, socklen_t, ssize_t, timespec};

/// A function of the next library, looked for once.
struct Next {
    /// Its name, with the zero that ends it.
    name: &'static str,
    found: AtomicPtr<c_void>,
}

impl Next {
    const fn new(name: &'static str) -> Self {
        Self { name, found: AtomicPtr::new(ptr::null_mut()) }
    }

    fn find(&self) -> *mut c_void {
        let found = self.found.load(Ordering::Relaxed);
        if !found.is_null() {
            return found;
        }
        // SAFETY: the name ends with a zero.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr().cast()) };
        self.found.store(found, Ordering::Relaxed);
        found
    }
}

macro_rules! next {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        /// Looks for all of them. Later it may be too late: a program may call them where the loader's locks are not
        /// to be taken, from a handler of signals or behind `vfork`.
        pub(crate) fn find_all() {
            $(found::$name.find();)*
        }

        mod found {
            $(
                #[allow(non_upper_case_globals, reason = "it is named after a function")]
                pub(super) static $name: super::Next =
                    super::Next::new(concat!(stringify!($name), "\0"));
            )*
        }
        $(
        /// As the manual page of this name says; fails with `ENOSYS` where there is none.
        ///
        /// # Safety
        ///
        /// That of the function itself.
        pub(crate) unsafe fn $name($($argument: $type),*) -> $result {
            let found = found::$name.find();
            if found.is_null() {
                // SAFETY: every thread has its `errno`.
                unsafe { *libc::__errno_location() = libc::ENOSYS };
                return -1;
            }
            // SAFETY: the function of this name has this type, in every libc.
            let function = unsafe { mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) -> $result>(found) };
            // SAFETY: the caller's.
            unsafe { function($($argument),*) }
        }
        )*
    };
}

next! {
    fn bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int;
    fn listen(fd: c_int, backlog: c_int) -> c_int;
    fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int;
    fn getsockname(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int;
    fn getpeername(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int;
    fn accept(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int;
    fn accept4(fd: c_int, address: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int;
    fn sendto(fd: c_int, bytes: *const c_void, count: usize, flags: c_int, address: *const sockaddr, length: socklen_t) -> ssize_t;
    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int;
    fn recvfrom(fd: c_int, bytes: *mut c_void, count: usize, flags: c_int, address: *mut sockaddr, length: *mut socklen_t) -> ssize_t;
    fn __recvfrom_chk(fd: c_int, bytes: *mut c_void, count: usize, room: usize, flags: c_int, address: *mut sockaddr, length: *mut socklen_t) -> ssize_t;
    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    fn recvmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int;
}
