//! The errors JavaScript sees: each is an `Error` with a stable `code`.
//!
//! A [`Failure`] is made anywhere, on any thread; it becomes a JavaScript error on the JavaScript thread.
//! What the system refuses keeps the code Node itself would give, so that existing `catch` blocks work.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::bindgen_prelude::{FromNapiValue, Object};
use napi::{Env, JsError};
use tabport_engine::{ContextError, RouteError, StartError};

pub(crate) const INVALID_ARGUMENT: &str = "ERR_TABPORT_INVALID_ARGUMENT";
pub(crate) const INVALID_ROUTE: &str = "ERR_TABPORT_INVALID_ROUTE";
const CERTIFICATE: &str = "ERR_TABPORT_CERTIFICATE";
const INTERNAL: &str = "ERR_TABPORT_INTERNAL";
const NO_FREE_PORT: &str = "ERR_TABPORT_NO_FREE_PORT";
const NON_LOOPBACK: &str = "ERR_TABPORT_NON_LOOPBACK";
const STOPPED: &str = "ERR_TABPORT_STOPPED";
const UNKNOWN_CONTEXT: &str = "ERR_TABPORT_UNKNOWN_CONTEXT";

/// What becomes a JavaScript error.
#[derive(Debug)]
pub(crate) struct Failure {
    code: &'static str,
    message: String,
    /// The address that could not be bound.
    listen: Option<SocketAddr>,
    cause: Option<napi::Error>,
}

/// Runs what JavaScript has called. A panic must not unwind into Node: it is an error like any other.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    #[cfg(feature = "panic-injection")]
    let work = crate::panic_injection::before(work);
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Failure::panic(&*panic)))
}

/// The same for what is to throw.
pub(crate) fn throwing<T>(env: Env, work: impl FnOnce() -> Result<T, Failure>) -> napi::Result<T> {
    guard(work).map_err(|failure| failure.into_js(env))
}

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), listen: None, cause: None }
    }

    pub(crate) fn internal(reason: &impl ToString) -> Self {
        Self::new(INTERNAL, reason.to_string())
    }

    pub(crate) fn stopped() -> Self {
        Self::new(STOPPED, "the server is stopped")
    }

    pub(crate) fn caused_by(self, cause: Option<napi::Error>) -> Self {
        Self { cause, ..self }
    }

    fn panic(panic: &(dyn Any + Send)) -> Self {
        let message = panic.downcast_ref::<&str>().copied();
        let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::internal(&format!("a bug in tabport: {}", message.unwrap_or("a panic")))
    }

    /// Makes the JavaScript error, and a Rust error that stands for it, to be thrown or rejected with.
    pub(crate) fn into_js(self, env: Env) -> napi::Error {
        let mut error = napi::Error::new(self.code, self.message);
        if let Some(cause) = self.cause {
            error.set_cause(cause);
        }
        let error = JsError::from(error).into_unknown(env);
        if let (Some(address), Ok(mut error)) = (self.listen, Object::from_unknown(error)) {
            // An error without its details is still the error.
            let _ = describe_listen(&mut error, address);
        }
        napi::Error::from_unknown_without_coercion(error)
    }
}

/// Adds what Node's own error of a failed `listen` has.
fn describe_listen(error: &mut Object<'_>, address: SocketAddr) -> napi::Result<()> {
    error.set("syscall", "listen")?;
    error.set("address", address.ip().to_string())?;
    error.set("port", u32::from(address.port()))
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let message = error.to_string();
        match error {
            StartError::Bind { address, source } => {
                Self { listen: Some(address), ..Self::new(system_code(&source), message) }
            }
            StartError::NoFreePort { .. } => Self::new(NO_FREE_PORT, message),
            StartError::NonLoopback(_) => {
                Self::new(NON_LOOPBACK, format!("{message}, unless allowNonLoopback says so"))
            }
            StartError::ExtraCa(_) => Self::new(CERTIFICATE, format!("options.extraCa: {message}")),
            StartError::CertificateName(_) => {
                Self::new(CERTIFICATE, format!("options.certificates.names: {message}"))
            }
            StartError::CertificateDirectory { .. } => {
                Self::new(CERTIFICATE, format!("options.certificates.directory: {message}"))
            }
            StartError::Certificate(_) => Self::new(CERTIFICATE, message),
            StartError::NoAddress | StartError::Context(_) | StartError::Threads(_) => {
                Self::internal(&message)
            }
        }
    }
}

impl From<ContextError> for Failure {
    fn from(error: ContextError) -> Self {
        let code = match &error {
            ContextError::Stopped => STOPPED,
            ContextError::Unknown(_) => UNKNOWN_CONTEXT,
            ContextError::Random => INTERNAL,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RouteError> for Failure {
    fn from(RouteError { field, reason }: RouteError) -> Self {
        let path = match field {
            "route" => "route".to_owned(),
            field => format!("route.{field}"),
        };
        Self::new(INVALID_ROUTE, format!("{path} {reason}"))
    }
}

impl From<napi::Error> for Failure {
    fn from(error: napi::Error) -> Self {
        Self::internal(&error.reason)
    }
}

/// Node's name for why an address cannot be bound.
fn system_code(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "EADDRINUSE",
        io::ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::InvalidInput => "EINVAL",
        io::ErrorKind::OutOfMemory => "ENOMEM",
        _ => INTERNAL,
    }
}
