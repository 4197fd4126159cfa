//! How much load the embedded target bears, and what happens past that.
//!
//! A request passes four stations, each of which may be absent:
//!
//! ```text
//!   admission ──> pace (N/s) ──> worker slot (burns CPU) ──> pool (time only) ──> answer
//!       │ the queue is full            │ queue over half full
//!       └─> 503, Retry-After           └─> a share of 500s
//! ```
//!
//! *Pace* gives each request the next free instant on a grid of 1/N seconds (a virtual scheduling clock, as in the
//! generic cell rate algorithm): an idle target answers at once, a busy one makes requests wait longer and longer, and
//! never lets more than N/s through, however coarse the timer is. *Worker slots* are threads that take requests from
//! one first-come-first-served queue, so the slots are never idle while a request waits. A request that costs next to
//! nothing and finds nobody waiting takes a free slot where it is, on the thread of its connection. *The pool* has the
//! requests that spend their latency, as if on a connection to a database: all of them, or so many at a time. *The queue* is
//! everything between admission and the start of service; its limit is judged once, at admission: what was let in is
//! served.

mod line;
mod slots;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::burn::burn;
use super::dice::Dice;
use super::locked;
use line::{Busy, Line, Place, Station};
use slots::Slots;

/// Work that is done where the request is, if a slot is free: waking another thread for it would take about as long.
const AT_ONCE: Duration = Duration::from_micros(20);

/// The load that the target bears.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Requests whose CPU cost is paid at the same time; at least 1.
    pub workers: usize,
    /// CPU time that a request of cost 1 burns.
    pub cpu_cost: Duration,
    /// Requests that may wait; past them a request is rejected.
    pub queue: usize,
    /// Requests per second that are let through; `None` for no limit.
    pub per_second: Option<NonZeroU32>,
    /// Time that each answer takes without using CPU.
    pub latency: Duration,
    /// How far the latency varies to either side, evenly.
    pub jitter: Duration,
    /// Requests that may spend their latency at the same time; `None` for no limit.
    pub pool: Option<usize>,
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
    pool: Option<Semaphore>,
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

/// What a request that was let in has to wait for.
enum Ticket {
    /// Nothing, and it works nothing; its place in the pool, if there is one.
    Free(Option<Place>),
    /// Nothing: it has a slot.
    Now(Busy),
    /// The instant at which the pace lets it go, if that is not now, and then a slot, if it works.
    Wait(Place, Option<Instant>),
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
        let pool = limits.pool.map(Semaphore::new);
        Ok(Capacity {
            pool,
            limits,
            started: Instant::now(),
            line,
            slots,
            dice,
            counts: Arc::default(),
        })
    }

    /// Takes a request through the stations; `cost` is the share of `cpu_cost` that it burns. Dropping the future is the
    /// client leaving: its place is given up.
    pub async fn turn(&self, cost: f64) -> Turn {
        let cost = self.limits.cpu_cost.mul_f64(cost);
        let Some(ticket) = self.admit(cost) else {
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
        let place = match ticket {
            Ticket::Free(place) => place,
            Ticket::Now(busy) => {
                burn(cost);
                drop(busy);
                None
            }
            Ticket::Wait(place, start) => {
                if let Some(start) = start {
                    tokio::time::sleep_until(start.into()).await;
                }
                match &self.slots {
                    Some(slots) if !cost.is_zero() => {
                        slots.serve(place.into_slots(), cost).await;
                        None
                    }
                    _ => Some(place),
                }
            }
        };
        self.spend(place).await;
        accepted.settle(fails)
    }

    /// The latency, in a place of the pool where that has a limit.
    async fn spend(&self, place: Option<Place>) {
        let latency = self.latency();
        if latency.is_zero() {
            return;
        }
        let Some(pool) = &self.pool else {
            drop(place);
            return tokio::time::sleep(latency).await;
        };
        let at_pool = || Place::at(Station::Pool, &self.line);
        let _place = place.map_or_else(at_pool, Place::into_pool);
        // First come, first served. It is never closed.
        let _permit = pool.acquire().await;
        tokio::time::sleep(latency).await;
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        Stats {
            accepted: self.counts.accepted.load(Ordering::Relaxed),
            served: self.counts.served.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            rejected: self.counts.rejected.load(Ordering::Relaxed),
            abandoned: self.counts.abandoned.load(Ordering::Relaxed),
            queue: self.queue(),
            busy: self.line.busy(),
        }
    }

    /// What a request has to wait for; nothing if the queue is full.
    fn admit(&self, cost: Duration) -> Option<Ticket> {
        let interval = self
            .limits
            .per_second
            .map(|rate| 1_000_000_000 / u64::from(rate.get()));
        let works = self.slots.is_some() && !cost.is_zero();
        if interval.is_none() && !works && self.pool.is_none() {
            return Some(Ticket::Free(None));
        }
        let mut next = locked(&self.line.next);
        let now = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let start = if interval.is_some() { now.max(*next) } else { now };
        let waits_for_pace = start > now;
        let waits_for_slot = works && self.line.in_slots() >= self.limits.workers;
        let waits_for_pool = self.limits.pool.is_some_and(|pool| self.line.in_pool() >= pool);
        if (waits_for_pace || waits_for_slot || waits_for_pool) && self.queue() >= self.limits.queue {
            return None;
        }
        if let Some(interval) = interval {
            *next = start.saturating_add(interval);
        }
        Some(if waits_for_pace {
            let start = self.started + Duration::from_nanos(start);
            Ticket::Wait(Place::at(Station::Pace, &self.line), Some(start))
        } else if !works {
            let pooled = self.pool.is_some().then(|| Place::at(Station::Pool, &self.line));
            Ticket::Free(pooled)
        } else if let Some(busy) = self.at_once(cost) {
            Ticket::Now(busy)
        } else {
            Ticket::Wait(Place::at(Station::Slots, &self.line), None)
        })
    }

    /// A free slot for work that is done at once, if nobody waits for one.
    fn at_once(&self, cost: Duration) -> Option<Busy> {
        let slots = self.slots.as_ref()?;
        let nobody_waits = cost <= AT_ONCE && self.line.waiting_for_slots() == 0;
        nobody_waits.then(|| slots.take(&self.line)).flatten()
    }

    /// How many wait, for whatever.
    fn queue(&self) -> usize {
        self.line
            .queue(self.limits.workers, self.limits.pool.unwrap_or(usize::MAX))
    }

    fn saturated(&self) -> bool {
        self.queue() > self.limits.queue / 2
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

#[cfg(test)]
#[path = "capacity/tests.rs"]
mod tests;
