//! The security table: every class of advisory that can concern a forward proxy, each test named after its row.
//!
//! A status alone never proves that nothing was smuggled: what counts is what a raw origin received, to the
//! byte, and how often it was dialled.

pub(crate) mod frames;
mod message;
mod support;

mod addressing;
mod authentication;
mod bodiless;
mod body_length;
mod buffering;
mod connect;
mod credentials;
mod early_answer;
mod egress;
mod fields;
mod floods;
mod gateway;
mod half_close;
mod http2_messages;
mod isolation;
mod limits;
mod mutants;
mod mutations;
mod responses;
mod routes;
mod slow;
mod transfer_coding;
mod upgrades;
