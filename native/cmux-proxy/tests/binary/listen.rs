//! Where it listens, what it says of that, and how it ends when it cannot.

use std::net::TcpListener;

use crate::gateway::{Gateway, outcome, program};
use crate::harness::{Peer, status};

#[tokio::test]
async fn every_address_is_printed_and_served_and_what_is_covered_left_out() {
    let listen = "127.0.0.1:0,127.0.0.2:0,127.0.0.2:0";
    let mut gateway = Gateway::run(&mut program(&["--listen", listen])).await;
    let second = gateway.next_address().await;
    let first = gateway.address();
    assert_eq!(
        (first.ip().to_string(), second.ip().to_string()),
        ("127.0.0.1".into(), "127.0.0.2".into())
    );
    for address in [first, second] {
        let mut client = Peer::connect(address).await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(status(&client.response().await.0), 400);
    }
    gateway.signal("TERM").await;
    assert_eq!(gateway.next_line().await, None);
}

#[tokio::test]
async fn a_wildcard_covers_loopback() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port},0.0.0.0:{port}");
    let mut gateway = Gateway::run(program(&[]).env("CMUX_LISTEN", listen)).await;
    assert_eq!(gateway.address().to_string(), format!("0.0.0.0:{port}"));
    let mut client = Peer::connect(([127, 0, 0, 1], port).into()).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 400);
    gateway.signal("INT").await;
    assert_eq!(gateway.next_line().await, None);
}

#[tokio::test]
async fn what_cannot_be_bound_is_1_unless_a_part_is_enough() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (address, taken)).unwrap();
    let both = format!("{},127.0.0.2:0", taken.0);
    for arguments in
        [&["--listen", &both][..], &["--listen", &taken.0.to_string(), "--allow-partial-bind"]]
    {
        let (code, log) = outcome(&mut program(arguments)).await;
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(log.contains(&taken.0.to_string()), "{log}");
    }
    let gateway = Gateway::run(&mut program(&["--listen", &both, "--allow-partial-bind"])).await;
    assert_eq!(gateway.address().ip().to_string(), "127.0.0.2");
}

#[tokio::test]
async fn arguments_without_sense_are_2() {
    for arguments in [
        &["--listen", "nowhere"][..],
        &["--workspace-net", "10.0.0.0/25"],
        &["--trusted-peers", "10.0.0.0/33"],
        &["--allow-default-upstream=maybe"],
        &["--graceful-shutdown-timeout", "soon"],
        &["--insecure-no-auth", "--trusted-peers", "10.0.0.0/8"],
        &["--max-connections", "0"],
    ] {
        assert_eq!(outcome(&mut program(arguments)).await.0, Some(2), "{arguments:?}");
    }
}
