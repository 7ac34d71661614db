//! A network namespace of its own for a program: its `localhost` is nobody else's, however it is linked.
//!
//! There is nothing but `lo` in it, so that the program has no way to the network either. What it listens on is
//! relayed from the workspace's address by a process that stays outside (`relay`), and is started first: whoever is
//! in the namespace cannot start anything outside of it.
//!
//! Root makes the namespace at once. Everybody else needs a user namespace around it, in which they keep their id and
//! no other user's has a name.

use std::env;
use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};
use rustix::process::{getegid, geteuid};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use thiserror::Error;

use super::RunArguments;

/// Why there is no namespace for a program.
#[derive(Debug, Error)]
pub(super) enum NamespaceError {
    #[error("this system does not permit a network namespace: {0}")]
    NotPermitted(io::Error),
    #[error("the relay to the network namespace: {0}")]
    System(#[from] io::Error),
    #[error("the relay to the network namespace has not started")]
    Relay,
}

/// Moves this process, which has one thread, into a new namespace whose ports are relayed from an address.
pub(super) fn enter(arguments: &RunArguments, address: IpAddr) -> Result<(), NamespaceError> {
    let (mut ready, mut entered) = start_relay(arguments, address)?;
    unshare_network().and_then(|()| raise_loopback()).map_err(NamespaceError::NotPermitted)?;
    entered.write_all(b".")?;
    ready.read_exact(&mut [0]).map_err(|_| NamespaceError::Relay)
}

/// Starts the relay; it waits for a byte, and sends one once it listens to what happens in the namespace.
fn start_relay(
    arguments: &RunArguments,
    address: IpAddr,
) -> Result<(PipeReader, PipeWriter), NamespaceError> {
    let (its_input, entered) = pipe()?;
    let (ready, its_output) = pipe()?;
    // It outlives the process that starts it, so that the program has no child that it does not know.
    let started = Command::new(env::current_exe()?)
        .args(["relay", "--detach", "--address", &address.to_string()])
        .args(["--program", &process::id().to_string()])
        .args(arguments.share.iter().map(|port| format!("--share={port}")))
        .stdin(its_input)
        .stdout(its_output)
        // What a terminal sends to the program is not for the relay.
        .process_group(0)
        .status()?;
    started.success().then_some((ready, entered)).ok_or(NamespaceError::Relay)
}

fn unshare_network() -> io::Result<()> {
    match unshare(UnshareFlags::NEWNET) {
        Ok(()) => Ok(()),
        Err(Errno::PERM) => {
            let (user, group) = (geteuid().as_raw(), getegid().as_raw());
            unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET)?;
            // Without it the kernel lets nobody say which group is which.
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
            fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
        }
        Err(error) => Err(error.into()),
    }
}

fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: it is descriptors that must not be unshared between threads, and they are not.
    unsafe { unshare_unsafe(flags) }
}

/// Sets `lo` up, which is down in a new namespace (rtnetlink(7)); its addresses come with that.
fn raise_loopback() -> io::Result<()> {
    const LENGTH: u32 = 32;
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 1 | 4;
    const LO: i32 = 1;
    const IFF_UP: u32 = 1;
    let mut message = Vec::new();
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACK.to_ne_bytes());
    // Sequence and sender, and then the family and type of the link: what they are does not matter.
    message.extend([0; 8 + 4]);
    message.extend(LO.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());

    // No protocol is the first of them, NETLINK_ROUTE.
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    sendto(&socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 64];
    recv(&socket, &mut answer, RecvFlags::empty())?;
    // An error's number, negative or zero, follows the header.
    let [.., a, b, c, d] = *answer.first_chunk::<20>().unwrap_or(&[0; 20]);
    match i32::from_ne_bytes([a, b, c, d]) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}
