//! What `cmux-proxy run` preloads into a program (`LD_PRELOAD`): sockets that would be on the machine's own
//! `localhost` are on the address of a workspace instead, and the program does not see a difference.
//!
//! Only the functions of libc that carry a socket's address are taken over, and none that resolves a name: what
//! `getaddrinfo` gives is libc's own. `settings` reads once from the environment which address that is;
//! `address` says which addresses mean `localhost` and what they become, and nothing else does; `socket` decides
//! for a socket whether that is so for it, too; `stream` and `datagram` are the functions that a program calls;
//! `next` are those that it would have called.
//!
//! There is no state but the settings, which never change: what a socket was asked to be is read from where the
//! kernel has it. So threads, `fork`, `dup` and sockets that are handed on to another program need no care, and
//! nothing here allocates, locks or can panic. It is also why the answer of `getsockname` is `127.0.0.1` or `::1`
//! for a socket that was bound to a wildcard.
//!
//! A program that calls the kernel itself, and not through libc, is not reached: Go programs, and those that are
//! linked statically. `cmux-proxy run` refuses to start them.

#![cfg(target_os = "linux")]

mod address;
// A test is no program in a workspace: it has the pure part alone.
#[cfg(not(test))]
pub mod datagram;
#[cfg(not(test))]
mod next;
#[cfg(not(test))]
mod settings;
#[cfg(not(test))]
mod socket;
#[cfg(not(test))]
pub mod stream;
