//! Flags and environment, parsed into the engine's own types: what does not fit is an error before anything
//! starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use ipnet::{IpNet, Ipv4Net};
use tabport_door::{CertificateError, CertificateFiles};
use tabport_engine::authority::Host;
use tabport_engine::workspace::{HostTemplate, WorkspaceNet, Workspaces};
use tabport_engine::{AllowedHost, Bind, ServerCertificate, ServerOptions};

use crate::limits::LimitArguments;
use crate::run::RunArguments;
#[cfg(target_os = "linux")]
use crate::run::relay::RelayArguments;

/// Leads requests to the servers of workspaces, by X-Cmux-Port-Internal and
/// X-Cmux-Workspace-Internal, or by a host such as workspace-1-3000.localhost.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Where to listen; an address that a wildcard covers is left out
    #[arg(
        long,
        env = "CMUX_LISTEN",
        value_name = "ADDR",
        value_delimiter = ',',
        default_value = "0.0.0.0:39379,127.0.0.1:39379"
    )]
    listen: Vec<SocketAddr>,
    /// Start even if only some of the addresses can be bound
    #[arg(long)]
    allow_partial_bind: bool,
    /// Where requests lead that name no workspace [default: 127.0.0.1]
    #[arg(long, env = "CMUX_UPSTREAM_HOST", value_name = "HOST")]
    upstream_host: Option<Host>,
    /// Whether a request may name no workspace [default: true, and with --workspace-host only where there is an
    /// --upstream-host]
    #[arg(
        long,
        env = "CMUX_ALLOW_DEFAULT_UPSTREAM",
        action = ArgAction::Set,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        value_name = "true|false"
    )]
    allow_default_upstream: Option<bool>,
    /// A file with the token that every request must carry in Proxy-Authorization, as Bearer or as the second half
    /// of Basic; of several, each on a line, any will do. SIGHUP reads it again. `CMUX_AUTH_TOKEN` may hold the same
    /// instead
    #[arg(long, value_name = "FILE")]
    pub(crate) auth_token_file: Option<PathBuf>,
    /// The networks whose peers need no token [default: loopback, and none where there is a token]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    trusted_peers: Option<Vec<IpNet>>,
    /// The hosts that a browser may ask for which needs no token, beside addresses and localhost; .HOST for those below
    /// it, too
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub(crate) allowed_hosts: Vec<AllowedHost>,
    /// Let in whoever reaches an address, to every port of this host
    #[arg(long, conflicts_with_all = ["auth_token_file", "trusted_peers"])]
    pub(crate) insecure_no_auth: bool,
    /// A PEM file with the certificate, and what leads to a root, for clients to speak TLS; SIGHUP reads it again
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// A PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where to answer /healthz and /metrics, to anyone who reaches it [default: nowhere]
    #[arg(long, env = "CMUX_ADMIN", value_name = "ADDR")]
    pub(crate) admin: Option<SocketAddr>,
    /// The network in which workspaces have their addresses, with a prefix of 8 to 24 bits
    #[arg(
        long,
        global = true,
        value_name = "CIDR",
        value_parser = workspace_net,
        default_value = "127.18.0.0/16"
    )]
    pub(crate) workspace_net: WorkspaceNet,
    /// The name of each workspace's host instead, such as '{workspace}.workspaces.svc.cluster.local.'
    #[arg(
        long,
        env = "CMUX_WORKSPACE_HOST",
        value_name = "TEMPLATE",
        conflicts_with = "workspace_net"
    )]
    workspace_host: Option<HostTemplate>,
    /// How long what is in flight may take to end after SIGTERM or SIGINT
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    pub(crate) graceful_shutdown_timeout: Duration,
    #[command(flatten)]
    limits: LimitArguments,
    /// How many threads serve connections [default: as many as there are processors]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// How the log on standard error looks; `RUST_LOG` says what is in it
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// What to do other than being a gateway.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Health(HealthArguments),
    Run(RunArguments),
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Relay(RelayArguments),
}

/// Asks a running gateway for its /healthz: 0 if it takes requests, and 1 if it drains or does not answer.
#[derive(Debug, Args)]
pub(crate) struct HealthArguments {
    /// Its --admin address
    #[arg(env = "CMUX_ADMIN", value_name = "ADDR")]
    pub(crate) address: SocketAddr,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

fn workspace_net(text: &str) -> Result<WorkspaceNet, String> {
    let net: Ipv4Net = text.parse().map_err(|_| "not an IPv4 network".to_owned())?;
    net.try_into().map_err(|error: tabport_engine::workspace::InvalidNet| error.to_string())
}

impl Arguments {
    /// The networks that are trusted. A token that is asked for is asked of everyone, unless it is said otherwise.
    pub(crate) fn trusted(&self, has_token: bool) -> Vec<IpNet> {
        match &self.trusted_peers {
            Some(networks) => networks.clone(),
            None if has_token => Vec::new(),
            None => LOOPBACK.to_vec(),
        }
    }

    /// Where workspaces are.
    pub(crate) fn workspaces(&self) -> Workspaces {
        let net = || Workspaces::Net(self.workspace_net);
        self.workspace_host.clone().map_or_else(net, Workspaces::Hosts)
    }

    /// Where requests lead that name no workspace; `None` where they must name one. Where workspaces are elsewhere,
    /// loopback has nothing for clients, but perhaps something for those who run the gateway.
    pub(crate) fn default_upstream(&self) -> Option<Host> {
        let usual = self.workspace_host.is_none() || self.upstream_host.is_some();
        let host = || self.upstream_host.clone().unwrap_or(Host::Ip(Ipv4Addr::LOCALHOST.into()));
        self.allow_default_upstream.unwrap_or(usual).then(host)
    }

    /// The certificate as its files are now; `None` where clients speak no TLS.
    pub(crate) fn certificate(&self) -> Result<Option<ServerCertificate>, CertificateError> {
        let files = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        files.map(|(certificate, key)| CertificateFiles { certificate, key }.read()).transpose()
    }

    /// What needs no file to be read.
    pub(crate) fn server_options(&self) -> ServerOptions {
        let addresses = self.listen.clone();
        ServerOptions {
            bind: Bind::Addresses { addresses, allow_partial: self.allow_partial_bind },
            allow_non_loopback: true,
            timeouts: self.limits.timeouts(),
            limits: self.limits.limits(),
            workers: self.workers.map_or_else(processors, usize::from),
            ..ServerOptions::default()
        }
    }
}

/// Those that this process may use.
fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128)),
];
