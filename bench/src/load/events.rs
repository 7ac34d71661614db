//! A stream of events: how long its first takes to arrive, while the stream is still open.
//!
//! A stream that has ended is followed by another on the same connection. A proxy that holds a response back until
//! it is whole shows the origin's own delay.

use std::io;
use std::time::Instant;

use memchr::memmem;

use super::tally::Tally;
use super::{Next, Talk};
use crate::link::Link;

const EVENT: &[u8] = b"data: ";
/// Of the chunked coding, which the origin uses: no proxy that speaks HTTP/1.1 has a reason to use another.
const END: &[u8] = b"\r\n0\r\n\r\n";

pub struct Events {
    head: Vec<u8>,
    since: Instant,
    seen: Vec<u8>,
    has_first: bool,
}

impl Events {
    pub fn new(head: Vec<u8>) -> Self {
        Self { head, since: Instant::now(), seen: Vec::new(), has_first: false }
    }

    fn request(&mut self, link: &mut Link) {
        self.since = Instant::now();
        self.seen.clear();
        self.has_first = false;
        link.send(&self.head);
    }
}

impl Talk for Events {
    fn begin(&mut self, link: &mut Link, _since: Instant) {
        self.request(link);
    }

    fn receive(&mut self, bytes: &[u8], link: &mut Link, tally: &mut Tally) -> io::Result<Next> {
        self.seen.extend_from_slice(bytes);
        tally.down += bytes.len() as u64;
        if !self.has_first && memmem::find(&self.seen, EVENT).is_some() {
            if !self.seen.starts_with(b"HTTP/1.1 200") {
                return Err(io::Error::other(String::from_utf8_lossy(&self.seen).into_owned()));
            }
            self.has_first = true;
            tally.done(self.since);
        }
        if self.seen.ends_with(END) {
            self.request(link);
        }
        Ok(Next::Stay)
    }
}
