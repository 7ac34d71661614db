//! Where a workspace is: a pure function of its name, so that whoever binds there and whoever leads there agree
//! without asking each other. Only what follows the last `/` of the name counts.
//!
//! On one machine a workspace is an address of a network; where workspaces are machines of their own, it is a host
//! named by a [`HostTemplate`].
//!
//! In a network, a name that ends in digits has the address of that number; any other has the address of its hash, FNV-1a with 32 bits over the name in lower case, cut to the network's size. The
//! address *is* the workspace: names that share one, as `a1` and `workspace-1` do, or two names whose hashes
//! meet, are names of one workspace. Where that must not be, number the workspaces.
//!
//! A number beyond the network is refused, and not wrapped around onto somebody else's address. `.0` and `.255`
//! are addresses like any other inside 127.0.0.0/8, where a network has no broadcast; elsewhere the first and the
//! last address of the network are refused.

mod template;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use thiserror::Error;

use crate::authority::Host;
use crate::route::Loopback;
pub use template::{HostTemplate, InvalidTemplate};

/// How a workspace's host is found from its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workspaces {
    /// It is an address of this network.
    Net(WorkspaceNet),
    /// It is a host with a name of this form, which is resolved.
    Hosts(HostTemplate),
}

impl Default for Workspaces {
    fn default() -> Self {
        Self::Net(WorkspaceNet::default())
    }
}

impl Workspaces {
    /// The host of the workspace of this name.
    pub fn host_of(&self, name: &str) -> Result<Host, InvalidName> {
        match self {
            Self::Net(net) => net.address_of(name).map(Host::Ip),
            Self::Hosts(template) => template.host_of(name),
        }
    }

    /// Whether a workspace may turn out to be on this machine's loopback. A name that resolves to it leads to
    /// whatever runs beside the gateway, which is nobody's workspace.
    pub(crate) fn loopback(&self) -> Loopback {
        match self {
            Self::Net(_) => Loopback::Allowed,
            Self::Hosts(_) => Loopback::Refused,
        }
    }
}

/// The network that workspaces have their addresses in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkspaceNet(Ipv4Net);

/// The network has too few addresses for workspaces, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a workspace network has a prefix of 8 to 24 bits")]
pub struct InvalidNet;

/// Why a name leads nowhere. What was sent is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidName {
    /// It has other characters, is an address, or climbs out of its folder.
    #[error("it takes letters, digits, '.', '_', '-' and '/', no '..', and is no address")]
    Shape,
    /// Its number is none of the network's.
    #[error("its number lies outside the workspace network")]
    OutOfRange,
    /// Outside of loopback, the network itself or its broadcast.
    #[error("its address is not one that a server can have")]
    Reserved,
    /// It cannot stand in a host's name.
    #[error(
        "a host's name takes letters, digits and '-' inside, and no more than a label has room for"
    )]
    Label,
}

impl Default for WorkspaceNet {
    /// 127.18.0.0/16.
    fn default() -> Self {
        Self(Ipv4Net::new_assert(Ipv4Addr::new(127, 18, 0, 0), 16))
    }
}

impl TryFrom<Ipv4Net> for WorkspaceNet {
    type Error = InvalidNet;

    fn try_from(net: Ipv4Net) -> Result<Self, InvalidNet> {
        (8..=24).contains(&net.prefix_len()).then(|| Self(net.trunc())).ok_or(InvalidNet)
    }
}

impl WorkspaceNet {
    /// The address of the workspace of this name.
    pub fn address_of(&self, name: &str) -> Result<IpAddr, InvalidName> {
        let base = base(name)?;
        if base.parse::<Ipv4Addr>().is_ok() {
            return Err(InvalidName::Shape);
        }
        let hosts = u32::from(self.0.hostmask());
        let number = match trailing_digits(base) {
            "" => fnv1a(base) & hosts,
            digits => digits.parse().map_err(|_| InvalidName::OutOfRange)?,
        };
        if number > hosts {
            return Err(InvalidName::OutOfRange);
        }
        if !self.0.network().is_loopback() && (number == 0 || number == hosts) {
            return Err(InvalidName::Reserved);
        }
        Ok(Ipv4Addr::from(u32::from(self.0.network()) | number).into())
    }
}

/// Whether a text may name a workspace: a name, or a path whose last part is one.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/');
    !text.is_empty() && text.bytes().all(allowed) && text.split('/').all(|part| part != "..")
}

/// What counts of a name.
fn base(name: &str) -> Result<&str, InvalidName> {
    let base = name.rsplit('/').next().filter(|_| is_name(name));
    base.ok_or(InvalidName::Shape)
}

fn trailing_digits(name: &str) -> &str {
    let rest = name.trim_end_matches(|char: char| char.is_ascii_digit());
    name.strip_prefix(rest).unwrap_or_default()
}

fn fnv1a(name: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    name.bytes().map(|byte| byte.to_ascii_lowercase()).fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(net: &str, name: &str) -> Result<String, InvalidName> {
        let net = WorkspaceNet::try_from(net.parse::<Ipv4Net>().unwrap()).unwrap();
        net.address_of(name).map(|address| address.to_string())
    }

    #[test]
    fn a_name_has_the_address_that_it_always_had() {
        for (name, address) in [
            ("workspace-1", "127.18.0.1"),
            ("workspace-2", "127.18.0.2"),
            ("workspace-255", "127.18.0.255"),
            ("workspace-256", "127.18.1.0"),
            ("workspace-65535", "127.18.255.255"),
            ("workspace-0", "127.18.0.0"),
            ("workspace-a", "127.18.176.32"),
            ("WORKSPACE-A", "127.18.176.32"),
            ("workspace-b", "127.18.180.217"),
            ("workspace-c", "127.18.179.70"),
            ("main", "127.18.226.8"),
            ("feature", "127.18.115.61"),
            ("feature-x", "127.18.247.88"),
            ("/root/workspace-7", "127.18.0.7"),
            ("a1", "127.18.0.1"),
            ("/root/", "127.18.157.197"),
        ] {
            assert_eq!(
                WorkspaceNet::default().address_of(name),
                Ok(address.parse().unwrap()),
                "{name}"
            );
        }
    }

    #[test]
    fn a_number_beyond_the_network_is_refused_and_never_wraps() {
        let last = u32::MAX;
        for number in ["65536", "65537", &last.to_string(), "4294967296", "99999999999999999999"] {
            let name = format!("workspace-{number}");
            assert_eq!(of("127.18.0.0/16", &name), Err(InvalidName::OutOfRange), "{name}");
        }
        assert_eq!(of("127.18.9.0/24", "w-255"), Ok("127.18.9.255".into()));
        assert_eq!(of("127.18.9.0/24", "w-256"), Err(InvalidName::OutOfRange));
        assert_eq!(of("127.0.0.0/8", "w-65536"), Ok("127.1.0.0".into()));
    }

    #[test]
    fn first_and_last_are_refused_where_they_are_no_servers() {
        for (name, expected) in [
            ("w-0", Err(InvalidName::Reserved)),
            ("w-255", Ok("10.18.0.255".into())),
            ("w-256", Ok("10.18.1.0".into())),
            ("w-65535", Err(InvalidName::Reserved)),
        ] {
            assert_eq!(of("10.18.7.7/16", name), expected, "{name}");
        }
    }

    #[test]
    fn names_that_meet_are_names_of_one_workspace() {
        for (one, other) in [("workspace-1", "tie"), ("feature-gbz", "feature-oce")] {
            assert_eq!(of("127.18.0.0/16", one), of("127.18.0.0/16", other), "{one} and {other}");
        }
    }

    #[test]
    fn what_is_no_name_has_no_address() {
        for name in [
            "",
            "..",
            "../w-1",
            "/root/../w-1",
            "127.0.0.1",
            "/x/10.0.0.1",
            "é",
            "a b",
            "a%",
            "a:1",
        ] {
            assert_eq!(WorkspaceNet::default().address_of(name), Err(InvalidName::Shape), "{name}");
        }
    }

    #[test]
    fn a_network_is_neither_tiny_nor_everything() {
        for (net, fits) in [
            ("127.0.0.0/8", true),
            ("127.18.1.0/24", true),
            ("0.0.0.0/0", false),
            ("127.18.0.0/25", false),
        ] {
            assert_eq!(
                WorkspaceNet::try_from(net.parse::<Ipv4Net>().unwrap()).is_ok(),
                fits,
                "{net}"
            );
        }
    }
}
