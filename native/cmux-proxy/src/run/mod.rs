//! `cmux-proxy run`: starts a program in a workspace, where `localhost` is the workspace's address.
//!
//! The program takes this process's place (exec), so that its id, its signals and its exit code are the program's
//! own. Its sockets are led by a library that is preloaded into it, and inherited by what it starts; a program into
//! which it cannot be loaded is refused, and never started outside of the workspace. Or it has a network namespace of
//! its own, whatever it is, and no way to the network.
//!
//! Where it does not come to the program: 127 if there is none of that name, 126 if it cannot be started or is
//! refused, 1 for anything else.

#[cfg(target_os = "linux")]
mod elf;
#[cfg(target_os = "linux")]
mod library;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod reach;
#[cfg(target_os = "linux")]
pub(crate) mod relay;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tabport_engine::workspace::WorkspaceNet;

#[cfg(target_os = "linux")]
use linux::start;

/// Starts a command in a workspace: what it binds to localhost or a wildcard address, and what it dials on localhost,
/// is at the workspace's address, where the gateway leads; Linux only
#[derive(Debug, Args)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "elsewhere nothing is run"))]
pub(crate) struct RunArguments {
    /// The workspace to start it in
    #[arg(long, value_name = "NAME")]
    workspace: String,
    /// How it is kept there
    #[arg(long, value_enum, default_value_t = Isolation::Preload)]
    isolation: Isolation,
    /// Ports of localhost that stay those of this machine, to bind and to dial
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    share: Vec<NonZeroU16>,
    /// The library to preload [default: `libtabport_workspace.so` beside this program, or in ../lib]
    #[arg(long, env = "CMUX_PRELOAD_LIBRARY", value_name = "PATH")]
    preload_library: Option<PathBuf>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// How a program is kept in its workspace.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Isolation {
    /// A library in the program leads its sockets there
    Preload,
    /// A network namespace of its own, for any program; without a way to the network
    Namespace,
}

/// Becomes the command; returns only where that fails.
pub(crate) fn run(arguments: &RunArguments, net: WorkspaceNet) -> ExitCode {
    let (code, error) = start(arguments, net);
    // Where nobody reads what went wrong, the code still says it.
    let _ = writeln!(io::stderr(), "cmux-proxy: {error}");
    code.into()
}

#[cfg(not(target_os = "linux"))]
fn start(_: &RunArguments, _: WorkspaceNet) -> (u8, &'static str) {
    (1, "programs can be run in a workspace on Linux only")
}
