//! The certificate that clients are shown, from two files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use tabport_engine::{InvalidCertificate, ServerCertificate};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why there is no certificate though there should be one.
#[derive(Debug, Error)]
pub(crate) enum CertificateError {
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} and {}: {source}", .certificate.display(), .key.display())]
    Invalid { certificate: PathBuf, key: PathBuf, source: InvalidCertificate },
}

/// Reads them as they are now.
pub(crate) fn read(certificate: &Path, key: &Path) -> Result<ServerCertificate, CertificateError> {
    let bytes = |path: &Path| {
        let unreadable = |source| CertificateError::Unreadable { path: path.to_owned(), source };
        fs::read(path).map(Zeroizing::new).map_err(unreadable)
    };
    ServerCertificate::from_pem(&bytes(certificate)?, &bytes(key)?).map_err(|source| {
        CertificateError::Invalid {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        }
    })
}
