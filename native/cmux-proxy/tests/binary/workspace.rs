//! Programs in a workspace.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::gateway::program;
use crate::harness::{DEADLINE, Peer};

/// `cmux-proxy run`, with the library beside it.
pub(crate) fn run(arguments: &[&str]) -> Command {
    build_library();
    program(&[&["run"], arguments].concat())
}

/// A program in the workspace of this number.
pub(crate) fn inside(workspace: u8, command: &[&str]) -> Command {
    let name = format!("workspace-{workspace}");
    run(&[&["--workspace", &name, "--"], command].concat())
}

/// Cargo builds what a package depends on, and a program does not depend on what it preloads.
fn build_library() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_cmux-proxy")).parent().unwrap();
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--offline", "--package", "tabport-workspace"]);
        cargo.arg("--target-dir").arg(folder.parent().unwrap());
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    });
}

/// What a program that ends by itself has come to.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) log: String,
}

pub(crate) async fn outcome(command: &mut Command) -> Outcome {
    let ended = timeout(DEADLINE, command.output()).await.expect("it does not end").unwrap();
    Outcome {
        code: ended.status.code(),
        out: String::from_utf8(ended.stdout).unwrap(),
        log: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// What a program prints that must end well.
pub(crate) async fn output(command: &mut Command) -> String {
    let Outcome { code, out, log } = outcome(command).await;
    assert_eq!(code, Some(0), "{out}{log}");
    out.trim_end().to_owned()
}

/// A server in a workspace, which prints its port once it listens; killed when the test ends.
pub(crate) struct Inside {
    pub(crate) child: Child,
    out: Lines<BufReader<ChildStdout>>,
    pub(crate) address: SocketAddr,
}

impl Inside {
    pub(crate) async fn start(workspace: u8, command: &[&str]) -> Self {
        Self::spawn(workspace, &mut inside(workspace, command)).await
    }

    /// Waits until what is started in this workspace has printed its port.
    pub(crate) async fn spawn(workspace: u8, command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { child, out, address: ([127, 18, 0, workspace], 0).into() };
        let port = server.next_line().await;
        server.address.set_port(port.parse().unwrap_or_else(|_| panic!("no port: {port}")));
        server
    }

    /// The next line of what it prints.
    pub(crate) async fn next_line(&mut self) -> String {
        if let Some(line) = timeout(DEADLINE, self.out.next_line()).await.unwrap().unwrap() {
            return line;
        }
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
        panic!("it has ended: {log}");
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

/// The body that a server at this address answers with.
pub(crate) async fn get(address: impl Into<SocketAddr>, fields: &str) -> String {
    let mut client = Peer::connect(address.into()).await;
    client
        .send(format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n"))
        .await;
    client.response().await.1
}

/// Waits until somebody listens at an address.
pub(crate) async fn reach(address: SocketAddr) {
    let end = Instant::now() + DEADLINE;
    while TcpStream::connect(address).await.is_err() {
        assert!(Instant::now() < end, "nobody listens on {address}");
        sleep(Duration::from_millis(5)).await;
    }
}
