//! What a test is doing right now: counters that workers write and anyone may read at any time.
//!
//! Each worker has its own set per scenario, which only it writes, in its own cache lines; readers add them up.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::control::Control;
use crate::config::Scenario;

/// One worker's counters for one scenario. A single thread writes, so a load and a store will do, which cost nothing.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Tally {
    active: AtomicU32,
    busy: AtomicU32,
    hired: AtomicU32,
    complete: AtomicU64,
    failed: AtomicU64,
    interrupted: AtomicU64,
    dropped: AtomicU64,
    /// Nanoseconds.
    lag_max: AtomicU64,
    finished: AtomicBool,
}

macro_rules! bump {
    ($counter:expr, $by:expr) => {
        $counter.store($counter.load(Relaxed).wrapping_add($by), Relaxed)
    };
}

impl Tally {
    /// A virtual user was initialised.
    pub(super) fn hired(&self) {
        bump!(self.hired, 1);
    }

    /// A virtual user works, until the guard is dropped, be it by a panic.
    pub(super) fn enter(&self) -> Active<'_> {
        bump!(self.active, 1);
        Active(self)
    }

    /// An iteration is under way, until the guard is dropped.
    pub(super) fn begin(&self) -> Busy<'_> {
        bump!(self.busy, 1);
        Busy(self)
    }

    pub(super) fn complete(&self) {
        bump!(self.complete, 1);
    }

    pub(super) fn failed(&self) {
        bump!(self.failed, 1);
    }

    pub(super) fn interrupted(&self) {
        bump!(self.interrupted, 1);
    }

    pub(super) fn dropped(&self, count: u64) {
        bump!(self.dropped, count);
    }

    pub(super) fn lag(&self, lag: Duration) {
        let nanos = u64::try_from(lag.as_nanos()).unwrap_or(u64::MAX);
        if nanos > self.lag_max.load(Relaxed) {
            self.lag_max.store(nanos, Relaxed);
        }
    }

    pub(super) fn finish(&self) {
        self.finished.store(true, Relaxed);
    }
}

pub(super) struct Active<'a>(&'a Tally);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        bump!(self.0.active, u32::MAX);
    }
}

pub(super) struct Busy<'a>(&'a Tally);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        bump!(self.0.busy, u32::MAX);
    }
}

/// One scenario's progress, added up over the workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Virtual users to initialise before the test starts.
    pub planned: u32,
    /// Virtual users initialised so far.
    pub hired: u32,
    /// Virtual users at work: those that loop, or, of an open model, all that stand ready (as k6 counts them).
    pub active: u32,
    /// Iterations under way.
    pub busy: u32,
    /// Iterations that ran to their end.
    pub complete: u64,
    /// Of these, the ones that did not do what they were for.
    pub failed: u64,
    /// Iterations that were cut short.
    pub interrupted: u64,
    /// Iterations that were due and not begun.
    pub dropped: u64,
    /// The longest time that an iteration began after it was due, so far.
    pub lag_max: Duration,
    /// Whether all workers are through with it.
    pub finished: bool,
}

/// What a test is doing right now.
#[derive(Debug)]
pub struct Live {
    lines: Vec<Line>,
    control: Control,
    /// When each worker last had its thread to itself, in nanoseconds since its epoch; 0 before the first time.
    beats: Vec<AtomicU64>,
    /// Numbers given to planned virtual users.
    planned_ids: u32,
    unplanned: AtomicU32,
    postponed: AtomicU64,
    test_began: OnceLock<Instant>,
    load_began: OnceLock<Instant>,
}

/// A scenario and the tallies of the workers that take part in it.
#[derive(Debug)]
pub(super) struct Line {
    scenario: Arc<Scenario>,
    planned: u32,
    tallies: Vec<Arc<Tally>>,
}

impl Line {
    /// For a scenario with `planned` virtual users to initialise before the start, and so many `lanes` of workers.
    pub(super) fn new(scenario: Arc<Scenario>, planned: u32, lanes: u32) -> Line {
        Line {
            scenario,
            planned,
            tallies: (0..lanes).map(|_| Arc::default()).collect(),
        }
    }
}

impl Live {
    pub(super) fn new(lines: Vec<Line>, planned_ids: u32, control: Control, workers: u16) -> Live {
        Live {
            lines,
            control,
            beats: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            planned_ids,
            unplanned: AtomicU32::new(0),
            postponed: AtomicU64::new(0),
            test_began: OnceLock::new(),
            load_began: OnceLock::new(),
        }
    }

    pub(super) fn tally(&self, scenario: usize, lane: u32) -> Arc<Tally> {
        Arc::clone(&self.lines[scenario].tallies[lane as usize])
    }

    pub(super) fn hired_unplanned(&self) {
        self.unplanned.fetch_add(1, Relaxed);
    }

    pub(super) fn postpone(&self) {
        self.postponed.fetch_add(1, Relaxed);
    }

    /// The scenarios in their order, each with its progress.
    pub fn scenarios(&self) -> impl Iterator<Item = (&Arc<Scenario>, Progress)> {
        self.lines.iter().map(|line| (&line.scenario, line.progress()))
    }

    /// The progress of one scenario, by its place in their order.
    pub(super) fn progress(&self, line: usize) -> Progress {
        self.lines.get(line).map(Line::progress).unwrap_or_default()
    }

    /// The test begins now: all planned virtual users are initialised. Only the first call counts.
    pub fn begin(&self) {
        let _ = self.test_began.set(Instant::now());
    }

    /// When the test began, if it has.
    pub fn test_began(&self) -> Option<Instant> {
        self.test_began.get().copied()
    }

    /// All scenarios count from this instant.
    pub(super) fn begin_load(&self, at: Instant) {
        let _ = self.load_began.set(at);
    }

    /// When the load began or will begin, if that is known.
    pub fn load_began(&self) -> Option<Instant> {
        self.load_began.get().copied()
    }

    /// A worker's thread is not held up by what it runs.
    pub(super) fn beat(&self, worker: u16, nanos: u64) {
        if let Some(beat) = self.beats.get(usize::from(worker)) {
            beat.store(nanos, Relaxed);
        }
    }

    /// When it last was not, in nanoseconds since the epoch.
    pub(super) fn last_beat(&self, worker: usize) -> u64 {
        self.beats.get(worker).map_or(0, |beat| beat.load(Relaxed))
    }

    /// Whether the load stands still.
    pub fn is_paused(&self) -> bool {
        self.control.is_paused()
    }

    /// How long it has stood still so far: the plan's time is so much behind the clock's.
    pub fn lost(&self) -> Duration {
        self.control.lost()
    }

    /// How many virtual users somebody outside asked for.
    pub fn scaled(&self) -> Option<u32> {
        self.control.scaled()
    }

    /// Virtual users at work (the gauge `vus`).
    pub fn vus(&self) -> u32 {
        self.scenarios().map(|(_, progress)| progress.active).sum()
    }

    /// Virtual users initialised so far (the gauge `vus_max`). Scenarios that do not overlap count the same ones, by their
    /// numbers.
    pub fn vus_max(&self) -> u32 {
        let unplanned = self.unplanned.load(Relaxed);
        let hired: u32 = self.scenarios().map(|(_, progress)| progress.hired).sum();
        hired.saturating_sub(unplanned).min(self.planned_ids) + unplanned
    }

    /// How often a worker kept its samples for the next time because the collector had not taken the last ones yet.
    pub fn postponed_flushes(&self) -> u64 {
        self.postponed.load(Relaxed)
    }
}

impl Line {
    fn progress(&self) -> Progress {
        let mut sum = Progress {
            planned: self.planned,
            finished: true,
            ..Progress::default()
        };
        for tally in &self.tallies {
            sum.hired += tally.hired.load(Relaxed);
            sum.active += tally.active.load(Relaxed);
            sum.busy += tally.busy.load(Relaxed);
            sum.complete += tally.complete.load(Relaxed);
            sum.failed += tally.failed.load(Relaxed);
            sum.interrupted += tally.interrupted.load(Relaxed);
            sum.dropped += tally.dropped.load(Relaxed);
            sum.lag_max = sum.lag_max.max(Duration::from_nanos(tally.lag_max.load(Relaxed)));
            sum.finished &= tally.finished.load(Relaxed);
        }
        sum
    }
}
