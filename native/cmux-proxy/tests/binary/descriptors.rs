//! Too few descriptors for all who come: it lives, does not spin, says so once, and serves again.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::gateway::{Gateway, program_with};
use crate::harness::{DEADLINE, Origin, status};

const DESCRIPTORS: u32 = 48;
const CLIENTS: usize = 100;
/// How long it is watched, and what share of a processor it may take meanwhile.
const OBSERVED: Duration = Duration::from_secs(1);
const SHARE: f64 = 0.3;

fn open_descriptors(id: u32) -> usize {
    fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

/// The seconds of processor time that it has used: proc(5) has them in hundredths, behind its name.
fn used(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

#[tokio::test]
async fn it_lives_without_descriptors_and_serves_again() {
    let limit = format!("-n {DESCRIPTORS}");
    let mut command = program_with(&limit, &["--listen", "127.0.0.1:0"]);
    let (mut gateway, origin) = (Gateway::run(&mut command).await, Origin::start().await);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(gateway.connect().await);
    }
    let id = gateway.id();
    let starved = async { while open_descriptors(id) < DESCRIPTORS as usize {} };
    timeout(DEADLINE, starved).await.expect("no descriptor is left");
    let (begun, before) = (Instant::now(), used(id));
    sleep(OBSERVED).await;
    let share = (used(id) - before) / begun.elapsed().as_secs_f64();
    assert!(share < SHARE, "it takes {share} of a processor");
    assert!(!gateway.has_ended());

    drop(clients);
    let port = origin.port();
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n\r\n");
    let served = async {
        loop {
            let mut client = gateway.connect().await;
            client.send(&request).await;
            tokio::select! {
                _ = origin.answer("ok") => break client.response().await.0,
                // It came before the descriptors were back.
                (head, _) = client.response() => assert_eq!(status(&head), 502),
            }
        }
    };
    let head = timeout(DEADLINE, served).await.expect("it serves again");
    assert_eq!(status(&head), 200);
    gateway.signal("TERM").await;
    let (code, log) = gateway.ended().await;
    assert_eq!(code, Some(0));
    let said = log.matches("cannot accept connections").count();
    assert!((1..10).contains(&said), "{log}");
}

#[tokio::test]
async fn it_takes_as_many_as_the_system_lets_it() {
    let limit = format!("-S -n {DESCRIPTORS}");
    let mut command = program_with(&limit, &["--listen", "127.0.0.1:0"]);
    let (gateway, origin) = (Gateway::run(&mut command).await, Origin::start().await);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(gateway.connect().await);
    }
    let mut client = gateway.connect().await;
    let port = origin.port();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n\r\n")).await;
    origin.answer("ok").await;
    assert_eq!(status(&client.response().await.0), 200);
}
