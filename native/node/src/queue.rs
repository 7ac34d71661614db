//! The way of the engine's events to a JavaScript callback.
//!
//! The engine's threads never wait for JavaScript: the queue is bounded, and an event that finds it full is
//! dropped and counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{
    ThreadsafeFunction, ThreadsafeFunctionCallMode, UnknownReturnValue,
};
use tabport_engine::{Event, EventSink};

use crate::error::{Failure, guard};
use crate::event::{self, ProxyEvent};

/// How many events may wait for JavaScript; a few megabytes at most.
const LONGEST_QUEUE: usize = 8192;

/// It does not keep the process alive (the second flag).
type Callback = ThreadsafeFunction<
    ProxyEvent,
    UnknownReturnValue,
    ProxyEvent,
    Status,
    false,
    true,
    LONGEST_QUEUE,
>;

/// The events on their way to one callback.
pub(crate) struct EventQueue {
    /// Taken when the server has stopped, so that the callback can be collected.
    callback: RwLock<Option<Callback>>,
    dropped: AtomicU64,
}

impl EventQueue {
    pub(crate) fn new(
        callback: &Function<'_, ProxyEvent, UnknownReturnValue>,
    ) -> Result<Arc<Self>, Failure> {
        let callback = callback
            .build_threadsafe_function::<ProxyEvent>()
            .weak::<true>()
            .max_queue_size::<LONGEST_QUEUE>()
            .build()?;
        Ok(Arc::new(Self { callback: RwLock::new(Some(callback)), dropped: AtomicU64::new(0) }))
    }

    /// What the engine calls.
    pub(crate) fn sink(self: &Arc<Self>) -> EventSink {
        let queue = Arc::clone(self);
        Arc::new(move |event| queue.push(event))
    }

    /// How many events found the queue full, or were lost to a panic.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Lets go of the callback, once what is queued is delivered.
    pub(crate) fn close(&self) {
        let callback = self.callback.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(callback);
    }

    fn push(&self, event: Event) {
        let callback = self.callback.read().unwrap_or_else(PoisonError::into_inner);
        let Some(callback) = callback.as_ref() else { return };
        let mode = ThreadsafeFunctionCallMode::NonBlocking;
        let status = guard(|| Ok(callback.call(event::to_js(event), mode)));
        if status.map_or(true, |status| status == Status::QueueFull) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
