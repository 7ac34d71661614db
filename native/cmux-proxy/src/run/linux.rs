//! The steps from a command line to a program in a workspace, and the exit code of each that fails.

use std::convert::Infallible;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use tabport_engine::workspace::{InvalidName, WorkspaceNet};
use thiserror::Error;

use super::RunArguments;
use super::library::{self, LibraryError};
use super::program::{self, Missing};
use super::reach::{self, Unreached};

/// What the program finds in its environment, and the library reads there.
const ADDRESS: &str = "CMUX_WORKSPACE_ADDRESS";
const NAME: &str = "CMUX_WORKSPACE_INTERNAL";
const SHARED: &str = "CMUX_WORKSPACE_SHARE";
const PRELOAD: &str = "LD_PRELOAD";

/// Why no program was started.
#[derive(Debug, Error)]
pub(super) enum RunError {
    #[error("--workspace: {0}")]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error("{}: {missing}", .name.display())]
    Missing { name: PathBuf, missing: Missing },
    #[error(
        "{} cannot be led to a workspace: {unreached}. \
         Without this command, and told to listen on {address}, it can be reached there",
        .path.display()
    )]
    Refused { path: PathBuf, unreached: Unreached, address: IpAddr },
    #[error("{}: {error}", .path.display())]
    Exec { path: PathBuf, error: io::Error },
}

impl RunError {
    /// As `env(1)` has them.
    fn code(&self) -> u8 {
        match self {
            Self::Name(_) | Self::Library(_) => 1,
            Self::Missing { missing: Missing::NotFound, .. } => 127,
            Self::Exec { error, .. } if error.kind() == io::ErrorKind::NotFound => 127,
            Self::Missing { .. } | Self::Refused { .. } | Self::Exec { .. } => 126,
        }
    }
}

/// Becomes the command; what it returns is why not, and the exit code for it.
pub(super) fn start(arguments: &RunArguments, net: WorkspaceNet) -> (u8, RunError) {
    match try_start(arguments, net) {
        Ok(never) => match never {},
        Err(error) => (error.code(), error),
    }
}

fn try_start(arguments: &RunArguments, net: WorkspaceNet) -> Result<Infallible, RunError> {
    let address = net.address_of(&arguments.workspace)?;
    let library = library::find(arguments.preload_library.as_deref())?;
    let (name, rest) = match arguments.command.split_first() {
        Some((name, rest)) => (name.as_os_str(), rest),
        None => (OsStr::new(""), [].as_slice()),
    };
    let path = program::find(name)
        .map_err(|missing| RunError::Missing { name: PathBuf::from(name), missing })?;
    reach::check(&path, &library).map_err(|(path, unreached)| RunError::Refused {
        path,
        unreached,
        address,
    })?;
    let shared: Vec<_> = arguments.share.iter().map(ToString::to_string).collect();
    let error = Command::new(&path)
        .arg0(name)
        .args(rest)
        .env(ADDRESS, address.to_string())
        .env(NAME, &arguments.workspace)
        .env(SHARED, shared.join(","))
        .env(PRELOAD, library::preload(&library, env::var_os(PRELOAD).as_deref()))
        .exec();
    Err(RunError::Exec { path, error })
}
