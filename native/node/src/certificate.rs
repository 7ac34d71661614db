//! The authority's options, and certificates as JavaScript objects.

use napi_derive::napi;
use tabport_engine as engine;

use crate::argument::Argument;
use crate::error::Failure;

/// The authority that signs the certificates which clients are shown: for `https://` inside tunnels to routed
/// loopback names, and for a secure listener. It can only sign for `localhost`, everything below it,
/// `127.0.0.0/8`, `::1` and `names`.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct CertificateOptions {
    /// A folder to keep the authority in, so that it stays the same from one start to the next; made where it
    /// is missing, for this user alone (0700). One that others may enter is refused; Windows has no such modes. The
    /// authority is another, to be trusted anew, once `names` are others or it ends within 30 days.
    ///
    /// @defaultValue none: it is made anew each time, and exists in memory only
    pub directory: Option<String>,
    /// Further names that the authority may sign for, DNS names (with all below them) and IP addresses. A secure
    /// listener's certificate holds them too.
    ///
    /// @defaultValue `[]`
    #[napi(ts_type = "string[]")]
    pub names: Option<Vec<String>>,
}

/// A certificate.
#[napi(object, object_from_js = false)]
pub struct Certificate {
    /// In PEM (RFC 7468).
    pub pem: String,
    /// `sha256/` and the SHA-256 of the certificate's DER in base64, as Electron's `certificate.fingerprint`.
    pub fingerprint: String,
}

impl From<&engine::Certificate> for Certificate {
    fn from(certificate: &engine::Certificate) -> Self {
        let engine::Certificate { pem, fingerprint } = certificate.clone();
        Self { pem, fingerprint }
    }
}

pub(crate) fn options(options: Argument<'_>) -> Result<engine::CertificateOptions, Failure> {
    let fields = options.object(&["directory", "names"])?;
    Ok(engine::CertificateOptions {
        directory: fields.get("directory")?.map(|it| it.string()).transpose()?.map(Into::into),
        names: fields.get("names")?.map(Argument::strings).transpose()?.unwrap_or_default(),
    })
}
