//! The opening of a tunnel: it is told in the same way however it is split, and what is told to be a
//! `ClientHello` is one that a handshake can begin with, or be refused for, without harm.
//!
//! Input: a byte that says how large the pieces are, and what the client sends.

#![no_main]

use std::cell::LazyCell;

use libfuzzer_sys::fuzz_target;
use tabport_engine::authority::Host;
use tabport_engine::fuzzing::{Handshakes, opening};

thread_local! {
    static SERVER: LazyCell<(Handshakes, Host)> = LazyCell::new(|| {
        let host = "localhost".parse().expect("a host");
        (Handshakes::new().expect("an authority"), host)
    });
}

fuzz_target!(|data: &[u8]| {
    let Some((size, sent)) = data.split_first() else { return };
    let whole = opening(sent, sent.len());
    assert_eq!(opening(sent, usize::from(*size)), whole, "it depends on how it is split");
    let first = sent.first().copied();
    assert_eq!(whole == Some("text"), first.is_some_and(is_text));
    let answer = SERVER.with(|server| server.0.answer(&server.1, sent));
    // A server puts up with a warning ahead of the hello; such a tunnel does not begin with one.
    if whole == Some("other") && first == Some(HANDSHAKE) {
        assert!(answer.is_none_or(|answer| answer.is_empty()), "a handshake has begun");
    }
});

/// The type of the records that a `ClientHello` is in (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// What a line of text can begin with, Latin-1's white space included.
fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0".contains(&byte)
}
