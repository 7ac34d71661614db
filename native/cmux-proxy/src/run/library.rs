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

/// The value of `LD_PRELOAD`: the library, and then what was preloaded anyway. One of another workspace, which this
/// command was itself run in, is left out.
pub(super) fn preload(library: &Path, present: Option<&OsStr>) -> OsString {
    let mut value = library.as_os_str().to_owned();
    let present = present.unwrap_or_default().as_bytes().split(|byte| is_separator(*byte));
    for other in present.filter(|other| !other.is_empty()).map(OsStr::from_bytes) {
        if Path::new(other).file_name() != Some(OsStr::new(FILE)) {
            value.push(":");
            value.push(other);
        }
    }
    value
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
            (None, "/a/libtabport_workspace.so"),
            (Some(""), "/a/libtabport_workspace.so"),
            (Some("/b/libx.so liby.so"), "/a/libtabport_workspace.so:/b/libx.so:liby.so"),
            (Some("/old/libtabport_workspace.so:z.so"), "/a/libtabport_workspace.so:z.so"),
        ] {
            let preloaded = preload(Path::new("/a").join(FILE).as_path(), present.map(OsStr::new));
            assert_eq!(preloaded, value, "{present:?}");
        }
    }
}
