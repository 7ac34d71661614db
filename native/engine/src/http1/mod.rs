//! HTTP/1.1 on the wire (RFC 9112), both as server and as client.
//!
//! It is the engine's own because a proxy needs what a library for servers and clients hides: heads exactly
//! as they were sent, interim responses, strictness where two readings of a message's length would let one
//! request hide in another, and bodies that go from socket to socket without a queue in between.
//!
//! A [`Wire`] is one end of a connection: it knows what of the current message is still to be read, and
//! what is still to be written. [`pump`] moves a body from one to another.

mod answer;
mod buffer;
mod chunked;
mod deadline;
mod downstream;
mod framing;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod parse;
mod pump;
mod serialize;
mod wire;

pub(crate) use deadline::Deadline;
pub(crate) use downstream::{Downstream, serve, turn_away};
pub(crate) use framing::{Framing, of_response};
pub(crate) use parse::{HeadError, response as parse_response};
pub(crate) use pump::{PumpError, pump, pump_frames};
pub(crate) use serialize::write_request;
pub(crate) use wire::Wire;
