//! Where the library is that is preloaded, and how `LD_PRELOAD` names it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

const FILE: &str = "libtabport_workspace.so";

/// Why there is no library to preload.
#[derive(Debug, Error)]
pub(super) enum LibraryError {
    #[error(
        "{FILE} is neither beside this program nor in ../lib: name it with --preload-library, or build it with \
         `cargo build -p tabport-workspace`"
    )]
    Missing,
    #[error("{}: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{}: LD_PRELOAD cannot name a path with a space or a colon", .path.display())]
    Unnameable { path: PathBuf },
}

/// The library that is named, or the one that was installed with this program.
pub(super) fn find(named: Option<&Path>) -> Result<PathBuf, LibraryError> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => installed().ok_or(LibraryError::Missing)?,
    };
    let path = path.canonicalize().map_err(|error| LibraryError::Unreadable { path, error })?;
    if path.as_os_str().as_bytes().iter().any(|byte| is_separator(*byte)) {
        return Err(LibraryError::Unnameable { path });
    }
    Ok(path)
}

fn installed() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let folder = program.parent()?;
    [folder.join(FILE), folder.join("../lib").join(FILE)].into_iter().find(|path| path.is_file())
}

/// The value of `LD_PRELOAD` with the library, and then what is preloaded anyway.
pub(super) fn before(library: &Path, present: &OsStr) -> OsString {
    let mut value = library.as_os_str().to_owned();
    let others = others(present);
    if !others.is_empty() {
        value.push(":");
        value.push(others);
    }
    value
}

/// The value of `LD_PRELOAD` without the library of a workspace that this command was itself run in.
pub(super) fn others(present: &OsStr) -> OsString {
    let names = present.as_bytes().split(|byte| is_separator(*byte)).map(OsStr::from_bytes);
    let is_other = |name: &&OsStr| Path::new(name).file_name() != Some(OsStr::new(FILE));
    let others: Vec<_> = names.filter(|name| !name.is_empty()).filter(is_other).collect();
    others.join(OsStr::new(":"))
}

/// What the dynamic loader separates names by.
fn is_separator(byte: u8) -> bool {
    matches!(byte, b':' | b' ' | b'\t' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_preloaded_stays_but_for_another_workspace() {
        for (present, value) in [
            ("", "/a/libtabport_workspace.so"),
            ("/b/libx.so liby.so", "/a/libtabport_workspace.so:/b/libx.so:liby.so"),
            ("/old/libtabport_workspace.so:z.so", "/a/libtabport_workspace.so:z.so"),
        ] {
            let preloaded = before(&Path::new("/a").join(FILE), OsStr::new(present));
            assert_eq!(preloaded, value, "{present:?}");
        }
    }
}
