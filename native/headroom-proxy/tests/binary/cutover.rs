//! A port that changes hands: while it does, nobody who asks is refused, or left without an answer.

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::task::JoinHandle;

use crate::harness::{DEADLINE, Peer, status};
use crate::program::{Program, program};

const UPSTREAM: [&str; 2] = ["--upstream", "http://127.0.0.1:1"];

/// A client that connects anew for every request, until it is told to stop.
struct Loop {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Loop {
    fn start(address: SocketAddr) -> Self {
        let (stop, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let (stopped, answered) = (Arc::clone(&stop), Arc::clone(&answers));
        let task = tokio::spawn(async move {
            while !stopped.load(SeqCst) {
                let mut client = Peer::connect(address).await;
                client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
                assert_eq!(status(&client.response().await.0), 200);
                answered.fetch_add(1, SeqCst);
            }
        });
        Self { stop, answers, task }
    }

    /// Waits until it has been answered some more.
    async fn goes_on(&self) {
        let enough = self.answers.load(SeqCst) + 50;
        let more = async {
            while self.answers.load(SeqCst) < enough && !self.task.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(DEADLINE, more).await.expect("it goes on");
    }

    async fn end(self) {
        self.stop.store(true, SeqCst);
        self.task.await.unwrap();
    }
}

async fn on(address: SocketAddr, more: &[&str]) -> Program {
    let address = address.to_string();
    let fixed = ["--listen", &address, "--log-level", "warn"];
    Program::run(&mut program(&[&UPSTREAM[..], &fixed, more].concat())).await
}

#[tokio::test]
async fn row_44_two_that_share_a_port_hand_it_over_and_back() {
    let mut first = on("127.0.0.1:0".parse().unwrap(), &["--reuse-port"]).await;
    let clients = Loop::start(first.address);
    clients.goes_on().await;
    for _ in 0..5 {
        let second = on(first.address, &["--reuse-port"]).await;
        clients.goes_on().await;
        first.signal("TERM").await;
        assert_eq!(first.ended().await.0, Some(0));
        clients.goes_on().await;
        first = second;
    }
    clients.end().await;
}

/// A server that knows nothing of all this, in a process of its own; killed when the test ends, however it does.
struct Stranger(std::process::Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stranger() -> (Stranger, SocketAddr) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let script = format!(
        "import ctypes, signal, threading, http.server as h\n\
         # Whoever wants to may trace it, where the system would ask.\n\
         ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)\n\
         class Answer(h.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       self.send_response(200); self.send_header('Content-Length', '2'); self.end_headers()\n\
         \x20       self.wfile.write(b'ok')\n\
         \x20   def log_message(self, *_): pass\n\
         h.ThreadingHTTPServer.request_queue_size = 128\n\
         h.ThreadingHTTPServer.daemon_threads = False\n\
         server = h.ThreadingHTTPServer(('127.0.0.1', {}), Answer)\n\
         # Told to end, it answers whom it has let in.\n\
         end = lambda *_: threading.Thread(target=server.shutdown).start()\n\
         signal.signal(signal.SIGINT, end)\n\
         server.serve_forever(0.05)\n\
         server.server_close()",
        address.port()
    );
    let mut command = std::process::Command::new("python3");
    let child = command.args(["-c", &script]).stderr(Stdio::null()).spawn().unwrap();
    (Stranger(child), address)
}

/// The way from a scripted proxy that sets no option: its socket is taken while it serves.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn row_44_the_socket_of_a_running_server_is_taken_over() {
    let (mut old, address) = stranger();
    while tokio::net::TcpStream::connect(address).await.is_err() {}
    let clients = Loop::start(address);
    clients.goes_on().await;
    let id = old.0.id().to_string();
    let proxy = on(address, &["--take-over", &id, "--reuse-port"]).await;
    clients.goes_on().await;
    crate::program::signal(old.0.id(), "INT").await;
    old.0.wait().unwrap();
    clients.goes_on().await;
    let next = on(proxy.address, &["--reuse-port"]).await;
    proxy.signal("TERM").await;
    clients.goes_on().await;
    clients.end().await;
    next.signal("TERM").await;
}

/// A process may have several for one address, and the system deals connections out among them.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn row_44_every_socket_of_an_address_is_taken_over() {
    let listen = |address: SocketAddr| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(64).unwrap();
        TcpListener::from(socket)
    };
    let first = listen("127.0.0.1:0".parse().unwrap());
    let address = first.local_addr().unwrap();
    let sockets = [first, listen(address), listen(address)];
    let own = std::process::id().to_string();
    let _proxy = on(address, &["--take-over", &own]).await;
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(Peer::connect(address).await);
    }
    drop(sockets);
    for client in &mut clients {
        client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(status(&client.response().await.0), 200);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_does_not_listen_there_has_nothing_to_take() {
    let own = std::process::id().to_string();
    let mut command =
        program(&[&UPSTREAM[..], &["--listen", "127.0.0.1:1", "--take-over", &own]].concat());
    let (code, said) = crate::program::outcome(&mut command).await;
    assert_eq!(code, Some(1));
    assert!(said.contains(&own) && said.contains("127.0.0.1:1"), "{said}");
}
