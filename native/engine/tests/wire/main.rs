//! The proxy through real sockets, in literal bytes.

mod authentication;
mod connect;
mod forward;
mod harness;
