//! A limit on time that is moved more often than it is met.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// When something must have happened. Moving it costs no more than storing it: the timer behind it is only
/// set anew when it goes off too early, or would go off too late.
#[derive(Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// From now on; `None` is for ever.
    pub(crate) fn restart(&mut self, limit: Option<Duration>) {
        self.at = limit.map(|limit| Instant::now() + limit);
    }

    /// For ever, until it is set again.
    pub(crate) fn stop(&mut self) {
        self.at = None;
    }

    pub(crate) fn is_set(&self) -> bool {
        self.at.is_some()
    }

    /// From a moment that may have passed.
    pub(crate) fn count_from(&mut self, moment: Instant, limit: Duration) {
        self.at = Some(moment + limit);
    }

    /// Ready when the time is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
    }
}
