//! What a fuzzer must reach and no embedder can: only with the feature `fuzzing`, which nothing shipped has.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::authenticate::Memory;
use crate::context::{Context, ContextInfo, Contexts};
use crate::fields::Fields;
use crate::limits::ContextLimits;

pub use crate::http1::fuzzing::{body, forwarded, request};

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
