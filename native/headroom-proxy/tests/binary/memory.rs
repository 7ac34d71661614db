//! Bodies of any length, in memory that does not grow with them (Linux, which says how much there is).

use std::fs;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Duration, timeout};

use crate::harness::{Origin, Peer};
use crate::program::Program;

const BODY: usize = 1 << 30;
const PIECE: usize = 256 * 1024;
/// A GiB takes its time in a debug build.
const PATIENCE: Duration = Duration::from_secs(100);

/// The most memory that a process has had, in bytes.
fn most_memory(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Sends a body from one to the other, and nothing is lost.
async fn cross(from: &mut Peer, to: &mut Peer) {
    let sending = async {
        let piece = vec![b'x'; PIECE];
        for _ in 0..BODY / PIECE {
            from.0.write_all(&piece).await.unwrap();
        }
    };
    let receiving = async {
        let (mut left, mut piece) = (BODY, vec![0; PIECE]);
        while left > 0 {
            let most = left.min(PIECE);
            left -= match to.0.read(&mut piece[..most]).await.unwrap() {
                0 => panic!("{left} bytes are missing"),
                read => read,
            };
        }
    };
    timeout(PATIENCE, async { tokio::join!(sending, receiving) }).await.expect("it stands still");
}

#[tokio::test]
async fn row_8_a_gigabyte_passes_either_way_in_16_mib() {
    let origin = Origin::start().await;
    let proxy = Program::to(&origin, &["--max-body-bytes", "1kB"]).await;
    let mut client = proxy.connect().await;
    client.send("GET /warm HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (mut upstream, _) = origin.answer("warm").await;
    client.response().await;
    let before = most_memory(proxy.id());
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY}\r\n\r\n")).await;
    let mut dialled = tokio::select! {
        dialled = origin.accept() => Some(dialled),
        _ = upstream.0.readable() => None,
    };
    let upstream = dialled.as_mut().unwrap_or(&mut upstream);
    upstream.head().await;
    cross(&mut client, upstream).await;
    upstream.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n")).await;
    client.head().await;
    cross(upstream, &mut client).await;
    let grown = most_memory(proxy.id()) - before;
    assert!(grown < 16 << 20, "it has grown by {grown} bytes");
}
