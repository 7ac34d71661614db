//! Which proxies lead where: said once for all, or asked of the embedder, origin by origin.
//!
//! An answer is remembered for a while, so that only the first contact with an origin waits for it; requests
//! that come meanwhile wait for the same one. That it could not be had is not remembered.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OnceCell, oneshot};
use tokio::time::timeout;

use super::error::NextProxyError;
use super::proxy::{NextProxy, ProxyList};
use crate::authority::{Authority, Scheme};

/// How long an answer holds.
const LIFETIME: Duration = Duration::from_secs(30);
/// How many answers are remembered.
const MOST_ANSWERS: usize = 1024;

/// Through which proxy upstreams are reached that are not on this machine.
#[derive(Clone)]
pub enum UpstreamProxy {
    /// This one, whatever the upstream.
    Fixed(NextProxy),
    /// The embedder says, for each origin.
    Asked(ProxyResolver),
}

/// Asks the embedder which proxies lead to an origin. It is called on the server's own threads and must not
/// block; the answer may come later, from any thread. A tunnel asks as [`Scheme::Https`], as browsers do.
pub type ProxyResolver = Arc<dyn Fn(Scheme, &Authority, ProxyAnswer) + Send + Sync>;

/// Takes the embedder's answer. One that is dropped is no answer, and the request fails.
#[derive(Debug)]
pub struct ProxyAnswer(oneshot::Sender<Result<ProxyList, &'static str>>);

impl ProxyAnswer {
    /// Gives the answer, or the reason why there is none, which whoever asks is told.
    pub fn give(self, answer: Result<ProxyList, &'static str>) {
        // Whoever asked may have given up waiting.
        let _ = self.0.send(answer);
    }
}

impl fmt::Debug for UpstreamProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(proxy) => f.debug_tuple("Fixed").field(proxy).finish(),
            Self::Asked(_) => f.debug_tuple("Asked").finish_non_exhaustive(),
        }
    }
}

/// The answers that are known.
pub(super) enum Answers {
    Fixed(ProxyList),
    Asked { resolver: ProxyResolver, known: Mutex<HashMap<Origin, Known>> },
}

type Origin = (Scheme, Authority);

pub(super) struct Known {
    since: Instant,
    answer: Arc<OnceCell<ProxyList>>,
}

impl Answers {
    pub(super) fn new(source: UpstreamProxy) -> Self {
        match source {
            UpstreamProxy::Fixed(proxy) => Self::Fixed(proxy.into()),
            UpstreamProxy::Asked(resolver) => Self::Asked { resolver, known: Mutex::default() },
        }
    }

    /// The proxies that lead to an origin.
    pub(super) async fn lead_to(
        &self,
        scheme: Scheme,
        authority: &Authority,
        limit: Duration,
    ) -> Result<ProxyList, NextProxyError> {
        let (resolver, known) = match self {
            Self::Fixed(list) => return Ok(list.clone()),
            Self::Asked { resolver, known } => (resolver, known),
        };
        let answer = remembered(&mut known.lock(), (scheme, authority.clone()));
        let asked = answer.get_or_try_init(|| {
            let (sender, receiver) = oneshot::channel();
            resolver(scheme, authority, ProxyAnswer(sender));
            async { receiver.await.unwrap_or(Err("there was no answer")) }
        });
        let asked = timeout(limit, asked).await.unwrap_or(Err("there was no answer in time"));
        asked.cloned().map_err(NextProxyError::Unknown)
    }

    /// What was said of an origin is not true any more.
    pub(super) fn forget(&self, scheme: Scheme, authority: &Authority) {
        if let Self::Asked { known, .. } = self {
            known.lock().remove(&(scheme, authority.clone()));
        }
    }
}

/// The answer for an origin, perhaps still to be given.
fn remembered(known: &mut HashMap<Origin, Known>, origin: Origin) -> Arc<OnceCell<ProxyList>> {
    if let Some(found) = known.get(&origin).filter(|it| it.since.elapsed() < LIFETIME) {
        return Arc::clone(&found.answer);
    }
    if known.len() >= MOST_ANSWERS {
        let oldest = known.iter().min_by_key(|(_, it)| it.since).map(|(origin, _)| origin.clone());
        oldest.and_then(|origin| known.remove(&origin));
    }
    let answer = Arc::<OnceCell<ProxyList>>::default();
    known.insert(origin, Known { since: Instant::now(), answer: Arc::clone(&answer) });
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_answers_are_remembered() {
        let mut known = HashMap::new();
        let origin = |port| (Scheme::Https, format!("a.test:{port}").parse().unwrap());
        let first = remembered(&mut known, origin(1));
        assert!(Arc::ptr_eq(&first, &remembered(&mut known, origin(1))));
        for port in 2..=u16::try_from(MOST_ANSWERS).unwrap() + 100 {
            remembered(&mut known, origin(port));
        }
        assert_eq!(known.len(), MOST_ANSWERS);
        assert!(!known.contains_key(&origin(1)));
    }
}
