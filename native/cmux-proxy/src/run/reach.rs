//! Whether the library reaches a program: what is looked at before it is started.
//!
//! A script is as good as what interprets it. A program with a dynamic loader is shown to that very loader, which
//! lists what it would load and runs nothing: it knows best whether the library is for its architecture and its
//! libc. That leaves programs that would have the library and not ask it, and those whose loader ignores
//! `LD_PRELOAD` because they gain privileges when they start.
//!
//! Only the program itself is looked at, and not what it may start in turn.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thiserror::Error;

use super::elf::{self, Linked};
use super::program;

/// How many scripts may interpret each other; the kernel follows no more.
const SCRIPTS: usize = 5;
/// How much of a script's first line the kernel reads.
const FIRST_LINE: u64 = 256;

/// Why the library does not reach a program.
#[derive(Debug, Error)]
pub(super) enum Unreached {
    #[error("it is linked statically, so that nothing can be preloaded")]
    Static,
    #[error("it is a Go program, which calls the kernel and not libc")]
    Go,
    #[error("it starts with privileges of its own, for which nothing is preloaded")]
    Privileged,
    #[error("its loader does not take the library: {0}")]
    Loader(String),
    #[error("what interprets it cannot be found")]
    Interpreter,
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it cannot be read: {0}")]
    Malformed(#[from] object::Error),
}

/// Checks a program, and what interprets it; the error comes with the file that it is about.
pub(super) fn check(program: &Path, library: &Path) -> Result<(), (PathBuf, Unreached)> {
    let mut path = program.to_owned();
    for _ in 0..=SCRIPTS {
        match check_one(&path, library) {
            Ok(None) => return Ok(()),
            Ok(Some(interpreter)) => path = interpreter,
            Err(error) => return Err((path, error)),
        }
    }
    Err((path, Unreached::Interpreter))
}

/// Gives what has to be looked at instead, for a script.
fn check_one(path: &Path, library: &Path) -> Result<Option<PathBuf>, Unreached> {
    let file = File::open(path)?;
    if !elf::is_elf(&file)? {
        return interpreter(&file).map(Some);
    }
    if gains_privileges(path)? {
        return Err(Unreached::Privileged);
    }
    match elf::linked(file)? {
        Linked::Statically => Err(Unreached::Static),
        Linked::Go => Err(Unreached::Go),
        Linked::By(loader) => ask(&loader, path, library).map(|()| None),
    }
}

/// What runs a script: the program of its `#!` line, or what `env` is to find there; the shell where it has none.
fn interpreter(script: &File) -> Result<PathBuf, Unreached> {
    let mut line = Vec::new();
    script.take(FIRST_LINE).read_to_end(&mut line)?;
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(line) = line.strip_prefix(b"#!") else { return Ok("/bin/sh".into()) };
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let named = OsStr::from_bytes(words.next().unwrap_or_default());
    if Path::new(named).file_name() != Some(OsStr::new("env")) {
        return Ok(named.into());
    }
    let is_command = |word: &&[u8]| !word.starts_with(b"-") && !word.contains(&b'=');
    let command = words.find(is_command).map(OsStr::from_bytes).unwrap_or_default();
    program::find(command).map_err(|_| Unreached::Interpreter)
}

fn gains_privileges(path: &Path) -> io::Result<bool> {
    const SET_ID: u32 = 0o6000;
    if path.metadata()?.permissions().mode() & SET_ID != 0 {
        return Ok(true);
    }
    // What root gains by capabilities it has already.
    let capabilities = rustix::fs::getxattr(path, "security.capability", &mut [0; 0]);
    Ok(capabilities.is_ok() && !rustix::process::geteuid().is_root())
}

/// Has a program's loader list what it would load, the library with it.
fn ask(loader: &Path, path: &Path, library: &Path) -> Result<(), Unreached> {
    let asked = Command::new(loader)
        .arg("--list")
        .arg(path)
        .env("LD_PRELOAD", library)
        .stdin(Stdio::null())
        .output()?;
    let name = library.as_os_str().as_bytes();
    let is_listed = asked.stdout.windows(name.len()).any(|window| window == name);
    if asked.status.success() && is_listed {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&asked.stderr);
    Err(Unreached::Loader(said.lines().next().unwrap_or("it does not say why").trim().to_owned()))
}
