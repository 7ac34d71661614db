//! Flags and environment: what is taken, and what is told of the rest.

use crate::harness::{Origin, field, status};
use crate::program::{Program, outcome, program};

const UPSTREAM: [&str; 2] = ["--upstream", "http://127.0.0.1:1"];

async fn is_refused(arguments: &[&str], told: &str) {
    let (code, said) = outcome(&mut program(arguments)).await;
    assert_eq!(code, Some(2), "{arguments:?} {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(told), "{said}");
}

#[tokio::test]
async fn row_6_the_upstream_is_needed_and_must_be_http_or_https() {
    is_refused(&[], "--upstream <URL>").await;
    for (url, told) in [
        ("ftp://x", "http:// or https://"),
        ("x", "http:// or https://"),
        ("http://", "host"),
        ("http://x?q=1", "query"),
        ("http://user:hunter2@x", "user"),
    ] {
        is_refused(&["--upstream", url], told).await;
        let (_, said) = outcome(&mut program(&["--upstream", url])).await;
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn row_6_and_5_the_environment_says_the_same() {
    let origin = Origin::start().await;
    let mut command = program(&[]);
    command.env("HEADROOM_PROXY_UPSTREAM", origin.url());
    command.env("HEADROOM_PROXY_LISTEN", "127.0.0.1:0");
    let proxy = Program::run(&mut command).await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    origin.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn row_7_row_9_and_row_10_values_without_sense_are_2() {
    for (flag, value, told) in [
        ("--upstream-timeout", "5", "time unit"),
        ("--upstream-timeout", "0s", "longer"),
        ("--upstream-timeout", "18446744073709551615s", "century"),
        ("--upstream-connect-timeout", "soon", "--upstream-connect-timeout"),
        ("--graceful-shutdown-timeout", "1", "time unit"),
        ("--max-body-bytes", "many", "--max-body-bytes"),
        ("--max-buffered-bytes", "99MB", "--max-body-bytes"),
        ("--log-level", "verbose", "--log-level"),
        ("--log-level", "a=b=c", "--log-level"),
        ("--listen", "nowhere", "--listen"),
        ("--listen", "example.test:8787", "localhost"),
        ("--trusted-proxies", "10.0.0.0/33", "--trusted-proxies"),
        ("--upstream-health-path", "healthz", "slash"),
        ("--upstream-proxy", "ftp://x", "--upstream-proxy"),
        ("--tls-cert", "x", "--tls-key"),
        ("--rewrite-host=maybe", "", "--rewrite-host"),
        ("--workers", "0", "--workers"),
    ] {
        let value = if value.is_empty() { &[][..] } else { &[value] };
        is_refused(&[&UPSTREAM[..], &[flag], value].concat(), told).await;
    }
}

#[tokio::test]
async fn row_44_a_socket_is_either_handed_over_or_taken() {
    for listen in ["fd:3", "systemd"] {
        let arguments = [&UPSTREAM[..], &["--listen", listen, "--take-over", "1"]].concat();
        is_refused(&arguments, "--take-over").await;
    }
}

#[tokio::test]
async fn help_and_version_are_printed() {
    for (flag, said) in [("--version", "headroom-proxy 0."), ("--help", "--no-rewrite-host")] {
        let output = program(&[flag]).output().await.unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(said), "{flag}");
    }
}

#[tokio::test]
async fn row_11_both_switches_work_bare_and_with_a_value() {
    let origin = Origin::start().await;
    let own = origin.address().to_string();
    for (arguments, expected) in [
        (&[][..], &*own),
        (&["--rewrite-host"], &own),
        (&["--rewrite-host=true"], &own),
        (&["--rewrite-host=false"], "a.test"),
        (&["--no-rewrite-host"], "a.test"),
        (&["--rewrite-host", "--no-rewrite-host"], "a.test"),
    ] {
        let proxy = Program::to(&origin, arguments).await;
        for upgrade in ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"] {
            let mut client = proxy.connect().await;
            client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{upgrade}\r\n")).await;
            let (_, head) = origin.answer("ok").await;
            assert_eq!(field(&head, "host"), Some(expected), "{arguments:?}");
            assert_eq!(client.response().await.1, "ok");
        }
    }
}

#[tokio::test]
async fn row_9_a_size_is_decimal_or_binary_as_it_says() {
    let origin = Origin::start().await;
    for (size, limit) in [("1kB", 1000), ("1KiB", 1024), ("5", 5)] {
        let flags = ["--buffer-requests", "--max-body-bytes", size];
        let proxy = Program::to(&origin, &flags).await;
        for (length, expected) in [(limit, 200), (limit + 1, 413)] {
            let mut client = proxy.connect().await;
            let body = "x".repeat(length);
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            client.send(format!("{head}{body}")).await;
            if expected == 200 {
                origin.answer("ok").await;
            }
            assert_eq!(status(&client.response().await.0), expected, "{size} {length}");
        }
    }
}

#[tokio::test]
async fn row_8_what_is_streamed_may_be_of_any_length() {
    let origin = Origin::start().await;
    let proxy = Program::to(&origin, &["--max-body-bytes", "10"]).await;
    let mut client = proxy.connect().await;
    let body = "x".repeat(50);
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{body}")).await;
    let (mut upstream, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "content-length"), Some("50"));
    upstream.expect(body).await;
    assert_eq!(client.response().await.1, "ok");
}
