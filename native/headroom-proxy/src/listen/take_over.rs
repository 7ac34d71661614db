//! The sockets that another process listens on, taken while it goes on: both accept from one queue until the other ends,
//! and nobody is refused, nor lost when it does.
//!
//! The system allows it to whoever might as well trace that process (`pidfd_getfd(2)`).

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::Socket;

/// Takes the sockets with which a process listens at these addresses, at least at one. Those that are shared may be bound
/// by others from then on, if they say the same: so the port can be given back in the same way.
pub(super) fn take(process: u32, at: &[SocketAddr], share: bool) -> io::Result<Vec<TcpListener>> {
    let mut taken: Vec<(SocketAddr, TcpListener)> = Vec::new();
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
        let Some(bound) = listens_at(&socket).filter(|bound| at.contains(bound)) else { continue };
        if taken.iter().all(|(other, _)| *other != bound) {
            if share {
                socket.set_reuse_port(true)?;
            }
            taken.push((bound, socket.into()));
        }
    }
    if taken.is_empty() {
        let addresses: Vec<_> = at.iter().map(SocketAddr::to_string).collect();
        return Err(none(&format!("it does not listen on {}", addresses.join(" or "))));
    }
    Ok(taken.into_iter().map(|(_, socket)| socket).collect())
}

fn listens_at(socket: &Socket) -> Option<SocketAddr> {
    let listens = socket.is_listener().unwrap_or(false);
    listens.then(|| socket.local_addr().ok()?.as_socket()).flatten()
}

/// The numbers of a process's sockets.
fn descriptors(process: u32) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/fd"))? {
        let entry = entry?;
        let is_socket = fs::read_link(entry.path())
            .is_ok_and(|link| link.to_string_lossy().starts_with("socket:"));
        let number = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        numbers.extend(number.filter(|_| is_socket));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
