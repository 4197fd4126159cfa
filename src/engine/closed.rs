//! Executors of the closed model: constant-vus, ramping-vus, shared-iterations, per-vu-iterations.
//!
//! One task per virtual user loops over iterations and never waits for the executor; the executor only sends orders at the
//! few moments when something changes: a step of a ramp, the end of a grace period, a stop.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep_until};

use super::control::{Level, Now};
use super::ledger::{Ledger, report_panic};
use super::numbers::Numbers;
use super::signal::{Order, Signal};
use super::staff::{Iteration, VirtualUser};
use crate::pace::{Budget, Share, Staffing};

/// A loop whose iterations never wait for anything lets others run after so long …
const BURST: Duration = Duration::from_micros(100);
/// … or so many, should the clock stand still.
const BURST_ITERATIONS: u32 = 128;

/// What the workers of one scenario share.
#[derive(Debug)]
pub(super) struct Common {
    numbers: Numbers,
    /// Iterations that this instance may start; only with a budget.
    total: u64,
    /// Workers that are not through yet.
    lanes: AtomicUsize,
}

impl Common {
    /// For `vus` virtual users of this instance on so many `lanes` of workers.
    pub(super) fn new(budget: Budget, numbers: &Share, vus: u32, lanes: u32) -> Common {
        let total = match budget {
            Budget::Unlimited => 0,
            Budget::Shared(iterations) => numbers.count(iterations),
            Budget::PerVu(iterations) => iterations.saturating_mul(u64::from(vus)),
        };
        Common {
            numbers: Numbers::new(numbers.clone()),
            total,
            lanes: AtomicUsize::new(lanes as usize),
        }
    }
}

/// Where a worker's virtual users get the numbers of their iterations from.
struct Source {
    budget: Budget,
    common: Arc<Common>,
}

impl Source {
    /// The number of the next iteration of a virtual user that has begun `in_vu`; `None` when there is none left for it.
    fn claim(&self, in_vu: u64) -> Option<u64> {
        let Common { numbers, total, .. } = &*self.common;
        match self.budget {
            Budget::Unlimited => Some(numbers.next()),
            Budget::PerVu(iterations) if in_vu >= iterations => None,
            Budget::Shared(_) | Budget::PerVu(_) => numbers.next_of(*total),
        }
    }
}

/// One worker's part of a closed scenario.
pub(super) struct Closed<U> {
    pub(super) staffing: Staffing,
    pub(super) budget: Budget,
    pub(super) common: Arc<Common>,
    /// This worker's part of the virtual users.
    pub(super) share: Share,
    /// All virtual users of this worker, in the order in which a ramp takes them on.
    pub(super) users: Vec<U>,
    pub(super) start: Instant,
    /// How things are as it starts.
    pub(super) now: Now,
    pub(super) graceful_stop: Duration,
}

impl<U: VirtualUser + 'static> Closed<U> {
    /// Runs until the last virtual user has gone home.
    pub(super) async fn run(self, ledger: Rc<Ledger>) {
        let source = Rc::new(Source {
            budget: self.budget,
            common: Arc::clone(&self.common),
        });
        let mut crew = JoinSet::new();
        let mut signals = Vec::with_capacity(self.users.len());
        for user in self.users {
            let signal = Rc::new(Signal::new(Order::Wait));
            signals.push(Rc::clone(&signal));
            crew.spawn_local(work(signal, user, Rc::clone(&source), Rc::clone(&ledger)));
        }
        let graceful_ramp_down = match &self.staffing {
            Staffing::Ramping {
                graceful_ramp_down, ..
            } => *graceful_ramp_down,
            // Who asks for fewer virtual users does not ask for broken iterations.
            Staffing::External { .. } => self.graceful_stop,
            Staffing::Constant { .. } => Duration::ZERO,
        };
        let mut desk = Desk {
            deadlines: vec![None; signals.len()],
            leaving: VecDeque::new(),
            signals,
            share: &self.share,
            start: self.start,
            end: self.start + self.staffing.duration(),
            graceful_ramp_down,
            graceful_stop: self.graceful_stop,
            staffed: 0,
            closing: Closing::Open,
            external: matches!(self.staffing, Staffing::External { .. }),
            now: self.now,
        };
        desk.run(self.staffing.changes().peekable(), &mut crew, &ledger)
            .await;
        if self.common.lanes.fetch_sub(1, Ordering::AcqRel) == 1 && ledger.control.level() == Level::Run {
            let begun = self.common.numbers.given();
            ledger.dropped(self.common.total.saturating_sub(begun));
        }
    }
}

/// A virtual user's life.
async fn work<U: VirtualUser>(signal: Rc<Signal>, mut user: U, source: Rc<Source>, ledger: Rc<Ledger>) {
    let mut in_vu = 0;
    while signal.run().await {
        let _active = ledger.tally.enter();
        let mut started = Instant::now();
        let (mut burst_began, mut burst) = (started, 0);
        while signal.order() == Order::Run {
            let Some(in_scenario) = source.claim(in_vu) else {
                return;
            };
            let iteration = Iteration {
                in_scenario,
                in_vu,
                due: None,
                started,
            };
            in_vu += 1;
            let waited;
            (started, waited) = ledger.perform(&signal, &mut user, iteration).await;
            burst += 1;
            if waited {
                (burst_began, burst) = (started, 0);
            } else if burst >= BURST_ITERATIONS || started - burst_began >= BURST {
                yield_now().await;
                started = Instant::now();
                (burst_began, burst) = (started, 0);
            }
        }
    }
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// Iterations may begin.
    Open,
    /// None begins any more, and those under way are interrupted then.
    Grace(Instant),
    /// They have been.
    Interrupted,
}

/// Who gives the orders.
struct Desk<'a> {
    signals: Vec<Rc<Signal>>,
    /// For each virtual user that was told to pause, when its iteration is to be interrupted.
    deadlines: Vec<Option<Instant>>,
    /// The same in the order of time, with those that have been told to run again since.
    leaving: VecDeque<(Instant, usize)>,
    share: &'a Share,
    start: Instant,
    end: Instant,
    graceful_ramp_down: Duration,
    graceful_stop: Duration,
    /// How many of the virtual users are told to run: the first ones.
    staffed: usize,
    closing: Closing,
    /// Whether their number comes from outside.
    external: bool,
    /// How things are outside, as far as this has acted on it.
    now: Now,
}

impl Desk<'_> {
    async fn run<C: Iterator<Item = (Duration, u32)>>(
        &mut self,
        mut changes: Peekable<C>,
        crew: &mut JoinSet<()>,
        ledger: &Ledger,
    ) {
        let mut watch = ledger.control.watch();
        let timer = sleep_until(self.start);
        tokio::pin!(timer);
        loop {
            let wake = self.act(&mut changes, Instant::now());
            if let Some(wake) = wake {
                timer.as_mut().reset(wake);
            }
            tokio::select! {
                biased;
                now = watch.news(self.now) => self.heed(now),
                ended = crew.join_next() => match ended {
                    Some(ended) => report_panic(&ledger.control, ended),
                    None => return,
                },
                () = timer.as_mut(), if wake.is_some() => ledger.timer(timer.deadline(), Instant::now()),
            }
        }
    }

    /// Does what is due and says when there is more to do.
    fn act<C: Iterator<Item = (Duration, u32)>>(
        &mut self,
        changes: &mut Peekable<C>,
        now: Instant,
    ) -> Option<Instant> {
        let mut next_change = None;
        let paused = self.now.paused.is_some();
        if self.closing == Closing::Open && !paused {
            while let Some((after, vus)) = changes.peek().copied() {
                let at = self.start + after;
                // The last change is the end itself, which is more than a step.
                if at > now || at >= self.end {
                    next_change = Some(at.min(self.end));
                    break;
                }
                changes.next();
                let vus = self.now.vus.filter(|_| self.external).unwrap_or(vus);
                self.staff(self.share.count(u64::from(vus)) as usize, at);
            }
            if self.end <= now {
                self.close(self.end);
            }
        }
        while let Some((deadline, vu)) = self.leaving.front().copied()
            && deadline <= now
        {
            self.leaving.pop_front();
            if self.deadlines[vu] == Some(deadline) {
                self.signals[vu].interrupt();
            }
        }
        let next_end = match self.closing {
            Closing::Open if paused => None,
            Closing::Open => Some(self.end),
            Closing::Grace(deadline) if deadline > now => Some(deadline),
            Closing::Grace(_) => {
                self.interrupt();
                None
            }
            Closing::Interrupted => None,
        };
        let next_leave = self.leaving.front().map(|(deadline, _)| *deadline);
        let next_change = next_change.filter(|_| self.closing == Closing::Open && !paused);
        [next_change, next_end, next_leave].into_iter().flatten().min()
    }

    /// Has the first `count` virtual users run and the others pause, as of `at`.
    fn staff(&mut self, count: usize, at: Instant) {
        let count = count.min(self.signals.len());
        for vu in self.staffed..count {
            self.deadlines[vu] = None;
            if self.now.paused.is_none() {
                self.signals[vu].give(Order::Run);
            }
        }
        let deadline = at + self.graceful_ramp_down;
        for vu in (count..self.staffed).rev() {
            self.signals[vu].give(Order::Wait);
            if self.signals[vu].busy() {
                self.deadlines[vu] = Some(deadline);
                self.leaving.push_back((deadline, vu));
            }
        }
        self.staffed = count;
    }

    /// Acts on what has changed outside.
    fn heed(&mut self, now: Now) {
        let before = std::mem::replace(&mut self.now, now);
        let shift = now.lost.saturating_sub(before.lost);
        if self.closing == Closing::Open {
            self.start += shift;
            self.end += shift;
            let order = match (before.paused.is_some(), now.paused.is_some()) {
                (false, true) => Some(Order::Wait),
                (true, false) => Some(Order::Run),
                _ => None,
            };
            if let Some(order) = order {
                self.signals[..self.staffed]
                    .iter()
                    .for_each(|signal| signal.give(order));
            }
            if let Some(vus) = now.vus.filter(|_| self.external && now.vus != before.vus) {
                self.staff(self.share.count(u64::from(vus)) as usize, Instant::now());
            }
        }
        if now.level > before.level {
            self.stop(now.level);
        }
    }

    fn stop(&mut self, level: Level) {
        match level {
            Level::Run => {}
            Level::Graceful => self.close(Instant::now()),
            Level::Now => self.interrupt(),
        }
    }

    /// Lets no iteration begin any more, as of `at`.
    fn close(&mut self, at: Instant) {
        if self.closing == Closing::Open {
            self.signals.iter().for_each(|signal| signal.give(Order::Leave));
            self.closing = Closing::Grace(at + self.graceful_stop);
        }
    }

    /// Ends everything that is under way.
    fn interrupt(&mut self) {
        for signal in &self.signals {
            signal.give(Order::Leave);
            signal.interrupt();
        }
        self.leaving.clear();
        self.closing = Closing::Interrupted;
    }
}
