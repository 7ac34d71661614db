//! How a program is linked, read from its ELF headers.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use object::read::elf::{FileHeader, ProgramHeader as _};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, FileKind, elf};

/// How a program comes by its libraries, and whether it calls them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Linked {
    /// By this dynamic loader.
    By(PathBuf),
    /// By it, or not: Go makes its own system calls.
    Go,
    Statically,
}

/// Whether a file is a program, and not a script.
pub(super) fn is_elf(file: &File) -> io::Result<bool> {
    let mut magic = [0; 4];
    match file.read_exact_at(&mut magic, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| magic == elf::ELFMAG),
    }
}

/// Reads how a program is linked; no more of the file than it takes.
pub(super) fn linked(file: File) -> object::Result<Linked> {
    let data = ReadCache::new(file);
    match FileKind::parse(&data)? {
        FileKind::Elf32 => read::<elf::FileHeader32<Endianness>, _>(&data),
        _ => read::<elf::FileHeader64<Endianness>, _>(&data),
    }
}

fn read<'data, Header, Data>(data: Data) -> object::Result<Linked>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let header = Header::parse(data)?;
    let endian = header.endian()?;
    let mut linked = Linked::Statically;
    for segment in header.program_headers(endian, data)? {
        if let Some(loader) = segment.interpreter(endian, data)? {
            linked = Linked::By(OsStr::from_bytes(loader).into());
        }
        let Some(mut notes) = segment.notes(endian, data)? else { continue };
        while let Some(note) = notes.next()? {
            if note.name() == b"Go" {
                return Ok(Linked::Go);
            }
        }
    }
    // The note has the build's id, and may be left out.
    let build_info = header.sections(endian, data)?.section_by_name(endian, b".go.buildinfo");
    Ok(if build_info.is_some() { Linked::Go } else { linked })
}
