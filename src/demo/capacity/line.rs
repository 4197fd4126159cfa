//! Who waits for what, and who is in a slot.
//!
//! All counts are changed and read in one order (`SeqCst`): a slot that is given up and a request that comes for it must
//! not both overlook the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::slots::Jobs;

/// Those who wait and those who are served.
#[derive(Debug, Default)]
pub struct Line {
    /// The next free instant of the pace, in nanoseconds since the start. Admission happens under this lock: outside
    /// of it the counts below only fall, or move on, so what is let in never exceeds the limits.
    pub next: Mutex<u64>,
    /// Waiting for their instant.
    at_pace: AtomicUsize,
    /// In a slot, or waiting for one, or for the thread of a free one to notice. One count, because admission judges by
    /// it: it must neither let one too many in nor reject a client that only just got its answer.
    at_slots: AtomicUsize,
    /// In a slot. Those are counted above, too.
    busy: AtomicUsize,
    /// In the pool, or waiting for a place in it.
    at_pool: AtomicUsize,
}

impl Line {
    fn count(&self, station: Station) -> &AtomicUsize {
        match station {
            Station::Pace => &self.at_pace,
            Station::Slots => &self.at_slots,
            Station::Pool => &self.at_pool,
        }
    }

    /// How many wait for a slot, or for the thread of a free one to notice.
    pub fn waiting_for_slots(&self) -> usize {
        self.in_slots().saturating_sub(self.busy())
    }

    /// How many are in a slot.
    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::SeqCst)
    }

    /// Those in a slot, or who wait for one.
    pub fn in_slots(&self) -> usize {
        self.at_slots.load(Ordering::SeqCst)
    }

    /// Those in the pool, or who wait for a place in it.
    pub fn in_pool(&self) -> usize {
        self.at_pool.load(Ordering::SeqCst)
    }

    /// How many wait. Who goes to a free one of `workers` slots or of the places of the `pool` does not.
    pub fn queue(&self, workers: usize, pool: usize) -> usize {
        self.at_pace.load(Ordering::SeqCst)
            + self.in_slots().saturating_sub(workers)
            + self.in_pool().saturating_sub(pool)
    }

    /// Takes one of `workers` slots, if one is free.
    pub fn enter(&self, workers: usize) -> bool {
        let one_more = |busy| (busy < workers).then_some(busy + 1);
        self.busy
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more)
            .is_ok()
    }

    /// Gives a slot back.
    pub fn leave(&self) {
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Station {
    /// Its instant.
    Pace,
    /// A slot, and the work in it.
    Slots,
    /// A place in the pool, and the time in it.
    Pool,
}

/// A request's place at a station; given up when it moves on, or when its client leaves.
#[derive(Debug)]
pub struct Place {
    line: Arc<Line>,
    station: Station,
}

impl Place {
    /// A place at a station.
    pub fn at(station: Station, line: &Arc<Line>) -> Place {
        line.count(station).fetch_add(1, Ordering::SeqCst);
        Place {
            line: Arc::clone(line),
            station,
        }
    }

    /// Moves on to the slots, if it is not there yet. The new place is taken before the old one is given up.
    pub fn into_slots(self) -> Place {
        self.onto(Station::Slots)
    }

    /// Moves on to the pool, if it is not there yet.
    pub fn into_pool(self) -> Place {
        self.onto(Station::Pool)
    }

    fn onto(self, station: Station) -> Place {
        if self.station == station {
            return self;
        }
        Place::at(station, &self.line)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.count(self.station).fetch_sub(1, Ordering::SeqCst);
    }
}

/// A slot that a request took where it is, given back when dropped; then the threads of the slots are woken if somebody
/// has come to wait for one.
#[derive(Debug)]
pub struct Busy {
    pub(super) line: Arc<Line>,
    pub(super) jobs: Arc<Jobs>,
    pub(super) place: Option<Place>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.line.leave();
        self.place = None;
        if self.line.waiting_for_slots() > 0 {
            self.jobs.wake();
        }
    }
}
