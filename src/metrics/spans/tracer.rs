//! A worker's part of tracing: it takes its share of the limit in small portions, so that threads seldom meet.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::TrySendError;

use super::{Span, SpanDrop, Tracing};

/// The most that a worker takes of the limit at a time.
const PORTION: u32 = 64;

/// One worker's tracer. Never leaves its thread.
#[derive(Debug)]
pub struct Tracer {
    pub(super) tracing: Arc<Tracing>,
    /// The second that the numbers below are of.
    second: Cell<u32>,
    /// Spans that may still be kept.
    granted: Cell<u32>,
    /// Whether there is nothing left of the second's limit.
    spent: Cell<bool>,
    /// Spans that the limit has left out and that are not in the shared count yet.
    limited: Cell<u64>,
}

impl Tracer {
    /// For one worker.
    pub fn new(tracing: Arc<Tracing>) -> Rc<Tracer> {
        Rc::new(Tracer {
            tracing,
            second: Cell::new(0),
            granted: Cell::new(0),
            spent: Cell::new(false),
            limited: Cell::new(0),
        })
    }

    /// Whether anybody wants spans.
    pub(super) fn exports(&self) -> bool {
        self.tracing.queue.is_some()
    }

    /// Whether the limit leaves room for another trace.
    pub(super) fn has_room(&self, second: u32) -> bool {
        if self.tracing.limit == 0 {
            return true;
        }
        self.turn(second);
        self.granted.get() > 0 || self.refill(second)
    }

    /// Takes one span's room, if there is any.
    pub(super) fn spend(&self, second: u32) -> bool {
        let room = self.has_room(second);
        if room && self.tracing.limit > 0 {
            self.granted.set(self.granted.get() - 1);
        }
        room
    }

    /// Takes one span's room; counts the span if there is none.
    pub(super) fn take(&self, second: u32) -> bool {
        let room = self.spend(second);
        if !room {
            self.leave_out();
        }
        room
    }

    /// Counts a span that the limit leaves out.
    pub(super) fn leave_out(&self) {
        self.limited.set(self.limited.get() + 1);
    }

    /// Another second: what was granted for the last one is gone.
    fn turn(&self, second: u32) {
        if second > self.second.get() {
            self.second.set(second);
            self.granted.set(0);
            self.spent.set(false);
            self.tell();
        }
    }

    fn refill(&self, second: u32) -> bool {
        if self.spent.get() {
            return false;
        }
        let limit = self.tracing.limit;
        // Small next to the limit, so that no worker sits on what others need.
        let portion = (limit / 64).clamp(1, PORTION);
        let granted = self.tracing.used.take(second, portion, limit);
        self.granted.set(granted);
        self.spent.set(granted == 0);
        granted > 0
    }

    fn tell(&self) {
        let limited = self.limited.take();
        if limited > 0 {
            self.tracing.stats.add_dropped(SpanDrop::RateLimit, limited);
        }
    }

    pub(super) fn push(&self, span: Span) {
        let Some(queue) = &self.tracing.queue else { return };
        let reason = match queue.try_send(span) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => SpanDrop::QueueFull,
            // The exporter has ended: this is of what comes after the run.
            Err(TrySendError::Disconnected(_)) => SpanDrop::Shutdown,
        };
        self.tracing.stats.add_dropped(reason, 1);
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.tell();
    }
}
