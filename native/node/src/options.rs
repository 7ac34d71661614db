//! The options of `listen`, and the arguments of the two other factories, as the engine's options.
//!
//! The structures declare what TypeScript sees. No value has their type: [`listen`] reads the members one by
//! one, so that each can be refused by its name.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use tabport_engine::authority::Authority;
use tabport_engine::{Bind, ServerOptions, Timeouts};

use crate::argument::{Argument, Fields};
use crate::certificate::{self, CertificateOptions};
use crate::error::Failure;
use crate::limits::{self, ProxyLimits};
use crate::queue::EventQueue;
use crate::upstream_proxy::{self, ProxyFunction};

/// Options of `ProxyServer.listen`. A member it does not know is an error.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct ListenOptions {
    /// The address to listen on: an IP address, or `localhost`, which means `127.0.0.1`.
    ///
    /// @defaultValue `127.0.0.1`
    pub host: Option<String>,
    /// The port to listen on, from 0 to 65535; 0 asks the system for a free one. Not together with `autoPort`.
    ///
    /// @defaultValue `0`
    pub port: Option<u32>,
    /// Takes the first free port of a range. Not together with `port`.
    pub auto_port: Option<AutoPort>,
    /// Whether HTTP/2 is served beside HTTP/1.1, on the same port: by prior knowledge, and inside TLS by ALPN.
    ///
    /// @defaultValue `true`
    pub http2: Option<bool>,
    /// Whether the proxy itself is spoken to in TLS, as `https://127.0.0.1:port`, with a certificate of its own
    /// authority. A browser then sends all that a page asks for over one HTTP/2 connection, without the limits it
    /// sets itself for HTTP/1.1; Chromium has one for each top-level site. With `http2: false` it is HTTP/1.1
    /// over TLS. Plain requests are not served on that port.
    ///
    /// @defaultValue `false`
    pub secure: Option<bool>,
    /// The authority that clients have to trust.
    pub certificates: Option<CertificateOptions>,
    /// PEM certificates that are trusted for upstreams in addition to the platform's roots.
    pub extra_ca: Option<String>,
    /// The address really dialled for an authority, `host:port` to `ip:port`, as curl's `--connect-to`: for
    /// staging and for tests.
    #[napi(ts_type = "Record<string, string>")]
    pub connect_to: Option<HashMap<String, String>>,
    /// The next proxy. Every upstream that is not on this machine is reached through it, those of routes too,
    /// plain HTTP included; loopback and what `connectTo` names never are.
    ///
    /// A URL: `http://`, `https://` (TLS to the proxy, verified like any other) or `socks5://`, with credentials
    /// where it wants them, percent-encoded: `http://user:password@proxy.example:3128`. Or a function that is
    /// given a URL without path and query, such as `https://site.example/`, and gives or promises the URL of
    /// a proxy or what a PAC script would answer: `PROXY a.example:3128; SOCKS5 b.example:1080; DIRECT`. The next
    /// on such a list is used when one cannot be reached. A tunnel is asked about as `https`. The function is
    /// asked at the first contact with an origin, and again when its answer is half a minute old. When it
    /// throws, rejects, gives anything else or takes longer than `timeouts.connect`, the request fails with 502.
    ///
    /// Names are resolved by the next proxy, not here. So it alone decides whether a public name leads to a
    /// loopback address, of the machine that it runs on.
    #[napi(ts_type = "string | ((url: string) => string | Promise<string>)")]
    pub upstream_proxy: Option<()>,
    /// Limits on time, in milliseconds.
    pub timeouts: Option<ProxyTimeouts>,
    /// Limits on everything else. Heads have one by default; the rest is off until it is set.
    pub limits: Option<ProxyLimits>,
    /// Whether `host` may be an address other than loopback. Whoever reaches the proxy then still needs the
    /// credentials of a context, but sends them in clear.
    ///
    /// @defaultValue `false`
    pub allow_non_loopback: Option<bool>,
    /// Receives every event. Events only observe: nothing waits for the callback. It does not keep the
    /// process alive. When the application is busy for so long that 8192 events are waiting, further ones are
    /// dropped, and counted in `stats().total.eventsDropped`. What it throws is an uncaught exception.
    #[napi(ts_type = "(event: ProxyEvent) => void")]
    pub on_event: Option<()>,
}

/// A range of ports to try, one after the other.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct AutoPort {
    /// The first port to try, from 1 to 65535.
    pub start: u32,
    /// How many ports to try, from 1 to 65535. No port after 65535 is tried.
    pub attempts: u32,
}

/// Limits on time, in whole milliseconds, from 1 to 2147483647. A stream that keeps moving is never cut.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct ProxyTimeouts {
    /// Resolving an upstream's name and connecting to it; finding the next proxy, and getting a tunnel from it.
    ///
    /// @defaultValue `10000`
    pub connect: Option<u32>,
    /// A TLS handshake, with an upstream or with a client.
    ///
    /// @defaultValue `10000`
    pub tls_handshake: Option<u32>,
    /// Receiving a request's head, and how long a connection may wait for its next request; one that speaks HTTP/2
    /// is told to end after that time without a stream, and at most twice that.
    ///
    /// @defaultValue `60000`
    pub request_head: Option<u32>,
    /// Waiting for an upstream's response head once the request is sent.
    ///
    /// @defaultValue `300000`
    pub response_head: Option<u32>,
    /// How long a body or a tunnel may move no byte; 0 is for ever. An upload that its client lets stand still is
    /// answered 408, one that the upstream does not take 504; a response, one that an HTTP/2 client opens no
    /// window for included, and a tunnel are broken off.
    ///
    /// @defaultValue `0`
    pub idle: Option<u32>,
    /// How long a half-closed tunnel may move no byte.
    ///
    /// @defaultValue `30000`
    pub half_close: Option<u32>,
}

/// What a server is started with: the engine's part, and the queue that leads back to JavaScript.
pub(crate) struct Start {
    pub(crate) options: ServerOptions,
    pub(crate) events: Option<Arc<EventQueue>>,
    pub(crate) proxies: Option<Arc<ProxyFunction>>,
}

impl Start {
    fn with_bind(bind: Bind, http2: bool) -> Self {
        let options = ServerOptions { bind, http2, ..ServerOptions::default() };
        Self { options, events: None, proxies: None }
    }
}

/// The arguments of `ProxyServer.start`.
pub(crate) fn start(address: Unknown<'_>, http2: Unknown<'_>) -> Result<Start, Failure> {
    let address = listen_address(&Argument::new("listenAddr", address))?;
    let http2 = Argument::new("enableHttp2", http2).boolean()?;
    Ok(Start::with_bind(Bind::Address(address), http2))
}

/// The arguments of `ProxyServer.startWithAutoPort`.
pub(crate) fn start_with_auto_port(
    host: Unknown<'_>,
    start: Unknown<'_>,
    attempts: Unknown<'_>,
    http2: Unknown<'_>,
) -> Result<Start, Failure> {
    let bind = auto_port(
        ip_address(&Argument::new("host", host))?,
        &Argument::new("startPort", start),
        &Argument::new("maxAttempts", attempts),
    )?;
    Ok(Start::with_bind(bind, Argument::new("enableHttp2", http2).boolean()?))
}

/// The options of `ProxyServer.listen`.
pub(crate) fn listen(options: Unknown<'_>) -> Result<Start, Failure> {
    const MEMBERS: &[&str] = &[
        "host",
        "port",
        "autoPort",
        "http2",
        "secure",
        "certificates",
        "extraCa",
        "connectTo",
        "upstreamProxy",
        "timeouts",
        "limits",
        "allowNonLoopback",
        "onEvent",
    ];
    let Some(options) = Argument::new("options", options).present() else {
        let options = ServerOptions::default();
        return Ok(Start { options, events: None, proxies: None });
    };
    let fields = options.object(MEMBERS)?;
    let defaults = ServerOptions::default();
    let mut options = ServerOptions {
        bind: bind(&fields)?,
        http2: fields.get("http2")?.map_or(Ok(defaults.http2), |http2| http2.boolean())?,
        secure: fields.get("secure")?.map_or(Ok(false), |secure| secure.boolean())?,
        certificates: fields
            .get("certificates")?
            .map(certificate::options)
            .transpose()?
            .unwrap_or_default(),
        allow_non_loopback: fields.get("allowNonLoopback")?.map_or(Ok(false), |it| it.boolean())?,
        extra_ca: fields.get("extraCa")?.map(|pem| pem.string()).transpose()?,
        connect_to: fields.get("connectTo")?.map(connect_to).transpose()?.unwrap_or_default(),
        timeouts: fields.get("timeouts")?.map(timeouts).transpose()?.unwrap_or_default(),
        limits: fields.get("limits")?.map(limits::of_proxy).transpose()?.unwrap_or_default(),
        ..defaults
    };
    let upstream_proxy = fields.get("upstreamProxy")?;
    let upstream_proxy = upstream_proxy.as_ref().map(upstream_proxy::parse).transpose()?.unzip();
    options.upstream_proxy = upstream_proxy.0;
    let event_queue = |callback: Argument<'_>| EventQueue::new(&callback.function()?);
    let events = fields.get("onEvent")?.map(event_queue).transpose()?;
    options.on_event = events.as_ref().map(EventQueue::sink);
    Ok(Start { options, events, proxies: upstream_proxy.1.flatten() })
}

fn bind(fields: &Fields<'_>) -> Result<Bind, Failure> {
    let host =
        fields.get("host")?.map_or(Ok(Ipv4Addr::LOCALHOST.into()), |host| ip_address(&host))?;
    let port = fields.get("port")?;
    match (port, fields.get("autoPort")?) {
        (Some(port), Some(_)) => Err(port.refuse("and options.autoPort exclude each other")),
        (Some(port), None) => Ok(Bind::Address(SocketAddr::new(host, port.port(0..=u16::MAX)?))),
        (None, Some(range)) => {
            let range = range.object(&["start", "attempts"])?;
            auto_port(host, &range.require("start")?, &range.require("attempts")?)
        }
        (None, None) => Ok(Bind::Address(SocketAddr::new(host, 0))),
    }
}

fn auto_port(host: IpAddr, start: &Argument<'_>, attempts: &Argument<'_>) -> Result<Bind, Failure> {
    let start = start.port(1..=u16::MAX)?;
    let attempts = attempts.integer(1..=u32::from(u16::MAX))?;
    Ok(Bind::AutoPort { host, start, attempts })
}

fn timeouts(timeouts: Argument<'_>) -> Result<Timeouts, Failure> {
    const MEMBERS: &[&str] =
        &["connect", "tlsHandshake", "requestHead", "responseHead", "idle", "halfClose"];
    let fields = timeouts.object(MEMBERS)?;
    let at_least = |least, name, default| match fields.get(name)? {
        Some(limit) => limit.integer(least..=LONGEST_TIMEOUT).map(milliseconds),
        None => Ok(default),
    };
    let defaults = Timeouts::default();
    let idle = at_least(0, "idle", defaults.idle.unwrap_or_default())?;
    Ok(Timeouts {
        connect: at_least(1, "connect", defaults.connect)?,
        tls_handshake: at_least(1, "tlsHandshake", defaults.tls_handshake)?,
        request_head: at_least(1, "requestHead", defaults.request_head)?,
        response_head: at_least(1, "responseHead", defaults.response_head)?,
        idle: (!idle.is_zero()).then_some(idle),
        half_close: at_least(1, "halfClose", defaults.half_close)?,
    })
}

/// The longest that `setTimeout` takes: about 25 days.
const LONGEST_TIMEOUT: u32 = i32::MAX.unsigned_abs();

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

fn connect_to(map: Argument<'_>) -> Result<HashMap<Authority, SocketAddr>, Failure> {
    let entry = |(key, address): (String, Argument<'_>)| {
        let authority = key.parse().map_err(|_| {
            address.refuse("must be named by a host and a port, such as \"app.example:443\"")
        })?;
        let address = match address.parsed::<SocketAddr>(AN_ADDRESS)? {
            dialled if dialled.port() != 0 => dialled,
            _ => return Err(address.unexpected(AN_ADDRESS)),
        };
        Ok((authority, address))
    };
    map.record()?.entries()?.into_iter().map(entry).collect()
}

const AN_ADDRESS: &str = "an IP address and a port, such as \"127.0.0.1:8443\"";

/// `ip:port` or `localhost:port`.
fn listen_address(argument: &Argument<'_>) -> Result<SocketAddr, Failure> {
    const EXPECTED: &str =
        "an address to listen on, such as \"127.0.0.1:0\", \"[::1]:0\" or \"localhost:0\"";
    let text = argument.parsed::<String>(EXPECTED)?;
    let address = match text.rsplit_once(':') {
        Some(("localhost", port)) => format!("{}:{port}", Ipv4Addr::LOCALHOST),
        _ => text,
    };
    address.parse().map_err(|_| argument.unexpected(EXPECTED))
}

/// An IP address, or `localhost`: which of its addresses that is must not depend on the machine.
fn ip_address(argument: &Argument<'_>) -> Result<IpAddr, Failure> {
    const EXPECTED: &str = "an IP address or \"localhost\"";
    match argument.parsed::<String>(EXPECTED)?.as_str() {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        text => text.parse().map_err(|_| argument.unexpected(EXPECTED)),
    }
}
