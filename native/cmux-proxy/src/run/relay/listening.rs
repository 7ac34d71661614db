//! Which ports somebody listens on in the namespace of this thread, as proc(5) shows it.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The state of a listening socket.
const LISTEN: &str = "0A";

/// An address to dial for each port; IPv4 where there are both.
pub(super) fn here() -> io::Result<Vec<SocketAddr>> {
    let mut found = addresses(&fs::read_to_string("/proc/thread-self/net/tcp")?);
    match fs::read_to_string("/proc/thread-self/net/tcp6") {
        Ok(table) => found.extend(addresses(&table)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    found.sort_by_key(|address| (address.port(), address.is_ipv6()));
    found.dedup_by_key(|address| address.port());
    Ok(found)
}

fn addresses(table: &str) -> Vec<SocketAddr> {
    table.lines().filter_map(listening).collect()
}

/// Where a line's socket is reached, if it listens.
fn listening(line: &str) -> Option<SocketAddr> {
    let mut columns = line.split_whitespace().skip(1);
    let (local, _, state) = (columns.next()?, columns.next()?, columns.next()?);
    let (ip, port) = local.split_once(':')?;
    if state != LISTEN {
        return None;
    }
    let ip = match (address(ip)?, ip.len()) {
        (ip, _) if !ip.is_unspecified() => ip,
        (_, 8) => Ipv4Addr::LOCALHOST.into(),
        _ => Ipv6Addr::LOCALHOST.into(),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// An address as words in the machine's byte order, an IPv4-mapped one as the IPv4 address that it is.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at..at + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    if hex.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let words = [word(0)?, word(8)?, word(16)?, word(24)?];
    let octets: [u8; 16] = words.concat().try_into().ok()?;
    Some(Ipv6Addr::from(octets).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn listening_sockets_and_no_others() {
        for (local, state, reached) in [
            ("0100007F:0BB8", "0A", Some("127.0.0.1:3000")),
            ("00000000:0BB8", "0A", Some("127.0.0.1:3000")),
            ("0900127F:0001", "0A", Some("127.18.0.9:1")),
            ("00000000000000000000000000000000:FFFF", "0A", Some("[::1]:65535")),
            ("00000000000000000000000001000000:0050", "0A", Some("[::1]:80")),
            ("0000000000000000FFFF00000100007F:0050", "0A", Some("127.0.0.1:80")),
            ("0100007F:0BB8", "01", None),
            ("0100007F:0BB8", "06", None),
            ("local_address", "st", None),
        ] {
            let line = format!("   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000");
            assert_eq!(listening(&line), reached.map(|text| text.parse().unwrap()), "{line}");
        }
    }
}
