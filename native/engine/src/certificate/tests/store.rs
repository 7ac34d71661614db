//! Which stored authorities are taken, and which make room for a new one.

use std::path::Path;
use std::sync::Barrier;
use std::{fs, thread};

use super::super::validity::{self, DAY};
use super::super::{Certificates, parse_names, store};
use super::{Folder, host};
use crate::error::StartError;
use crate::options::{CertificateOptions, ServerOptions};
use crate::server::Server;

fn open(directory: &Path, names: &[&str]) -> Result<Certificates, StartError> {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    Certificates::new(&CertificateOptions { directory: Some(directory.into()), names })
}

fn fingerprint(directory: &Path, names: &[&str]) -> String {
    open(directory, names).unwrap().authority().fingerprint.clone()
}

fn fingerprint_at(directory: &Path, now: u64) -> String {
    store::open(directory, &[], now).unwrap().certificate.fingerprint
}

impl Folder {
    fn authority(&self) -> std::path::PathBuf {
        self.0.join("authority")
    }

    fn file(&self) -> std::path::PathBuf {
        self.authority().join(store::FILE)
    }
}

#[test]
fn an_authority_that_was_stored_is_the_same_and_signs() {
    let folder = Folder::new();
    let first = open(&folder.authority(), &[]).unwrap();
    let again = open(&folder.authority(), &[]).unwrap();
    assert_eq!(first.authority().pem, again.authority().pem);
    assert_eq!(first.authority().fingerprint, again.authority().fingerprint);
    assert_eq!(*first.authority.key_pem(), *again.authority.key_pem());
    assert_eq!(first.authority.der, again.authority.der);
    assert!(first.for_host(&host("localhost"), true).is_ok());
    assert!(again.for_host(&host("localhost"), true).is_ok());
}

#[test]
fn other_names_need_another_authority() {
    let folder = Folder::new();
    let fingerprint = |names| fingerprint(&folder.authority(), names);
    let first = fingerprint(&[]);
    let named = fingerprint(&["dev.test"]);
    assert_ne!(first, named);
    assert_eq!(named, fingerprint(&["dev.test"]));
    assert_ne!(named, fingerprint(&["dev.test", "::2"]));
}

#[test]
fn an_authority_is_replaced_a_month_before_it_expires() {
    let folder = Folder::new();
    let now = validity::now();
    let until = store::open(&folder.authority(), &[], now).unwrap().validity.until;
    let first = fingerprint_at(&folder.authority(), now);
    assert_eq!(first, fingerprint_at(&folder.authority(), until - 31 * DAY));
    let rotated = fingerprint_at(&folder.authority(), until - 30 * DAY);
    assert_ne!(first, rotated);
    // That one was made in what is the future now.
    assert_ne!(rotated, fingerprint_at(&folder.authority(), now));
}

#[test]
fn an_expired_authority_is_replaced() {
    let folder = Folder::new();
    let now = validity::now();
    let long_ago = store::open(&folder.authority(), &[], now - 6 * 365 * DAY).unwrap();
    assert!(long_ago.validity.until < now);
    let first = fingerprint(&folder.authority(), &[]);
    assert_ne!(long_ago.certificate.fingerprint, first);
    assert_eq!(first, fingerprint(&folder.authority(), &[]));
}

#[test]
fn whatever_is_no_authority_is_replaced() {
    let [folder, other] = [Folder::new(), Folder::new()];
    let made = [&folder, &other].map(|folder| {
        fingerprint(&folder.authority(), &[]);
        fs::read_to_string(folder.file()).unwrap()
    });
    let [stored, foreign] = made;
    let (certificate, key) = stored.split_at(stored.find("-----BEGIN PRIVATE").unwrap());
    let foreign_key = &foreign[foreign.find("-----BEGIN PRIVATE").unwrap()..];
    let later = stored.replacen("from 1", "from 99999999999999999", 1);
    let mut spoiled: Vec<Vec<u8>> = vec![
        b"garbage".to_vec(),
        vec![0xff; 1 << 20],
        format!("{certificate}{foreign_key}").into_bytes(),
        format!("{key}{certificate}").into_bytes(),
        stored.replacen("from 1", "from 0", 1).into_bytes(),
        later.into_bytes(),
        stored.replacen("MII", "MIJ", 1).into_bytes(),
    ];
    spoiled.extend((0..stored.len() - 30).step_by(61).map(|end| stored.as_bytes()[..end].to_vec()));
    let mut seen = vec![fingerprint(&folder.authority(), &[])];
    for content in spoiled {
        fs::write(folder.file(), &content).unwrap();
        let made = fingerprint(&folder.authority(), &[]);
        let start = String::from_utf8_lossy(&content[..content.len().min(100)]).into_owned();
        assert!(!seen.contains(&made), "taken: {start}");
        assert_eq!(made, fingerprint(&folder.authority(), &[]), "not stored after: {start}");
        seen.push(made);
    }
}

#[test]
fn of_several_starts_at_once_all_have_the_same_authority() {
    const STARTS: usize = 8;
    for spoiled in [false, true] {
        let folder = Folder::new();
        if spoiled {
            fingerprint(&folder.authority(), &[]);
            fs::write(folder.file(), "garbage").unwrap();
        }
        let barrier = Barrier::new(STARTS);
        let start = || {
            barrier.wait();
            fingerprint(&folder.authority(), &[])
        };
        let found: Vec<String> = thread::scope(|scope| {
            let threads: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_had_is_named() {
    let folder = Folder::new();
    let taken = folder.write("taken", "");
    let error = open(&taken.join("below"), &[]).err().unwrap();
    assert!(
        matches!(&error, StartError::CertificateDirectory { directory, .. } if directory.starts_with(&taken))
    );
    assert!(error.to_string().contains("taken"), "{error}");
}

#[test]
fn a_server_starts_with_the_authority_of_its_folder_or_not_at_all() {
    let folder = Folder::new();
    let start = |directory: &Path| {
        let directory = Some(directory.to_owned());
        let certificates = CertificateOptions { directory, ..CertificateOptions::default() };
        Server::start(ServerOptions { certificates, ..ServerOptions::default() })
    };
    let server = start(&folder.authority()).unwrap();
    let found = &server.certificate_authority().fingerprint;
    assert_eq!(*found, fingerprint(&folder.authority(), &[]));
    server.stop();
    assert!(matches!(start(&folder.file()), Err(StartError::CertificateDirectory { .. })));
}

#[test]
fn a_name_no_certificate_can_be_for_is_named() {
    for name in ["", ".", "a..b", "*.test", "a b", "test:80", "[::1", "http://test", "ex\u{e4}mple"]
    {
        let error = open(Path::new("unused"), &["dev.test", name]).err().unwrap();
        assert!(matches!(&error, StartError::CertificateName(refused) if refused == name));
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
    let names = ["Dev.Test.", "::2", "[::2]", "192.0.2.7"].map(str::to_owned);
    let hosts = ["dev.test", "[::2]", "[::2]", "192.0.2.7"].map(host);
    assert_eq!(parse_names(&names).unwrap(), hosts);
}

#[cfg(unix)]
mod modes {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_is_its_owners_alone() {
        let folder = Folder::new();
        fingerprint(&folder.authority(), &[]);
        assert_eq!((mode(&folder.authority()), mode(&folder.file())), (0o700, 0o600));
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let folder = Folder::new();
        fs::create_dir(folder.authority()).unwrap();
        for open_to in [0o755, 0o710, 0o707] {
            set_mode(&folder.authority(), open_to);
            let error = open(&folder.authority(), &[]).err().unwrap();
            assert!(error.to_string().contains("must be 0700"), "{error}");
            assert_eq!(mode(&folder.authority()), open_to);
            assert!(!folder.file().exists());
        }
    }

    #[test]
    fn a_key_that_others_could_read_is_replaced() {
        let folder = Folder::new();
        let first = fingerprint(&folder.authority(), &[]);
        set_mode(&folder.file(), 0o644);
        assert_ne!(first, fingerprint(&folder.authority(), &[]));
        assert_eq!(mode(&folder.file()), 0o600);
    }
}
