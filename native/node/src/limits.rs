//! The limits of a server and of a context, as the engine's.
//!
//! The structures declare what TypeScript sees. As everywhere, the members are read one by one, so that each
//! can be refused by its name. 0 turns a limit off, which is how a context leaves a limit of the server's.

use std::num::NonZeroU32;
use std::time::Duration;

use napi_derive::napi;
use tabport_engine::{self as engine, BreakerLimits, Limits, Rate};

use crate::argument::{Argument, Fields};
use crate::error::Failure;

/// Limits of a proxy. Who is over one is told at once: nothing waits in a queue.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct ProxyLimits {
    /// Bytes of a request's head, its request line and fields, from 1024 to 1048576. Beyond it the answer is
    /// 431. In HTTP/2 it is the size of the list of fields, where each field counts 32 bytes more.
    ///
    /// @defaultValue `65536`
    pub head_bytes: Option<u32>,
    /// Fields of a request's head, from 1 to 32768. Beyond it the answer is 431.
    ///
    /// @defaultValue `128`
    pub head_fields: Option<u32>,
    /// Connections from clients that are open at once, those that have become tunnels included; 0 is any number.
    /// A further one is answered 503 with `Retry-After`, before it has asked for anything, and closed, by a secure
    /// listener without the answer; only an `error` event shows it.
    ///
    /// @defaultValue `0`
    pub connections: Option<u32>,
    /// The limits of each context, counted for each on its own. A route's `limits` come before them.
    pub context: Option<ContextLimits>,
}

/// Limits of one context. All are off unless they are set; 0 turns one off that the proxy's `limits.context` has
/// set.
#[napi(object, object_from_js = false)]
pub struct ContextLimits {
    /// Requests in flight at once, each from its head to the end of its response; streams of HTTP/2 and what is
    /// sent through the tunnel of a `ws://localhost` are requests too. A WebSocket counts until it is open, and
    /// among `tunnels` from its request on. A further one is answered 503 with `Retry-After`.
    ///
    /// @defaultValue `0`
    pub concurrent_requests: Option<u32>,
    /// Tunnels at once: by CONNECT, as browsers open `https:` and `ws:` (a WebSocket inside is one with it; over
    /// HTTP/2 each is one of its own), or by an upgrade. A further one is answered 503 with `Retry-After`.
    ///
    /// @defaultValue `0`
    pub tunnels: Option<u32>,
    /// Requests a second, evenly spaced; at most 1000000. A further one is answered 429 with `Retry-After`.
    ///
    /// @defaultValue `0`
    pub requests_per_second: Option<u32>,
    /// How many requests may come at once, from 1 to 1000000, after a time with none. Only with `requestsPerSecond`.
    ///
    /// @defaultValue as many as `requestsPerSecond`
    pub burst: Option<u32>,
    /// Leaves an upstream that cannot be reached alone for a while.
    pub breaker: Option<CircuitBreaker>,
}

/// When a context stops dialling an upstream (a scheme, a host and a port), and for how long.
#[napi(object, object_from_js = false)]
pub struct CircuitBreaker {
    /// How many attempts to connect must fail in a row, by DNS, TCP, TLS or time; 0 is never. An answer of the
    /// upstream's, whatever its status, is no failure, and neither is a client that leaves.
    pub failures: u32,
    /// For how many milliseconds what needs a new connection to it is answered 503, with the rest of them in
    /// `Retry-After`, from 1 to 2147483647. After that one attempt is let through, and decides.
    ///
    /// @defaultValue `5000`
    pub open_ms: Option<u32>,
}

const MOST: u32 = i32::MAX.unsigned_abs();
const MOST_PER_SECOND: u32 = 1_000_000;
const OPEN_MS: u32 = 5000;

/// The `limits` of a proxy.
pub(crate) fn of_proxy(limits: Argument<'_>) -> Result<Limits, Failure> {
    let fields = limits.object(&["headBytes", "headFields", "connections", "context"])?;
    let defaults = Limits::default();
    let given = |name, range| fields.get(name)?.map(|limit| limit.integer(range)).transpose();
    Ok(Limits {
        head_bytes: given("headBytes", 1024..=1 << 20)?.unwrap_or(defaults.head_bytes),
        head_fields: given("headFields", 1..=1 << 15)?.unwrap_or(defaults.head_fields),
        connections: unless_zero(&fields, "connections", MOST, defaults.connections)?,
        context: match fields.get("context")? {
            Some(context) => of_context(context, &defaults.context)?,
            None => defaults.context,
        },
    })
}

/// The limits of a context; those left out are the server's.
pub(crate) fn of_context(
    limits: Argument<'_>,
    server: &engine::ContextLimits,
) -> Result<engine::ContextLimits, Failure> {
    const MEMBERS: &[&str] =
        &["concurrentRequests", "tunnels", "requestsPerSecond", "burst", "breaker"];
    let fields = limits.object(MEMBERS)?;
    let requests = server.concurrent_requests;
    Ok(engine::ContextLimits {
        concurrent_requests: unless_zero(&fields, "concurrentRequests", MOST, requests)?,
        tunnels: unless_zero(&fields, "tunnels", MOST, server.tunnels)?,
        rate: rate(&fields, server.rate)?,
        breaker: match fields.get("breaker")? {
            Some(limits) => breaker(limits)?,
            None => server.breaker,
        },
    })
}

/// A burst goes with its rate: a context with a rate of its own does not take on the server's burst.
fn rate(fields: &Fields<'_>, server: Option<Rate>) -> Result<Option<Rate>, Failure> {
    let own = fields.get("requestsPerSecond")?;
    let server = server.filter(|_| own.is_none());
    let own = own.map(|limit| limit.integer(0..=MOST_PER_SECOND)).transpose()?;
    let own = own.and_then(NonZeroU32::new).map(|limit| Rate { per_second: limit, burst: limit });
    let rate = own.or(server);
    let Some(burst) = fields.get("burst")? else { return Ok(rate) };
    let size = NonZeroU32::new(burst.integer(1..=MOST_PER_SECOND)?);
    match (rate, size) {
        (Some(rate), Some(burst)) => Ok(Some(Rate { burst, ..rate })),
        _ => Err(burst.refuse("needs requestsPerSecond beside it")),
    }
}

fn breaker(limits: Argument<'_>) -> Result<Option<BreakerLimits>, Failure> {
    let fields = limits.object(&["failures", "openMs"])?;
    let failures = NonZeroU32::new(fields.require("failures")?.integer(0..=MOST)?);
    let open = fields.get("openMs")?.map_or(Ok(OPEN_MS), |open| open.integer(1..=MOST))?;
    let open = Duration::from_millis(open.into());
    Ok(failures.map(|failures| BreakerLimits { failures, open }))
}

fn unless_zero(
    fields: &Fields<'_>,
    name: &str,
    most: u32,
    default: Option<NonZeroU32>,
) -> Result<Option<NonZeroU32>, Failure> {
    match fields.get(name)? {
        Some(limit) => limit.integer(0..=most).map(NonZeroU32::new),
        None => Ok(default),
    }
}
