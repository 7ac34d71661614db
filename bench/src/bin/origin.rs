//! The origin: fast enough that it is never what is measured. It prints its ports, and ends with its parent. The first
//! port is also there in two workspaces, which gateways lead to.
//!
//! The first byte of a connection says what it is: a request (`GET`, `POST`; a body of as many bytes as its
//! path says, a part of a page for a browser, or a WebSocket's upgrade), an echo (`E`), bytes without end (`D`),
//! or a drain (`U`).

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use tabport_bench::link::{BUFFER, Link, Turn};
use tabport_bench::process::end_with_parent;

#[path = "origin/conversation.rs"]
mod conversation;
use conversation::Conversation;
#[path = "origin/page.rs"]
mod page;

/// Where the first workspaces of a gateway have their servers.
const WORKSPACES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 18, 0, 1), Ipv4Addr::new(127, 18, 0, 2)];
/// Tunnels to one port alone would use up a proxy's own ports.
const PORTS: usize = 8;
const LISTENERS: usize = PORTS + WORKSPACES.len();

fn main() -> io::Result<()> {
    end_with_parent();
    let mut origin = Origin::new()?;
    let ports: Vec<String> = origin.ports()?;
    println!(r#"{{"ports":[{}]}}"#, ports.join(","));
    loop {
        origin.turn()?;
    }
}

struct Origin {
    poll: Poll,
    listeners: Vec<TcpListener>,
    connections: Vec<Option<(Link, Conversation)>>,
    free: Vec<usize>,
    unfinished: Vec<usize>,
    /// When which connection may have an answer to send. It may also have ended, or given its place to another.
    due: BTreeSet<(Instant, usize)>,
    buffer: Vec<u8>,
    events: Option<Events>,
}

impl Origin {
    fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listeners = listeners()?;
        for (index, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(index), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            listeners,
            connections: Vec::new(),
            free: Vec::new(),
            unfinished: Vec::new(),
            due: BTreeSet::new(),
            buffer: vec![0; BUFFER],
            events: Some(Events::with_capacity(1024)),
        })
    }

    fn ports(&self) -> io::Result<Vec<String>> {
        let port = |listener: &TcpListener| Ok(listener.local_addr()?.port().to_string());
        self.listeners.iter().take(PORTS).map(port).collect()
    }

    fn turn(&mut self) -> io::Result<()> {
        let Some(mut events) = self.events.take() else { return Ok(()) };
        match self.poll.poll(&mut events, self.patience()) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for index in std::mem::take(&mut self.unfinished) {
            self.serve(index, true, true);
        }
        for event in &events {
            match event.token().0.checked_sub(LISTENERS) {
                None => self.accept(event.token().0)?,
                Some(index) => {
                    let ending = event.is_read_closed() || event.is_error();
                    self.serve(index, event.is_readable() || ending, ending);
                }
            }
        }
        self.events = Some(events);
        self.send_what_is_due();
        Ok(())
    }

    /// How long the loop may wait for events.
    fn patience(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            return Some(Duration::ZERO);
        }
        let (due, _) = self.due.first()?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    fn send_what_is_due(&mut self) {
        let now = Instant::now();
        while let Some(&(due, index)) = self.due.first()
            && due <= now
        {
            self.due.pop_first();
            if let Some((link, conversation)) = &mut self.connections[index] {
                conversation.send_if_due(now, link);
            }
            self.serve(index, false, false);
        }
    }

    fn accept(&mut self, listener: usize) -> io::Result<()> {
        while let Ok((stream, _)) = self.listeners[listener].accept() {
            self.take(stream)?;
        }
        Ok(())
    }

    fn take(&mut self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let index = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let mut link = Link::new(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut link.stream, Token(index + LISTENERS), interest)?;
        self.connections[index] = Some((link, Conversation::default()));
        Ok(())
    }

    fn serve(&mut self, index: usize, readable: bool, ending: bool) {
        let Some((link, conversation)) = &mut self.connections[index] else { return };
        match converse(link, conversation, readable, ending, &mut self.buffer) {
            Ok((Turn::Unfinished, true)) => self.unfinished.push(index),
            Ok((Turn::Done, true)) => {
                if let Some(due) = conversation.due() {
                    self.due.insert((due, index));
                }
            }
            _ => {
                self.connections[index] = None;
                self.free.push(index);
            }
        }
    }
}

fn listeners() -> io::Result<Vec<TcpListener>> {
    let bind = |host, port| TcpListener::bind((host, port).into());
    let mut listeners: Vec<_> =
        (0..PORTS).map(|_| bind(Ipv4Addr::LOCALHOST, 0)).collect::<io::Result<_>>()?;
    let port = listeners[0].local_addr()?.port();
    for workspace in WORKSPACES {
        listeners.push(bind(workspace, port)?);
    }
    Ok(listeners)
}

fn converse(
    link: &mut Link,
    conversation: &mut Conversation,
    readable: bool,
    ending: bool,
    buffer: &mut [u8],
) -> io::Result<(Turn, bool)> {
    let (read, goes_on) = match readable {
        true => link.receive(buffer, ending, |link, bytes| {
            conversation.receive(bytes, link).map(|()| true)
        })?,
        false => (Turn::Done, true),
    };
    let written = link.flush()?;
    Ok((if written == Turn::Unfinished { written } else { read }, goes_on))
}
