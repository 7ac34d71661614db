//! What an exchange is called: as its client has called it, or else by a name of our own.

use std::cell::RefCell;
use std::sync::Arc;

use crate::fields::Fields;
use crate::forwarded;

/// How many names are made of what the system is asked for at once: it takes longer than all else about a name.
const NAMES: usize = 64;
/// The random bytes of one name.
const SIZE: usize = 16;
/// A UUID in its text form.
const LENGTH: usize = 36;

thread_local! {
    static RANDOM: RefCell<Random> = const { RefCell::new(Random { bytes: [0; NAMES * SIZE], used: NAMES * SIZE }) };
}

/// Random bytes that nobody has seen yet, behind those that are used.
struct Random {
    bytes: [u8; NAMES * SIZE],
    used: usize,
}

impl Random {
    fn next(&mut self) -> Option<[u8; SIZE]> {
        if self.used == self.bytes.len() {
            getrandom::fill(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let next = self.bytes.get(self.used..)?.first_chunk().copied();
        self.used += SIZE;
        next
    }
}

/// What a request is called.
pub(crate) fn of(fields: &Fields) -> Arc<str> {
    forwarded::request_id(fields).map_or_else(new, Into::into)
}

/// A UUID of version 4.
fn new() -> Arc<str> {
    let random = RANDOM.with_borrow_mut(Random::next);
    let text = random.map(uuid);
    let text = text.as_ref().and_then(|text| std::str::from_utf8(text).ok());
    text.unwrap_or("unnamed").into()
}

/// RFC 9562, section 5.4.
fn uuid(mut bytes: [u8; SIZE]) -> [u8; LENGTH] {
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' - 10 + half };
    let mut digits = bytes.into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]);
    let mut text = [b'-'; LENGTH];
    for (at, place) in text.iter_mut().enumerate() {
        if !matches!(at, 8 | 13 | 18 | 23) {
            *place = digits.next().unwrap_or(b'0');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_new_name_is_a_uuid_and_no_other_is_the_same() {
        let names: HashSet<_> = (0..=2 * NAMES).map(|_| new()).collect();
        assert_eq!(names.len(), 2 * NAMES + 1);
        for name in &names {
            let parts: Vec<_> = name.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
            let form = parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']);
            let digits = name.chars().all(|it| it == '-' || it.is_ascii_hexdigit());
            assert!(form && digits, "{name}");
        }
    }

    #[test]
    fn every_bit_has_its_place() {
        let text = |byte| String::from_utf8(uuid([byte; SIZE]).to_vec()).unwrap();
        assert_eq!(text(0xff), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(text(0x00), "00000000-0000-4000-8000-000000000000");
        assert_eq!(text(0x1a), "1a1a1a1a-1a1a-4a1a-9a1a-1a1a1a1a1a1a");
    }
}
