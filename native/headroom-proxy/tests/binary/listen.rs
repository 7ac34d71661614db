//! Where it listens, and how it ends when it cannot.

use std::net::TcpListener;
use std::os::fd::AsRawFd as _;

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::harness::{Origin, status};
use crate::program::{Program, outcome, program};

const UPSTREAM: [&str; 2] = ["--upstream", "http://127.0.0.1:1"];

async fn answers(program: &Program) {
    let mut client = program.connect().await;
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 200);
}

#[tokio::test]
async fn row_5_port_0_is_told_at_every_level_and_localhost_is_loopback() {
    for (listen, level) in [("127.0.0.1:0", "info"), ("localhost:0", "off"), ("[::1]:0", "error")] {
        let arguments = [&UPSTREAM[..], &["--listen", listen, "--log-level", level]].concat();
        let program = Program::run(&mut program(&arguments)).await;
        assert!(program.address.ip().is_loopback() && program.address.port() > 0);
        answers(&program).await;
    }
}

#[tokio::test]
async fn row_5_localhost_with_a_port_is_both_families() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("localhost:{port}");
    let arguments = [&UPSTREAM[..], &["--listen", &listen]].concat();
    let program = Program::run(&mut program(&arguments)).await;
    answers(&program).await;
    TcpStream::connect(("::1", port)).await.unwrap();
}

/// Half of it is somebody else's: who asks there would not be answered by this proxy.
#[tokio::test]
async fn row_5_localhost_that_is_half_taken_is_1() {
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let taken = TcpListener::bind(host).unwrap();
        let listen = format!("localhost:{}", taken.local_addr().unwrap().port());
        for more in [&[][..], &["--reuse-port"]] {
            let mut program = program(&[&UPSTREAM[..], &["--listen", &listen], more].concat());
            let (code, said) = outcome(&mut program).await;
            assert_eq!((code, said.contains("in use")), (Some(1), true), "{said}");
        }
    }
}

/// Sharing a port, or taking one, is no reason to leave out half of it.
#[tokio::test]
async fn row_5_and_44_localhost_that_is_shared_or_taken_is_both_families() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("localhost:{port}");
    let with = |more: &[&str]| program(&[&UPSTREAM[..], &["--listen", &listen], more].concat());
    let shared = Program::run(&mut with(&["--reuse-port"])).await;
    TcpStream::connect(("::1", port)).await.unwrap();
    if cfg!(target_os = "linux") {
        let process = shared.id().to_string();
        let mut taken = Program::run(&mut with(&["--take-over", &process])).await;
        drop(shared);
        taken.next("listening").await;
        answers(&taken).await;
        TcpStream::connect(("::1", port)).await.unwrap();
    }
}

#[tokio::test]
async fn row_5_a_busy_port_is_1_and_the_first_thing_that_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut program = program(&[&UPSTREAM[..], &["--listen", &address]].concat());
    let output = program.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
    assert_eq!(output.stdout, b"");
}

#[tokio::test]
async fn row_44_a_socket_that_is_handed_over_is_listened_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_cloexec(false).unwrap();
    let listen = format!("fd:{}", listener.as_raw_fd());
    let arguments = [&UPSTREAM[..], &["--listen", &listen]].concat();
    let program = Program::run(&mut program(&arguments)).await;
    assert_eq!(program.address, listener.local_addr().unwrap());
    answers(&program).await;
}

/// As systemd does it, which writes the number of the process that it has become.
#[tokio::test]
async fn row_44_the_sockets_of_systemd_are_listened_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_cloexec(false).unwrap();
    let own = env!("CARGO_BIN_EXE_headroom-proxy");
    let script = format!(
        "exec 3<&{}; LISTEN_FDS=1 LISTEN_PID=$$ exec {own} --listen systemd --upstream http://a.test",
        listener.as_raw_fd()
    );
    let mut command = tokio::process::Command::new("bash");
    command.args(["-c", &script]).kill_on_drop(true);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let program = Program::run(&mut command).await;
    assert_eq!(program.address, listener.local_addr().unwrap());
    answers(&program).await;
}

#[tokio::test]
async fn what_is_no_socket_to_listen_on_is_1() {
    let origin = Origin::start().await;
    let url = origin.url();
    for (listen, told) in
        [("fd:99", "descriptor 99"), ("fd:0", "descriptor 0"), ("systemd", "LISTEN_FDS")]
    {
        let mut program = program(&["--upstream", &url, "--listen", listen]);
        let (code, said) = outcome(&mut program).await;
        assert_eq!((code, said.contains(told)), (Some(1), true), "{said}");
    }
}
