//! Panics on demand, wherever a panic must not get any further.
//!
//! It is only built for `tests/panics.test.ts`, with the feature of the same name, and never released.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use napi_derive::napi;

/// Which piece of guarded work panics, counted from the next one; 0 is none.
static AT: AtomicU32 = AtomicU32::new(0);

/// Makes the next piece of guarded work panic, or one after it. Returns what was still to come.
#[napi(js_name = "__panicAt")]
#[must_use]
pub fn panic_at(number: u32) -> u32 {
    AT.swap(number, SeqCst)
}

/// The same work, but for the panic.
pub(crate) fn before<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    || {
        let left = AT.fetch_update(SeqCst, SeqCst, |at| at.checked_sub(1));
        assert!(left != Ok(1), "injected");
        work()
    }
}
