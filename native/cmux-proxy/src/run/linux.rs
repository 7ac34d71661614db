//! The steps from a command line to a program in a workspace, and the exit code of each that fails.

use std::convert::Infallible;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tabport_engine::workspace::{InvalidName, WorkspaceNet};
use thiserror::Error;

use super::library::{self, LibraryError};
use super::namespace::{self, NamespaceError};
use super::program::{self, Missing};
use super::reach::{self, Unreached};
use super::{Isolation, RunArguments};

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
         With --isolation namespace it can, without a way to the network",
        .path.display()
    )]
    Refused { path: PathBuf, unreached: Unreached },
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    #[error("{}: {error}", .path.display())]
    Exec { path: PathBuf, error: io::Error },
}

impl RunError {
    /// As `env(1)` has them.
    fn code(&self) -> u8 {
        match self {
            Self::Name(_) | Self::Library(_) | Self::Namespace(_) => 1,
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
    let (name, rest) = match arguments.command.split_first() {
        Some((name, rest)) => (name.as_os_str(), rest),
        None => (OsStr::new(""), [].as_slice()),
    };
    let path = program::find(name)
        .map_err(|missing| RunError::Missing { name: PathBuf::from(name), missing })?;
    let mut command = Command::new(&path);
    command.arg0(name).args(rest).env(NAME, &arguments.workspace);
    match arguments.isolation {
        Isolation::Preload => preload(&mut command, &path, arguments, address)?,
        Isolation::Namespace => {
            command.env_remove(ADDRESS).env(PRELOAD, library::others(&preloaded()));
            namespace::enter(arguments, address)?;
        }
    }
    let error = command.exec();
    Err(RunError::Exec { path, error })
}

/// Has a command load the library, and the library know where the workspace is.
fn preload(
    command: &mut Command,
    path: &Path,
    arguments: &RunArguments,
    address: IpAddr,
) -> Result<(), RunError> {
    let library = library::find(arguments.preload_library.as_deref())?;
    reach::check(path, &library)
        .map_err(|(path, unreached)| RunError::Refused { path, unreached })?;
    let shared: Vec<_> = arguments.share.iter().map(ToString::to_string).collect();
    command
        .env(ADDRESS, address.to_string())
        .env(SHARED, shared.join(","))
        .env(PRELOAD, library::before(&library, &preloaded()));
    Ok(())
}

/// What is preloaded into this program, too.
fn preloaded() -> OsString {
    env::var_os(PRELOAD).unwrap_or_default()
}
