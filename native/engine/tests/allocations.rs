//! How often memory is asked for in one exchange: nothing of it may creep back unnoticed, and no clock has a say in it.
//!
//! Client and origin are threads with blocking sockets that ask for none themselves.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test's failure is a panic, and its peers block on purpose"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tabport_engine::{
    Access, Face, GatewayOptions, ReverseProxyOptions, Server, ServerOptions, workspace::Workspaces,
};

struct Counting;

static ASKED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does it all; what is added only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: handed on as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: handed on as it came.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: handed on as it came.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody";

/// Answers whatever comes.
fn origin() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(1..) = socket.read(&mut buffer) {
                    socket.write_all(ANSWER).unwrap();
                }
            });
        }
    });
    port
}

/// How often memory is asked for in an exchange, of many on one connection, after some that make things ready.
fn asked_for(server: &Server, request: &str) -> usize {
    const MANY: usize = 200;
    let mut client = TcpStream::connect(server.local_addr()).unwrap();
    let mut exchange = || {
        client.write_all(request.as_bytes()).unwrap();
        let (mut answer, mut length) = ([0; 1024], 0);
        while !answer[..length].ends_with(b"body") {
            let read = client.read(&mut answer[length..]).unwrap();
            assert!(read > 0, "the proxy has closed the connection");
            length += read;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    };
    (0..20).for_each(|_| exchange());
    let before = ASKED.load(Relaxed);
    (0..MANY).for_each(|_| exchange());
    (ASKED.load(Relaxed) - before + MANY / 2) / MANY
}

fn at_most(bound: usize, server: &Server, request: &str) {
    let asked = asked_for(server, request);
    assert!(asked <= bound, "{asked} times, and not {bound}, for {request}");
}

fn server(face: Face) -> Server {
    Server::start(ServerOptions { face, workers: 1, ..ServerOptions::default() }).unwrap()
}

/// One test, since the count is of the whole process.
#[test]
fn an_exchange_over_kept_connections_asks_for_little_memory() {
    const FIELDS: &str = "User-Agent: x\r\nAccept: */*\r\nCookie: a=b\r\n";
    let port = origin();
    let proxy = server(Face::ForwardProxy);
    let context = proxy.create_context(1, None).unwrap();
    let credentials = format!("{}:{}", context.username, *context.password);
    let credentials = BASE64_STANDARD.encode(credentials);
    let request = format!(
        "GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
         Proxy-Authorization: Basic {credentials}\r\n{FIELDS}\r\n"
    );
    // The target, the Host that is sent on, and the exchange itself.
    at_most(3, &proxy, &request);

    let gateway = server(Face::Gateway(GatewayOptions {
        workspaces: Workspaces::default(),
        default_upstream: Some("127.0.0.1".parse().unwrap()),
        access: Access::Anyone,
        allowed_hosts: Vec::new(),
    }));
    let request =
        format!("GET / HTTP/1.1\r\nHost: a.test\r\nX-Cmux-Port-Internal: {port}\r\n{FIELDS}\r\n");
    at_most(4, &gateway, &request);

    let reverse = server(Face::ReverseProxy(ReverseProxyOptions {
        upstream: format!("http://127.0.0.1:{port}").parse().unwrap(),
        rewrite_host: true,
        upstream_http2: true,
        trusted: Vec::new(),
        buffer_requests: None,
        upgraded_idle: None,
        service: "x".to_owned(),
        upstream_health: "/".to_owned(),
    }));
    let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{FIELDS}\r\n");
    at_most(6, &reverse, &request);

    for server in [proxy, gateway, reverse] {
        server.stop();
    }
}
