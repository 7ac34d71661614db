//! Who is let in, by flags and environment.

use std::fs;

use crate::gateway::{Gateway, outcome, program};
use crate::harness::{Origin, Peer, status};

/// Asks, and says what came of it; the origin answers if it is asked.
async fn ask(client: &mut Peer, origin: &Origin, field: &str) -> u16 {
    let port = origin.port();
    client
        .send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Cmux-Port-Internal: {port}\r\n{field}\r\n"))
        .await;
    tokio::select! {
        _ = origin.answer("ok") => status(&client.response().await.0),
        response = client.response() => status(&response.0),
    }
}

#[tokio::test]
async fn only_trusted_peers_are_let_in_without_a_token() {
    let origin = Origin::start().await;
    for (arguments, expected) in [
        (&[][..], 200),
        (&["--trusted-peers", "10.0.0.0/8,127.0.0.2/32"], 403),
        (&["--trusted-peers", "10.0.0.0/8,127.0.0.1/32"], 200),
        (&["--insecure-no-auth"], 200),
    ] {
        let gateway = Gateway::start(arguments).await;
        let answered = ask(&mut gateway.connect().await, &origin, "").await;
        assert_eq!(answered, expected, "{arguments:?}");
        gateway.signal("TERM").await;
        let (code, log) = gateway.ended().await;
        assert_eq!(code, Some(0));
        let warned = log.contains("every port of the host");
        assert_eq!(warned, arguments == ["--insecure-no-auth"], "{log}");
    }
}

#[tokio::test]
async fn a_browser_may_ask_for_the_hosts_that_are_allowed() {
    let origin = Origin::start().await;
    let flags = ["--allowed-hosts", "gateway.example,.team.example"];
    let (open, closed) = (Gateway::start(&flags).await, Gateway::start(&[]).await);
    for (host, allowed) in [
        ("localhost", true),
        ("gateway.example", true),
        ("a.team.example", true),
        ("evil.test", false),
    ] {
        let port = origin.port();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nAccept-Language: en\r\nX-Cmux-Port-Internal: {port}\r\n\r\n"
        );
        for (gateway, allowed) in [(&open, allowed), (&closed, host == "localhost")] {
            let mut client = gateway.connect().await;
            client.send(&request).await;
            if allowed {
                origin.answer("ok").await;
            }
            let expected = if allowed { 200 } else { 403 };
            assert_eq!(status(&client.response().await.0), expected, "{host}");
        }
    }
    let invalid = program(&["--allowed-hosts", "http://a"]);
    assert_eq!(outcome(&mut { invalid }).await.0, Some(2));
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn a_token_from_the_environment_is_asked_of_everybody_and_logged_for_nobody() {
    let origin = Origin::start().await;
    let arguments = ["--listen", "127.0.0.1:0", "--log-format", "json"];
    let mut command = program(&arguments);
    command.env("CMUX_AUTH_TOKEN", "s3cret").env("RUST_LOG", "trace");
    let gateway = Gateway::run(&mut command).await;
    let mut client = gateway.connect().await;
    for (field, expected) in [
        ("", 407),
        ("Proxy-Authorization: Bearer wr0ng\r\n", 407),
        ("Proxy-Authorization: Bearer s3cret\r\n", 200),
        ("Proxy-Authorization: Basic eDpzM2NyZXQ=\r\n", 200),
    ] {
        assert_eq!(ask(&mut client, &origin, field).await, expected, "{field}");
    }
    gateway.signal("TERM").await;
    let (code, log) = gateway.ended().await;
    assert_eq!(code, Some(0));
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    for secret in ["s3cret", "wr0ng", "eDpzM2NyZXQ="] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
}

#[tokio::test]
async fn the_token_file_is_read_again_on_sighup() {
    let (origin, file) = (Origin::start().await, tempfile::NamedTempFile::new().unwrap());
    let path = file.path().to_str().unwrap();
    fs::write(path, "one\n").unwrap();
    let gateway = Gateway::start(&["--auth-token-file", path]).await;
    let mut client = gateway.connect().await;
    let [one, two] = ["one", "two"].map(|token| format!("Proxy-Authorization: Bearer {token}\r\n"));
    assert_eq!(ask(&mut client, &origin, &one).await, 200);
    assert_eq!(ask(&mut client, &origin, &two).await, 407);
    // For as long as clients go over, both are right.
    fs::write(path, "one\n\r\ntwo").unwrap();
    gateway.signal("HUP").await;
    while ask(&mut client, &origin, &two).await != 200 {}
    assert_eq!(ask(&mut client, &origin, &one).await, 200);
    fs::write(path, "two\n").unwrap();
    gateway.signal("HUP").await;
    while ask(&mut client, &origin, &one).await != 407 {}
    assert_eq!(ask(&mut client, &origin, &two).await, 200);
    fs::write(path, "two\nthr ee\n").unwrap();
    gateway.signal("HUP").await;
    gateway.signal("TERM").await;
    let (_, log) = gateway.ended().await;
    assert!(log.contains("the old tokens stay"), "{log}");
    assert!(!log.contains("thr"), "{log}");
}

#[tokio::test]
async fn a_token_that_is_none_is_1() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for arguments in [["--auth-token-file", path], ["--auth-token-file", "/nowhere/at/all"]] {
        assert_eq!(outcome(&mut program(&arguments)).await.0, Some(1), "{arguments:?}");
    }
    let (code, log) = outcome(program(&[]).env("CMUX_AUTH_TOKEN", "two words")).await;
    assert_eq!(code, Some(1));
    assert!(log.contains("CMUX_AUTH_TOKEN") && !log.contains("two words"), "{log}");
}
