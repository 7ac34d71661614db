//! What the process is told by signals: to end, or to read its files again.

use std::io;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// To end.
    End,
    /// To read files again.
    Reload,
}

#[cfg(not(unix))]
pub use elsewhere::Signals;
#[cfg(unix)]
pub use unix::Signals;

impl Signals {
    /// Waits until it is asked to end.
    pub async fn end(&mut self) {
        while self.next().await != Signal::End {}
    }
}

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use super::{Signal, io};

    /// SIGTERM, SIGINT and SIGHUP, from now on.
    pub struct Signals {
        terminate: Stream,
        interrupt: Stream,
        hang_up: Stream,
    }

    impl Signals {
        /// From now on they are waited for, and no longer end the process.
        pub fn listen() -> io::Result<Self> {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hang_up: signal(SignalKind::hangup())?,
            })
        }

        /// Waits for the next one.
        pub async fn next(&mut self) -> Signal {
            tokio::select! {
                // Whoever asks for both has asked for this first: what is to end could not do it later.
                biased;
                _ = self.hang_up.recv() => Signal::Reload,
                _ = self.terminate.recv() => Signal::End,
                _ = self.interrupt.recv() => Signal::End,
            }
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use super::{Signal, io};

    /// Ctrl-C, from now on; there is no signal to reload.
    pub struct Signals;

    impl Signals {
        #[expect(clippy::unnecessary_wraps, reason = "it may fail where there are signals")]
        /// From now on they are waited for, and no longer end the process.
        pub fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        /// Waits for the next one.
        pub async fn next(&mut self) -> Signal {
            if let Err(error) = tokio::signal::ctrl_c().await {
                tracing::error!(%error, "Ctrl-C cannot be waited for");
            }
            Signal::End
        }
    }
}
