//! What the origin answers, and nothing of how it is sent.

use std::io;
use std::time::Instant;

use memchr::memmem;

use tabport_bench::link::Link;
use tabport_bench::load::bulk::ACKNOWLEDGED;
use tabport_bench::load::http::field;
use tabport_bench::load::websocket::ACCEPT;

use crate::page;

#[derive(Default)]
pub enum Conversation {
    #[default]
    New,
    Request(Vec<u8>),
    /// A request's body, of which so much is still to come.
    Body(u64),
    /// A response, or the rest of one, which is to be sent at that time.
    Late(Instant, Vec<u8>),
    /// A response that goes on until the client ends it.
    Events,
    WebSocket(Vec<u8>),
    Echo,
    Source,
    /// How much has come since the last acknowledgement.
    Drain(u64),
}

impl Conversation {
    pub fn receive(&mut self, bytes: &[u8], link: &mut Link) -> io::Result<()> {
        match self {
            Self::New => {
                *self = match bytes.first() {
                    Some(b'E') => Self::Echo,
                    Some(b'D') => Self::Source,
                    Some(b'U') => Self::Drain(0),
                    _ => Self::Request(Vec::new()),
                };
                if matches!(self, Self::Source) {
                    link.fill(u64::MAX);
                }
                return self.receive(bytes, link);
            }
            Self::Request(seen) => {
                seen.extend_from_slice(bytes);
                let Some(end) = memmem::find(seen, b"\r\n\r\n") else { return Ok(()) };
                let rest = seen.split_off(end + 4);
                *self = answer(seen, link)?;
                if !rest.is_empty() {
                    return self.receive(&rest, link);
                }
            }
            Self::Body(left) => {
                *left = left.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
                if *left == 0 {
                    respond(0, link);
                    *self = Self::Request(Vec::new());
                }
            }
            Self::WebSocket(seen) => {
                seen.extend_from_slice(bytes);
                while let Some(length) = echo_frame(seen, link) {
                    seen.drain(..length);
                }
            }
            Self::Echo => link.send(bytes),
            // A browser sends nothing before it has its answer.
            Self::Late(..) | Self::Events => return Err(io::ErrorKind::InvalidData.into()),
            Self::Source => {}
            Self::Drain(count) => {
                *count += bytes.len() as u64;
                while *count >= ACKNOWLEDGED {
                    *count -= ACKNOWLEDGED;
                    link.send(b".");
                }
            }
        }
        Ok(())
    }

    /// When there is something to send that nothing received will call for.
    pub fn due(&self) -> Option<Instant> {
        match self {
            Self::Late(due, _) => Some(*due),
            _ => None,
        }
    }

    pub fn send_if_due(&mut self, now: Instant, link: &mut Link) {
        if let Self::Late(due, response) = self
            && *due <= now
        {
            link.send(response);
            *self = Self::Request(Vec::new());
        }
    }
}

/// Answers a request, or says what is to come before it can be.
fn answer(head: &[u8], link: &mut Link) -> io::Result<Conversation> {
    if field(head, b"upgrade:").is_some() {
        let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
        link.send(format!("{head}\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n").as_bytes());
        return Ok(Conversation::WebSocket(Vec::new()));
    }
    if head.starts_with(b"POST") {
        let length =
            field(head, b"content-length:").and_then(number).ok_or(io::ErrorKind::InvalidData)?;
        return Ok(Conversation::Body(length));
    }
    let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if target == page::EVENTS {
        link.send(page::FIRST_EVENT);
        return Ok(Conversation::Events);
    }
    if let Some((delay, response)) = page::part(target) {
        return Ok(Conversation::Late(Instant::now() + delay, response));
    }
    if let Some((delay, first, rest)) = page::stream(target) {
        link.send(first);
        return Ok(Conversation::Late(Instant::now() + delay, rest.to_vec()));
    }
    let size = target.rsplit(|byte| *byte == b'/').next().and_then(number);
    respond(size.ok_or(io::ErrorKind::InvalidData)?, link);
    Ok(Conversation::Request(Vec::new()))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Short bodies leave in one write with their head.
fn respond(size: u64, link: &mut Link) {
    const SHORT: [u8; 1024] = [b'x'; 1024];
    match size {
        1024 => link
            .send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"),
        _ => link.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes()),
    }
    match SHORT.get(..size as usize) {
        Some(body) => link.send(body),
        None => link.fill(size),
    }
}

/// Echoes the first frame, if it is whole, without its mask. Returns its length.
fn echo_frame(bytes: &[u8], link: &mut Link) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk::<6>()?;
    let length = usize::from(head[1] & 0x7f);
    let masked = rest.get(..length)?;
    let mask = head[2..].iter().cycle();
    let payload: Vec<u8> = masked.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    link.send(&[head[0], length as u8]);
    link.send(&payload);
    Some(6 + length)
}
