//! Which file a command's name means, as the shell and `execvp` find it.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where to look if nobody says so, as libc has it.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Why a name means no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Missing {
    #[error("no such command")]
    NotFound,
    #[error("it is not executable")]
    NotExecutable,
}

/// The file of a command: a path as it is, a name in `PATH`.
pub(super) fn find(name: &OsStr) -> Result<PathBuf, Missing> {
    if name.is_empty() {
        return Err(Missing::NotFound);
    }
    if name.as_bytes().contains(&b'/') {
        return look_at(Path::new(name)).map(|()| PathBuf::from(name));
    }
    let path = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let mut missing = Missing::NotFound;
    for folder in env::split_paths(&path) {
        // An empty folder is the current one; a name alone would be looked for in PATH again.
        let file = Path::new(".").join(folder).join(name);
        match look_at(&file) {
            Ok(()) => return Ok(file),
            Err(Missing::NotExecutable) => missing = Missing::NotExecutable,
            Err(Missing::NotFound) => {}
        }
    }
    Err(missing)
}

fn look_at(file: &Path) -> Result<(), Missing> {
    let found = file.metadata().map_err(|_| Missing::NotFound)?;
    let executable = found.is_file() && found.permissions().mode() & 0o111 != 0;
    executable.then_some(()).ok_or(Missing::NotExecutable)
}
