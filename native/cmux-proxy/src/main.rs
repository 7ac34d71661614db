//! `cmux-proxy`, the workspace gateway: a thin door that turns flags and environment into the engine's options,
//! says where it listens, and lets signals end it. Two commands are beside it: `cmux-proxy run` starts a program in a
//! workspace, and `cmux-proxy health` asks a running gateway how it is.
//!
//! It ends with 0 once it has been told to and everything in flight has ended, or the limit for that is over; with
//! 1 where it cannot start, or a second signal leaves it no time; with 2 for arguments that make no sense.

mod admin;
mod arguments;
mod descriptors;
mod limits;
mod log;
mod metrics;
mod run;
mod token;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser as _;
use tabport_door::health::{self, Unhealthy};
use tabport_door::{CertificateError, Signal, Signals};
use tabport_engine::{Access, Face, GatewayOptions, Server, ServerOptions};
use thiserror::Error;
use tokio::runtime;

use admin::{Admin, Health};
use arguments::{Arguments, Command};
use metrics::Metrics;
use token::{Source, TokenError};

/// Why it ends otherwise than it should.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Start(#[from] tabport_engine::StartError),
    #[error("cannot listen on {address}: {source}")]
    Admin { address: SocketAddr, source: io::Error },
    #[error("the system: {0}")]
    System(#[from] io::Error),
    #[error(transparent)]
    Unhealthy(#[from] Unhealthy),
    #[error("told twice to end: what was in flight is cut off")]
    Hurried,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Run(run)) => run::run(run, arguments.workspace_net),
        #[cfg(target_os = "linux")]
        Some(Command::Relay(relay)) => run::relay::relay(relay),
        Some(Command::Health(health)) => {
            logged(&arguments, || health::check(health.address).map_err(Failure::from))
        }
        None => logged(&arguments, || serve(&arguments)),
    }
}

/// Works, with a log that says why it has failed.
fn logged(arguments: &Arguments, work: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    log::start(arguments.log_format);
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve_until_told(arguments))
}

async fn serve_until_told(arguments: &Arguments) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    descriptors::raise_limit();
    let source = Source::of(arguments.auth_token_file.as_deref());
    let server = Server::start(options(arguments, &source)?)?;
    let (health, metrics) = (Health::default(), Metrics::of(&server));
    let admin = bind_admin(arguments.admin).await?;
    announce(&server, admin.as_ref())?;
    if let Some(admin) = admin {
        tokio::spawn(admin.serve(health.clone(), metrics));
    }
    while let Signal::Reload = signals.next().await {
        reload(arguments, &source, &server);
    }
    tracing::info!("accepting nothing more, and waiting for what is in flight");
    health.drains();
    let drained = tokio::select! {
        () = server.drain(arguments.graceful_shutdown_timeout) => Ok(()),
        () = signals.end() => Err(Failure::Hurried),
    };
    server.stop();
    drained
}

fn options(arguments: &Arguments, source: &Source) -> Result<ServerOptions, Failure> {
    let access = if arguments.insecure_no_auth {
        tracing::warn!(
            "--insecure-no-auth: whoever reaches this gateway reaches every port of the host"
        );
        Access::Anyone
    } else {
        let tokens = source.read()?.unwrap_or_default();
        Access::Restricted { trusted: arguments.trusted(!tokens.is_empty()), tokens }
    };
    let gateway = GatewayOptions {
        workspaces: arguments.workspaces(),
        default_upstream: arguments.default_upstream(),
        access,
        allowed_hosts: arguments.allowed_hosts.clone(),
    };
    let (face, certificate) = (Face::Gateway(gateway), arguments.certificate()?);
    Ok(ServerOptions { face, certificate, ..arguments.server_options() })
}

async fn bind_admin(address: Option<SocketAddr>) -> Result<Option<Admin>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let bound = Admin::bind(address).await.map_err(|source| Failure::Admin { address, source })?;
    Ok(Some(bound))
}

/// One line for each address, for people and for programs that have asked for port 0.
fn announce(server: &Server, admin: Option<&Admin>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for address in server.local_addrs() {
        writeln!(out, "listening on {address}")?;
    }
    if let Some(Admin { address, .. }) = admin {
        writeln!(out, "admin on {address}")?;
    }
    out.flush()
}

/// Reads tokens and certificate again. What cannot be read, or is none, leaves the old one in its place.
fn reload(arguments: &Arguments, source: &Source, server: &Server) {
    match source.read() {
        Ok(Some(tokens)) => {
            let count = tokens.len();
            server.replace_tokens(tokens);
            tracing::info!(count, "the tokens have been read again");
        }
        Ok(None) => tracing::info!("there is no token to read again"),
        Err(error) => tracing::error!("{error}; the old tokens stay"),
    }
    match arguments.certificate() {
        Ok(Some(certificate)) => {
            server.replace_certificate(certificate);
            tracing::info!("the certificate has been read again");
        }
        Ok(None) => {}
        Err(error) => tracing::error!("{error}; the old certificate stays"),
    }
}
