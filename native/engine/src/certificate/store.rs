//! An authority that stays the same from start to start: one file, in a folder that is its owner's alone.
//!
//! The file holds the certificate and its key together, so that neither is ever found without the other,
//! after a line that says from when it is valid. It is locked while it is read and written, so of several
//! processes that start at once one makes the authority, and the others find it. Whatever the file holds
//! that is not an authority for these names, with a while to live, is overwritten: a crash in the middle of
//! writing costs a new authority and nothing else.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::authority::Authority;
use crate::authority::Host;
use crate::error::StartError;

pub(super) const FILE: &str = "authority.pem";
const FIRST_LINE: &str = "tabport: a certificate authority and its private key, valid from ";
const KEY_BEGINS: &str = "-----BEGIN PRIVATE KEY-----";

/// The authority kept in this folder, or a new one that is kept there from now on.
pub(super) fn open(directory: &Path, names: &[Host], now: u64) -> Result<Authority, StartError> {
    let refuse = |source| StartError::CertificateDirectory { directory: directory.into(), source };
    let mut file = prepare(directory).and_then(|()| lock(&directory.join(FILE))).map_err(refuse)?;
    let stored = read(&mut file).map_err(refuse)?;
    if let Some(authority) = parse(&stored, names, now) {
        return Ok(authority);
    }
    let authority = Authority::new(names, now)?;
    write(&mut file, &authority).map_err(refuse)?;
    Ok(authority)
}

fn prepare(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    if is_private(&directory.metadata()?) {
        return Ok(());
    }
    // It may be used for other things, too: whoever gave it decides who may enter.
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "others may enter it; its mode must be 0700",
    ))
}

/// Opens the file, and waits until no other process is at it. Closing it unlocks it.
fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    file.lock()?;
    Ok(file)
}

/// What the file holds; nothing where others could have read, or written, it.
fn read(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    /// Many times what an authority takes. A buffer that grew would leave copies behind.
    const LONGEST: usize = 64 * 1024;
    let mut stored = Zeroizing::new(Vec::with_capacity(LONGEST));
    if is_private(&file.metadata()?) {
        file.take(LONGEST as u64).read_to_end(&mut stored)?;
    }
    Ok(stored)
}

fn parse(stored: &[u8], names: &[Host], now: u64) -> Option<Authority> {
    let (first, pem) = str::from_utf8(stored).ok()?.split_once('\n')?;
    let from = first.strip_prefix(FIRST_LINE)?.parse().ok()?;
    let (certificate, key) = pem.split_at_checked(pem.find(KEY_BEGINS)?)?;
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let key = Zeroizing::new(PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).ok()?);
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256).ok()?;
    Authority::restore(Zeroizing::new(key), (certificate, der), from, names, now)
}

fn write(file: &mut File, authority: &Authority) -> io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{FIRST_LINE}{}", authority.validity.from)?;
    file.write_all(authority.certificate.pem.as_bytes())?;
    file.write_all(authority.key_pem().as_bytes())?;
    file.sync_all()
}

/// Whether nobody but the owner has access. Another user's file that is private cannot be opened at all.
#[cfg(unix)]
fn is_private(metadata: &Metadata) -> bool {
    const GROUP_AND_OTHERS: u32 = 0o077;
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & GROUP_AND_OTHERS == 0
}

/// Elsewhere there are no modes: who has access is what the folder inherits.
#[cfg(not(unix))]
fn is_private(_: &Metadata) -> bool {
    true
}
