//! Where one WebSocket frame ends and the next begins (RFC 6455, section 5.2), told from the bytes that pass in one
//! direction. Payloads are skipped, and nothing is kept or changed.

/// FIN is no matter here: a Close is never in fragments.
const OPCODE: u8 = 0x0f;
const CLOSE: u8 = 8;
const MASKED: u8 = 0x80;

/// How far the frames of one direction have come.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: Head,
    /// How much of the payload is still to come.
    left: u64,
    closed: bool,
}

/// What is known of the head that is being read.
#[derive(Debug, Default)]
struct Head {
    read: u8,
    size: u8,
    key: u8,
    is_close: bool,
    length: u64,
}

impl Frames {
    /// Takes note of bytes that pass.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = bytes.get(self.frame(bytes)..).unwrap_or_default();
        }
    }

    /// Takes note of those bytes that belong to the frame that has begun, if one has; how many they are.
    pub(crate) fn pass_rest(&mut self, bytes: &[u8]) -> usize {
        if self.is_between() { 0 } else { self.frame(bytes) }
    }

    /// Whether the next byte begins a frame.
    pub(crate) fn is_between(&self) -> bool {
        self.head.read == 0 && self.left == 0
    }

    /// Whether a Close has passed (section 5.5.1): nothing may come behind it.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed && self.is_between()
    }

    /// Goes on to the end of one frame, or of the bytes; how many of them that takes.
    fn frame(&mut self, bytes: &[u8]) -> usize {
        let used = match Head::of(bytes).filter(|_| self.is_between()) {
            Some(head) => self.begin(&head),
            None => self.read_on(bytes),
        };
        let rest = bytes.len() - used;
        let skipped = usize::try_from(self.left).map_or(rest, |left| left.min(rest));
        self.left -= skipped as u64;
        used + skipped
    }

    /// Reads a head that comes in pieces, or what is left of it, if there is one to be read.
    fn read_on(&mut self, bytes: &[u8]) -> usize {
        if self.left > 0 {
            return 0;
        }
        for (at, byte) in bytes.iter().enumerate() {
            if self.head.next(*byte) {
                let head = std::mem::take(&mut self.head);
                self.begin(&head);
                return at + 1;
            }
        }
        bytes.len()
    }

    fn begin(&mut self, head: &Head) -> usize {
        self.closed |= head.is_close;
        self.left = head.length;
        usize::from(head.size)
    }
}

impl Head {
    /// The head at the beginning of these bytes, if all of it is there: nearly every one is.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk::<2>()?;
        let (extended, length) = match first[1] & !MASKED {
            126 => (2, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
            127 => (8, u64::from_be_bytes(*rest.first_chunk()?)),
            length => (0, u64::from(length)),
        };
        let key = if first[1] & MASKED == 0 { 0 } else { 4 };
        let (size, is_close) = (2 + extended + key, first[0] & OPCODE == CLOSE);
        let complete = bytes.len() >= usize::from(size);
        complete.then_some(Self { read: size, size, key, is_close, length })
    }

    /// Reads another byte; whether it is complete.
    fn next(&mut self, byte: u8) -> bool {
        match self.read {
            0 => self.is_close = byte & OPCODE == CLOSE,
            1 => {
                let (extended, length) = match byte & !MASKED {
                    126 => (2, 0),
                    127 => (8, 0),
                    length => (0, u64::from(length)),
                };
                self.key = if byte & MASKED == 0 { 0 } else { 4 };
                self.size = 2 + extended + self.key;
                self.length = length;
            }
            read if read < self.size - self.key => self.length = self.length << 8 | u64::from(byte),
            _ => {}
        }
        self.read += 1;
        self.read > 1 && self.read == self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with a payload of so many bytes, none of which looks like a head's end.
    fn frame(opcode: u8, masked: bool, length: usize) -> Vec<u8> {
        let mask = if masked { MASKED } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ ..126), _) => frame.push(mask | length),
            (_, Ok(length)) => {
                frame.push(mask + 126);
                frame.extend(length.to_be_bytes());
            }
            _ => {
                frame.push(mask + 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(vec![0x88; if masked { 4 } else { 0 }]);
        frame.extend(vec![0x88; length]);
        frame
    }

    #[test]
    fn boundaries_are_found_however_the_bytes_come() {
        let lengths = [0, 1, 125, 126, 127, 65535, 65536, 70_000];
        let each = lengths.iter().flat_map(|length| [(*length, false), (*length, true)]);
        let frames: Vec<_> = each.map(|(length, masked)| frame(2, masked, length)).collect();
        let stream = frames.concat();
        for size in [1, 2, 3, 7, 1000, 65536, stream.len()] {
            let (mut seen, mut at, mut ends) = (Frames::default(), 0, Vec::new());
            for mut piece in stream.chunks(size) {
                while !piece.is_empty() {
                    let rest = seen.pass_rest(piece);
                    let used = if rest == 0 { seen.frame(piece) } else { rest };
                    at += used;
                    piece = &piece[used..];
                    if seen.is_between() {
                        ends.push(at);
                    }
                }
            }
            let ends_of_frames = frames.iter().scan(0, |at, frame| {
                *at += frame.len();
                Some(*at)
            });
            assert_eq!(ends, ends_of_frames.collect::<Vec<_>>(), "in pieces of {size}");
            assert!(!seen.is_closed(), "a payload was taken for a Close");
        }
    }

    #[test]
    fn a_close_counts_once_all_of_it_has_passed() {
        let stream = [frame(1, true, 300), frame(CLOSE, true, 2)].concat();
        for length in 0..=stream.len() {
            let mut seen = Frames::default();
            seen.pass(&stream[..length]);
            assert_eq!(seen.is_closed(), length == stream.len(), "after {length}");
        }
    }

    #[test]
    fn no_length_is_too_large() {
        let mut seen = Frames::default();
        seen.pass(&[[0x82, 127].as_slice(), &[0xff; 8], &[0; 100]].concat());
        assert!(!seen.is_between());
        assert_eq!(seen.left, u64::MAX - 100);
    }
}
