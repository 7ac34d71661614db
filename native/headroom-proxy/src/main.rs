//! `headroom-proxy`, the transparent reverse proxy: a thin door that turns flags and environment into the engine's
//! options, writes a line of JSON for each exchange, and lets signals end it. `headroom-proxy health` asks a running one how
//! it is.
//!
//! It ends with 0 once it has been told to and everything in flight has ended, or the limit for that is over; with
//! 1 where it cannot start, or a second signal leaves it no time; with 2 for arguments that make no sense.

mod arguments;
mod exchange;
mod listen;
mod log;
mod next_proxy;
mod options;

use std::io::{self, Write as _};
use std::process::ExitCode;

use tabport_door::{CertificateError, Signal, Signals, health};
use tabport_engine::{Server, ServerOptions};
use thiserror::Error;
use tokio::runtime;

use arguments::{Arguments, Outcome};
use listen::ListenError;

/// Why it ends otherwise than it should.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("the certificates to trust cannot be read from {}: {source}", .path.display())]
    ExtraCa { path: std::path::PathBuf, source: io::Error },
    #[error(transparent)]
    Start(#[from] tabport_engine::StartError),
    #[error("the system: {0}")]
    System(#[from] io::Error),
    #[error("told twice to end: what was in flight is cut off")]
    Hurried,
}

fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Outcome::Run(arguments) => arguments,
        Outcome::AskHealth(address) => {
            return match health::check(address) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => end(1, &error.to_string()),
            };
        }
        Outcome::Print(text) => {
            let _ = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Outcome::Refuse(reason) => return end(2, &reason),
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(1, &error.to_string()),
    }
}

/// Says why in one line, where whoever has started it looks first.
fn end(code: u8, reason: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "headroom-proxy: {reason}");
    ExitCode::from(code)
}

/// Sockets that are handed over are taken before anything else is opened. Signals are waited for before anybody can
/// connect: from then on there is something to wait for before the end.
fn run(arguments: &Arguments) -> Result<(), Failure> {
    let options = options::of(arguments)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(arguments, options))
}

async fn serve(arguments: &Arguments, options: ServerOptions) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let _flushed_at_the_end =
        log::start(log::filter(&arguments.flags.log_level).unwrap_or_default());
    let server = Server::start(options)?;
    log::listening(server.local_addrs(), &arguments.upstream);
    let ended = serve_until_told(arguments, &server, &mut signals).await;
    server.stop();
    match &ended {
        Ok(()) => tracing::info!("ended"),
        Err(error) => tracing::warn!(%error, "ended"),
    }
    ended
}

async fn serve_until_told(
    arguments: &Arguments,
    server: &Server,
    signals: &mut Signals,
) -> Result<(), Failure> {
    while let Signal::Reload = signals.next().await {
        reload(arguments, server);
    }
    tracing::info!("draining");
    tokio::select! {
        () = server.drain(arguments.flags.graceful_shutdown_timeout) => Ok(()),
        () = signals.end() => Err(Failure::Hurried),
    }
}

/// Reads the certificate again. One that cannot be read, or is none, leaves the old one in its place.
fn reload(arguments: &Arguments, server: &Server) {
    match arguments.certificate() {
        Ok(Some(certificate)) => {
            server.replace_certificate(certificate);
            tracing::info!("the certificate has been read again");
        }
        Ok(None) => tracing::info!("there is no certificate to read again"),
        Err(error) => tracing::error!("{error}; the old certificate stays"),
    }
}
