//! What the doors that are programs have in common: how signals tell them to end, which certificate they
//! show, and how a running one is asked whether it is well.

#![forbid(unsafe_code)]

mod certificate;
pub mod health;
mod signals;

pub use certificate::{CertificateError, CertificateFiles};
pub use signals::{Signal, Signals};
