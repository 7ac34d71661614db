//! The certificates made lately.
//!
//! A page asks for the same few hosts again and again, while a hostile one may ask for any number of names
//! below `localhost`: what was asked for last stays, and the rest makes room.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;

use super::validity::Validity;
use crate::authority::Host;

/// How many are kept: few enough to be looked through one by one, which costs far less than a handshake.
pub(super) const CAPACITY: usize = 256;

/// A certificate is made anew when it has no more than this left.
const SPARE_DAYS: u64 = 1;

/// TLS settings by host, the ones asked for last at the end.
#[derive(Default)]
pub(super) struct Cache(Mutex<VecDeque<Entry>>);

struct Entry {
    host: Host,
    http2: bool,
    validity: Validity,
    config: Arc<ServerConfig>,
}

impl Cache {
    pub(super) fn get(&self, host: &Host, http2: bool, now: u64) -> Option<Arc<ServerConfig>> {
        let mut entries = self.0.lock();
        let entry = take(&mut entries, host, http2)?;
        if !entry.validity.holds(now, SPARE_DAYS) {
            return None;
        }
        let config = Arc::clone(&entry.config);
        entries.push_back(entry);
        Some(config)
    }

    pub(super) fn put(
        &self,
        host: Host,
        http2: bool,
        validity: Validity,
        config: Arc<ServerConfig>,
    ) {
        let mut entries = self.0.lock();
        // Another thread may have made one for this host meanwhile.
        let _ = take(&mut entries, &host, http2);
        if entries.len() >= CAPACITY {
            let _ = entries.pop_front();
        }
        entries.push_back(Entry { host, http2, validity, config });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

fn take(entries: &mut VecDeque<Entry>, host: &Host, http2: bool) -> Option<Entry> {
    let found = entries.iter().position(|entry| entry.http2 == http2 && entry.host == *host)?;
    entries.remove(found)
}
