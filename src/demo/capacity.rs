//! How much load the embedded target bears, and what happens past that.
//!
//! A request passes four stations, each of which may be absent:
//!
//! ```text
//!   admission ──> pace (N/s) ──> worker slot (burns CPU) ──> latency (time only) ──> answer
//!       │ the queue is full            │ queue over half full
//!       └─> 503, Retry-After           └─> a share of 500s
//! ```
//!
//! *Pace* gives each request the next free instant on a grid of 1/N seconds (a virtual scheduling clock, as in the
//! generic cell rate algorithm): an idle target answers at once, a busy one makes requests wait longer and longer, and
//! never lets more than N/s through, however coarse the timer is. *Worker slots* are threads that take requests from
//! one first-come-first-served queue, so the slots are never idle while a request waits. *The queue* is everything
//! between admission and the start of service; its limit is judged once, at admission: what was let in is served.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::burn::burn;
use super::dice::Dice;

/// The load that the target bears.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Requests whose CPU cost is paid at the same time; at least 1.
    pub workers: usize,
    /// CPU time that each request burns.
    pub cpu_cost: Duration,
    /// Requests that may wait; past them a request is rejected.
    pub queue: usize,
    /// Requests per second that are let through; `None` for no limit.
    pub per_second: Option<NonZeroU32>,
    /// Time that each answer takes without using CPU.
    pub latency: Duration,
    /// How far the latency varies to either side, evenly.
    pub jitter: Duration,
    /// Share of requests, 0–1, that fail while the queue is more than half full.
    pub error_rate: f64,
    /// Seed of the jitter and of the failures.
    pub seed: u64,
}

/// What became of a request's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It was served and can be answered.
    Served,
    /// It was served but failed, as things do in overload.
    Failed,
    /// The queue was full; worth another try after this long.
    Rejected {
        /// How long the client should wait.
        retry_after: Duration,
    },
}

/// Counters since the start, and the state at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Requests that were let in.
    pub accepted: u64,
    /// Requests that were answered as they should be.
    pub served: u64,
    /// Requests that failed with 500.
    pub failed: u64,
    /// Requests that were rejected with 503.
    pub rejected: u64,
    /// Requests that were let in but whose client left before they were answered.
    pub abandoned: u64,
    /// Requests that wait now.
    pub queue: usize,
    /// Worker slots in use now.
    pub busy: usize,
}

/// The stations of a request. Shared by all services, as the one machine is that they stand for.
#[derive(Debug)]
pub struct Capacity {
    limits: Limits,
    started: Instant,
    line: Arc<Line>,
    slots: Option<Slots>,
    dice: Dice,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    served: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    abandoned: AtomicU64,
}

/// Those who wait and those who are served.
#[derive(Debug, Default)]
struct Line {
    /// The next free instant of the pace, in nanoseconds since the start. Admission happens under this lock: outside
    /// of it the counts below only fall, or move on, so what is let in never exceeds the limits.
    next: Mutex<u64>,
    /// Waiting for their instant.
    at_pace: AtomicUsize,
    /// Waiting for a slot, or for the thread of a free one to notice.
    at_slots: AtomicUsize,
    /// In a slot.
    busy: AtomicUsize,
}

impl Line {
    fn count(&self, station: Station) -> &AtomicUsize {
        match station {
            Station::Pace => &self.at_pace,
            Station::Slots => &self.at_slots,
        }
    }

    /// Those in a slot of `workers`, or who wait for one.
    fn in_slots(&self) -> usize {
        self.at_slots.load(Ordering::Acquire) + self.busy.load(Ordering::Acquire)
    }

    /// How many wait. Who goes to a free slot does not.
    fn queue(&self, workers: usize) -> usize {
        self.at_pace.load(Ordering::Acquire) + self.in_slots().saturating_sub(workers)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Station {
    Pace,
    Slots,
}

/// A request's place at a station; given up when it moves on, or when its client leaves.
#[derive(Debug)]
struct Place {
    line: Arc<Line>,
    station: Station,
}

impl Place {
    fn at(station: Station, line: &Arc<Line>) -> Place {
        line.count(station).fetch_add(1, Ordering::AcqRel);
        Place {
            line: Arc::clone(line),
            station,
        }
    }

    /// Moves on to the slots, if it is not there yet. The new place is taken before the old one is given up.
    fn into_slots(self) -> Place {
        match self.station {
            Station::Pace => Place::at(Station::Slots, &self.line),
            Station::Slots => self,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.count(self.station).fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts a request as abandoned, unless it is told what became of it.
struct Accepted {
    counts: Arc<Counts>,
    settled: bool,
}

impl Accepted {
    fn settle(mut self, failed: bool) -> Turn {
        self.settled = true;
        let (counter, turn) = if failed {
            (&self.counts.failed, Turn::Failed)
        } else {
            (&self.counts.served, Turn::Served)
        };
        counter.fetch_add(1, Ordering::Relaxed);
        turn
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if !self.settled {
            self.counts.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Capacity {
    /// Starts the worker slots, if requests cost CPU. Fails when a thread cannot be started.
    pub fn new(limits: Limits) -> std::io::Result<Capacity> {
        let line = Arc::new(Line::default());
        let slots = if limits.cpu_cost.is_zero() {
            None
        } else {
            Some(Slots::start(&limits, &line)?)
        };
        let dice = Dice::new(limits.seed);
        Ok(Capacity {
            limits,
            started: Instant::now(),
            line,
            slots,
            dice,
            counts: Arc::default(),
        })
    }

    /// Takes a request through the stations. Dropping the future is the client leaving: its place is given up.
    pub async fn turn(&self) -> Turn {
        let Some((place, start)) = self.admit() else {
            self.counts.rejected.fetch_add(1, Ordering::Relaxed);
            return Turn::Rejected {
                retry_after: Duration::from_secs(1),
            };
        };
        self.counts.accepted.fetch_add(1, Ordering::Relaxed);
        let accepted = Accepted {
            counts: Arc::clone(&self.counts),
            settled: false,
        };
        let fails = self.saturated() && self.dice.roll() < self.limits.error_rate;
        if let Some(start) = start {
            tokio::time::sleep_until(start.into()).await;
        }
        match (&self.slots, place) {
            (Some(slots), Some(place)) => slots.serve(place.into_slots()).await,
            (_, place) => drop(place),
        }
        let latency = self.latency();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        accepted.settle(fails)
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        Stats {
            accepted: self.counts.accepted.load(Ordering::Relaxed),
            served: self.counts.served.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            rejected: self.counts.rejected.load(Ordering::Relaxed),
            abandoned: self.counts.abandoned.load(Ordering::Relaxed),
            queue: self.line.queue(self.limits.workers),
            busy: self.line.busy.load(Ordering::Acquire),
        }
    }

    /// A place in the line and the instant at which the pace lets it go (`None`: now); nothing if the queue is full.
    /// A request that has nothing to wait for needs no place.
    fn admit(&self) -> Option<(Option<Place>, Option<Instant>)> {
        let interval = self
            .limits
            .per_second
            .map(|rate| 1_000_000_000 / u64::from(rate.get()));
        if interval.is_none() && self.slots.is_none() {
            return Some((None, None));
        }
        let mut next = locked(&self.line.next);
        let now = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let start = if interval.is_some() { now.max(*next) } else { now };
        let waits_for_pace = start > now;
        let waits_for_slot = self.slots.is_some() && self.line.in_slots() >= self.limits.workers;
        if (waits_for_pace || waits_for_slot) && self.line.queue(self.limits.workers) >= self.limits.queue {
            return None;
        }
        if let Some(interval) = interval {
            *next = start.saturating_add(interval);
        }
        if waits_for_pace {
            let start = self.started + Duration::from_nanos(start);
            Some((Some(Place::at(Station::Pace, &self.line)), Some(start)))
        } else {
            Some((
                self.slots.as_ref().map(|_| Place::at(Station::Slots, &self.line)),
                None,
            ))
        }
    }

    fn saturated(&self) -> bool {
        self.line.queue(self.limits.workers) > self.limits.queue / 2
    }

    fn latency(&self) -> Duration {
        if self.limits.jitter.is_zero() {
            return self.limits.latency;
        }
        let early = self.limits.latency.saturating_sub(self.limits.jitter);
        let late = self.limits.latency.saturating_add(self.limits.jitter);
        early + late.saturating_sub(early).mul_f64(self.dice.roll())
    }
}

/// Worker slots: threads that burn the cost of one request at a time.
#[derive(Debug)]
struct Slots(Arc<Jobs>);

#[derive(Debug)]
struct Jobs {
    waiting: Mutex<VecDeque<Job>>,
    arrived: Condvar,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Job {
    place: Place,
    done: oneshot::Sender<()>,
}

impl Slots {
    fn start(limits: &Limits, line: &Arc<Line>) -> std::io::Result<Slots> {
        let jobs = Arc::new(Jobs {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            closed: AtomicBool::new(false),
        });
        let slots = Slots(Arc::clone(&jobs));
        for number in 0..limits.workers {
            let (jobs, line, cost) = (Arc::clone(&jobs), Arc::clone(line), limits.cpu_cost);
            std::thread::Builder::new()
                .name(format!("demo-slot-{number}"))
                .stack_size(128 * 1024)
                .spawn(move || jobs.work(&line, cost))?;
        }
        Ok(slots)
    }

    /// Waits for a slot and for the work to be done in it.
    async fn serve(&self, place: Place) {
        let (done, finished) = oneshot::channel();
        locked(&self.0.waiting).push_back(Job { place, done });
        self.0.arrived.notify_one();
        // The sender is only dropped unsent when the target ends.
        let _ = finished.await;
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Under the lock, so that no thread is between looking at the flag and going to sleep.
        let _jobs = locked(&self.0.waiting);
        self.0.closed.store(true, Ordering::Release);
        self.0.arrived.notify_all();
    }
}

impl Jobs {
    fn work(&self, line: &Line, cost: Duration) {
        while let Some(Job { place, done }) = self.next() {
            // A client that left is not worked for, or a target whose clients give up would never recover.
            if done.is_closed() {
                continue;
            }
            // Busy before it stops waiting, and idle before the client knows: the sum of both is what admission
            // judges by, and it must neither let one too many in nor reject a client that only just got its answer.
            line.busy.fetch_add(1, Ordering::AcqRel);
            drop(place);
            burn(cost);
            line.busy.fetch_sub(1, Ordering::AcqRel);
            let _ = done.send(());
        }
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = locked(&self.waiting);
        loop {
            if self.closed.load(Ordering::Acquire) {
                return None;
            }
            if let Some(job) = waiting.pop_front() {
                return Some(job);
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Nothing here panics while it holds a lock, and what the locks guard is whole at every step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "capacity/tests.rs"]
mod tests;
