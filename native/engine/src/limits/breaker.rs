//! A circuit breaker for each upstream origin of a context: one that cannot be reached is left alone.
//!
//! Only attempts to connect count and only they are refused, so connections that still work are used. It is
//! ours because `Retry-After` needs the time that is left, and because one attempt must decide: `recloser`
//! does not tell that time, lets every call through when it is half open, and takes at least two to decide.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{BreakerLimits, SOON};
use crate::authority::{Authority, Scheme};
use crate::error::ProxyError;
use crate::route::Upstream;

type Origin = (Scheme, Authority);

/// How many failing origins a context remembers: a page may name any number.
const MOST: usize = 1024;
/// How long one is remembered that nobody asks for any more.
const MEMORY: Duration = Duration::from_secs(600);

/// The breakers of one context.
pub(crate) struct Breakers {
    limits: BreakerLimits,
    /// Those of origins that have failed; every other breaker is closed.
    failing: Mutex<HashMap<Origin, State>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has failed so many times in a row, which is not yet too often.
    Closed { failures: u32, since: Instant },
    /// It is left alone.
    Open { since: Instant },
    /// One attempt is under way to see whether it is back.
    HalfOpen { since: Instant },
}

/// What an attempt has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Up,
    Down,
    /// It was given up, or failed for a reason of our own.
    Unknown,
}

impl Breakers {
    pub(crate) fn new(limits: BreakerLimits) -> Self {
        Self { limits, failing: Mutex::default() }
    }

    /// Lets an attempt to connect begin, unless the origin is to be left alone.
    pub(crate) fn attempt(&self, upstream: &Upstream) -> Result<Attempt<'_>, ProxyError> {
        let origin = (upstream.scheme, upstream.authority.clone());
        match self.begin(&origin, Instant::now()) {
            Ok(probe) => Ok(Attempt { breakers: self, origin, probe, verdict: Verdict::Unknown }),
            Err(wait) => Err(ProxyError::BreakerOpen(wait)),
        }
    }

    /// Refuses what would only wait for somebody else's attempt.
    pub(crate) fn check(&self, upstream: &Upstream) -> Result<(), ProxyError> {
        let origin = (upstream.scheme, upstream.authority.clone());
        let state = self.failing.lock().get(&origin).copied();
        match state.and_then(|state| self.left(state, Instant::now())) {
            Some(wait) => Err(ProxyError::BreakerOpen(wait)),
            None => Ok(()),
        }
    }

    /// Whether the attempt is the one that decides, or how long to wait.
    fn begin(&self, origin: &Origin, now: Instant) -> Result<bool, Duration> {
        let mut failing = self.failing.lock();
        let Some(state) = failing.get_mut(origin) else { return Ok(false) };
        if let Some(wait) = self.left(*state, now) {
            return Err(wait);
        }
        let State::Open { since } = *state else { return Ok(false) };
        *state = State::HalfOpen { since };
        Ok(true)
    }

    fn left(&self, state: State, now: Instant) -> Option<Duration> {
        match state {
            State::Closed { .. } => None,
            State::HalfOpen { .. } => Some(SOON),
            State::Open { since } => {
                let passed = now.saturating_duration_since(since);
                self.limits.open.checked_sub(passed).filter(|left| !left.is_zero())
            }
        }
    }

    /// Whatever connects closes the breaker; a failure that began before it opened changes nothing more.
    fn end(&self, origin: &Origin, probe: bool, verdict: Verdict, now: Instant) {
        let mut failing = self.failing.lock();
        let next = match (failing.get(origin).copied(), verdict) {
            (_, Verdict::Up) => {
                failing.remove(origin);
                return;
            }
            (None, Verdict::Down) if failing.len() < MOST => self.after(1, now),
            (Some(State::Closed { failures, .. }), Verdict::Down) => {
                self.after(failures.saturating_add(1), now)
            }
            (Some(State::HalfOpen { .. }), Verdict::Down) if probe => State::Open { since: now },
            (Some(State::HalfOpen { since }), Verdict::Unknown) if probe => State::Open { since },
            _ => return,
        };
        failing.insert(origin.clone(), next);
    }

    fn after(&self, failures: u32, now: Instant) -> State {
        if failures < self.limits.failures.get() {
            State::Closed { failures, since: now }
        } else {
            State::Open { since: now }
        }
    }

    /// Forgets origins that nobody has asked for in a long time.
    pub(crate) fn forget_old(&self) {
        self.forget(Instant::now());
    }

    fn forget(&self, now: Instant) {
        let memory = MEMORY.saturating_add(self.limits.open);
        self.failing.lock().retain(|_, state| match *state {
            State::Closed { since, .. } | State::Open { since } => {
                now.saturating_duration_since(since) < memory
            }
            State::HalfOpen { .. } => true,
        });
    }
}

/// An attempt to connect; dropping it before it has ended proves nothing.
pub(crate) struct Attempt<'a> {
    breakers: &'a Breakers,
    origin: Origin,
    probe: bool,
    verdict: Verdict,
}

impl Attempt<'_> {
    pub(crate) fn ended<T>(mut self, outcome: &Result<T, ProxyError>) {
        self.verdict = match outcome {
            Ok(_) => Verdict::Up,
            Err(error) if is_unreachable(error) => Verdict::Down,
            Err(_) => Verdict::Unknown,
        };
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.breakers.end(&self.origin, self.probe, self.verdict, Instant::now());
    }
}

fn is_unreachable(error: &ProxyError) -> bool {
    matches!(
        error,
        ProxyError::Dns(_)
            | ProxyError::Connect(_)
            | ProxyError::ConnectTimeout
            | ProxyError::TlsCertificate(_)
            | ProxyError::TlsProtocol(_)
            | ProxyError::TlsTimeout
            | ProxyError::NextProxy(_)
    )
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const OPEN: Duration = Duration::from_secs(5);

    fn breakers(failures: u32) -> Breakers {
        Breakers::new(BreakerLimits { failures: NonZeroU32::new(failures).unwrap(), open: OPEN })
    }

    fn origin(number: usize) -> Origin {
        (Scheme::Http, format!("host-{number}.test:80").parse().unwrap())
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let (breakers, now) = (breakers(3), Instant::now());
        let (origin, other) = (origin(0), origin(1));
        let end = |verdict| breakers.end(&origin, false, verdict, now);
        for verdict in [Verdict::Down, Verdict::Down, Verdict::Up, Verdict::Down, Verdict::Down] {
            end(verdict);
            end(Verdict::Unknown);
            assert_eq!(breakers.begin(&origin, now), Ok(false), "{verdict:?}");
        }
        end(Verdict::Down);
        assert_eq!(breakers.begin(&origin, now), Err(OPEN));
        assert_eq!(breakers.begin(&other, now), Ok(false), "another origin");
    }

    #[test]
    fn one_attempt_decides_when_its_time_is_over() {
        let (breakers, origin, opened) = (breakers(1), origin(0), Instant::now());
        let begin = |now| breakers.begin(&origin, now);
        let end = |probe, verdict, now| breakers.end(&origin, probe, verdict, now);
        end(false, Verdict::Down, opened);
        let later = opened + OPEN / 2;
        end(false, Verdict::Down, later);
        assert_eq!(begin(later), Err(OPEN / 2), "an old failure adds nothing");

        let mut now = opened + OPEN;
        for _ in 0..3 {
            assert_eq!(begin(now), Ok(true));
            assert_eq!(begin(now), Err(SOON), "one at a time");
            end(false, Verdict::Down, now);
            assert_eq!(begin(now), Err(SOON), "only the probe decides");
            end(true, Verdict::Unknown, now);
            assert_eq!(begin(now), Ok(true), "a probe that was given up is made again");
            end(true, Verdict::Down, now);
            assert_eq!(begin(now), Err(OPEN));
            now += OPEN;
        }
        assert_eq!(begin(now), Ok(true));
        end(true, Verdict::Up, now);
        assert_eq!((begin(now), begin(now)), (Ok(false), Ok(false)));
        assert!(breakers.failing.lock().is_empty());
    }

    #[test]
    fn a_connection_that_was_already_being_made_closes_it() {
        let (breakers, origin, now) = (breakers(1), origin(0), Instant::now());
        breakers.end(&origin, false, Verdict::Down, now);
        breakers.end(&origin, false, Verdict::Up, now);
        assert_eq!(breakers.begin(&origin, now), Ok(false));
    }

    #[test]
    fn what_it_remembers_is_bounded_and_forgotten() {
        let (breakers, now) = (breakers(2), Instant::now());
        for number in 0..2 * MOST {
            breakers.end(&origin(number), false, Verdict::Down, now);
        }
        assert_eq!(breakers.failing.lock().len(), MOST);
        breakers.forget(now + MEMORY);
        assert_eq!(breakers.failing.lock().len(), MOST);
        breakers.forget(now + MEMORY + OPEN);
        assert!(breakers.failing.lock().is_empty());
    }

    #[test]
    fn an_endless_time_is_no_overflow() {
        let limits = BreakerLimits { failures: NonZeroU32::MIN, open: Duration::MAX };
        let (breakers, origin, now) = (Breakers::new(limits), origin(0), Instant::now());
        breakers.end(&origin, false, Verdict::Down, now);
        breakers.forget(now);
        assert_eq!(breakers.begin(&origin, now), Err(Duration::MAX));
    }
}
