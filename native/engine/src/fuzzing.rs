//! What a fuzzer must reach and no embedder can: only with the feature `fuzzing`, which nothing shipped has.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::authenticate::Memory;
use crate::authority::Host;
use crate::certificate::Certificates;
use crate::context::{Context, ContextInfo, Contexts};
use crate::fields::Fields;
use crate::intercept::opening::{Look, Opening};
use crate::limits::ContextLimits;
use crate::options::CertificateOptions;

pub use crate::http1::fuzzing::{body, forwarded, request};

/// What a tunnel's first bytes are told to be when they come in pieces of this size; `None` if that is open.
#[must_use]
pub fn opening(input: &[u8], size: usize) -> Option<&'static str> {
    let mut look = Look::default();
    let opening = input.chunks(size.max(1)).find_map(|piece| look.at(piece))?;
    Some(match opening {
        Opening::Text => "text",
        Opening::ClientHello => "hello",
        Opening::Other => "other",
    })
}

/// A server's certificates, and the handshakes that are made with them.
pub struct Handshakes(Certificates);

impl Handshakes {
    /// With an authority of its own.
    #[must_use]
    pub fn new() -> Option<Self> {
        Certificates::new(&CertificateOptions::default()).ok().map(Self)
    }

    /// What a server for this host answers to a client's first bytes: `None` where it gives up.
    #[must_use]
    pub fn answer(&self, host: &Host, mut input: &[u8]) -> Option<Vec<u8>> {
        let config = self.0.for_host(host, true).ok()?;
        let mut tls = rustls::ServerConnection::new(config).ok()?;
        while !input.is_empty() {
            tls.read_tls(&mut input).ok()?;
            tls.process_new_packets().ok()?;
        }
        let mut answer = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut answer).ok()?;
        }
        Some(answer)
    }
}

/// One context, and one connection that asks for it.
pub struct Gate {
    /// What the context's requests must carry.
    pub info: ContextInfo,
    contexts: Contexts,
    memory: Memory,
}

impl Gate {
    /// A context with credentials of its own.
    #[must_use]
    pub fn new() -> Option<Self> {
        let contexts = Contexts::default();
        let info =
            contexts.create(1, None, &ContextLimits::default(), &CancellationToken::new()).ok()?;
        Some(Self { info, contexts, memory: Memory::default() })
    }

    /// Whether these fields pass, on a connection that remembers what has passed and on one that is new.
    pub fn lets_in(&mut self, fields: &Fields) -> [bool; 2] {
        let Self { contexts, memory, .. } = self;
        let carry = |context: &Arc<Context>| context.carried_by_streams();
        let passes = |memory: &mut Memory| memory.authenticate(fields, contexts, carry).is_ok();
        [passes(memory), passes(&mut Memory::default())]
    }

    /// Releases the context.
    pub fn release(&self) {
        let _ = self.contexts.release(&self.info.id);
    }
}
