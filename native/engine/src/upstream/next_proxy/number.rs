//! Hosts that are written as numbers, though not as an address: `127.1`, `0x7f000001`, `2130706433`.
//!
//! Whoever resolves such a name makes an address of it, the next proxy too, and perhaps on this very machine.
//! So they are read here, as every resolver and the URL standard ("ends in a number") do, before a name is
//! handed over.

use std::net::Ipv4Addr;

/// What a registered name turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Name,
    Address(Ipv4Addr),
    /// Its last label is a number, so it is no name, and yet it is no address.
    Nonsense,
}

/// Reads a name that is in lower case.
pub(super) fn read(name: &str) -> Reading {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    let digits = last.bytes().all(|byte| byte.is_ascii_digit());
    if !digits && number(last).is_none() {
        return Reading::Name;
    }
    address(name).map_or(Reading::Nonsense, Reading::Address)
}

/// The last part stands for all the bytes that the others leave.
fn address(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = name.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let mut address = match first.len() {
        0 => *last,
        left @ 1..=3 if *last < 1 << (8 * (4 - left)) => *last,
        _ => return None,
    };
    for (at, part) in first.iter().enumerate() {
        let byte = u8::try_from(*part).ok()?;
        address |= u32::from(byte) << (24 - 8 * at);
    }
    Some(address.into())
}

/// Decimal, octal with a leading zero, or hexadecimal.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(""), _) => return Some(0),
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (text, 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain { u32::from_str_radix(digits, radix).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_an_address_or_nonsense_and_never_a_name() {
        let address = |text: &str| Reading::Address(text.parse().unwrap());
        for text in ["127.1", "127.0.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1"] {
            assert_eq!(read(text), address("127.0.0.1"), "{text}");
        }
        assert_eq!(read("127.0.0.01"), address("127.0.0.1"));
        assert_eq!(read("127.0.0.1."), address("127.0.0.1"));
        for text in ["0", "00.0.0.0", "0x", "0x0.0"] {
            assert_eq!(read(text), address("0.0.0.0"), "{text}");
        }
        assert_eq!(read("10.258"), address("10.0.1.2"));
        assert_eq!(read("0xffffffff"), address("255.255.255.255"));
        for text in ["1.2.3.4.5", "256.1", "127.0.0.256", "4294967296", "127.09", "a.1", "a.0x1"] {
            assert_eq!(read(text), Reading::Nonsense, "{text}");
        }
        for text in ["a", "example.test", "1.example.test", "1x", "0xg", "127.evil.com", "1-2"] {
            assert_eq!(read(text), Reading::Name, "{text}");
        }
    }
}
