//! What clients make of the certificates: `OpenSSL`, on files, and rustls, in a handshake.

mod cache;
mod handshake;
mod listener;
mod openssl;
mod store;

use std::path::PathBuf;
use std::{env, fs};

use super::Certificates;
use crate::authority::Host;
use crate::options::CertificateOptions;

fn host(text: &str) -> Host {
    text.parse().unwrap_or_else(|_| panic!("{text} is a host"))
}

fn certificates(names: &[&str]) -> Certificates {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    Certificates::new(&CertificateOptions { directory: None, names }).unwrap()
}

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let number = getrandom::u64().unwrap();
        let path = env::temp_dir().join(format!("tabport-certificate-{number:x}"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
