//! The client: so many connections, each in a conversation of its own kind, for so long.
//!
//! `drive` opens the connections, through a CONNECT first if the conversation is to run inside a tunnel, and
//! lets each talk. What happens in the warm-up is thrown away.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, event::Event};

use crate::link::{BUFFER, Link, Turn};
use crate::process::cpu_seconds;
use crate::sources::Sources;
use tally::Tally;

pub mod bulk;
pub mod events;
pub mod h2;
pub mod http;
pub mod idle;
pub mod opening;
pub mod tally;
pub mod tunnel;
pub mod websocket;

/// After so many errors nothing is measured any more.
const TOO_MANY_ERRORS: u64 = 1_000;

/// One connection's side of a conversation.
pub trait Talk {
    /// The connection, or the tunnel, is open; `since` is when it was dialled.
    fn begin(&mut self, link: &mut Link, since: Instant);

    /// The peer has sent something.
    fn receive(&mut self, bytes: &[u8], link: &mut Link, tally: &mut Tally) -> io::Result<Next>;

    /// The peer has ended the connection, or with `reset` broken it off. Whether it may.
    fn end(&mut self, _reset: bool, _tally: &mut Tally) -> bool {
        false
    }
}

#[derive(PartialEq, Eq)]
pub enum Next {
    Stay,
    /// Close this connection and open another in its place.
    Reopen,
}

/// What is measured, and where.
pub struct Plan {
    /// Whom to dial.
    pub to: SocketAddr,
    /// CONNECT heads, one for each port of the origin, or none where there is no proxy or no tunnel.
    pub tunnels: Vec<Vec<u8>>,
    /// The origin's ports, to dial in turn without a proxy.
    pub ports: Vec<u16>,
    pub connections: usize,
    pub warm_up: Duration,
    /// How long is measured, at most.
    pub window: Duration,
    /// After how many messages nothing more is measured, if the window is not over before.
    pub most: u64,
    /// Whose CPU time is measured.
    pub pid: Option<u32>,
}

impl Plan {
    /// Whom the connection of this turn goes to.
    fn target(&self, turn: usize) -> SocketAddr {
        let mut to = self.to;
        if let Some(port) = in_turn(&self.ports, turn) {
            to.set_port(*port);
        }
        to
    }

    /// What it sends first.
    fn tunnel(&self, turn: usize) -> Option<&[u8]> {
        in_turn(&self.tunnels, turn).map(Vec::as_slice)
    }
}

fn in_turn<T>(of: &[T], turn: usize) -> Option<&T> {
    of.get(turn.checked_rem(of.len())?)
}

struct Slot<T> {
    link: Link,
    talk: T,
    /// What has come of the answer to CONNECT, until all of its head has.
    answer: Option<Vec<u8>>,
    since: Instant,
    open: bool,
}

/// Runs the plan, with a talk for each connection made by `make`.
pub fn drive<T: Talk>(plan: &Plan, make: impl Fn() -> T) -> io::Result<Tally> {
    let mut driver = Driver::new(plan, make)?;
    for index in 0..plan.connections {
        let slot = driver.dial(index)?;
        driver.slots.push(slot);
    }
    driver.run_until(Instant::now() + plan.warm_up)?;
    let before = plan.pid.map(cpu_seconds);
    driver.restart();
    let began = Instant::now();
    driver.run_until(began + plan.window)?;
    driver.tally.seconds = began.elapsed().as_secs_f64();
    driver.tally.cpu = plan.pid.map(cpu_seconds).zip(before).map(|(after, before)| after - before);
    driver.tally.up += driver.slots.iter().map(|slot| slot.link.filled).sum::<u64>();
    Ok(driver.tally)
}

struct Driver<'a, T, F> {
    plan: &'a Plan,
    make: F,
    poll: Poll,
    sources: Sources,
    slots: Vec<Slot<T>>,
    tally: Tally,
    dialled: usize,
    unfinished: Vec<usize>,
    buffer: Vec<u8>,
}

impl<'a, T: Talk, F: Fn() -> T> Driver<'a, T, F> {
    fn new(plan: &'a Plan, make: F) -> io::Result<Self> {
        Ok(Self {
            plan,
            make,
            poll: Poll::new()?,
            sources: Sources::default(),
            slots: Vec::new(),
            tally: Tally::default(),
            dialled: 0,
            unfinished: Vec::new(),
            buffer: vec![0; BUFFER],
        })
    }

    /// Forgets what the warm-up has counted.
    fn restart(&mut self) {
        self.tally = Tally::default();
        for slot in &mut self.slots {
            slot.link.filled = 0;
        }
    }

    fn dial(&mut self, index: usize) -> io::Result<Slot<T>> {
        let turn = self.dialled;
        self.dialled += 1;
        let mut link = Link::new(self.sources.connect(self.plan.target(turn))?);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut link.stream, Token(index), interest)?;
        let answer = self.plan.tunnel(turn).map(|request| {
            link.send(request);
            Vec::new()
        });
        Ok(Slot { link, talk: (self.make)(), answer, since: Instant::now(), open: false })
    }

    fn run_until(&mut self, end: Instant) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while Instant::now() < end && !self.is_enough() {
            let wait = if self.unfinished.is_empty() { 10 } else { 0 };
            match self.poll.poll(&mut events, Some(Duration::from_millis(wait))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            let mut again = Vec::new();
            // An end that an event told of may not have been reached yet.
            for index in std::mem::take(&mut self.unfinished) {
                self.serve(index, true, true, &mut again)?;
            }
            for event in &events {
                let ending = event.is_read_closed() || event.is_error();
                self.serve(event.token().0, readable(event), ending, &mut again)?;
            }
            self.unfinished = again;
        }
        Ok(())
    }

    fn is_enough(&self) -> bool {
        self.tally.ops >= self.plan.most || self.tally.errors >= TOO_MANY_ERRORS
    }

    /// Gives a connection its turn, and dials another in its place if it is over.
    fn serve(
        &mut self,
        index: usize,
        readable: bool,
        ending: bool,
        again: &mut Vec<usize>,
    ) -> io::Result<()> {
        match self.slots[index].turn(readable, ending, &mut self.buffer, &mut self.tally) {
            Ok((Turn::Unfinished, true)) => again.push(index),
            Ok((Turn::Done, true)) => {}
            over => {
                let Slot { talk, link, .. } = &mut self.slots[index];
                self.tally.up += link.filled;
                match over {
                    Err(error) if !may_end(&error, talk, &mut self.tally) => {
                        self.tally.failed(&error)
                    }
                    _ => {}
                }
                self.slots[index] = self.dial(index)?;
            }
        }
        Ok(())
    }
}

fn may_end(error: &io::Error, talk: &mut impl Talk, tally: &mut Tally) -> bool {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => talk.end(false, tally),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => talk.end(true, tally),
        _ => false,
    }
}

fn readable(event: &Event) -> bool {
    event.is_readable() || event.is_read_closed() || event.is_error()
}

impl<T: Talk> Slot<T> {
    /// Whether there is more to do at once, and whether the connection goes on.
    fn turn(
        &mut self,
        readable: bool,
        ending: bool,
        buffer: &mut [u8],
        tally: &mut Tally,
    ) -> io::Result<(Turn, bool)> {
        if !self.open {
            self.stream_is_open()?;
        }
        if !readable {
            return Ok((self.link.flush()?, true));
        }
        let Self { link, talk, answer, since, .. } = self;
        let mut asked_to_reopen = false;
        let (read, goes_on) = link.receive(buffer, ending, |link, bytes| {
            let next = match answer {
                Some(head) => tunnel::answered(head, bytes)?.map_or(Next::Stay, |()| {
                    *answer = None;
                    talk.begin(link, *since);
                    Next::Stay
                }),
                None => talk.receive(bytes, link, tally)?,
            };
            asked_to_reopen = next == Next::Reopen;
            Ok(!asked_to_reopen)
        })?;
        if !goes_on && !asked_to_reopen {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let written = if goes_on { link.flush()? } else { Turn::Done };
        let turn = if written == Turn::Unfinished { written } else { read };
        Ok((turn, goes_on))
    }

    fn stream_is_open(&mut self) -> io::Result<()> {
        if let Some(error) = self.link.stream.take_error()? {
            return Err(error);
        }
        self.open = true;
        if self.answer.is_none() {
            self.talk.begin(&mut self.link, self.since);
        }
        Ok(())
    }
}
