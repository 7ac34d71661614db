//! Peers of the proxy that speak in literal bytes.
//!
//! Every wait has a deadline, and every peer listens on a port of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tabport_engine::{ContextInfo, Event, Route, RouteFields, Server, ServerOptions, Stats};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// Far longer than anything here takes, so that only a hang runs into it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A running proxy; stopped, and checked to hold nothing, when the test ends.
pub(crate) struct Proxy {
    pub(crate) server: Server,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        Self::with(ServerOptions::default())
    }

    /// Its events are kept, unless the options say where they go.
    pub(crate) fn with(mut options: ServerOptions) -> Self {
        let events = Arc::<Mutex<Vec<Event>>>::default();
        let sink = Arc::clone(&events);
        let record = move |event| sink.lock().unwrap().push(event);
        options.on_event.get_or_insert(Arc::new(record));
        Self { server: Server::start(options).unwrap(), events }
    }

    /// A context without a route.
    pub(crate) fn context(&self) -> Context {
        self.create(None)
    }

    /// A context whose loopback names lead to this upstream template.
    pub(crate) fn routed(&self, upstream: impl Into<String>) -> Context {
        self.create(Some(RouteFields { upstream: Some(upstream.into()), ..RouteFields::default() }))
    }

    pub(crate) fn create(&self, route: Option<RouteFields>) -> Context {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let route = route.map(|fields| Route::parse(&fields).unwrap());
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Context::of(self.server.create_context(number, route).unwrap())
    }

    pub(crate) async fn connect(&self) -> Peer {
        Peer::connect(self.server.local_addr()).await
    }

    /// A client whose CONNECT has been answered 200.
    pub(crate) async fn tunnel(&self, context: &Context, authority: &str) -> Peer {
        let mut client = self.connect().await;
        client.send(context.connect(authority)).await;
        client.expect("HTTP/1.1 200 OK\r\n\r\n").await;
        client
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Waits until the counters are as asked for.
    pub(crate) async fn until(&self, what: &str, reached: impl Fn(&Stats) -> bool) {
        let wait = async {
            while !reached(&self.server.stats()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let last = || self.server.stats();
        timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{what}: {:?}", last()));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.stop();
        if !std::thread::panicking() {
            let zero = Stats { total: self.server.stats().total, ..Stats::default() };
            assert_eq!(self.server.stats(), zero, "a stopped server holds nothing");
        }
    }
}

/// What a client must know of its context.
pub(crate) struct Context {
    pub(crate) id: String,
    pub(crate) password: String,
    pub(crate) credentials: String,
}

impl Context {
    pub(crate) fn of(info: ContextInfo) -> Self {
        let credentials = BASE64_STANDARD.encode(format!("{}:{}", info.username, *info.password));
        Self { id: info.id, password: info.password.to_string(), credentials }
    }

    /// The field, with its line ending, that proves who asks.
    pub(crate) fn field(&self) -> String {
        format!("Proxy-Authorization: Basic {}\r\n", self.credentials)
    }

    /// A GET in absolute-form.
    pub(crate) fn get(&self, url: &str) -> String {
        self.ask(&format!("GET {url}"), "")
    }

    /// A request with these further fields, each with its line ending.
    pub(crate) fn ask(&self, method_and_target: &str, fields: &str) -> String {
        let own = self.field();
        format!("{method_and_target} HTTP/1.1\r\nHost: localhost\r\n{own}{fields}\r\n")
    }

    pub(crate) fn connect(&self, authority: &str) -> String {
        format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{}\r\n", self.field())
    }
}

/// A server that the proxy dials.
pub(crate) struct Origin(TcpListener);

impl Origin {
    pub(crate) async fn start() -> Self {
        Self::on("127.0.0.1:0").await
    }

    pub(crate) async fn on(address: &str) -> Self {
        Self(TcpListener::bind(address).await.unwrap())
    }

    pub(crate) fn of(listener: TcpListener) -> Self {
        Self(listener)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address().port()
    }

    /// The URL of this server's root.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Accepts, reads one request's head, and answers 200 with this body.
    pub(crate) async fn answer(&self, body: &str) -> (Peer, String) {
        let mut peer = self.accept().await;
        let head = peer.head().await;
        peer.answer(body).await;
        (peer, head)
    }

    pub(crate) async fn accept(&self) -> Peer {
        let (socket, _) = timeout(DEADLINE, self.0.accept()).await.expect("nobody dials").unwrap();
        Peer(socket)
    }

    /// Checks that nobody has dialled this server.
    pub(crate) async fn was_never_dialled(&self) {
        let accepted = timeout(Duration::from_millis(50), self.0.accept()).await;
        assert!(accepted.is_err(), "somebody dialled a server that must not be reached");
    }
}

/// One end of a connection.
pub(crate) struct Peer<S = TcpStream>(pub(crate) S);

impl Peer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Breaks the connection off instead of ending it: the other side sees a reset.
    pub(crate) fn reset(self) {
        self.0.set_zero_linger().unwrap();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// A 200 with this body.
    pub(crate) async fn answer(&mut self, body: &str) {
        let length = body.len();
        self.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        timeout(DEADLINE, self.0.write_all(bytes.as_ref())).await.expect("nobody reads").unwrap();
    }

    /// Reads exactly as many bytes as expected, and compares.
    pub(crate) async fn expect(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let mut read = Vec::new();
        while read.len() < expected.len() {
            let mut byte = [0; 1];
            match timeout(DEADLINE, self.0.read(&mut byte)).await {
                Ok(Ok(1)) => read.push(byte[0]),
                _ => break,
            }
        }
        assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(expected));
    }

    /// Reads a head, up to and with its empty line, in lower case as far as field names go.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0; 1];
            match timeout(DEADLINE, self.0.read(&mut byte)).await {
                Ok(Ok(1)) => head.push(byte[0]),
                end => panic!("{end:?} after {:?}", String::from_utf8_lossy(&head)),
            }
        }
        let head = String::from_utf8(head).unwrap();
        let (first, fields) = head.split_once("\r\n").unwrap();
        let fields = fields.split_inclusive("\r\n").map(|line| match line.split_once(':') {
            Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
            None => line.to_owned(),
        });
        format!("{first}\r\n{}", fields.collect::<String>())
    }

    /// Reads a response's head and its `Content-Length` bytes of body.
    pub(crate) async fn response(&mut self) -> (String, String) {
        let head = self.head().await;
        let length = field(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        timeout(DEADLINE, self.0.read_exact(&mut body)).await.expect("the body ends").unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Exactly so many bytes.
    pub(crate) async fn take(&mut self, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        timeout(DEADLINE, self.0.read_exact(&mut read)).await.expect("bytes are missing").unwrap();
        read
    }

    /// Everything until the peer closes; an abrupt end counts as one.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = timeout(DEADLINE, self.0.read_to_end(&mut rest)).await;
        let _ = read.expect("the peer closes");
        rest
    }

    /// Everything until the peer closes, which must happen within a second.
    pub(crate) async fn ends_soon(&mut self) -> Vec<u8> {
        let asked = Instant::now();
        let rest = self.rest().await;
        let waited = asked.elapsed();
        assert!(waited < Duration::from_secs(1), "the connection ended only after {waited:?}");
        rest
    }

    /// Writes until the other side has not taken a byte for a while; how many it took.
    pub(crate) async fn fill(&mut self) -> usize {
        let piece = vec![b'x'; 64 * 1024];
        let mut taken = 0;
        while let Ok(written) = timeout(Duration::from_millis(400), self.0.write(&piece)).await {
            taken += written.unwrap();
            assert!(taken < 256 << 20, "nothing holds the sender back");
        }
        taken
    }

    /// Ends this side's half of the connection.
    pub(crate) async fn finish(&mut self) {
        self.0.shutdown().await.unwrap();
    }
}

/// The value of a field in a head.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The status of a response's head.
pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
}

/// So many bytes that do not repeat soon; another seed makes others.
pub(crate) fn pattern(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|at| (at / 251 + at * 7 + seed).to_le_bytes()[0]).collect()
}
