//! HTTP/2 by prior knowledge, with the frames written by hand: a load that decodes no field leaves the
//! machine to the proxy. Fields are sent as literals, so that every request has the same bytes.

use std::io;
use std::time::Instant;

use super::tally::Tally;
use super::{Next, Talk};
use crate::link::Link;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS_INITIAL_WINDOW_SIZE of 1 MiB, and SETTINGS_ENABLE_PUSH off.
const SETTINGS: &[u8] = &[0, 2, 0, 0, 0, 0, 0, 4, 0, 0x10, 0, 0];
/// The connection's window, opened once as far as it goes: more than is received in one measurement.
const WIDE_OPEN: u32 = 0x7fff_0000;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS_FRAME: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` as RFC 7541 has it in its static table.
const STATUS_200: u8 = 0x88;

pub struct H2 {
    fields: Vec<u8>,
    streams: usize,
    next: u32,
    open: Vec<(u32, Instant)>,
    received: Vec<u8>,
}

impl H2 {
    pub fn new(authority: &str, path: &str, credentials: Option<&str>, streams: usize) -> Self {
        let mut fields = vec![0x82, 0x86];
        literal(&mut fields, &[0x04], path);
        literal(&mut fields, &[0x01], authority);
        if let Some(credentials) = credentials {
            literal(&mut fields, &[0x0f, 49 - 0x0f], credentials);
        }
        Self { fields, streams, next: 1, open: Vec::new(), received: Vec::new() }
    }

    fn request(&mut self, link: &mut Link) {
        frame(link, HEADERS, END_STREAM | END_HEADERS, self.next, &self.fields);
        self.open.push((self.next, Instant::now()));
        self.next += 2;
    }

    fn frame(&mut self, frame: Frame<'_>, link: &mut Link, tally: &mut Tally) -> io::Result<()> {
        match frame.kind {
            SETTINGS_FRAME if frame.flags & ACK == 0 => {
                self::frame(link, SETTINGS_FRAME, ACK, 0, &[])
            }
            PING if frame.flags & ACK == 0 => self::frame(link, PING, ACK, 0, frame.payload),
            HEADERS if frame.payload.first() != Some(&STATUS_200) => tally.errors += 1,
            DATA => tally.down += frame.payload.len() as u64,
            RST_STREAM | GOAWAY => return Err(io::Error::other("the proxy gave up a stream")),
            _ => {}
        }
        if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
            let at = self.open.iter().position(|(id, _)| *id == frame.stream);
            let (_, since) =
                self.open.swap_remove(at.ok_or_else(|| io::Error::other("no such stream"))?);
            tally.done(since);
            self.request(link);
        }
        Ok(())
    }
}

impl Talk for H2 {
    fn begin(&mut self, link: &mut Link, _since: Instant) {
        link.send(PREFACE);
        frame(link, SETTINGS_FRAME, 0, 0, SETTINGS);
        frame(link, WINDOW_UPDATE, 0, 0, &(WIDE_OPEN - 0xffff).to_be_bytes());
        for _ in 0..self.streams {
            self.request(link);
        }
    }

    fn receive(&mut self, bytes: &[u8], link: &mut Link, tally: &mut Tally) -> io::Result<Next> {
        let mut received = std::mem::take(&mut self.received);
        received.extend_from_slice(bytes);
        let mut rest = received.as_slice();
        while let Some((frame, after)) = Frame::parse(rest) {
            self.frame(frame, link, tally)?;
            rest = after;
        }
        self.received = rest.to_vec();
        Ok(Next::Stay)
    }
}

struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = bytes.split_first_chunk::<9>()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (payload, rest) = rest.split_at_checked(length)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((Self { kind: head[3], flags: head[4], stream, payload }, rest))
    }
}

fn frame(link: &mut Link, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    link.send(&(payload.len() as u32).to_be_bytes()[1..]);
    link.send(&[kind, flags]);
    link.send(&stream.to_be_bytes());
    link.send(payload);
}

/// A literal field without indexing; lengths below 127 take one byte.
fn literal(fields: &mut Vec<u8>, name: &[u8], value: &str) {
    assert!(value.len() < 127, "a longer length takes more than one byte");
    fields.extend_from_slice(name);
    fields.push(value.len() as u8);
    fields.extend_from_slice(value.as_bytes());
}
