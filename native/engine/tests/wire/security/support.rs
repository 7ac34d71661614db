//! One client's bytes, what they were answered with, and what they came to at the origin.
//!
//! The origin records everything it receives, connection by connection, and answers each whole request it
//! can read without doubt. A row's cases are all tried before the test fails, so that it names each.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tabport_engine::{ServerOptions, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::message::{Message, messages, statuses};
use crate::harness::{Context, DEADLINE, Proxy};

/// What a context asks for; its route leads to the origin.
pub(crate) const LOCAL: &str = "localhost:3000";

/// A proxy that waits for nothing longer than this.
pub(crate) fn impatient(limit: Duration) -> Proxy {
    let timeouts = Timeouts {
        request_head: limit,
        response_head: limit,
        idle: Some(limit),
        ..Timeouts::default()
    };
    Proxy::with(ServerOptions { timeouts, ..ServerOptions::default() })
}

/// An origin that keeps every byte it is sent.
pub(crate) struct Recorder {
    address: SocketAddr,
    /// The address that the origin's own last connection comes from.
    last: Arc<Mutex<Option<SocketAddr>>>,
    connections: JoinHandle<Vec<Vec<u8>>>,
}

impl Recorder {
    /// An origin that answers a request once it has got the whole of it.
    pub(crate) async fn start() -> Self {
        Self::answering(None).await
    }

    /// An origin that answers the first request of each connection with this status, at its head.
    pub(crate) async fn early(status: u16) -> Self {
        Self::answering(Some(status)).await
    }

    async fn answering(early: Option<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, last) = (listener.local_addr().unwrap(), Arc::default());
        let connections = tokio::spawn(accept(listener, Arc::clone(&last), early));
        Self { address, last, connections }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was received on each connection that was ever opened. A connection of our own comes last in the
    /// queue: whoever dialled before it has been accepted when it is.
    pub(crate) async fn end(self) -> Vec<Vec<u8>> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        *self.last.lock().unwrap() = Some(socket.local_addr().unwrap());
        let _last = socket.connect(self.address).await.unwrap();
        timeout(DEADLINE, self.connections).await.expect("a connection stays open").unwrap()
    }
}

async fn accept(
    listener: TcpListener,
    last: Arc<Mutex<Option<SocketAddr>>>,
    early: Option<u16>,
) -> Vec<Vec<u8>> {
    let mut connections = JoinSet::new();
    loop {
        let (socket, peer) = listener.accept().await.unwrap();
        if *last.lock().unwrap() == Some(peer) {
            return connections.join_all().await;
        }
        connections.spawn(record(socket, early));
    }
}

/// Answers whole requests, and says nothing any more once it cannot read one.
async fn record(mut socket: TcpStream, early: Option<u16>) -> Vec<u8> {
    let (mut received, mut answered) = (Vec::new(), 0);
    while matches!(socket.read_buf(&mut received).await, Ok(1..)) {
        if let (Some(status), 0, true) = (early, answered, received.contains(&b'\n')) {
            let answer = format!("HTTP/1.1 {status} Early\r\ncontent-length: 2\r\n\r\nno");
            let _ = socket.write_all(answer.as_bytes()).await;
            answered = 1;
        }
        let Ok(messages) = messages(&received) else {
            let _ = socket.shutdown().await;
            continue;
        };
        for request in messages.iter().filter(|it| it.complete).skip(answered) {
            let body = if request.start.starts_with("HEAD ") { "" } else { "ok" };
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{body}");
            let _ = socket.write_all(answer.as_bytes()).await;
            answered += 1;
        }
    }
    received
}

/// A way for a request to reach a routed context's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// `GET http://localhost:3000/`.
    Absolute,
    /// `GET /`, and the authority in `Host`.
    HostField,
    /// Absolute-form, and asking for another protocol.
    Upgrade,
    /// Inside a tunnel that is looked into.
    Tunnel,
}

impl Face {
    pub(crate) const ALL: [Self; 4] =
        [Self::Absolute, Self::HostField, Self::Upgrade, Self::Tunnel];

    /// A request's head, with these further fields, each with its line ending.
    pub(crate) fn ask(self, context: &Context, method: &str, path: &str, fields: &str) -> String {
        let target = match self {
            Self::Absolute | Self::Upgrade => format!("http://{LOCAL}{path}"),
            Self::HostField | Self::Tunnel => path.to_owned(),
        };
        let own = match self {
            Self::Absolute | Self::HostField => context.field(),
            Self::Upgrade => {
                format!("{}Connection: Upgrade\r\nUpgrade: websocket\r\n", context.field())
            }
            Self::Tunnel => String::new(),
        };
        format!("{method} {target} HTTP/1.1\r\nHost: {LOCAL}\r\n{own}{fields}\r\n")
    }

    /// A POST's head.
    pub(crate) fn post(self, context: &Context, fields: &str) -> String {
        self.ask(context, "POST", "/first", fields)
    }

    /// What must never be read as a part of what stands before it, and is the last on its connection.
    pub(crate) fn smuggled(self, context: &Context) -> String {
        let face = if self == Self::Upgrade { Self::Absolute } else { self };
        face.ask(context, "GET", "/smuggled", "Connection: close\r\n")
    }
}

/// What became of one client's bytes.
pub(crate) struct Outcome {
    /// All that the client was sent, after the answer to its CONNECT if it made one.
    pub(crate) client: Vec<u8>,
    /// All that the origin was sent, by connection.
    pub(crate) origin: Vec<Vec<u8>>,
}

/// Sends bytes to the proxy, and waits for it to close the connection.
pub(crate) async fn attempt<B: AsRef<[u8]>>(
    proxy: &Proxy,
    face: Face,
    bytes: impl FnOnce(&Context) -> B,
) -> Outcome {
    attempt_at(proxy, Recorder::start().await, face, bytes).await
}

/// [`attempt`], with an origin that is chosen.
pub(crate) async fn attempt_at<B: AsRef<[u8]>>(
    proxy: &Proxy,
    origin: Recorder,
    face: Face,
    bytes: impl FnOnce(&Context) -> B,
) -> Outcome {
    let context = proxy.routed(origin.url());
    let client = match face {
        Face::Tunnel => proxy.tunnel(&context, LOCAL).await,
        _ => proxy.connect().await,
    };
    let client = converse(client.0, bytes(&context).as_ref()).await;
    proxy.server.release_context(&context.id).unwrap();
    Outcome { client, origin: origin.end().await }
}

/// Writes all of it, and reads to the end meanwhile; `HANGS` stands for an end that did not come.
pub(crate) async fn converse(mut socket: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let (mut read, mut write) = socket.split();
    let mut received = Vec::new();
    let all = async {
        let (_, _) = tokio::join!(write.write_all(bytes), read.read_to_end(&mut received));
    };
    if timeout(DEADLINE, all).await.is_err() {
        received.extend_from_slice(HANGS.as_bytes());
    }
    received
}

/// Never a part of an HTTP message.
pub(crate) const HANGS: &str = "\0hangs";

impl Outcome {
    /// The client was refused once and the connection closed; nobody dialled the origin.
    pub(crate) fn refused(&self, status: u16) -> Result<(), String> {
        let told = statuses(&self.client)?;
        if !self.origin.is_empty() {
            return Err(format!("told {told:?}; the origin got {}", self.at_origin()));
        }
        if told == [status] { Ok(()) } else { Err(format!("told {told:?}")) }
    }

    /// The client was answered 200 each time, by an origin that has got so many messages, all whole.
    pub(crate) fn passed(&self, count: usize) -> Result<Vec<Message>, String> {
        let told = statuses(&self.client)?;
        let seen = self.seen()?;
        let whole = seen.len() == count && seen.iter().all(|it| it.complete);
        if told == vec![200; count] && whole {
            return Ok(seen);
        }
        Err(format!("told {told:?}; the origin got {}", self.at_origin()))
    }

    /// The client was told that it is at fault, or cut off, and no whole message reached the origin.
    pub(crate) fn broken_off(&self, status: &[u16]) -> Result<(), String> {
        let told = statuses(&self.client)?;
        let seen = self.seen()?;
        let whole = seen.iter().any(|it| it.complete);
        if told.len() <= 1 && told.iter().all(|it| status.contains(it)) && !whole {
            return Ok(());
        }
        Err(format!("told {told:?}; the origin got {}", self.at_origin()))
    }

    /// The messages that the origin got, or what is wrong with its bytes.
    pub(crate) fn seen(&self) -> Result<Vec<Message>, String> {
        let all: Result<Vec<_>, _> = self.origin.iter().map(|bytes| messages(bytes)).collect();
        all.map(|all| all.concat()).map_err(|why| format!("{why}: {}", self.at_origin()))
    }

    pub(crate) fn at_origin(&self) -> String {
        let texts: Vec<_> = self.origin.iter().map(|it| String::from_utf8_lossy(it)).collect();
        format!("{texts:?}")
    }
}

/// What is wrong, case by case.
#[derive(Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    pub(crate) fn note<T>(&mut self, case: impl std::fmt::Debug, result: Result<T, String>) {
        if let Err(why) = result {
            self.0.push(format!("{case:?}: {why}"));
        }
    }

    pub(crate) fn check(&mut self, case: impl std::fmt::Debug, holds: bool, why: &str) {
        self.note(case, if holds { Ok(()) } else { Err(why.to_owned()) });
    }

    pub(crate) fn none(self) {
        let all = self.0.iter().take(20).cloned().collect::<Vec<_>>().join("\n  ");
        assert!(self.0.is_empty(), "{} findings:\n  {all}", self.0.len());
    }
}
