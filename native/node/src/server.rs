//! `ProxyServer`, the class that JavaScript sees.

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{PromiseRaw, Unknown};
use napi_derive::napi;
use tabport_engine::Server;

use crate::argument::Argument;
use crate::certificate::Certificate;
use crate::error::{Failure, guard, throwing};
use crate::lifetime::Lifetime;
use crate::options::{self, Start};
use crate::promise::{in_background, rejected};
use crate::route;
use crate::signal::block_sigpipe;
use crate::stats::ProxyStats;

/// A forward proxy that knows which tab each request comes from.
///
/// It listens on loopback and speaks HTTP/1.1 and HTTP/2. Each tab has a *context*: credentials that its
/// requests carry, and a route that says where its `localhost` leads. It runs on threads of its own and does
/// not keep the process alive; it stops with `stop()`, or when the process or worker thread ends, not when
/// the object is collected.
///
/// What fails has a `code`: `ERR_TABPORT_INVALID_ARGUMENT` (any argument of a wrong type or value; the message
/// says which and why), `ERR_TABPORT_INTERNAL` (a bug, or a system without threads to spare), and those listed
/// with each method.
///
/// @example
/// ```ts
/// import { ProxyServer } from 'tabport'
///
/// const proxy = await ProxyServer.listen()
/// const tab = proxy.createContext(webContents.id, { upstream: 'https://{port}-abc.preview.example' })
///
/// // A client that uses 127.0.0.1:${proxy.port()} as its HTTP proxy, with tab.username and tab.password,
/// // now sees that workspace at http://localhost:3000.
///
/// proxy.releaseContext(tab.id)
/// await proxy.stop()
/// ```
#[napi]
pub struct ProxyServer {
    server: Server,
    lifetime: Arc<Lifetime>,
}

#[napi]
impl ProxyServer {
    /// Starts a proxy.
    ///
    /// @param listenAddr - A loopback address and a port: `127.0.0.1:0`, `[::1]:0`, or `localhost:0`, which means
    /// `127.0.0.1`. Port 0 asks the system for a free one.
    /// @param enableHttp2 - Whether HTTP/2 by prior knowledge is served beside HTTP/1.1, on the same port.
    /// @throws Rejects with `EADDRINUSE`, `EACCES` or `EADDRNOTAVAIL` when the address cannot be bound; `port`,
    /// `address` and `syscall` are set as Node sets them. `ERR_TABPORT_NON_LOOPBACK`: the address is not loopback.
    #[napi(
        ts_args_type = "listenAddr: string, enableHttp2: boolean",
        ts_return_type = "Promise<ProxyServer>"
    )]
    pub fn start<'env>(
        env: &'env Env,
        listen_addr: Unknown<'env>,
        enable_http2: Unknown<'env>,
    ) -> napi::Result<PromiseRaw<'env, ProxyServer>> {
        Self::begin(env, || options::start(listen_addr, enable_http2))
    }

    /// Starts a proxy on the first free port of a range.
    ///
    /// Only a port that is in use moves on to the next one; no port after 65535 is tried.
    ///
    /// @param host - A loopback address, such as `127.0.0.1` or `::1`, or `localhost`, which means `127.0.0.1`.
    /// @param startPort - The first port to try, from 1 to 65535.
    /// @param maxAttempts - How many ports to try, from 1 to 65535.
    /// @param enableHttp2 - Whether HTTP/2 by prior knowledge is served beside HTTP/1.1, on the same port.
    /// @throws Rejects with `ERR_TABPORT_NO_FREE_PORT` when all are in use, and otherwise as `start` does.
    #[napi(
        ts_args_type = "host: string, startPort: number, maxAttempts: number, enableHttp2: boolean",
        ts_return_type = "Promise<ProxyServer>"
    )]
    pub fn start_with_auto_port<'env>(
        env: &'env Env,
        host: Unknown<'env>,
        start_port: Unknown<'env>,
        max_attempts: Unknown<'env>,
        enable_http2: Unknown<'env>,
    ) -> napi::Result<PromiseRaw<'env, ProxyServer>> {
        Self::begin(env, || {
            options::start_with_auto_port(host, start_port, max_attempts, enable_http2)
        })
    }

    /// Starts a proxy with any of its options.
    ///
    /// @throws Rejects with `ERR_TABPORT_CERTIFICATE` when `extraCa` holds no certificate that can be read, or no
    /// authority can be made or kept as `certificates` asks,
    /// `ERR_TABPORT_NON_LOOPBACK` when the host is not loopback and `allowNonLoopback` is not set,
    /// `ERR_TABPORT_NO_FREE_PORT` when all ports of `autoPort` are in use, and otherwise as `start` does.
    #[napi(ts_args_type = "options?: ListenOptions", ts_return_type = "Promise<ProxyServer>")]
    pub fn listen<'env>(
        env: &'env Env,
        options: Unknown<'env>,
    ) -> napi::Result<PromiseRaw<'env, ProxyServer>> {
        Self::begin(env, || options::listen(options))
    }

    /// The TCP port it listens on; after `stop()`, the one it listened on.
    #[napi]
    pub fn port(&self, env: Env) -> napi::Result<u32> {
        throwing(env, || Ok(self.server.local_addr().port().into()))
    }

    /// The authority that clients have to trust, for `https://` to routed loopback names and for a secure listener:
    /// valid for five years. Its key never leaves the addon, but for the file in `certificates.directory`.
    #[napi]
    pub fn certificate_authority(&self, env: Env) -> napi::Result<Certificate> {
        throwing(env, || Ok(self.server.certificate_authority().into()))
    }

    /// The certificate of a secure listener, to be pinned; `null` where the listener is not secure. It is another at each
    /// start, valid for 397 days, and made anew a day before it ends.
    #[napi(ts_return_type = "Certificate | null")]
    pub fn listener_certificate(&self, env: Env) -> napi::Result<Option<Certificate>> {
        throwing(env, || Ok(self.server.listener_certificate().as_ref().map(Into::into)))
    }

    /// Makes the context of a tab. One that the same `WebContents` already had is released.
    ///
    /// @param webContentsId - `webContents.id`, or any other integer from 0 to 2147483647.
    /// @param route - Where the context's loopback names (`localhost`, `*.localhost`, `127.0.0.0/8`, `::1`) lead.
    /// Without one they lead to the machine itself.
    /// @throws `ERR_TABPORT_INVALID_ROUTE`: the message names the field; `ERR_TABPORT_STOPPED`.
    #[napi(
        ts_args_type = "webContentsId: number, route?: ProxyRoute | GatewayRoute | UpstreamRoute"
    )]
    pub fn create_context(
        &self,
        env: Env,
        web_contents_id: Unknown<'_>,
        route: Unknown<'_>,
    ) -> napi::Result<ProxyContextInfo> {
        throwing(env, || {
            let id = Argument::new("webContentsId", web_contents_id)
                .integer(0..=i32::MAX.unsigned_abs())?;
            let (route, limits) = route::parse(route, self.server.context_limits())?;
            let context = self.server.create_context_with_limits(id, route, &limits)?;
            Ok(ProxyContextInfo {
                id: context.id,
                username: context.username,
                password: context.password.to_string(),
                web_contents_id: context.web_contents_id,
            })
        })
    }

    /// Releases a context: its credentials die, and its requests, tunnels and upstream connections end. After
    /// `stop()` there is none left, and this does nothing.
    ///
    /// @param contextId - The context's `id`.
    /// @throws `ERR_TABPORT_UNKNOWN_CONTEXT`: there is no such context, or it is released already.
    #[napi(ts_args_type = "contextId: string")]
    pub fn release_context(&self, env: Env, context_id: Unknown<'_>) -> napi::Result<()> {
        throwing(env, || {
            let id = Argument::new("contextId", context_id).string()?;
            Ok(self.server.release_context(&id)?)
        })
    }

    /// A snapshot of the counters.
    #[napi]
    pub fn stats(&self, env: Env) -> napi::Result<ProxyStats> {
        throwing(env, || Ok(ProxyStats::new(&self.server.stats(), self.lifetime.events_dropped())))
    }

    /// Stops: ends all traffic and frees the port. Resolves when the proxy's threads have ended, within about a
    /// second; events of what it ended may still arrive after that. It may be called again.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn stop<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let lifetime = Arc::clone(&self.lifetime);
        in_background(env, "tabport-stop", move || {
            lifetime.end();
            Ok(())
        })
    }

    fn begin(
        env: &Env,
        parse: impl FnOnce() -> Result<Start, Failure>,
    ) -> napi::Result<PromiseRaw<'_, ProxyServer>> {
        let begun = guard(|| {
            let Start { options, events, proxies } = parse()?;
            Ok((Lifetime::begin(*env, events, proxies)?, options))
        });
        match begun {
            Ok((lifetime, options)) => in_background(env, "tabport-start", move || {
                block_sigpipe();
                let server = lifetime.start(options)?;
                Ok(Self { server, lifetime })
            }),
            Err(failure) => rejected(env, failure),
        }
    }
}

/// What a tab must know of its context.
#[napi(object, object_from_js = false)]
pub struct ProxyContextInfo {
    /// Names the context in events and for `releaseContext`.
    pub id: String,
    /// The user name of its proxy credentials.
    pub username: String,
    /// The password of its proxy credentials: 32 hexadecimal digits.
    pub password: String,
    /// The `WebContents` it was made for.
    pub web_contents_id: u32,
}
