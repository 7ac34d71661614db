//! A WebSocket: a real upgrade, then one text message of 64 bytes at a time, echoed.

use std::io;
use std::time::Instant;

use memchr::memmem;

use super::tally::Tally;
use super::{Next, Talk};
use crate::link::Link;

/// The sample nonce of RFC 6455, section 1.3, and what answers it: nothing to compute on either side.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const PAYLOAD: usize = 64;
/// Of a short message: two bytes, and in the client's a mask of four.
const HEADER: usize = 2;

pub struct WebSocket {
    since: Instant,
    upgraded: bool,
    received: Vec<u8>,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self { since: Instant::now(), upgraded: false, received: Vec::new() }
    }
}

impl WebSocket {
    fn message(&mut self, link: &mut Link) {
        let mut frame = [0x5a; HEADER + 4 + PAYLOAD];
        frame[0] = 0x81;
        frame[1] = 0x80 | PAYLOAD as u8;
        self.since = Instant::now();
        self.received.clear();
        link.send(&frame);
    }
}

impl Talk for WebSocket {
    fn begin(&mut self, link: &mut Link, _since: Instant) {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
        let head = format!(
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n{upgrade}\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        link.send(head.as_bytes());
    }

    fn receive(&mut self, bytes: &[u8], link: &mut Link, tally: &mut Tally) -> io::Result<Next> {
        self.received.extend_from_slice(bytes);
        if !self.upgraded {
            if memmem::find(&self.received, b"\r\n\r\n").is_none() {
                return Ok(Next::Stay);
            }
            let accepted = self.received.starts_with(b"HTTP/1.1 101")
                && memmem::find(&self.received, ACCEPT.as_bytes()).is_some();
            if !accepted {
                return Err(io::Error::other("the upgrade was refused"));
            }
            self.upgraded = true;
            self.message(link);
        } else if self.received.len() >= HEADER + PAYLOAD {
            tally.done(self.since);
            self.message(link);
        }
        Ok(Next::Stay)
    }
}
