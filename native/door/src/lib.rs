//! What the doors that are programs have in common: how signals tell them to end, and which certificate they show.

#![forbid(unsafe_code)]

mod certificate;
mod signals;

pub use certificate::{CertificateError, CertificateFiles};
pub use signals::{Signal, Signals};
