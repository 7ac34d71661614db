//! What the load, the origin and the bare relay share.
//!
//! All three are single loops over readiness, because they share their machine with what is measured: a
//! load that costs little leaves the difference between two proxies to be seen.

pub mod args;
pub mod link;
pub mod load;
pub mod process;
pub mod sources;
