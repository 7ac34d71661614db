//! The ways through the proxy that a panic may come in, tried by clients that expect anything.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Peer, Proxy, status};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

/// A way through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Get,
    /// Without credentials.
    Refused,
    /// To where nobody listens.
    Failing,
    Connect,
    Upgrade,
    /// A GET in a tunnel that is looked into.
    Inside,
    InsideUpgrade,
    /// What is not HTTP, in a tunnel that is looked into.
    Relayed,
    RelayedFailing,
    Http2Get,
    Http2Failing,
    Http2Connect,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It went as it should.
    Served,
    /// It was answered with another status.
    Told(u16),
    /// The connection or the stream ended.
    Cut,
}

/// A server that answers any GET, opens any tunnel, and echoes what is not HTTP.
pub(crate) struct Echo {
    port: u16,
    _serving: JoinSet<()>,
}

impl Echo {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut peers = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                peers.spawn(echo(socket));
            }
        });
        Self { port, _serving: serving }
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

async fn echo(mut socket: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = socket.read(&mut buffer).await {
        let said = String::from_utf8_lossy(&buffer[..read]).into_owned();
        let answer = match said.as_str() {
            it if it.starts_with("CONNECT ") => "HTTP/1.1 200 OK\r\n\r\n",
            it if !it.starts_with("GET ") => it,
            it if it.contains("websocket") => {
                "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            }
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        };
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Where the attempts lead, and on whose behalf.
pub(crate) struct Workspace {
    plain: Context,
    routed: Context,
    /// Where somebody answers, and where nobody does.
    served: String,
    closed: String,
    /// The same by the route.
    local: String,
    local_closed: String,
    /// Bound, and never listening: nobody else can have the closed port.
    _silent: TcpSocket,
}

impl Workspace {
    pub(crate) fn of(proxy: &Proxy, echo: &Echo) -> Self {
        Self::at(proxy, "127.0.0.1", echo.port)
    }

    /// On a host that may be on another machine.
    pub(crate) fn at(proxy: &Proxy, host: &str, port: u16) -> Self {
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let closed = silent.local_addr().unwrap();
        Self {
            plain: proxy.context(),
            routed: proxy.routed(format!("http://{host}:{{port}}")),
            served: format!("{host}:{port}"),
            closed: closed.to_string(),
            local: format!("localhost:{port}"),
            local_closed: format!("localhost:{}", closed.port()),
            _silent: silent,
        }
    }

    pub(crate) async fn attempt(&self, proxy: &Proxy, way: Way) -> Outcome {
        let client = proxy.connect().await;
        let tried = async {
            match way {
                Way::Http2Get => self.http2(client, Method::GET, &self.served).await,
                Way::Http2Failing => self.http2(client, Method::GET, &self.closed).await,
                Way::Http2Connect => self.http2(client, Method::CONNECT, &self.served).await,
                _ => converse(client, &self.lines(way)).await,
            }
        };
        timeout(DEADLINE, tried).await.unwrap_or_else(|_| panic!("{way:?} hangs"))
    }

    /// Tries until what the last attempt held is free.
    pub(crate) async fn serves_again(&self, proxy: &Proxy, way: Way) {
        let way = if way == Way::RelayedFailing { Way::Relayed } else { way };
        let trying = async {
            while self.attempt(proxy, way).await != Outcome::Served {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, trying).await.unwrap_or_else(|_| panic!("{way:?} is not served again"));
    }

    /// What a client says over HTTP/1.1, and what it waits for each time.
    fn lines(&self, way: Way) -> Vec<(String, &'static str)> {
        const OPEN: &str = " 200 OK\r\n\r\n";
        const NO_HTTP: &str = "\x00\x01\x02";
        let Self { plain, routed, served, closed, local, local_closed, .. } = self;
        let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: {local}\r\n{fields}\r\n");
        let rest_of_head = (String::new(), "\r\n\r\n");
        let ping = ("ping".to_owned(), "ping");
        match way {
            Way::Get => vec![(plain.get(&format!("http://{served}/")), "ok")],
            Way::Refused => vec![(get(""), " 407 ")],
            Way::Failing => {
                vec![(plain.get(&format!("http://{closed}/")), "error=connection_refused")]
            }
            Way::Connect => vec![(plain.connect(served), OPEN), ping],
            Way::Upgrade => {
                vec![
                    (plain.ask(&format!("GET http://{served}/"), UPGRADE), " 101 "),
                    rest_of_head,
                    ping,
                ]
            }
            Way::Inside => vec![(routed.connect(local), OPEN), (get(""), "ok")],
            Way::InsideUpgrade => {
                vec![(routed.connect(local), OPEN), (get(UPGRADE), " 101 "), rest_of_head, ping]
            }
            Way::Relayed => vec![(routed.connect(local), OPEN), (NO_HTTP.to_owned(), NO_HTTP)],
            Way::RelayedFailing => {
                vec![(routed.connect(local_closed), OPEN), (NO_HTTP.to_owned(), NO_HTTP)]
            }
            Way::Http2Get | Way::Http2Failing | Way::Http2Connect => unreachable!(),
        }
    }

    async fn http2(&self, client: Peer, method: Method, authority: &str) -> Outcome {
        let Ok((sender, connection)) = h2::client::handshake(client.0).await else {
            return Outcome::Cut;
        };
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let Ok(mut sender) = sender.ready().await else { return Outcome::Cut };
        let tunnel = method == Method::CONNECT;
        let uri = if tunnel { authority.to_owned() } else { format!("http://{authority}/") };
        let credentials = format!("Basic {}", self.plain.credentials);
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("proxy-authorization", credentials).body(()).unwrap();
        let Ok((response, mut body)) = sender.send_request(request, false) else {
            return Outcome::Cut;
        };
        let said = if tunnel { "ok" } else { "" };
        let _ = body.send_data(Bytes::from(said), !tunnel);
        match response.await {
            Ok(response) if response.status() == 200 => {
                let data = response.into_body().data().await;
                let served = matches!(data, Some(Ok(data)) if data == "ok");
                if served { Outcome::Served } else { Outcome::Cut }
            }
            Ok(refused) => told(refused.status().as_u16(), authority == self.closed),
            Err(_) => Outcome::Cut,
        }
    }
}

fn told(status: u16, expected: bool) -> Outcome {
    if status == 502 && expected { Outcome::Served } else { Outcome::Told(status) }
}

/// Says each line once what was awaited before has come.
async fn converse(mut client: Peer, lines: &[(String, &str)]) -> Outcome {
    for (said, awaited) in lines {
        let _ = client.0.write_all(said.as_bytes()).await;
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains(awaited) {
            let mut byte = [0; 1];
            match client.0.read(&mut byte).await {
                Ok(1) => answer.push(byte[0]),
                _ => return Outcome::Cut,
            }
            let is_head = answer.starts_with(b"HTTP/1.1 ") && answer.ends_with(b"\r\n\r\n");
            let head = String::from_utf8_lossy(&answer);
            if is_head && !head.contains(awaited) && status(&head) >= 400 {
                return Outcome::Told(status(&head));
            }
        }
    }
    Outcome::Served
}
