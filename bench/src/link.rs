//! One connection of an edge-triggered loop: what is still to be sent on it, and reading from it in turns.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;

/// Reads and writes of one turn: after that the other connections, and the clock, have theirs.
const TURN: usize = 16;
pub const BUFFER: usize = 256 * 1024;
static FILLER: [u8; BUFFER] = [b'x'; BUFFER];

/// What one read came to.
pub enum Input {
    Data(usize),
    Blocked,
    End,
}

/// Whether a connection is to be served again although no event will say so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Done,
    Unfinished,
}

pub struct Link {
    pub stream: TcpStream,
    out: Vec<u8>,
    sent: usize,
    filler: u64,
    /// Bytes of filler that the kernel has taken since this was last set to zero.
    pub filled: u64,
}

impl Link {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, out: Vec::new(), sent: 0, filler: 0, filled: 0 }
    }

    /// Queues bytes; `flush` sends them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Queues a body of that many bytes, after all that is queued.
    pub fn fill(&mut self, bytes: u64) {
        self.filler = bytes;
    }

    /// Sends bytes past the queue, and queues only what the peer does not take.
    pub fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        let count = match self.is_backed_up() {
            true => 0,
            false => match self.stream.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                result => result?,
            },
        };
        self.send(&bytes[count..]);
        Ok(())
    }

    /// Whether something is queued that the peer has not taken.
    pub fn is_backed_up(&self) -> bool {
        self.sent < self.out.len()
    }

    /// Sends what is queued, as far as the peer takes it, in one write if it fits.
    pub fn flush(&mut self) -> io::Result<Turn> {
        for _ in 0..TURN {
            let bytes = match self.out.get(self.sent..) {
                Some(rest) if !rest.is_empty() => rest,
                _ if self.filler > 0 => &FILLER[..BUFFER.min(self.filler as usize)],
                _ => return Ok(Turn::Done),
            };
            match self.stream.write(bytes) {
                Ok(count) => self.took(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Done),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Turn::Unfinished)
    }

    fn took(&mut self, count: usize) {
        if self.sent < self.out.len() {
            self.sent += count;
            if self.sent == self.out.len() {
                self.out.clear();
                self.sent = 0;
            }
        } else {
            self.filler -= count as u64;
            self.filled += count as u64;
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Input> {
        loop {
            return match self.stream.read(buffer) {
                Ok(0) => Ok(Input::End),
                Ok(count) => Ok(Input::Data(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Input::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    /// Reads a turn's worth and passes each piece on. A read that did not fill the buffer has emptied the
    /// socket (epoll(7)), so that a small message costs one call; `ending` says that an end may follow it.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        ending: bool,
        mut each: impl FnMut(&mut Self, &[u8]) -> io::Result<bool>,
    ) -> io::Result<(Turn, bool)> {
        for _ in 0..TURN {
            match self.read(buffer)? {
                Input::End => return Ok((Turn::Done, false)),
                Input::Blocked => return Ok((Turn::Done, true)),
                Input::Data(count) => {
                    if !each(self, &buffer[..count])? {
                        return Ok((Turn::Done, false));
                    }
                    if count < buffer.len() && !ending {
                        return Ok((Turn::Done, true));
                    }
                }
            }
        }
        Ok((Turn::Unfinished, true))
    }
}
