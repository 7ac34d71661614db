//! The relay to a network namespace, where things go wrong: it lasts, and hides nothing.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::gateway::program_with;
use crate::harness::DEADLINE;
use crate::run_namespaces::{gone, isolated, permitted, start};
use crate::run_servers::python;
use crate::workspace::{Inside, get, reach};

#[tokio::test]
async fn an_address_that_is_taken_is_led_from_once_it_is_free() {
    if !permitted().await {
        return;
    }
    let taken = TcpListener::bind("127.18.0.86:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();
    let mut child = isolated(86, &[], &python("", &port, "late")).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = timeout(DEADLINE, log.next_line()).await.expect("it is told").unwrap().unwrap();
    assert!(line.contains(&format!("cannot listen on {address}")), "{line}");
    drop(taken);
    reach(address).await;
    assert_eq!(get(address, "").await, "late");
    child.kill().await.unwrap();
    while let Some(line) = timeout(DEADLINE, log.next_line()).await.expect("it ends").unwrap() {
        assert!(!line.contains("cannot listen"), "it is told twice: {line}");
    }
}

#[tokio::test]
async fn more_connections_than_descriptors_do_not_end_it() {
    if !permitted().await {
        return;
    }
    let script = r"
import socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.send(b'.')
        self.request.recv(1)
server = socketserver.ThreadingTCPServer(('', 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
";
    // A relayed connection takes two: of these limits, one leaves none.
    for limit in ["-n 48", "-n 49"] {
        let inner = isolated(87, &[], &["python3", "-c", script]);
        let arguments: Vec<_> = inner.as_std().get_args().map(|it| it.to_str().unwrap()).collect();
        let server = Inside::spawn(87, &mut program_with(limit, &arguments)).await;
        reach(server.address).await;
        let mut held = Vec::new();
        while let Some(connection) = greeted(server.address).await {
            held.push(connection);
        }
        assert!(held.len() > 10, "{} connections", held.len());
        drop(held);
        let again = async { while greeted(server.address).await.is_none() {} };
        timeout(DEADLINE, again).await.expect("it has ended");
    }
}

/// A connection on which the server says something; it is waited for while ports are looked at several times.
async fn greeted(address: SocketAddr) -> Option<TcpStream> {
    let mut connection = TcpStream::connect(address).await.ok()?;
    let greeting = timeout(Duration::from_millis(300), connection.read_exact(&mut [0])).await;
    greeting.ok()?.ok().map(|_| connection)
}

#[tokio::test]
async fn what_a_server_breaks_off_does_not_look_whole() {
    if !permitted().await {
        return;
    }
    let script = "import socket, struct\ns = socket.create_server(('', 0))\n\
                  print(s.getsockname()[1], flush=True)\nwhile True:\n c = s.accept()[0]\n \
                  if not c.recv(1): continue\n c.send(b'half')\n \
                  if not c.recv(1): continue\n \
                  c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n c.close()";
    let server = start(88, &["python3", "-c", script]).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b".").await.unwrap();
    let mut half = [0; 4];
    timeout(DEADLINE, client.read_exact(&mut half)).await.unwrap().unwrap();
    client.write_all(b".").await.unwrap();
    let end = timeout(DEADLINE, client.read(&mut half)).await.unwrap();
    assert!(end.is_err(), "it looks whole: {end:?}");
}

#[tokio::test]
async fn what_a_program_has_said_before_it_ends_arrives() {
    if !permitted().await {
        return;
    }
    let script = r"
import select, socket
server = socket.create_server(('', 0))
print(server.getsockname()[1], flush=True)
while not (client := server.accept()[0]).recv(1): pass
client.setblocking(False)
total = 0
while select.select([], [client], [], 0.2)[1]: total += client.send(b'.' * 65536)
print(total, flush=True)
";
    let mut server = start(89, &["python3", "-c", script]).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b".").await.unwrap();
    let total: usize = server.next_line().await.parse().unwrap();
    assert_eq!(server.child.wait().await.unwrap().code(), Some(0));
    gone(server.address).await;
    let mut said = Vec::new();
    timeout(DEADLINE, client.read_to_end(&mut said)).await.unwrap().unwrap();
    assert_eq!(said.len(), total);
}
