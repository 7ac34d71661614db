//! What was counted while a plan ran, and how it is told to the harness: one line of JSON.

use std::fmt;
use std::io;
use std::time::Instant;

#[derive(Default)]
pub struct Tally {
    pub ops: u64,
    pub errors: u64,
    pub up: u64,
    pub down: u64,
    pub seconds: f64,
    pub cpu: Option<f64>,
    nanos: Vec<u32>,
    failure: String,
}

impl Tally {
    /// Counts a message that was answered, and how long that took.
    pub fn done(&mut self, since: Instant) {
        self.ops += 1;
        self.nanos.push(u32::try_from(since.elapsed().as_nanos()).unwrap_or(u32::MAX));
    }

    /// Counts a conversation that failed, and keeps the first reason.
    pub fn failed(&mut self, error: &io::Error) {
        self.errors += 1;
        if self.failure.is_empty() {
            self.failure = error.to_string().chars().filter(|c| matches!(c, ' '..='~')).collect();
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nanos = self.nanos.clone();
        nanos.sort_unstable();
        let quantile = |of: f64| {
            let at = (nanos.len() as f64 * of) as usize;
            nanos
                .get(at.min(nanos.len().saturating_sub(1)))
                .map_or(0.0, |nanos| f64::from(*nanos) / 1e3)
        };
        let cpu = self.cpu.map_or("null".to_owned(), |seconds| format!("{seconds:.3}"));
        write!(
            f,
            r#"{{"ops":{},"errors":{},"up":{},"down":{},"seconds":{:.6},"cpu":{cpu},"p50":{:.1},"p99":{:.1},"failure":{:?}}}"#,
            self.ops,
            self.errors,
            self.up,
            self.down,
            self.seconds,
            quantile(0.5),
            quantile(0.99),
            self.failure,
        )
    }
}
