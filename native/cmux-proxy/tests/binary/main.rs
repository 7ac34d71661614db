//! The binary as its users meet it: started with flags and environment, spoken to through sockets, told by signals.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in what it calls too"
)]

mod access;
mod admin;
#[cfg(target_os = "linux")]
mod descriptors;
mod gateway;
#[path = "../../../engine/tests/wire/harness.rs"]
#[allow(dead_code, reason = "the engine's tests use more of it")]
mod harness;
mod hosts;
mod isolation;
mod limits;
mod listen;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod run_libc;
#[cfg(target_os = "linux")]
mod run_namespaces;
#[cfg(target_os = "linux")]
mod run_refusals;
#[cfg(target_os = "linux")]
mod run_relay;
#[cfg(target_os = "linux")]
mod run_servers;
#[cfg(target_os = "linux")]
mod run_sockets;
mod signals;
#[path = "../../../engine/tests/wire/stream.rs"]
#[allow(dead_code, reason = "the engine's tests use more of it")]
mod stream;
mod timeouts;
mod tls;
#[path = "../../../engine/tests/wire/tls_client.rs"]
#[allow(dead_code, reason = "the engine's tests use more of it")]
mod tls_client;
#[cfg(target_os = "linux")]
mod workspace;
