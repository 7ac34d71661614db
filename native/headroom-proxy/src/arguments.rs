//! Flags and environment, parsed before anything starts: what does not fit is told in one line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, Parser, Subcommand};
use ipnet::IpNet;
use tabport_door::{CertificateError, CertificateFiles};
use tabport_engine::{BaseUrl, BufferLimits, ServerCertificate, UpstreamProxy};

use crate::listen::Listen;
use crate::{log, next_proxy};

/// Passes every request on to one upstream, and every response back, as they are.
#[derive(Debug, Parser)]
#[command(
    name = "headroom-proxy",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where to listen: an address such as 0.0.0.0:8787, localhost:PORT, fd:N for a socket that was handed over, or
    /// systemd for those of its socket activation
    #[arg(
        long,
        env = "HEADROOM_PROXY_LISTEN",
        value_name = "ADDR",
        default_value = "0.0.0.0:8787"
    )]
    pub(crate) listen: Listen,
    /// Let others listen on the same address, too, if they say the same (`SO_REUSEPORT`)
    #[arg(long)]
    pub(crate) reuse_port: bool,
    /// Take the listening socket of this process, so that no connection is refused meanwhile (Linux)
    #[arg(long, value_name = "PID")]
    pub(crate) take_over: Option<u32>,
    /// Where everything leads: an http or https URL, perhaps with a path to put before all others
    #[arg(
        long,
        env = "HEADROOM_PROXY_UPSTREAM",
        value_name = "URL",
        hide_env_values = true,
        required = true
    )]
    upstream: Option<String>,
    /// How long nothing may move, in either direction, once a request is on its way: until the response begins, and
    /// from then on. A stream that keeps sending is never cut
    #[arg(long, value_name = "TIME", value_parser = some_time, default_value = "600s")]
    pub(crate) upstream_timeout: Duration,
    /// How long connecting to the upstream may take, and the TLS handshake after that
    #[arg(long, value_name = "TIME", value_parser = some_time, default_value = "10s")]
    pub(crate) upstream_connect_timeout: Duration,
    /// The longest request body that --buffer-requests takes; what is streamed may be of any length
    #[arg(long, value_name = "SIZE", default_value = "100MB")]
    pub(crate) max_body_bytes: ByteSize,
    /// Read a request's body whole before the upstream is asked
    #[arg(long)]
    pub(crate) buffer_requests: bool,
    /// The most that --buffer-requests holds of all requests at once [default: 512MB, or --max-body-bytes if that is
    /// more]
    #[arg(long, value_name = "SIZE")]
    max_buffered_bytes: Option<ByteSize>,
    /// What is logged: a level, or several of TARGET=LEVEL with commas between
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub(crate) log_level: String,
    /// Tell the upstream its own authority as Host; this is the default
    #[arg(
        long,
        action = ArgAction::Set,
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        value_name = "true|false"
    )]
    pub(crate) rewrite_host: bool,
    /// Tell the upstream the Host that the client has asked for
    #[arg(long)]
    pub(crate) no_rewrite_host: bool,
    /// How long what is in flight may take to end after SIGTERM or SIGINT
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    pub(crate) graceful_shutdown_timeout: Duration,
    /// The networks of proxies in front of this one, whose X-Forwarded-Proto and -Host are kept [default: none]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// The upstream's path that says whether it is well
    #[arg(long, value_name = "PATH", value_parser = path, default_value = "/healthz")]
    pub(crate) upstream_health_path: String,
    /// Speak HTTP/1.1 to an https upstream that could do HTTP/2
    #[arg(long)]
    pub(crate) upstream_http1: bool,
    /// Another proxy on the way to the upstream: http://, https:// or socks5://, or env for what `HTTP_PROXY`,
    /// `HTTPS_PROXY` and `NO_PROXY` say [default: none, whatever they say]
    #[arg(long, value_name = "URL|env")]
    pub(crate) upstream_proxy: Option<String>,
    /// A PEM file with certificates to trust besides the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) extra_ca: Option<PathBuf>,
    /// How long a WebSocket may move no byte [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    pub(crate) websocket_idle_timeout: Option<Duration>,
    /// A PEM file with the certificate, and what leads to a root, for clients to speak TLS; SIGHUP reads it again
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// A PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How many threads serve connections [default: as many as there are processors]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: Option<u16>,
}

/// What to do other than being a proxy.
#[derive(Debug, Subcommand)]
enum Command {
    Health(HealthArguments),
}

/// Asks a running one for its /healthz: 0 if it takes requests, and 1 if it does not answer
#[derive(Debug, Args)]
struct HealthArguments {
    /// Its --listen address
    #[arg(env = "HEADROOM_PROXY_LISTEN", value_name = "ADDR", default_value = "0.0.0.0:8787")]
    address: Listen,
}

/// What the command line asks for.
pub(crate) enum Outcome {
    Run(Box<Arguments>),
    /// To ask the one that listens there how it is.
    AskHealth(SocketAddr),
    /// The help, or the version.
    Print(String),
    /// It makes no sense.
    Refuse(String),
}

/// Flags that make sense.
pub(crate) struct Arguments {
    pub(crate) flags: Flags,
    pub(crate) upstream: BaseUrl,
    pub(crate) upstream_proxy: Option<UpstreamProxy>,
}

impl Arguments {
    /// Reads the command line and the environment.
    pub(crate) fn read() -> Outcome {
        match Flags::try_parse() {
            Ok(Flags { command: Some(Command::Health(asked)), .. }) => {
                let unknown = || Outcome::Refuse("health: the address is needed".to_owned());
                asked.address.address().map_or_else(unknown, Outcome::AskHealth)
            }
            Ok(flags) => match Self::check(flags) {
                Ok(arguments) => Outcome::Run(Box::new(arguments)),
                Err(reason) => Outcome::Refuse(reason),
            },
            Err(error) => match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    Outcome::Print(error.to_string())
                }
                _ => Outcome::Refuse(one_line(&error.to_string())),
            },
        }
    }

    /// What these words say, and whatever the environment adds.
    #[cfg(test)]
    pub(crate) fn of(words: &[&str]) -> Self {
        Self::check(Flags::try_parse_from(words).unwrap()).unwrap()
    }

    /// What could not be checked where clap would repeat it: there may be credentials in a URL.
    fn check(flags: Flags) -> Result<Self, String> {
        let upstream = flags.upstream.as_deref().unwrap_or_default();
        let upstream: BaseUrl = upstream.parse().map_err(|error| format!("--upstream: {error}"))?;
        let upstream_proxy = flags
            .upstream_proxy
            .as_deref()
            .map_or(Ok(None), |text| next_proxy::read(text, &upstream))
            .map_err(|error| format!("--upstream-proxy {error}"))?;
        let names_socket = matches!(flags.listen, Listen::Descriptor(_) | Listen::Systemd);
        if flags.take_over.is_some() && names_socket {
            return Err("--take-over takes a socket, and --listen names one already".to_owned());
        }
        if flags.max_buffered_bytes.is_some_and(|all| all < flags.max_body_bytes) {
            return Err("--max-buffered-bytes is less than --max-body-bytes".to_owned());
        }
        log::filter(&flags.log_level).map_err(|error| format!("--log-level: {error}"))?;
        Ok(Self { flags, upstream, upstream_proxy })
    }

    /// How much of requests is held before the upstream is asked; `None` where nothing is.
    pub(crate) fn buffer_limits(&self) -> Option<BufferLimits> {
        let body = self.flags.max_body_bytes;
        let all = self.flags.max_buffered_bytes.unwrap_or(body.max(ByteSize::mb(512)));
        let limits = BufferLimits { body: body.as_u64(), all: all.as_u64() };
        self.flags.buffer_requests.then_some(limits)
    }

    /// The certificate as its files are now; `None` where clients speak no TLS.
    pub(crate) fn certificate(&self) -> Result<Option<ServerCertificate>, CertificateError> {
        let Flags { tls_cert, tls_key, .. } = &self.flags;
        let files = tls_cert.as_deref().zip(tls_key.as_deref());
        files.map(|(certificate, key)| CertificateFiles { certificate, key }.read()).transpose()
    }
}

/// What clap has to say, less the advice that follows it.
fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").map_or_else(|| line.clone(), str::to_owned)
}

/// What no clock can be set to is not for ever, but a panic.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("it must be longer than nothing".to_owned()),
        Ok(time) if time > LONGEST => Err("it must not be longer than a century".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

fn path(text: &str) -> Result<String, &'static str> {
    let fits = text.starts_with('/') && text.bytes().all(|it| it.is_ascii_graphic() && it != b'#');
    if fits { Ok(text.to_owned()) } else { Err("a path begins with a slash") }
}
