//! Ties a server to the Node environment that started it.
//!
//! Like a `net.Server`, a running proxy outlives its handle: collecting the handle does not stop it. It must
//! not outlive its environment, though: when a worker thread or the process ends, the server is stopped and
//! its threads are joined, while the callbacks they may be calling are still there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::Env;
use tabport_engine::{Server, ServerOptions};

use crate::error::{Failure, guard};
use crate::queue::EventQueue;
use crate::upstream_proxy::ProxyFunction;

/// A server from before its start to after its end.
pub(crate) struct Lifetime {
    state: Mutex<State>,
    events: Option<Arc<EventQueue>>,
    proxies: Option<Arc<ProxyFunction>>,
}

enum State {
    Starting,
    Running(Server),
    Over,
}

impl Lifetime {
    /// Begins it, within an environment. Clean-up hooks run last in, first out, and the callbacks have
    /// their own: they must exist before this, to be torn down after the server has stopped.
    pub(crate) fn begin(
        env: Env,
        events: Option<Arc<EventQueue>>,
        proxies: Option<Arc<ProxyFunction>>,
    ) -> Result<Arc<Self>, Failure> {
        let lifetime = Arc::new(Self { state: Mutex::new(State::Starting), events, proxies });
        // The hook stays until the environment ends: once the server is stopped, it holds next to nothing.
        env.add_env_cleanup_hook(Arc::clone(&lifetime), |lifetime| {
            // Node calls this, and nothing may unwind into it.
            let _ = guard(|| {
                lifetime.end();
                Ok(())
            });
        })?;
        Ok(lifetime)
    }

    /// Starts the server. The environment may end meanwhile: it then waits for this, or forestalls it.
    pub(crate) fn start(&self, options: ServerOptions) -> Result<Server, Failure> {
        let mut state = self.state();
        if matches!(*state, State::Over) {
            return Err(Failure::stopped());
        }
        let started = Server::start(options);
        *state = match &started {
            Ok(server) => State::Running(server.clone()),
            Err(_) => State::Over,
        };
        drop(state);
        if started.is_err() {
            self.end();
        }
        Ok(started?)
    }

    /// Stops the server, if it runs, and lets go of everything. Every call returns when that is done.
    pub(crate) fn end(&self) {
        let server = match &*self.state() {
            State::Running(server) => Some(server.clone()),
            State::Starting | State::Over => None,
        };
        if let Some(server) = server {
            server.stop();
        }
        *self.state() = State::Over;
        if let Some(events) = &self.events {
            events.close();
        }
        if let Some(proxies) = &self.proxies {
            proxies.close();
        }
    }

    /// How many events were dropped because JavaScript did not keep up.
    pub(crate) fn events_dropped(&self) -> u64 {
        self.events.as_ref().map_or(0, |events| events.dropped())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
