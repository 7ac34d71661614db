//! One tab's identity: its credentials, its route, and everything that must end with it.
//!
//! Only this file and `authenticate` see a password. A context owns its upstream connections, so none is
//! ever shared between tabs, and releasing it ends whatever it has in flight.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use parking_lot::{Mutex, RwLock};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::error::ContextError;
use crate::limits::{Admission, Breakers, ContextLimits};
use crate::route::Route;
use crate::upstream::Pool;

/// What the embedder must know of a context: the credentials its tab sends.
#[derive(Clone)]
pub struct ContextInfo {
    /// Names the context in events and for [`Server::release_context`](crate::Server::release_context).
    pub id: String,
    /// The user name of its Basic credentials.
    pub username: String,
    /// The password of its Basic credentials: 128 random bits.
    pub password: Zeroizing<String>,
    /// The `WebContents` it was made for.
    pub web_contents_id: u32,
}

impl fmt::Debug for ContextInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextInfo").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A live context.
pub(crate) struct Context {
    pub(crate) id: String,
    pub(crate) web_contents_id: u32,
    pub(crate) route: Option<Route>,
    pub(crate) pool: Pool,
    /// What it is limited to; `None` where it is not.
    pub(crate) admission: Option<Admission>,
    pub(crate) breakers: Option<Breakers>,
    /// Cancelled when the context is released, or the server stopped.
    pub(crate) released: CancellationToken,
    password: Zeroizing<String>,
    /// What carries its exchanges, to be cut when it is released.
    carriers: Mutex<HashMap<u64, (CancellationToken, Arc<AtomicBool>)>>,
    carried: AtomicU64,
}

impl Context {
    /// Whether this is the context's password, in time that does not depend on where it differs.
    pub(crate) fn has_password(&self, password: &[u8]) -> bool {
        self.password.as_bytes().ct_eq(password).into()
    }

    /// Remembers what carries its exchanges: releasing the context must cut it, or a response stalled on a
    /// client that does not read would outlive the context.
    pub(crate) fn carried_by(self: &Arc<Self>, cut: CancellationToken) -> Arc<Carrier> {
        let number = self.carried.fetch_add(1, Relaxed);
        // For an exchange that begins now: who drains must not take it for one that waits.
        let busy = Arc::new(AtomicBool::new(true));
        self.carriers.lock().insert(number, (cut.clone(), Arc::clone(&busy)));
        let registered = Some(Registered { number, cut, busy });
        Arc::new(Carrier { context: Arc::clone(self), registered })
    }

    /// The same for HTTP/2 streams, which end with the context by themselves.
    pub(crate) fn carried_by_streams(self: &Arc<Self>) -> Arc<Carrier> {
        Arc::new(Carrier { context: Arc::clone(self), registered: None })
    }

    /// Cuts what is in flight before anything else: none of it shall still be told that it was cut.
    fn release(&self) {
        self.cut_in_flight();
        self.released.cancel();
        self.cut_in_flight();
        self.pool.close();
    }

    fn cut_in_flight(&self) {
        self.cut(true);
    }

    fn cut(&self, in_flight: bool) {
        for (cut, busy) in self.carriers.lock().values() {
            if busy.load(SeqCst) == in_flight {
                cut.cancel();
            }
        }
    }
}

/// What carries a context's exchanges: an HTTP/1.1 connection, one after the other, or HTTP/2 streams.
pub(crate) struct Carrier {
    pub(crate) context: Arc<Context>,
    registered: Option<Registered>,
}

struct Registered {
    number: u64,
    cut: CancellationToken,
    /// Whether there is an exchange to cut; a connection that waits for its next request is not touched.
    busy: Arc<AtomicBool>,
}

impl Carrier {
    pub(crate) fn begin(&self) {
        let Some(Registered { cut, busy, .. }) = &self.registered else { return };
        busy.store(true, SeqCst);
        if self.context.released.is_cancelled() {
            cut.cancel();
        }
    }

    pub(crate) fn end(&self) {
        if let Some(Registered { busy, .. }) = &self.registered {
            busy.store(false, SeqCst);
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        if let Some(Registered { number, .. }) = &self.registered {
            self.context.carriers.lock().remove(number);
        }
    }
}

/// The contexts of one server.
#[derive(Default)]
pub(crate) struct Contexts(RwLock<Registry>);

#[derive(Default)]
struct Registry {
    by_id: HashMap<String, Arc<Context>>,
    by_web_contents: HashMap<u32, String>,
    stopped: bool,
}

impl Contexts {
    /// Makes a context; one that the `WebContents` already had is released.
    pub(crate) fn create(
        &self,
        web_contents_id: u32,
        route: Option<Route>,
        limits: &ContextLimits,
        stop: &CancellationToken,
    ) -> Result<ContextInfo, ContextError> {
        let id = format!("wc-{web_contents_id}-{}", random_hex::<8>()?);
        let password = Zeroizing::new(random_hex::<16>()?);
        let context = Arc::new(Context {
            id: id.clone(),
            web_contents_id,
            route,
            pool: Pool::default(),
            admission: Admission::new(limits),
            breakers: limits.breaker.map(Breakers::new),
            released: stop.child_token(),
            password: password.clone(),
            carriers: Mutex::default(),
            carried: AtomicU64::new(0),
        });
        let replaced = self.0.write().insert(context)?;
        if let Some(replaced) = replaced {
            replaced.release();
        }
        Ok(ContextInfo { username: id.clone(), id, password, web_contents_id })
    }

    /// Releases a context and everything it has in flight.
    pub(crate) fn release(&self, id: &str) -> Result<(), ContextError> {
        let Some(context) = self.0.write().remove(id)? else { return Ok(()) };
        context.release();
        Ok(())
    }

    /// Releases every context, and refuses new ones from now on.
    pub(crate) fn stop(&self) {
        let mut registry = self.0.write();
        registry.stopped = true;
        registry.by_web_contents.clear();
        let contexts: Vec<_> = registry.by_id.drain().collect();
        drop(registry);
        for (_, context) in contexts {
            context.release();
        }
    }

    /// The live context with this user name.
    pub(crate) fn by_username(&self, username: &str) -> Option<Arc<Context>> {
        self.0.read().by_id.get(username).cloned()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.read().by_id.len()
    }

    /// Ends the HTTP/1.1 connections that wait for their next request.
    pub(crate) fn cut_waiting(&self) {
        for context in self.0.read().by_id.values() {
            context.cut(false);
        }
    }

    /// Closes the upstream connections that have been idle for too long, and forgets old failures.
    pub(crate) fn close_idle_upstreams(&self) {
        for context in self.0.read().by_id.values() {
            context.pool.close_idle();
            context.breakers.as_ref().inspect(|breakers| breakers.forget_old());
        }
    }
}

impl Registry {
    fn insert(&mut self, context: Arc<Context>) -> Result<Option<Arc<Context>>, ContextError> {
        if self.stopped {
            return Err(ContextError::Stopped);
        }
        let replaced = self.by_web_contents.insert(context.web_contents_id, context.id.clone());
        self.by_id.insert(context.id.clone(), context);
        Ok(replaced.and_then(|id| self.by_id.remove(&id)))
    }

    /// A stopped server holds no context any more, so there is nothing left to release: that is no error.
    fn remove(&mut self, id: &str) -> Result<Option<Arc<Context>>, ContextError> {
        match self.by_id.remove(id) {
            Some(context) => {
                self.by_web_contents.remove(&context.web_contents_id);
                Ok(Some(context))
            }
            None if self.stopped => Ok(None),
            None => Err(ContextError::Unknown(id.to_owned())),
        }
    }
}

/// So many random bytes, in hexadecimal digits.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, ContextError> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| ContextError::Random)?;
    let mut hex = String::with_capacity(2 * BYTES);
    for byte in bytes.iter() {
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}
