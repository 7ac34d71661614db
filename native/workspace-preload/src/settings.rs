//! What the environment says, read once: which address is the workspace's, and which ports stay the machine's.
//!
//! It is read before the program's `main`, while there is one thread; a library that opens sockets earlier still
//! has it read by its first call. Reading it twice gives the same, so that nobody has to wait for anybody.

use std::ffi::CStr;
use std::net::Ipv4Addr;
use std::str;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::next;

/// The address of the workspace; nothing is changed without it.
const ADDRESS: &CStr = c"CMUX_WORKSPACE_ADDRESS";
/// Ports, separated by commas, that mean the machine's own `localhost`.
const SHARED: &CStr = c"CMUX_WORKSPACE_SHARE";
/// `1` leaves the program as it is.
const DISABLED: &CStr = c"CMUX_PRELOAD_DISABLE";

static IS_READ: AtomicBool = AtomicBool::new(false);
/// Zero where there is none.
static WORKSPACE: AtomicU32 = AtomicU32::new(0);
/// One bit for each port.
static PORTS: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

/// The address of the workspace that this program is in.
pub(crate) fn workspace() -> Option<Ipv4Addr> {
    if !IS_READ.load(Ordering::Acquire) {
        read();
        IS_READ.store(true, Ordering::Release);
    }
    match WORKSPACE.load(Ordering::Relaxed) {
        0 => None,
        bits => Some(Ipv4Addr::from_bits(bits)),
    }
}

/// Whether a port is the machine's own.
pub(crate) fn is_shared(port: u16) -> bool {
    let word = PORTS.get(usize::from(port / 64));
    word.is_some_and(|word| word.load(Ordering::Relaxed) & bit(port) != 0)
}

fn read() {
    if variable(DISABLED) == Some("1") {
        return;
    }
    let ports = variable(SHARED).unwrap_or_default().split(',');
    for port in ports.filter_map(|port| port.parse::<u16>().ok()) {
        if let Some(word) = PORTS.get(usize::from(port / 64)) {
            word.fetch_or(bit(port), Ordering::Relaxed);
        }
    }
    let address: Option<Ipv4Addr> = variable(ADDRESS).and_then(|text| text.parse().ok());
    WORKSPACE.store(address.map_or(0, Ipv4Addr::to_bits), Ordering::Relaxed);
}

fn bit(port: u16) -> u64 {
    1 << (port % 64)
}

fn variable(name: &CStr) -> Option<&'static str> {
    // SAFETY: the name ends with a zero. Nothing else runs yet that could change the environment; what looks at it
    // later does not keep it.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: a value that is there ends with a zero.
    str::from_utf8(unsafe { CStr::from_ptr(value) }.to_bytes()).ok()
}

/// What the dynamic loader calls before `main`.
#[used]
// SAFETY: the section holds pointers to functions with C's calling convention, as this is one; what it is called
// with is not looked at.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = {
    extern "C" fn at_start() {
        next::find_all();
        workspace();
    }
    at_start
};
