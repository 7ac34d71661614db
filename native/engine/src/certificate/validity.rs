//! How long certificates are valid, on the system's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, date_time_ymd};

pub(super) const DAY: u64 = 24 * 60 * 60;

/// The system's time, in seconds since 1970.
pub(super) fn now() -> u64 {
    // The year 9000: no date a certificate can have is left behind it, and a clock that says so is wrong anyway.
    const LATEST: u64 = 221_845_392_000;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().min(LATEST)
}

/// When a certificate is valid, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: u64,
    pub(super) until: u64,
}

impl Validity {
    /// From a day ago, for clients whose clock is behind.
    pub(super) fn starting(now: u64, days: u64) -> Self {
        Self::since(now.saturating_sub(DAY), days)
    }

    pub(super) fn since(from: u64, days: u64) -> Self {
        Self { from, until: from.saturating_add(days.saturating_mul(DAY)) }
    }

    pub(super) fn within(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }

    /// Whether it is valid now, and for some time to come.
    pub(super) fn holds(self, now: u64, days: u64) -> bool {
        self.from <= now && now.saturating_add(days.saturating_mul(DAY)) < self.until
    }

    pub(super) fn apply_to(self, params: &mut CertificateParams) {
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(self.from);
        params.not_after = epoch + Duration::from_secs(self.until);
    }
}
