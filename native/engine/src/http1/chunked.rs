//! The chunked coding (RFC 9112, section 7.1), read to the letter.

use super::framing::{Ambiguous, LONGEST, Piece};
use super::parse::{self, HeadError};

/// A chunk's size and its extensions, which nobody uses, with the line's end.
const LONGEST_LINE: usize = 1024;

/// Where in a chunked body one is.
#[derive(Debug, Default)]
pub(crate) enum Chunked {
    /// Before a line with a chunk's size.
    #[default]
    Size,
    /// In a chunk, with so many bytes left.
    Data(u64),
    /// Before the line end that follows a chunk.
    DataEnd,
    /// After the last chunk.
    Trailers,
}

impl Chunked {
    pub(super) fn next(&mut self, input: &[u8]) -> Result<Piece, Ambiguous> {
        match self {
            Self::Size => self.size(input),
            Self::Data(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                Ok(Piece::Data(taken))
            }
            Self::DataEnd => match input {
                [b'\r', b'\n', ..] => {
                    *self = Self::Size;
                    Ok(Piece::Framing(2))
                }
                [b'\r'] => Ok(Piece::Incomplete),
                _ => Err("a chunk does not end where its size says"),
            },
            Self::Trailers => match parse::trailers(input) {
                Ok(Some((fields, length))) => Ok(Piece::Trailers(fields, length)),
                Ok(None) => Ok(Piece::Incomplete),
                Err(HeadError::Malformed(reason)) => Err(reason),
                Err(HeadError::TooLarge) => Err("the trailers are too large"),
            },
        }
    }

    fn size(&mut self, input: &[u8]) -> Result<Piece, Ambiguous> {
        let window = input.get(..LONGEST_LINE).unwrap_or(input);
        let Some(end) = memchr::memchr(b'\n', window) else {
            return match input.len() {
                ..LONGEST_LINE => Ok(Piece::Incomplete),
                _ => Err("a chunk's size is too long"),
            };
        };
        let line = input.get(..end).and_then(|line| line.strip_suffix(b"\r"));
        *self = match parse_size(line.ok_or("a line does not end in CR LF")?)? {
            0 => Self::Trailers,
            size => Self::Data(size),
        };
        Ok(Piece::Framing(end + 1))
    }
}

fn parse_size(line: &[u8]) -> Result<u64, Ambiguous> {
    const WRONG: Ambiguous = "a chunk's size is not valid";
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, extensions) = line.split_at_checked(digits).ok_or(WRONG)?;
    let plain = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    let well_formed =
        matches!(extensions.first(), None | Some(b';')) && extensions.iter().all(plain);
    let size = std::str::from_utf8(size).map_err(|_| WRONG)?;
    match u64::from_str_radix(size, 16) {
        Ok(size) if well_formed && digits <= 16 && size <= LONGEST => Ok(size),
        _ => Err(WRONG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content, or what is wrong.
    fn decode(mut input: &[u8]) -> Result<Vec<u8>, Ambiguous> {
        let (mut chunked, mut content) = (Chunked::default(), Vec::new());
        loop {
            let used = match chunked.next(input)? {
                Piece::Data(length) => {
                    content.extend_from_slice(&input[..length]);
                    length
                }
                Piece::Framing(length) => length,
                Piece::Trailers(..) => return Ok(content),
                Piece::Incomplete | Piece::End => return Err("incomplete"),
            };
            input = &input[used..];
        }
    }

    #[test]
    fn chunks_are_read_to_the_letter() {
        assert_eq!(
            decode(b"3\r\nabc\r\n0A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n").unwrap(),
            b"abc0123456789"
        );
        assert_eq!(decode(b"0\r\nX: y\r\n\r\n").unwrap(), b"");
        for wrong in [
            "\r\n",
            "g\r\n",
            "+1\r\na\r\n",
            " 1\r\na\r\n",
            "1 \r\na\r\n",
            "0x1\r\na\r\n",
            "1\na\r\n",
            "1;\n\r\na\r\n",
            "1;a\rb\r\na\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "ffffffffffffffff\r\n",
            "00000000000000001\r\na\r\n",
            "0\r\nX : y\r\n\r\n",
            "0\r\n\n",
        ] {
            assert!(!matches!(decode(wrong.as_bytes()), Ok(_) | Err("incomplete")), "{wrong:?}");
        }
        assert_eq!(decode(&[b'1'; 2000]), Err("a chunk's size is too long"));
    }
}
