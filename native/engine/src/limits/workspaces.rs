//! The limits of a gateway: every host that it leads to has its own, so that no workspace uses up another's.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Admission, ContextLimits};
use crate::authority::Host;

/// What is left of the limits of each workspace that has been asked for, one for each host.
pub(crate) struct Admissions {
    limits: ContextLimits,
    by_host: Mutex<HashMap<Host, Arc<Admission>>>,
}

impl Admissions {
    pub(crate) fn new(limits: ContextLimits) -> Self {
        Self { limits, by_host: Mutex::default() }
    }

    /// `None` where there is nothing to ask for.
    pub(super) fn of(&self, host: &Host) -> Option<Arc<Admission>> {
        if !self.limits.admit() {
            return None;
        }
        let mut by_host = self.by_host.lock();
        if let Some(admission) = by_host.get(host) {
            return Some(Arc::clone(admission));
        }
        let admission = Arc::new(Admission::new(&self.limits)?);
        by_host.insert(host.clone(), Arc::clone(&admission));
        Some(admission)
    }

    /// Forgets those of whom nothing is taken: they would be the same if they were made anew.
    pub(crate) fn forget_idle(&self) {
        let in_use = |admission: &Arc<Admission>| Arc::strong_count(admission) > 1;
        self.by_host.lock().retain(|_, admission| in_use(admission) || !admission.is_untouched());
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::Rate;
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_is_in_use_is_kept() {
        let tunnels = NonZeroU32::new(1);
        let admissions = Admissions::new(ContextLimits { tunnels, ..ContextLimits::default() });
        let [used, idle] = ["127.18.0.1", "127.18.0.2"].map(host);
        let taken = admissions.of(&used).unwrap().tunnels.take().unwrap();
        admissions.of(&idle).unwrap();
        admissions.forget_idle();
        assert!(admissions.of(&used).unwrap().tunnels.take().is_none(), "its place is taken");
        assert_eq!(admissions.by_host.lock().len(), 1);
        drop(taken);
        admissions.forget_idle();
        assert_eq!(admissions.by_host.lock().len(), 0);
    }

    #[test]
    fn a_rate_is_remembered_and_no_limit_costs_nothing() {
        let one = NonZeroU32::MIN;
        let rate = Some(Rate { per_second: one, burst: one });
        let admissions = Admissions::new(ContextLimits { rate, ..ContextLimits::default() });
        admissions.of(&host("127.18.0.1")).unwrap();
        admissions.forget_idle();
        assert_eq!(admissions.by_host.lock().len(), 1);
        assert!(Admissions::new(ContextLimits::default()).of(&host("127.18.0.1")).is_none());
    }
}
