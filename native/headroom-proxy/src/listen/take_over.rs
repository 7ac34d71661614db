//! The sockets that another process listens on, taken while it goes on: both accept from one queue until the other ends,
//! and nobody is refused, nor lost when it does.
//!
//! The system allows it to whoever might as well trace that process (`pidfd_getfd(2)`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::Socket;

/// Takes the sockets with which a process listens at these addresses, at least at one, and all where it has several for
/// one: each has a queue of its own. Those that are shared may be bound by others from then on, if they say the same: so
/// the port can be given back in the same way.
pub(super) fn take(process: u32, at: &[SocketAddr], share: bool) -> io::Result<Vec<TcpListener>> {
    let mut taken = Vec::new();
    let none = |text: &str| io::Error::new(io::ErrorKind::NotFound, text.to_owned());
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let handle = pidfd_open(pid.ok_or_else(|| none("there is none"))?, PidfdFlags::empty())?;
    for number in descriptors(process)? {
        let socket = match pidfd_getfd(&handle, number, PidfdGetfdFlags::empty()) {
            Ok(descriptor) => Socket::from(descriptor),
            // It has been closed meanwhile, and was a connection then.
            Err(Errno::BADF) => continue,
            Err(error) => return Err(error.into()),
        };
        if !listens_at(&socket).is_some_and(|bound| at.contains(&bound)) {
            continue;
        }
        if share {
            socket.set_reuse_port(true)?;
        }
        taken.push(socket.into());
    }
    if taken.is_empty() {
        let addresses: Vec<_> = at.iter().map(SocketAddr::to_string).collect();
        return Err(none(&format!("it does not listen on {}", addresses.join(" or "))));
    }
    Ok(taken)
}

fn listens_at(socket: &Socket) -> Option<SocketAddr> {
    let listens = socket.is_listener().unwrap_or(false);
    listens.then(|| socket.local_addr().ok()?.as_socket()).flatten()
}

/// The numbers of a process's sockets, one for each, however often it has them.
fn descriptors(process: u32) -> io::Result<Vec<i32>> {
    let mut sockets = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{process}/fd"))? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        // It names what is open: "socket:[INODE]".
        let link = fs::read_link(entry.path()).ok();
        let link = link.filter(|link| link.to_string_lossy().starts_with("socket:"));
        sockets.extend(link.zip(number));
    }
    Ok(sockets.into_values().collect())
}
