//! The limits that both ends of the proxy speak HTTP/2 with.

use std::time::Duration;

use super::keep_alive::KeepAlive;

/// Enough for one stream over loopback not to be held up by its flow control.
pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
/// Enough for a page's stalled streams, a paused video say, not to hold up its others.
pub(crate) const CONNECTION_WINDOW: u32 = 16 << 20;
/// How much of a stream may wait for the connection to take it, where windows are wide and the client does not read:
/// a thousand streams may do so at once.
pub(crate) const SEND_BUFFER: usize = 64 * 1024;
/// How many streams a client may have open at once.
pub(crate) const STREAMS: u32 = 1000;
/// The fields of an upstream's response, as large as HTTP/1.1 may have them.
pub(crate) const RESPONSE_HEAD: u32 = 256 * 1024;
/// When a peer is asked whether it is still there, and how long it may take to say so.
pub(crate) const KEEP_ALIVE: KeepAlive =
    KeepAlive { after: Duration::from_secs(30), within: Duration::from_secs(10) };
/// How many streams a client may reset before they have been looked at (CVE-2023-44487): a page that is left cancels
/// all it has asked for at once, and takes no tunnel of another page with it.
pub(crate) const RESETS_AHEAD: usize = 200;
/// How many streams of a connection a client may have us reset, by its errors (CVE-2025-8671).
pub(crate) const ERRORS: usize = 1000;
