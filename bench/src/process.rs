//! Processes seen from outside: the CPU time of a process and its children, and the end of our own parent.

use std::fs;
use std::io::Read;

/// `USER_HZ`, the unit of `/proc/PID/stat`: 100 on every Linux a program of ours meets.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time, in seconds, of a process and all below it.
pub fn cpu_seconds(pid: u32) -> f64 {
    let own = fs::read_to_string(format!("/proc/{pid}/stat")).map_or(0, |stat| ticks(&stat));
    own as f64 / TICKS_PER_SECOND + children(pid).into_iter().map(cpu_seconds).sum::<f64>()
}

/// Fields 14 and 15; the second field, a name in parentheses, may hold anything.
fn ticks(stat: &str) -> u64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let times = after_name.split_ascii_whitespace().skip(11).take(2);
    times.filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.flatten().map(|thread| fs::read_to_string(thread.path().join("children")));
    let lists: Vec<String> = lists.filter_map(Result::ok).collect();
    lists.iter().flat_map(|list| list.split_ascii_whitespace()).flat_map(str::parse).collect()
}

/// Ends this process when whoever started it closes its standard input, or dies.
#[expect(clippy::disallowed_methods, reason = "these processes are ours to end")]
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut [0; 64]), Ok(1..)) {}
        std::process::exit(0);
    });
}
