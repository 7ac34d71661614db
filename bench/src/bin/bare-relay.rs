//! A bound, not a proxy: it reads a CONNECT's authority and moves bytes, with no HTTP, no limits and no checks.
//! What starts with any other request goes to its target's authority as it is. Two threads share the port.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use tabport_bench::link::{BUFFER, Link, Turn};
use tabport_bench::process::end_with_parent;

const LISTENER: Token = Token(usize::MAX >> 1);

fn main() -> io::Result<()> {
    end_with_parent();
    let first = listen((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = first.local_addr()?;
    println!(r#"{{"port":{}}}"#, address.port());
    let second = listen(address)?;
    std::thread::spawn(|| Relay::new(second)?.run());
    Relay::new(first)?.run()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A client, and the upstream it has asked for: two tokens, of which the client's is even.
struct Pair {
    client: Link,
    upstream: Option<Link>,
    head: Vec<u8>,
    open: bool,
    /// The client has sent more before the upstream was there.
    early: bool,
}

struct Relay {
    poll: Poll,
    listener: TcpListener,
    pairs: HashMap<usize, Pair>,
    next: usize,
    buffer: Vec<u8>,
}

impl Relay {
    fn new(mut listener: TcpListener) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { poll, listener, pairs: HashMap::new(), next: 0, buffer: vec![0; BUFFER] })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut unfinished: Vec<usize> = Vec::new();
        loop {
            let wait = (!unfinished.is_empty()).then_some(std::time::Duration::ZERO);
            self.poll.poll(&mut events, wait)?;
            let mut again = Vec::new();
            for token in std::mem::take(&mut unfinished) {
                self.serve(token, true, true, &mut again);
            }
            for event in &events {
                let ending = event.is_read_closed() || event.is_error();
                match event.token() {
                    LISTENER => self.accept()?,
                    token => self.serve(token.0, event.is_readable() || ending, ending, &mut again),
                }
            }
            unfinished = again;
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            let client = watch(&self.poll, stream, self.next * 2)?;
            let pair = Pair { client, upstream: None, head: Vec::new(), open: false, early: false };
            self.pairs.insert(self.next, pair);
            self.next += 1;
        }
        Ok(())
    }

    /// An end, or an error, on either side ends both.
    fn serve(&mut self, token: usize, readable: bool, ending: bool, again: &mut Vec<usize>) {
        let Some(pair) = self.pairs.get_mut(&(token / 2)) else { return };
        let result = match token % 2 {
            0 if pair.upstream.is_none() => pair.dial(&self.poll, token, &mut self.buffer),
            side if !pair.open => pair.open(side, token, again),
            side => pair.relay(side, Event { token, readable, ending }, &mut self.buffer, again),
        };
        if !matches!(result, Ok(true)) {
            self.pairs.remove(&(token / 2));
        }
    }
}

struct Event {
    token: usize,
    readable: bool,
    ending: bool,
}

impl Pair {
    /// Reads the head, and dials whom it names. Like the two below, says whether the pair goes on.
    fn dial(&mut self, poll: &Poll, token: usize, buffer: &mut [u8]) -> io::Result<bool> {
        let Self { client, head, .. } = self;
        let (turn, goes_on) = client.receive(buffer, false, |_, bytes| {
            head.extend_from_slice(bytes);
            Ok(true)
        })?;
        if memmem::find(head, b"\r\n\r\n").is_some() {
            let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
            let target = std::str::from_utf8(target).map_err(io::Error::other)?;
            let authority =
                target.trim_start_matches("http://").split('/').next().unwrap_or_default();
            let stream = TcpStream::connect(authority.parse().map_err(io::Error::other)?)?;
            self.upstream = Some(watch(poll, stream, token + 1)?);
            self.early = turn == Turn::Unfinished;
        }
        Ok(goes_on)
    }

    /// The upstream is there, or is not. What the client sends before that waits.
    fn open(&mut self, side: usize, token: usize, again: &mut Vec<usize>) -> io::Result<bool> {
        let Self { client, upstream: Some(upstream), early, .. } = self else { return Ok(false) };
        if side == 0 {
            *early = true;
            return Ok(true);
        }
        if let Some(error) = upstream.stream.take_error()? {
            return Err(error);
        }
        match self.head.starts_with(b"CONNECT ") {
            true => client.pass(b"HTTP/1.1 200 OK\r\n\r\n")?,
            false => upstream.pass(&self.head)?,
        }
        if *early {
            again.push(token - 1);
        }
        self.open = true;
        Ok(true)
    }

    /// Moves bytes from one side to the other, and back if it was that side which had held them up.
    fn relay(
        &mut self,
        side: usize,
        Event { token, readable, ending }: Event,
        buffer: &mut [u8],
        again: &mut Vec<usize>,
    ) -> io::Result<bool> {
        let Self { client, upstream: Some(upstream), .. } = self else { return Ok(false) };
        let (near, far) = if side == 0 { (client, upstream) } else { (upstream, client) };
        let mut goes_on = true;
        if near.is_backed_up() {
            near.flush()?;
            let (turn, more) = one_way(far, near, true, buffer)?;
            again.extend((turn == Turn::Unfinished).then_some(token ^ 1));
            goes_on = more;
        }
        if readable && goes_on {
            let (turn, more) = one_way(near, far, ending, buffer)?;
            again.extend((turn == Turn::Unfinished).then_some(token));
            goes_on = more;
        }
        Ok(goes_on)
    }
}

/// Stops reading as long as the other side takes nothing more.
fn one_way(
    from: &mut Link,
    to: &mut Link,
    ending: bool,
    buffer: &mut [u8],
) -> io::Result<(Turn, bool)> {
    if to.is_backed_up() {
        return Ok((Turn::Done, true));
    }
    let mut held_up = false;
    let (turn, goes_on) = from.receive(buffer, ending, |_, bytes| {
        to.pass(bytes)?;
        held_up = to.is_backed_up();
        Ok(!held_up)
    })?;
    Ok((turn, goes_on || held_up))
}

fn watch(poll: &Poll, stream: TcpStream, token: usize) -> io::Result<Link> {
    stream.set_nodelay(true).ok();
    let mut link = Link::new(stream);
    poll.registry().register(
        &mut link.stream,
        Token(token),
        Interest::READABLE | Interest::WRITABLE,
    )?;
    Ok(link)
}
