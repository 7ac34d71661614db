//! Keeps a peer's closed connection from ending the process.
//!
//! Node ignores SIGPIPE, and so does Electron's browser process; a child process that Electron runs as Node
//! leaves it deadly. The process's signals are not ours to change, but each thread has a mask of its own.

/// Blocks SIGPIPE for this thread and those that it starts: writing to a closed connection is then only an
/// error, as it is for Node.
#[cfg(unix)]
pub(crate) fn block_sigpipe() {
    // SAFETY: a `sigset_t` is plain data that `sigemptyset` makes valid, and all pointers are to locals.
    unsafe {
        let mut signals = std::mem::zeroed();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut());
    }
}

/// There is no such signal here.
#[cfg(not(unix))]
pub(crate) fn block_sigpipe() {}
