//! Bytes without end through a tunnel, one way.

use std::io;
use std::time::Instant;

use super::tally::Tally;
use super::{Next, Talk};
use crate::link::Link;

/// The origin acknowledges so many bytes with one: what has only filled a proxy's buffers does not count.
pub const ACKNOWLEDGED: u64 = 256 * 1024;

pub enum Bulk {
    Down,
    Up,
}

impl Talk for Bulk {
    fn begin(&mut self, link: &mut Link, _since: Instant) {
        match self {
            Self::Down => link.send(b"D"),
            Self::Up => {
                link.send(b"U");
                link.fill(u64::MAX);
            }
        }
    }

    fn receive(&mut self, bytes: &[u8], _link: &mut Link, tally: &mut Tally) -> io::Result<Next> {
        let count = bytes.len() as u64;
        tally.down += match self {
            Self::Down => count,
            Self::Up => count * ACKNOWLEDGED,
        };
        Ok(Next::Stay)
    }
}
