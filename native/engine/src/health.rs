//! Whether a reverse proxy's upstream is well, for whoever asks this proxy.
//!
//! It is asked over a connection of its own, so that the answer says whether one can be had. However many ask, there
//! is one question at a time, and its answer counts for a moment; and however long the upstream takes, whoever asks
//! here hears within a few seconds.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode, Version};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::base_url::BaseUrl;
use crate::client::Client;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::fields::Fields;
use crate::head::RequestHead;
use crate::route::{Loopback, Upstream};
use crate::upstream::Pool;

/// How long the upstream may take, whatever else it is allowed.
const LIMIT: Duration = Duration::from_secs(5);
/// For how long an answer counts.
const FRESH: Duration = Duration::from_secs(1);

/// What is known of the upstream's health.
pub(crate) struct Probe {
    upstream: Upstream,
    path: Box<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Option<(Instant, Health)>,
    /// Cancelled when the question that is being asked has ended, well or not.
    asking: Option<CancellationToken>,
}

/// How an upstream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// It says that it is not.
    Status(StatusCode),
    /// It says nothing, and why.
    Silent(String),
}

enum Turn {
    Known(Health),
    Own(DropGuard),
    Anothers(CancellationToken),
}

impl Probe {
    pub(crate) fn new(upstream: &BaseUrl, path: &str) -> Self {
        let BaseUrl { scheme, authority, .. } = upstream.clone();
        let loopback = Loopback::Allowed;
        let upstream = Upstream { scheme, authority, routing: None, told: None, loopback };
        Self { upstream, path: path.into(), state: Mutex::default() }
    }

    /// How the upstream is, or was a moment ago.
    pub(crate) async fn ask(&self, exchange: &Arc<Exchange>) -> Health {
        let by = Instant::now() + LIMIT;
        loop {
            let turn = self.state.lock().turn();
            match turn {
                Turn::Known(health) => return health,
                Turn::Anothers(asking) => {
                    if timeout_at(by, asking.cancelled()).await.is_err() {
                        return Health::late();
                    }
                }
                Turn::Own(_asking) => {
                    // That it is late is an answer, too, and counts for others.
                    let health = self.question(exchange, by).await;
                    self.state.lock().known = Some((Instant::now(), health.clone()));
                    return health;
                }
            }
        }
    }

    async fn question(&self, exchange: &Arc<Exchange>, by: Instant) -> Health {
        let mut fields = Fields::default();
        fields.push("Host", self.upstream.host_field().as_bytes());
        fields.push("Connection", b"close");
        let head = RequestHead {
            method: Method::GET,
            target: self.path.as_bytes().to_vec(),
            version: Version::HTTP_11,
            protocol: None,
            fields,
        };
        let mut nobody = Client::Nobody;
        let answer = Pool::send_anew(exchange, &self.upstream, &head, &mut nobody);
        match timeout_at(by, Box::pin(answer)).await {
            Ok(Ok(response)) if response.head.status.is_success() => Health::Well,
            Ok(Ok(response)) => Health::Status(response.head.status),
            Ok(Err(error)) => Health::Silent(error.to_string()),
            Err(_) => Health::late(),
        }
    }
}

impl Health {
    fn late() -> Self {
        Self::Silent(ProxyError::ResponseTimeout.to_string())
    }
}

impl State {
    fn turn(&mut self) -> Turn {
        match (&self.known, &self.asking) {
            (Some((at, health)), _) if at.elapsed() < FRESH => Turn::Known(health.clone()),
            (_, Some(asking)) if !asking.is_cancelled() => Turn::Anothers(asking.clone()),
            _ => {
                let asking = self.asking.insert(CancellationToken::new());
                Turn::Own(asking.clone().drop_guard())
            }
        }
    }
}
