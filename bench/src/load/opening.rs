//! Tunnels opened one after the other: each carries one message there and back, and is closed.

use std::io;
use std::time::Instant;

use super::tally::Tally;
use super::{Next, Talk};
use crate::link::Link;

/// The first byte asks the origin for an echo.
const MESSAGE: [u8; 64] = [b'E'; 64];

pub struct Opening {
    since: Instant,
    echoed: usize,
}

impl Default for Opening {
    fn default() -> Self {
        Self { since: Instant::now(), echoed: 0 }
    }
}

impl Talk for Opening {
    fn begin(&mut self, link: &mut Link, since: Instant) {
        self.since = since;
        link.send(&MESSAGE);
    }

    fn receive(&mut self, bytes: &[u8], _link: &mut Link, tally: &mut Tally) -> io::Result<Next> {
        self.echoed += bytes.len();
        if self.echoed < MESSAGE.len() {
            return Ok(Next::Stay);
        }
        tally.done(self.since);
        Ok(Next::Reopen)
    }
}
