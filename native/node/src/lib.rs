//! The npm package's native addon: the engine, with JavaScript's spelling.
//!
//! There is no logic here, only conversions and lifetimes. [`server`] is the class. What JavaScript passes in
//! is read by [`options`], [`certificate`], [`limits`], [`route`] and `upstream_proxy` with `argument`; [`event`], by
//! way of `queue`, and [`stats`] go the other way; [`preview`] and [`preset`] are functions of their own; `error` gives every
//! failure its `code`. `lifetime` ties a server to the Node environment that
//! started it, `promise` keeps all that may block off the JavaScript thread, and `signal` keeps the process
//! alive when a peer is gone.
//!
//! The documentation of exported items is for the readers of `index.d.ts`, which is generated from it.

mod argument;
pub mod certificate;
mod error;
pub mod event;
mod lifetime;
pub mod limits;
pub mod options;
#[cfg(feature = "panic-injection")]
pub mod panic_injection;
pub mod preset;
pub mod preview;
mod promise;
mod queue;
pub mod route;
pub mod server;
mod signal;
pub mod stats;
mod upstream_proxy;
