//! Executors of the open model: constant-arrival-rate, ramping-arrival-rate.
//!
//! The executor sleeps until the next iteration is due and gives it to the virtual user that has been free longest. If none
//! is free on any worker the iteration is dropped for good, and one more virtual user is initialised in the background.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep_until};

use super::control::{Level, Now, Reason};
use super::lanes::{Berth, Lanes, Mail, Turn};
use super::ledger::{Ledger, report_panic};
use super::signal::{Arrival, Order, Signal};
use super::staff::{HireError, Iteration, VirtualUser};
use crate::pace::{Arrivals, Share};

/// One worker's part of an open scenario.
pub(super) struct Open<U, H> {
    pub(super) arrivals: Arrivals,
    /// Which of the arrivals are due on this worker.
    pub(super) dues: Share,
    /// Its place among the workers of the scenario.
    pub(super) berth: Berth,
    /// The virtual users that are ready from the start.
    pub(super) users: Vec<U>,
    /// Initialises one more.
    pub(super) hire: H,
    pub(super) start: Instant,
    /// How things are as it starts.
    pub(super) now: Now,
    pub(super) graceful_stop: Duration,
}

/// Where free virtual users wait.
struct Bench {
    lanes: Arc<Lanes>,
    lane: usize,
    /// Longest first. As many as nobody has reserved, and those that were and whose iteration is in the mail.
    waiting: RefCell<VecDeque<usize>>,
}

impl Bench {
    fn sit(&self, vu: usize) {
        self.waiting.borrow_mut().push_back(vu);
        self.lanes.free(self.lane);
    }
}

impl<U, H, F> Open<U, H>
where
    U: VirtualUser + 'static,
    H: Fn() -> F,
    F: Future<Output = Result<U, HireError>> + 'static,
{
    /// Runs until the last virtual user has gone home.
    pub(super) async fn run(self, ledger: Rc<Ledger>) {
        let end = self.start + self.arrivals.duration();
        let Berth {
            lanes,
            lane,
            mail,
            turn,
        } = self.berth;
        let bench = Rc::new(Bench {
            lanes,
            lane,
            waiting: RefCell::new(VecDeque::with_capacity(self.users.len())),
        });
        let mut desk = Desk {
            due: self.arrivals.due(self.dues.nth(0)),
            arrivals: &self.arrivals,
            dues: &self.dues,
            next: 0,
            start: self.start,
            end,
            graceful_stop: self.graceful_stop,
            hire: &self.hire,
            hires: JoinSet::new(),
            signals: Vec::with_capacity(self.users.len()),
            crew: JoinSet::new(),
            bench,
            turn: Some(turn),
            phase: Phase::Dispatching,
            now: self.now,
            ledger,
        };
        for user in self.users {
            desk.take_on(user);
        }
        desk.run(mail).await;
    }
}

/// A virtual user's life.
async fn work<U: VirtualUser>(
    vu: usize,
    signal: Rc<Signal>,
    mut user: U,
    bench: Rc<Bench>,
    ledger: Rc<Ledger>,
) {
    let _active = ledger.tally.enter();
    let mut in_vu = 0;
    while let Some(Arrival { due }) = signal.arrival().await {
        let started = Instant::now();
        ledger.lag(due, started);
        let iteration = Iteration {
            in_scenario: bench.lanes.number(),
            in_vu,
            due: Some(due),
            started,
        };
        in_vu += 1;
        ledger.perform(&signal, &mut user, iteration).await;
        bench.sit(vu);
    }
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    /// Iterations are due here.
    Dispatching,
    /// Not here any more, but other workers may send some.
    Receiving,
    /// Nothing comes any more.
    Over,
    /// The virtual users go home; those that still run are interrupted then.
    Grace(Instant),
    /// They have been.
    Interrupted,
}

/// Who hands out iterations.
struct Desk<'a, U, H> {
    arrivals: &'a Arrivals,
    dues: &'a Share,
    /// The next of my arrivals, and when it is due after the start; `None` when there is no more.
    next: u64,
    due: Option<Duration>,
    start: Instant,
    end: Instant,
    graceful_stop: Duration,
    hire: &'a H,
    hires: JoinSet<Result<U, HireError>>,
    signals: Vec<Rc<Signal>>,
    crew: JoinSet<()>,
    bench: Rc<Bench>,
    /// Held while iterations are due here.
    turn: Option<Turn>,
    phase: Phase,
    /// How things are outside, as far as this has acted on it.
    now: Now,
    ledger: Rc<Ledger>,
}

impl<U, H, F> Desk<'_, U, H>
where
    U: VirtualUser + 'static,
    H: Fn() -> F,
    F: Future<Output = Result<U, HireError>> + 'static,
{
    async fn run(&mut self, mut mail: mpsc::UnboundedReceiver<Mail>) {
        let mut watch = self.ledger.control.watch();
        let timer = sleep_until(self.start);
        tokio::pin!(timer);
        while !(matches!(self.phase, Phase::Grace(_) | Phase::Interrupted) && self.crew.is_empty()) {
            let wake = self.act(Instant::now()).await;
            if let Some(wake) = wake {
                timer.as_mut().reset(wake);
            }
            tokio::select! {
                biased;
                now = watch.news(self.now) => self.heed(now),
                Some(mail) = mail.recv(), if self.receives() => match mail {
                    Mail::Arrival(arrival) => self.hand_over(arrival),
                    Mail::Over => self.phase = Phase::Over,
                },
                Some(hired) = self.hires.join_next(), if !self.hires.is_empty() => match hired {
                    Ok(Ok(user)) => self.take_on(user),
                    Ok(Err(error)) => self.ledger.control.stop_now(Reason::Hire(error)),
                    Err(error) => report_panic(&self.ledger.control, Err(error)),
                },
                Some(ended) = self.crew.join_next(), if !self.crew.is_empty() => {
                    report_panic(&self.ledger.control, ended);
                }
                () = timer.as_mut(), if wake.is_some() => self.ledger.timer(timer.deadline(), Instant::now()),
            }
        }
    }

    /// Whether other workers may still send iterations.
    fn receives(&self) -> bool {
        matches!(self.phase, Phase::Dispatching | Phase::Receiving)
    }

    /// Does what is due and says when there is more to do.
    async fn act(&mut self, now: Instant) -> Option<Instant> {
        if self.now.paused.is_some() && matches!(self.phase, Phase::Dispatching | Phase::Receiving) {
            return None;
        }
        if self.phase == Phase::Dispatching {
            self.dispatch(now).await;
            match self.due {
                Some(due) => return Some(self.start + due),
                None => self.finish(),
            }
        }
        if self.phase == Phase::Over && self.end <= now {
            self.close(self.end);
        }
        match self.phase {
            Phase::Dispatching | Phase::Receiving | Phase::Interrupted => None,
            Phase::Over => Some(self.end),
            Phase::Grace(deadline) if deadline > now => Some(deadline),
            Phase::Grace(_) => {
                self.interrupt();
                None
            }
        }
    }

    /// Hands out the iterations that are due.
    ///
    /// On this thread a virtual user whose answer has arrived is free only once its task has run, so before anything is
    /// dropped all tasks that can run get to run, once per call: if that does not help, nobody is free.
    async fn dispatch(&mut self, now: Instant) {
        let (mut yielded, mut dropped) = (false, 0);
        while let Some(due) = self.due.map(|due| self.start + due).filter(|due| *due <= now) {
            if !self.place(Arrival { due }) {
                if !yielded {
                    yielded = true;
                    yield_now().await;
                    continue;
                }
                dropped += 1;
            }
            self.next += 1;
            self.due = self.arrivals.due(self.dues.nth(self.next));
        }
        if dropped > 0 {
            self.ledger.dropped(dropped);
            if self.hires.is_empty() && self.bench.lanes.grow() {
                self.hires.spawn_local((self.hire)());
            }
        }
    }

    /// Finds a virtual user for an iteration, here or on another worker.
    fn place(&self, arrival: Arrival) -> bool {
        if self.bench.lanes.reserve(self.bench.lane) {
            self.hand_over(arrival);
            return true;
        }
        self.bench.lanes.send_elsewhere(self.bench.lane, arrival)
    }

    /// Gives an iteration to the virtual user that was reserved for it.
    fn hand_over(&self, arrival: Arrival) {
        let vu = self.bench.waiting.borrow_mut().pop_front();
        match vu {
            Some(vu) => self.signals[vu].assign(arrival),
            // Only after a panic, which ends the test.
            None => self.ledger.dropped(1),
        }
    }

    fn take_on(&mut self, user: U) {
        if matches!(self.phase, Phase::Grace(_) | Phase::Interrupted) {
            return;
        }
        let vu = self.signals.len();
        let signal = Rc::new(Signal::new(Order::Run));
        self.signals.push(Rc::clone(&signal));
        self.crew.spawn_local(work(
            vu,
            signal,
            user,
            Rc::clone(&self.bench),
            Rc::clone(&self.ledger),
        ));
        self.bench.sit(vu);
    }

    /// Acts on what has changed outside.
    fn heed(&mut self, now: Now) {
        let before = std::mem::replace(&mut self.now, now);
        if self.phase <= Phase::Over {
            let shift = now.lost.saturating_sub(before.lost);
            self.start += shift;
            self.end += shift;
        }
        if now.level > before.level {
            self.stop(now.level);
        }
    }

    fn stop(&mut self, level: Level) {
        if self.phase == Phase::Dispatching && level > Level::Run {
            self.due = None;
            self.finish();
        }
        match level {
            Level::Run => {}
            // Iterations that are in the mail were due before the stop, so they are still run.
            Level::Graceful => self.end = self.end.min(Instant::now()),
            Level::Now => self.interrupt(),
        }
    }

    /// Nothing is due here any more.
    fn finish(&mut self) {
        self.turn = None;
        self.phase = Phase::Receiving;
    }

    /// Sends the virtual users home, as of `at`.
    fn close(&mut self, at: Instant) {
        self.hires.abort_all();
        self.signals.iter().for_each(|signal| signal.give(Order::Leave));
        self.phase = Phase::Grace(at + self.graceful_stop);
    }

    /// Ends everything that is under way.
    fn interrupt(&mut self) {
        self.hires.abort_all();
        let mut taken_back = 0;
        for signal in &self.signals {
            signal.give(Order::Leave);
            taken_back += u64::from(signal.interrupt().is_some());
        }
        self.phase = Phase::Interrupted;
        self.ledger.dropped(taken_back);
    }
}
