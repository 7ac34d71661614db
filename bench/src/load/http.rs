//! One request after the other on a connection that is kept alive; another one if the proxy closes it.
//!
//! Where there are several heads they are sent in turn: a gateway is then asked for one workspace after the other.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use memchr::memmem;

use super::tally::Tally;
use super::{Next, Talk};
use crate::link::Link;

pub struct Http {
    heads: Rc<[Vec<u8>]>,
    /// Which head is sent next.
    turn: usize,
    up: u64,
    since: Instant,
    answer: Answer,
    answered_before: bool,
}

enum Answer {
    Head(Vec<u8>),
    Body {
        left: u64,
        close: bool,
    },
    /// With the last bytes seen: the origin's bodies never look like the end of one.
    Chunked {
        tail: Vec<u8>,
        close: bool,
    },
    UntilClosed,
}

impl Http {
    /// `heads` are the requests' heads, the first to be sent at `turn`; a body of `up` bytes follows each.
    pub fn new(heads: Rc<[Vec<u8>]>, turn: usize, up: u64) -> Self {
        Self {
            heads,
            turn,
            up,
            since: Instant::now(),
            answer: Answer::Head(Vec::new()),
            answered_before: false,
        }
    }

    fn request(&mut self, link: &mut Link) {
        self.since = Instant::now();
        self.answer = Answer::Head(Vec::new());
        link.send(&self.heads[self.turn % self.heads.len()]);
        self.turn += 1;
        link.fill(self.up);
    }

    fn answered(&mut self, close: bool, link: &mut Link, tally: &mut Tally) -> Next {
        tally.done(self.since);
        self.answered_before = true;
        if close {
            return Next::Reopen;
        }
        self.request(link);
        Next::Stay
    }
}

impl Talk for Http {
    fn begin(&mut self, link: &mut Link, _since: Instant) {
        self.request(link);
    }

    fn receive(&mut self, bytes: &[u8], link: &mut Link, tally: &mut Tally) -> io::Result<Next> {
        match &mut self.answer {
            Answer::Head(seen) => {
                seen.extend_from_slice(bytes);
                let Some(end) = memmem::find(seen, b"\r\n\r\n") else { return Ok(Next::Stay) };
                let rest = seen.split_off(end + 4);
                self.answer = body(seen)?;
                if rest.is_empty() && !matches!(self.answer, Answer::Body { left: 0, .. }) {
                    return Ok(Next::Stay);
                }
                self.receive(&rest, link, tally)
            }
            Answer::Body { left, close } => {
                tally.down += bytes.len() as u64;
                *left = left.checked_sub(bytes.len() as u64).ok_or_else(too_much)?;
                let (over, close) = (*left == 0, *close);
                Ok(if over { self.answered(close, link, tally) } else { Next::Stay })
            }
            Answer::Chunked { tail, close } => {
                tally.down += bytes.len() as u64;
                tail.extend_from_slice(&bytes[bytes.len().saturating_sub(5)..]);
                tail.drain(..tail.len().saturating_sub(5));
                let (over, close) = (tail == b"0\r\n\r\n", *close);
                Ok(if over { self.answered(close, link, tally) } else { Next::Stay })
            }
            Answer::UntilClosed => {
                tally.down += bytes.len() as u64;
                Ok(Next::Stay)
            }
        }
    }

    /// A proxy may close instead of answering another request: that one is sent again.
    fn end(&mut self, reset: bool, tally: &mut Tally) -> bool {
        match &self.answer {
            Answer::Head(seen) => self.answered_before && seen.is_empty(),
            Answer::UntilClosed if !reset => {
                tally.done(self.since);
                true
            }
            _ => false,
        }
    }
}

fn body(head: &[u8]) -> io::Result<Answer> {
    if head.get(9..12) != Some(b"200") {
        return Err(io::Error::other(String::from_utf8_lossy(head).into_owned()));
    }
    let close = field(head, b"connection:")
        .is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
        || head.starts_with(b"HTTP/1.0");
    if let Some(value) = field(head, b"content-length:") {
        let left = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        return Ok(Answer::Body { left: left.ok_or_else(too_much)?, close });
    }
    let chunked = field(head, b"transfer-encoding:").is_some();
    Ok(if chunked { Answer::Chunked { tail: Vec::new(), close } } else { Answer::UntilClosed })
}

/// The value of a field whose name, with its colon, is given in lower case.
pub fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines.find(|line| {
        line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    })?;
    Some(line[name.len()..].trim_ascii())
}

fn too_much() -> io::Error {
    io::Error::other("a body that is not as long as its head says")
}
