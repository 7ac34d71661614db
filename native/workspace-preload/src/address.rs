//! Which addresses mean `localhost`, and what they become: pure functions, but for the two edges where a program
//! hands an address over or is given one.
//!
//! `localhost` is `127.0.0.1` and `::1`, an IPv4-mapped `127.0.0.1`, and the wildcards. Every other address of
//! 127.0.0.0/8 is somebody's, another workspace's too, and left alone. There is one `::1` on a machine, so that an
//! IPv6 socket has the workspace's IPv4 address, in its mapped form.

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use libc::{
    AF_INET, AF_INET6, AF_UNSPEC, INADDR_ANY, sa_family_t, sockaddr, sockaddr_in, sockaddr_in6,
    socklen_t,
};

/// An address of an IPv4 or IPv6 socket, with all that the program has said in it.
#[derive(Clone, Copy)]
pub(crate) enum Address {
    V4(sockaddr_in),
    V6(sockaddr_in6),
}

impl Address {
    /// What a program has handed over; `None` for other families, and for what is too short.
    ///
    /// # Safety
    ///
    /// `at` is null, or that many bytes can be read there.
    pub(crate) unsafe fn read(at: *const sockaddr, length: socklen_t) -> Option<Self> {
        let length = usize::try_from(length).ok()?;
        if at.is_null() || length < size_of::<sa_family_t>() {
            return None;
        }
        // SAFETY: a family comes first in every address, and there are as many bytes as it has.
        let family = unsafe { ptr::read_unaligned(at.cast::<sa_family_t>()) };
        match i32::from(family) {
            AF_INET if length >= size_of::<sockaddr_in>() => {
                // SAFETY: there are as many bytes, and any bytes are a `sockaddr_in`.
                Some(Self::V4(unsafe { ptr::read_unaligned(at.cast()) }))
            }
            AF_INET6 if length >= size_of::<sockaddr_in6>() => {
                // SAFETY: there are as many bytes, and any bytes are a `sockaddr_in6`.
                Some(Self::V6(unsafe { ptr::read_unaligned(at.cast()) }))
            }
            _ => None,
        }
    }

    /// The same for an address to bind: the kernel takes an IPv4 wildcard whose family is left out, too.
    ///
    /// # Safety
    ///
    /// As above.
    pub(crate) unsafe fn read_to_bind(at: *const sockaddr, length: socklen_t) -> Option<Self> {
        // SAFETY: the caller's.
        if let Some(address) = unsafe { Self::read(at, length) } {
            return Some(address);
        }
        if at.is_null() || usize::try_from(length).ok()? < size_of::<sockaddr_in>() {
            return None;
        }
        // SAFETY: there are as many bytes, and any bytes are a `sockaddr_in`.
        let mut address: sockaddr_in = unsafe { ptr::read_unaligned(at.cast()) };
        if i32::from(address.sin_family) != AF_UNSPEC || address.sin_addr.s_addr != INADDR_ANY {
            return None;
        }
        address.sin_family = sa_family_t::try_from(AF_INET).ok()?;
        Some(Self::V4(address))
    }

    /// Puts it where one of the same family was read from.
    ///
    /// # Safety
    ///
    /// There is room for an address of this family at `at`.
    pub(crate) unsafe fn write(&self, at: *mut sockaddr) {
        match self {
            // SAFETY: there is room, says the caller; how it is aligned does not matter.
            Self::V4(address) => unsafe { ptr::write_unaligned(at.cast(), *address) },
            // SAFETY: the same.
            Self::V6(address) => unsafe { ptr::write_unaligned(at.cast(), *address) },
        }
    }

    /// As libc takes it, for as long as this is borrowed.
    pub(crate) fn raw(&self) -> (*const sockaddr, socklen_t) {
        let (at, length) = match self {
            Self::V4(address) => (ptr::from_ref(address).cast(), size_of::<sockaddr_in>()),
            Self::V6(address) => (ptr::from_ref(address).cast(), size_of::<sockaddr_in6>()),
        };
        (at, socklen_t::try_from(length).unwrap_or_default())
    }

    pub(crate) fn port(&self) -> u16 {
        u16::from_be(match self {
            Self::V4(address) => address.sin_port,
            Self::V6(address) => address.sin6_port,
        })
    }

    /// The address itself, an IPv4-mapped one as the IPv4 address that it is.
    pub(crate) fn ip(&self) -> IpAddr {
        match self {
            Self::V4(address) => Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into(),
            Self::V6(address) => Ipv6Addr::from(address.sin6_addr.s6_addr).to_canonical(),
        }
    }

    pub(crate) fn is_v6(&self) -> bool {
        matches!(self, Self::V6(_))
    }

    pub(crate) fn is_wildcard(&self) -> bool {
        self.ip().is_unspecified()
    }

    /// Whether it is the one that every program of a machine shares.
    pub(crate) fn is_localhost(&self) -> bool {
        let ip = self.ip();
        self.is_wildcard() || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST
    }

    /// The same port of the workspace.
    pub(crate) fn inside(self, workspace: Ipv4Addr) -> Self {
        match self {
            Self::V4(address) => Self::V4(with_v4(address, workspace)),
            Self::V6(address) => Self::V6(with_v6(address, workspace.to_ipv6_mapped())),
        }
    }

    /// What a program is told in the place of an address of its workspace.
    pub(crate) fn outside(self, workspace: Ipv4Addr) -> Self {
        match self {
            _ if self.ip() != workspace => self,
            Self::V4(address) => Self::V4(with_v4(address, Ipv4Addr::LOCALHOST)),
            Self::V6(address) => Self::V6(with_v6(address, Ipv6Addr::LOCALHOST)),
        }
    }
}

fn with_v4(mut address: sockaddr_in, ip: Ipv4Addr) -> sockaddr_in {
    address.sin_addr.s_addr = u32::from(ip).to_be();
    address
}

fn with_v6(mut address: sockaddr_in6, ip: Ipv6Addr) -> sockaddr_in6 {
    address.sin6_addr.s6_addr = ip.octets();
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    const INET: sa_family_t = 2;
    const INET6: sa_family_t = 10;
    const UNIX: sa_family_t = 1;
    const WORKSPACE: Ipv4Addr = Ipv4Addr::new(127, 18, 0, 7);

    fn address(ip: &str) -> Address {
        // SAFETY: zeros are an address of either kind.
        let (mut v4, mut v6): (sockaddr_in, sockaddr_in6) = unsafe { std::mem::zeroed() };
        (v4.sin_family, v4.sin_port) = (INET, 3000_u16.to_be());
        (v6.sin6_family, v6.sin6_port) = (INET6, 3000_u16.to_be());
        match ip.parse().unwrap() {
            IpAddr::V4(ip) => Address::V4(with_v4(v4, ip)),
            IpAddr::V6(ip) => Address::V6(with_v6(v6, ip)),
        }
    }

    fn text(address: Address) -> String {
        match address {
            Address::V4(_) => address.ip().to_string(),
            Address::V6(address) => Ipv6Addr::from(address.sin6_addr.s6_addr).to_string(),
        }
    }

    #[test]
    fn localhost_is_what_every_program_shares() {
        for (ip, inside, outside) in [
            ("127.0.0.1", "127.18.0.7", "127.0.0.1"),
            ("0.0.0.0", "127.18.0.7", "127.0.0.1"),
            ("::1", "::ffff:127.18.0.7", "::1"),
            ("::", "::ffff:127.18.0.7", "::1"),
            ("::ffff:127.0.0.1", "::ffff:127.18.0.7", "::1"),
            ("::ffff:0.0.0.0", "::ffff:127.18.0.7", "::1"),
        ] {
            let asked = address(ip);
            assert!(asked.is_localhost(), "{ip}");
            assert_eq!(asked.inside(WORKSPACE).is_v6(), ip.contains(':'));
            assert_eq!(asked.inside(WORKSPACE).port(), 3000);
            assert_eq!(text(asked.inside(WORKSPACE)), inside, "{ip}");
            assert_eq!(text(asked.inside(WORKSPACE).outside(WORKSPACE)), outside, "{ip}");
        }
    }

    #[test]
    fn every_other_address_is_left_alone() {
        for ip in ["127.0.0.2", "127.18.0.8", "127.0.0.53", "192.0.2.1", "::2", "2001:db8::1"] {
            let asked = address(ip);
            assert!(!asked.is_localhost(), "{ip}");
            assert_eq!(text(asked.outside(WORKSPACE)), ip);
        }
    }

    #[test]
    fn what_is_too_short_or_of_another_family_is_no_address() {
        for ip in ["127.0.0.1", "::1"] {
            let mut asked = address(ip);
            let (_, length) = asked.raw();
            for length in 0..length {
                // SAFETY: there are more bytes than are said to be.
                assert!(unsafe { Address::read(asked.raw().0, length) }.is_none());
            }
            let copy = address(if ip == "::1" { "::2" } else { "127.0.0.2" });
            // SAFETY: the copy is of the same family, and there are as many bytes as are said to be.
            unsafe { asked.write(copy.raw().0.cast_mut()) };
            assert_eq!(text(copy), ip);
            // SAFETY: there are as many bytes as are said to be.
            assert_eq!(unsafe { Address::read(asked.raw().0, length) }.map(text), Some(ip.into()));
            match &mut asked {
                Address::V4(address) => address.sin_family = UNIX,
                Address::V6(address) => address.sin6_family = UNIX,
            }
            // SAFETY: there are as many bytes as are said to be.
            assert!(unsafe { Address::read(asked.raw().0, length) }.is_none());
        }
        // SAFETY: null is allowed.
        assert!(unsafe { Address::read(ptr::null(), 16) }.is_none());
    }
    #[test]
    fn an_address_to_bind_may_leave_out_the_family_of_a_wildcard() {
        for (ip, bound) in [("0.0.0.0", Some("0.0.0.0")), ("127.0.0.1", None)] {
            let Address::V4(mut asked) = address(ip) else { panic!("{ip}") };
            let at = ptr::from_ref(&asked).cast();
            // SAFETY: there are as many bytes as are said to be.
            assert_eq!(unsafe { Address::read_to_bind(at, 16) }.map(text).as_deref(), Some(ip));
            asked.sin_family = 0;
            let at = ptr::from_ref(&asked).cast();
            // SAFETY: the same.
            assert_eq!(unsafe { Address::read_to_bind(at, 16) }.map(text).as_deref(), bound);
            // SAFETY: there are more bytes than are said to be.
            assert!(unsafe { Address::read_to_bind(at, 15) }.is_none());
            // SAFETY: there are as many bytes as are said to be.
            assert!(unsafe { Address::read(at, 16) }.is_none());
        }
        // SAFETY: null is allowed.
        assert!(unsafe { Address::read_to_bind(ptr::null(), 16) }.is_none());
    }
}
