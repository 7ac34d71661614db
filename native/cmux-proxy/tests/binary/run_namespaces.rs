//! Programs in a network namespace of their own, which may be linked as they like.
//!
//! Where the system permits nobody a namespace, these test that it is said, and nothing else.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::gateway::Gateway;
use crate::harness::{DEADLINE, Origin};
use crate::run_refusals::compile;
use crate::run_servers::{node, python};
use crate::workspace::{Inside, Outcome, get, outcome, output, reach, run};

/// A program in a namespace, with the port of its workspace.
pub(crate) fn isolated(workspace: u8, flags: &[&str], command: &[&str]) -> Command {
    let name = format!("workspace-{workspace}");
    let own = ["--workspace", &name, "--isolation", "namespace"];
    run(&[&own[..], flags, &["--"], command].concat())
}

/// Whether the system permits it; that it says so where it does not.
pub(crate) async fn permitted() -> bool {
    let Outcome { code, log, .. } = outcome(&mut isolated(90, &[], &["true"])).await;
    let refused = log.contains("does not permit a network namespace");
    assert!(code == Some(0) || code == Some(1) && refused, "{code:?} {log}");
    !refused
}

pub(crate) async fn start(workspace: u8, command: &[&str]) -> Inside {
    let server = Inside::spawn(workspace, &mut isolated(workspace, &[], command)).await;
    reach(server.address).await;
    server
}

/// Answers one request after the other with its second argument, on the port of its first.
const STATIC: &str = r#"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **arguments) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(arguments[1])) };
    socklen_t length = sizeof address;
    int on = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server, (struct sockaddr *)&address, length) || listen(server, 9)) return 1;
    getsockname(server, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        char buffer[4096];
        int client = accept(server, 0, 0);
        if (read(client, buffer, sizeof buffer) > 0)
            dprintf(client, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                    strlen(arguments[2]), arguments[2]);
        close(client);
    }
}
"#;

#[tokio::test]
async fn static_programs_have_the_same_port_in_two_workspaces() {
    if !permitted().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = compile(&folder, "server", &["-static"], STATIC).await;
    let program = program.to_str().unwrap();
    let machine = Origin::start().await;
    let port = machine.port().to_string();
    let gateway = Gateway::start(&[]).await;
    let servers =
        [start(91, &[program, &port, "91"]).await, start(92, &[program, &port, "92"]).await];
    for server in &servers {
        let number = server.address.ip().to_string().rsplit_once('.').unwrap().1.to_owned();
        let fields = format!(
            "X-Cmux-Port-Internal: {port}\r\nX-Cmux-Workspace-Internal: workspace-{number}\r\n"
        );
        assert_eq!(get(gateway.address(), &fields).await, number);
    }
    machine.was_never_dialled().await;
}

#[tokio::test]
async fn a_server_dials_itself_wherever_it_listens() {
    if !permitted().await {
        return;
    }
    for host in ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"] {
        let server = start(93, &node(host, "0", host)).await;
        let to_itself = if host == "::1" { "[::1]" } else { "localhost" };
        assert_eq!(get(server.address, &format!("X-Self: {to_itself}\r\n")).await, host);
    }
}

#[tokio::test]
async fn the_machine_is_not_reached_but_for_shared_ports() {
    if !permitted().await {
        return;
    }
    let machine = Origin::start().await;
    let (port, url) = (machine.port().to_string(), machine.url());
    let refused = outcome(&mut isolated(94, &[], &["curl", "-sS", &url])).await;
    assert_eq!(refused.code, Some(7), "{}", refused.log);
    machine.was_never_dialled().await;
    let mut curl = isolated(94, &["--share", &port], &["curl", "-sS", &url]);
    let (said, _) = tokio::join!(output(&mut curl), machine.answer("the machine's"));
    assert_eq!(said, "the machine's");

    let by_name = format!("http://localhost:{port}/");
    let mut curl = isolated(94, &["--share", &port], &["curl", "-sS", &by_name]);
    let (said, _) = tokio::join!(output(&mut curl), machine.answer("by name"));
    assert_eq!(said, "by name");

    let shared = machine.address().port();
    let server = python("", "0", "x");
    let server = Inside::spawn(94, &mut isolated(94, &["--share", &port], &server)).await;
    reach(server.address).await;
    let at_workspace = SocketAddr::new(server.address.ip(), shared);
    assert!(TcpStream::connect(at_workspace).await.is_err(), "the machine's port is at large");
}

#[tokio::test]
async fn a_port_is_led_to_for_as_long_as_somebody_listens() {
    if !permitted().await {
        return;
    }
    let script = "import socket\nport = 0\nwhile True:\n s = socket.create_server(('', port))\n \
                  port = s.getsockname()[1]\n print(port, flush=True)\n input()\n s.close()\n input()";
    let mut command = isolated(95, &[], &["python3", "-c", script]);
    command.stdin(Stdio::piped());
    let mut server = Inside::spawn(95, &mut command).await;
    let mut input = server.child.stdin.take().unwrap();
    let mut next = async || input.write_all(b"\n").await.unwrap();
    reach(server.address).await;
    next().await;
    gone(server.address).await;
    next().await;
    reach(server.address).await;
    server.child.kill().await.unwrap();
    gone(server.address).await;
}

pub(crate) async fn gone(address: SocketAddr) {
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, refused).await.expect("the relay goes away");
}

#[tokio::test]
async fn what_is_at_the_workspace_s_address_already_is_told() {
    if !permitted().await {
        return;
    }
    let taken = TcpListener::bind("127.18.0.96:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let script = format!("import socket\ns = socket.create_server(('', {port}))\ninput()");
    let mut child =
        isolated(96, &[], &["python3", "-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = timeout(DEADLINE, log.next_line()).await.expect("it is told").unwrap().unwrap();
    assert!(line.contains(&format!("cannot listen on 127.18.0.96:{port}")), "{line}");
    child.stdin.take().unwrap().write_all(b"\n").await.unwrap();
    assert_eq!(timeout(DEADLINE, child.wait()).await.unwrap().unwrap().code(), Some(0));
}

#[tokio::test]
async fn the_command_takes_its_place_and_has_no_child_that_it_does_not_know() {
    if !permitted().await {
        return;
    }
    let script = "echo 1; echo $$; cat /proc/$$/task/$$/children; echo .; exec sleep 60";
    let mut server = Inside::spawn(97, &mut isolated(97, &[], &["sh", "-c", script])).await;
    let id = server.child.id().unwrap();
    assert_eq!(server.next_line().await, id.to_string());
    let children = server.next_line().await;
    assert_eq!(children.split_whitespace().count(), 2, "more than `cat` and the dot: {children}");
    output(Command::new("kill").args(["-s", "TERM", &id.to_string()])).await;
    assert_eq!(server.child.wait().await.unwrap().signal(), Some(15));
    assert_eq!(outcome(&mut isolated(97, &[], &["sh", "-c", "exit 7"])).await.code, Some(7));
    assert_eq!(outcome(&mut isolated(97, &[], &["no-such-command"])).await.code, Some(127));
}

#[tokio::test]
async fn what_a_terminal_sends_to_the_program_does_not_reach_the_relay() {
    if !permitted().await {
        return;
    }
    let mut command = isolated(99, &[], &python("", "0", "x"));
    let server = Inside::spawn(99, command.process_group(0)).await;
    reach(server.address).await;
    let group = server.child.id().unwrap().to_string();
    let members = std::fs::read_dir("/proc").unwrap().filter_map(|process| {
        let stat = std::fs::read_to_string(process.unwrap().path().join("stat")).ok()?;
        // After the name, which may have any character: state, parent, group.
        let is_member = stat.rsplit_once(") ")?.1.split(' ').nth(2) == Some(&group);
        is_member.then_some(stat)
    });
    assert_eq!(members.collect::<Vec<_>>().len(), 1);
}

#[tokio::test]
async fn a_user_without_privileges_keeps_their_id() {
    if !permitted().await {
        return;
    }
    let own = output(Command::new("id").arg("-u")).await;
    let server = python("", "0", "user");
    let script = r#"id -u >&2; exec "$@""#;
    let inner = isolated(98, &[], &[&["sh", "-c", script, "sh"][..], &server].concat());
    // Root without this capability has to go the way of everybody else.
    let mut command = Command::new("setpriv");
    if own == "0" {
        command.arg("--bounding-set=-sys_admin");
    }
    command.arg(inner.as_std().get_program()).args(inner.as_std().get_args());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Inside::spawn(98, command.kill_on_drop(true)).await;
    reach(server.address).await;
    assert_eq!(get(server.address, "").await, "user");
    let namespace = format!("/proc/{}/ns/user", server.child.id().unwrap());
    assert_ne!(
        std::fs::read_link(namespace).unwrap(),
        std::fs::read_link("/proc/self/ns/user").unwrap()
    );
    server.child.kill().await.unwrap();
    let Outcome { log, .. } = rest(server.child).await;
    assert!(log.starts_with(&own), "{log}");
}

async fn rest(child: tokio::process::Child) -> Outcome {
    let ended = timeout(DEADLINE, child.wait_with_output()).await.expect("it ends").unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    Outcome { code: ended.status.code(), out: String::new(), log }
}
