//! The relay to a program in a network namespace: what the program listens on is at the workspace's address, and the
//! ports that it shares with the machine are at its `localhost`.
//!
//! It is a process with two threads, one outside of the namespace and one inside. A socket belongs to where it was
//! made, and anyone may use it: so listeners and connections are made by the thread of the one side or the other, and
//! all that is relayed is relayed by the one inside. It ends with the program, once what that has said is delivered.

mod listening;
mod side;

use std::collections::HashMap;
use std::env;
use std::fs::{File, read_link};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::{self, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::descriptors;
use side::{Open, Side};

/// How often the ports of the program are looked at: a server is reached this long after it listens.
const PERIOD: Duration = Duration::from_millis(50);
/// How long connections may last that the program's end has left: what it said last is still on its way.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Relays to the network namespace of a program that `cmux-proxy run` starts
#[derive(Debug, Args)]
pub(crate) struct RelayArguments {
    /// The process that enters the namespace
    #[arg(long)]
    program: i32,
    /// The address of its workspace
    #[arg(long)]
    address: IpAddr,
    /// Ports of the machine's localhost that are the program's, too
    #[arg(long)]
    share: Vec<NonZeroU16>,
    /// Start another process that does it, and end
    #[arg(long)]
    detach: bool,
}

/// Relays until the program ends.
pub(crate) fn relay(arguments: &RelayArguments) -> ExitCode {
    let relayed = if arguments.detach { detach() } else { join(arguments) };
    match relayed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("the relay to the network namespace: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn detach() -> io::Result<()> {
    let arguments = env::args_os().skip(1).filter(|argument| argument != "--detach");
    Command::new(env::current_exe()?).args(arguments).spawn().map(drop)
}

fn join(arguments: &RelayArguments) -> io::Result<()> {
    if io::stdin().read(&mut [0])? == 0 {
        // There is no namespace, and whoever asked for it has said why.
        return Ok(());
    }
    let pid = Pid::from_raw(arguments.program).ok_or(io::ErrorKind::InvalidInput)?;
    let program = pidfd_open(pid, PidfdFlags::empty())?;
    let namespaces = format!("/proc/{}/ns", arguments.program);
    let network = File::open(format!("{namespaces}/net"))?;
    if read_link(format!("{namespaces}/user"))? != read_link("/proc/self/ns/user")? {
        let user = File::open(format!("{namespaces}/user"))?;
        move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))?;
    }
    descriptors::raise_limit();
    let outside = new_runtime()?;
    let side = Side::of(&outside);
    let (ended, end) = oneshot::channel();
    thread::scope(|scope| {
        scope.spawn(move || ended.send(relay_inside(arguments, &network, &program, side)));
        let end = outside.block_on(end);
        end.unwrap_or_else(|_| Err(io::Error::other("a thread has panicked")))
    })
}

fn new_runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// What the thread inside does.
fn relay_inside(
    arguments: &RelayArguments,
    network: &File,
    program: &OwnedFd,
    outside: Side,
) -> io::Result<()> {
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
    let runtime = new_runtime()?;
    let (open, mut connections) = mpsc::channel(1);
    let relay = Relay { inside: Side::of(&runtime), outside, address: arguments.address, open };
    runtime.block_on(async {
        let shared = relay.share(&arguments.share).await?;
        listening::here()?;
        io::stdout().write_all(b".")?;
        io::stdout().flush()?;
        let led = relay.follow(&arguments.share, program).await?;
        led.into_values().flatten().chain(shared).for_each(|task| task.abort());
        drop(relay);
        // It comes when nobody is left who could send anything, or not in time.
        let _ = timeout(LAST_WORDS, connections.recv()).await;
        Ok(())
    })
}

/// Whether a process has not ended.
fn runs(process: &OwnedFd) -> io::Result<bool> {
    let mut end = [PollFd::new(process, PollFlags::IN)];
    Ok(poll(&mut end, Some(&Timespec::default()))? == 0)
}

/// Where the program listens, and what leads there; nothing where the workspace's port is somebody else's.
type Led = HashMap<SocketAddr, Option<AbortHandle>>;

/// A namespace, and what is outside of it.
struct Relay {
    inside: Side,
    outside: Side,
    address: IpAddr,
    open: Open,
}

impl Relay {
    /// Has ports of the machine's `localhost` in the namespace.
    async fn share(&self, ports: &[NonZeroU16]) -> io::Result<Vec<AbortHandle>> {
        let mut shared = Vec::new();
        for port in ports.iter().map(|port| port.get()) {
            // Whichever of the two the program tries, it is answered by what the machine has.
            let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let both = both.map(|localhost| SocketAddr::new(localhost, port));
            for address in both {
                let listener = self.inside.listen(address).await?;
                let (outside, open) = (self.outside.clone(), self.open.clone());
                let lead = side::lead(listener, outside, both.to_vec(), open);
                shared.push(tokio::spawn(lead).abort_handle());
            }
        }
        Ok(shared)
    }

    /// Has what the program listens on at the workspace's address, for as long as it listens; until it ends.
    async fn follow(&self, shared: &[NonZeroU16], program: &OwnedFd) -> io::Result<Led> {
        let mut led = HashMap::new();
        while runs(program)? {
            // Where descriptors have run out it cannot be seen, and all stays as it was.
            if let Ok(mut listening) = listening::here() {
                listening.retain(|address| shared.iter().all(|port| port.get() != address.port()));
                self.lead_to(&listening, &mut led).await;
            }
            tokio::time::sleep(PERIOD).await;
        }
        Ok(led)
    }

    /// Leads to all these addresses, and to no others. What cannot be led to is told once, and tried again: the
    /// workspace's address may still be that of a program that has just ended.
    async fn lead_to(&self, listening: &[SocketAddr], led: &mut Led) {
        led.retain(|address, task| {
            let stays = listening.contains(address);
            task.iter().filter(|_| !stays).for_each(AbortHandle::abort);
            stays
        });
        for address in listening {
            let is_new = !led.contains_key(address);
            let task = led.entry(*address).or_default();
            if task.is_some() {
                continue;
            }
            let from = SocketAddr::new(self.address, address.port());
            match self.lead(from, *address).await {
                Ok(leading) => *task = Some(leading),
                Err(error) if is_new => {
                    complain(format_args!("cannot listen on {from} for the program: {error}"));
                }
                Err(_) => {}
            }
        }
    }

    /// Leads from an address outside to one inside.
    async fn lead(&self, from: SocketAddr, to: SocketAddr) -> io::Result<AbortHandle> {
        let listener = self.outside.listen(from).await?;
        let lead = side::lead(listener, self.inside.clone(), vec![to], self.open.clone());
        Ok(tokio::spawn(lead).abort_handle())
    }
}

fn complain(what: std::fmt::Arguments<'_>) {
    // There is nobody else to tell.
    let _ = writeln!(io::stderr(), "cmux-proxy: {what}");
}
