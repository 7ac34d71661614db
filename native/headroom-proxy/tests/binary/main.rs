//! The binary as its users meet it: started with flags and environment, spoken to through sockets, told by signals.
//! Tests are named after the rows of its table of features.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in what it calls too"
)]

mod cutover;
mod flags;
#[path = "../../../engine/tests/wire/harness.rs"]
#[allow(dead_code, reason = "the engine's tests use more of it")]
mod harness;
mod health;
mod listen;
mod log;
#[cfg(target_os = "linux")]
mod memory;
mod program;
mod secrets;
mod signals;
#[path = "../../../engine/tests/wire/stream.rs"]
#[allow(dead_code, reason = "the engine's tests use more of it")]
mod stream;
mod tls;
#[path = "../../../engine/tests/wire/tls_client.rs"]
#[allow(dead_code, reason = "the engine's tests use more of it")]
mod tls_client;
mod upstream;
