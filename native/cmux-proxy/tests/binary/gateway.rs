//! A running `cmux-proxy`.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::harness::{DEADLINE, Peer};

/// The process; killed when the test ends, if it has not ended by itself.
pub(crate) struct Gateway {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    address: Option<SocketAddr>,
    admin: Option<SocketAddr>,
}

/// The program with these arguments, and nothing of this process's environment that it would look at.
pub(crate) fn program(arguments: &[&str]) -> Command {
    configured(Command::new(env!("CARGO_BIN_EXE_cmux-proxy")), arguments)
}

/// The same under a limit, as the shell's `ulimit` takes it.
pub(crate) fn program_with(limit: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let limited = format!("ulimit {limit} && exec \"$0\" \"$@\"");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_cmux-proxy")]);
    configured(command, arguments)
}

fn configured(mut command: Command, arguments: &[&str]) -> Command {
    for variable in [
        "CMUX_LISTEN",
        "CMUX_UPSTREAM_HOST",
        "CMUX_ALLOW_DEFAULT_UPSTREAM",
        "CMUX_AUTH_TOKEN",
        "CMUX_PRELOAD_LIBRARY",
        "CMUX_WORKSPACE_HOST",
        "CMUX_ADMIN",
        "RUST_LOG",
    ] {
        command.env_remove(variable);
    }
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Gateway {
    /// One that listens on a free port of 127.0.0.1.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::run(&mut program(&[&["--listen", "127.0.0.1:0"], arguments].concat())).await
    }

    /// Starts a program, and waits until it listens.
    pub(crate) async fn run(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut gateway = Self { child, out, address: None, admin: None };
        gateway.address = Some(gateway.next_address().await);
        gateway
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("it listens")
    }

    /// The next address that it says it listens on.
    pub(crate) async fn next_address(&mut self) -> SocketAddr {
        let line = self.next_line().await.expect("another address");
        line.strip_prefix("listening on ").expect("an address").parse().unwrap()
    }

    /// Waits until it says where it answers those who run it.
    pub(crate) async fn await_admin(&mut self) {
        let line = self.next_line().await.expect("another address");
        self.admin = Some(line.strip_prefix("admin on ").expect("an address").parse().unwrap());
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.expect("it answers those who run it")
    }

    /// The next line of what it prints; `None` once it has ended.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        timeout(DEADLINE, self.out.next_line()).await.expect("it says nothing").unwrap()
    }

    pub(crate) async fn connect(&self) -> Peer {
        Peer::connect(self.address()).await
    }

    /// Sends it a signal, by its name.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await.unwrap();
        assert!(sent.success(), "{name} was not sent");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it has not ended")
    }

    /// The names of its threads.
    #[cfg(target_os = "linux")]
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        tasks.map(|task| name(task.unwrap()).unwrap().trim_end().to_owned()).collect()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ends; its exit code, and its log.
    pub(crate) async fn ended(self) -> (Option<i32>, String) {
        ended(self.child).await
    }
}

/// The exit code and the log of a program that should end by itself.
pub(crate) async fn outcome(command: &mut Command) -> (Option<i32>, String) {
    ended(command.spawn().unwrap()).await
}

async fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut log = String::new();
    let mut stderr = child.stderr.take().unwrap();
    timeout(DEADLINE, stderr.read_to_string(&mut log)).await.expect("it does not end").unwrap();
    let status: ExitStatus = timeout(DEADLINE, child.wait()).await.expect("it ends").unwrap();
    (status.code(), log)
}
