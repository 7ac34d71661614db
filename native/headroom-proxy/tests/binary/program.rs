//! A running `headroom-proxy`.

use std::net::SocketAddr;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::harness::{DEADLINE, Origin, Peer};

/// The process; killed when the test ends, if it has not ended by itself.
pub(crate) struct Program {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    /// What it has printed so far.
    pub(crate) printed: Vec<String>,
    pub(crate) address: SocketAddr,
}

/// The program with these arguments, and nothing of this process's environment that it would look at.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headroom-proxy"));
    for variable in
        ["HEADROOM_PROXY_LISTEN", "HEADROOM_PROXY_UPSTREAM", "RUST_LOG", "SSL_CERT_FILE"]
    {
        command.env_remove(variable);
    }
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Program {
    /// One that listens on a free port of 127.0.0.1, and leads to this server.
    pub(crate) async fn to(origin: &Origin, arguments: &[&str]) -> Self {
        let url = origin.url();
        let fixed = ["--listen", "127.0.0.1:0", "--upstream", &url];
        Self::run(&mut program(&[&fixed, arguments].concat())).await
    }

    /// Starts a program, and waits until it listens.
    pub(crate) async fn run(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = SocketAddr::from(([0; 4], 0));
        let mut program = Self { child, out, printed: Vec::new(), address };
        while program.address.port() == 0 {
            let Some(line) = program.next_line().await else {
                panic!("it has ended: {}", program.ended().await.1);
            };
            let fields = &line["fields"];
            if fields["message"] == "listening" {
                program.address = fields["address"].as_str().unwrap().parse().unwrap();
            }
        }
        program
    }

    /// The next line of what it prints, which is JSON; `None` once it has ended.
    pub(crate) async fn next_line(&mut self) -> Option<Value> {
        let line =
            timeout(DEADLINE, self.out.next_line()).await.expect("it says nothing").unwrap()?;
        let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        self.printed.push(line);
        Some(value)
    }

    /// The fields of the next line with this message.
    pub(crate) async fn next(&mut self, message: &str) -> Value {
        loop {
            let line = self.next_line().await.unwrap_or_else(|| panic!("it never says {message}"));
            if line["fields"]["message"] == message {
                return line;
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it has not ended")
    }

    pub(crate) async fn connect(&self) -> Peer {
        Peer::connect(self.address).await
    }

    /// Sends it a signal, by its name.
    pub(crate) async fn signal(&self, name: &str) {
        signal(self.id(), name).await;
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ends; its exit code, and what it has said on standard error.
    pub(crate) async fn ended(&mut self) -> (Option<i32>, String) {
        while self.next_line().await.is_some() {}
        ended(&mut self.child).await
    }
}

pub(crate) async fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status().await;
    assert!(sent.unwrap().success(), "{name} was not sent");
}

/// The exit code of a program that should end by itself, and what it says on standard error.
pub(crate) async fn outcome(command: &mut Command) -> (Option<i32>, String) {
    ended(&mut command.spawn().unwrap()).await
}

async fn ended(child: &mut Child) -> (Option<i32>, String) {
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    timeout(DEADLINE, stderr.read_to_string(&mut said)).await.expect("it does not end").unwrap();
    let status = timeout(DEADLINE, child.wait()).await.expect("it ends").unwrap();
    (status.code(), said)
}
