//! The certificate that clients are shown, from two files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use tabport_engine::{InvalidCertificate, ServerCertificate};
use thiserror::Error;
use zeroize::Zeroizing;

/// Where a certificate and its private key are, both in PEM.
#[derive(Debug, Clone, Copy)]
pub struct CertificateFiles<'a> {
    /// The certificate, followed by what leads to a root.
    pub certificate: &'a Path,
    /// Its private key.
    pub key: &'a Path,
}

/// Why there is no certificate though there should be one. None of these shows the key.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// One of the files cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// They are not what they should be.
    #[error("{} and {}: {source}", .certificate.display(), .key.display())]
    Invalid {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        source: InvalidCertificate,
    },
}

impl CertificateFiles<'_> {
    /// Reads them as they are now.
    pub fn read(&self) -> Result<ServerCertificate, CertificateError> {
        let bytes = |path: &Path| {
            let unreadable =
                |source| CertificateError::Unreadable { path: path.to_owned(), source };
            fs::read(path).map(Zeroizing::new).map_err(unreadable)
        };
        let Self { certificate, key } = *self;
        ServerCertificate::from_pem(&bytes(certificate)?, &bytes(key)?).map_err(|source| {
            CertificateError::Invalid {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
                source,
            }
        })
    }
}
