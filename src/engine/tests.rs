//! The executors on a paused clock: every count and every time is exact.
//!
//! The rig runs all workers of a test on one `LocalSet` with virtual users that sleep, and keeps a log.

mod closed;
mod open;
mod paused;
mod together;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::launch::plan;
use super::worker::work;
use super::*;
use crate::config::Scenario;
use crate::metrics::{Batch, Epoch, MetricId, Recorder, Registry, SystemTags, builtin};
use crate::pace::{Arrivals, Budget, Plan, Share, Staffing, Stage};

/// One iteration as it went; times in milliseconds from the start of the load.
#[derive(Debug, Clone, PartialEq)]
struct Done {
    scenario: String,
    vu: u64,
    in_scenario: u64,
    in_vu: u64,
    due: Option<u64>,
    start: u64,
    /// `None`: dropped in flight.
    end: Option<u64>,
}

/// What the fake virtual users do.
type Act = Rc<dyn Fn(&VuSeat, &Iteration) -> (Duration, Outcome)>;
/// What is done to a test from outside.
type Deed = Rc<dyn Fn(&Control)>;
/// How long a virtual user takes to initialise, or why it cannot be.
type Hiring = Rc<dyn Fn(&VuSeat) -> Result<Duration, HireError>>;

#[derive(Default)]
struct Log {
    done: Vec<Done>,
    /// Each virtual user's seat and when it was initialised and dropped.
    homes: Vec<(VuSeat, u64, u64)>,
    interrupts: usize,
}

struct Crew {
    act: Act,
    hiring: Hiring,
    zero: Instant,
    log: Rc<RefCell<Log>>,
}

struct Sleeper {
    seat: VuSeat,
    hired: u64,
    act: Act,
    zero: Instant,
    log: Rc<RefCell<Log>>,
    /// Where in the log the iteration under way is.
    under_way: Option<usize>,
}

fn since(zero: Instant) -> u64 {
    u64::try_from(zero.elapsed().as_millis()).unwrap()
}

impl VirtualUser for Sleeper {
    async fn iterate(&mut self, it: Iteration) -> Outcome {
        assert_eq!(
            self.under_way, None,
            "an iteration was dropped without an interrupt"
        );
        assert_eq!(it.started, Instant::now());
        let at = {
            let mut log = self.log.borrow_mut();
            log.done.push(Done {
                scenario: self.seat.scenario.name.clone(),
                vu: self.seat.id_in_instance,
                in_scenario: it.in_scenario,
                in_vu: it.in_vu,
                due: it
                    .due
                    .map(|due| u64::try_from((due - self.zero).as_millis()).unwrap()),
                start: since(self.zero),
                end: None,
            });
            log.done.len() - 1
        };
        self.under_way = Some(at);
        let (time, outcome) = (self.act)(&self.seat, &it);
        if !time.is_zero() {
            sleep(time).await;
        }
        self.under_way = None;
        self.log.borrow_mut().done[at].end = Some(since(self.zero));
        outcome
    }

    async fn interrupt(&mut self) {
        assert!(self.under_way.take().is_some(), "nothing to interrupt");
        self.log.borrow_mut().interrupts += 1;
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.log
            .borrow_mut()
            .homes
            .push((self.seat.clone(), self.hired, since(self.zero)));
    }
}

impl Staff for Crew {
    type User = Sleeper;

    async fn hire(&self, seat: VuSeat) -> Result<Sleeper, HireError> {
        let time = (self.hiring)(&seat)?;
        if !time.is_zero() {
            sleep(time).await;
        }
        let (act, log) = (Rc::clone(&self.act), Rc::clone(&self.log));
        Ok(Sleeper {
            seat,
            hired: since(self.zero),
            act,
            zero: self.zero,
            log,
            under_way: None,
        })
    }
}

/// A test to play.
struct Rig {
    scenarios: Vec<Scenario>,
    workers: u16,
    share: Share,
    min_iteration: Duration,
    act: Act,
    hiring: Hiring,
    /// When somebody stops it.
    stops: Vec<(u64, Level)>,
    /// What else somebody does to it, and when.
    deeds: Vec<(u64, Deed)>,
}

/// How it went.
struct Played {
    done: Vec<Done>,
    homes: Vec<(VuSeat, u64, u64)>,
    interrupts: usize,
    /// Milliseconds from the start of the load to the end of the last worker.
    took: u64,
    live: Arc<Live>,
    samples: Batch,
    reason: Option<Reason>,
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Rig {
    /// One scenario on one worker, with iterations of `iteration` milliseconds.
    fn new(plan: Plan, iteration: u64) -> Rig {
        Rig {
            scenarios: vec![scenario("s", plan)],
            workers: 1,
            share: Share::whole(),
            min_iteration: Duration::ZERO,
            act: Rc::new(move |_, _| (ms(iteration), Outcome::Complete)),
            hiring: Rc::new(|_| Ok(Duration::ZERO)),
            stops: Vec::new(),
            deeds: Vec::new(),
        }
    }

    fn workers(mut self, workers: u16) -> Rig {
        self.workers = workers;
        self
    }

    fn graceful_stop(mut self, graceful_stop: u64) -> Rig {
        self.scenarios
            .iter_mut()
            .for_each(|scenario| scenario.graceful_stop = ms(graceful_stop));
        self
    }

    fn stop(mut self, at: u64, level: Level) -> Rig {
        self.stops.push((at, level));
        self
    }

    fn deed(mut self, at: u64, deed: impl Fn(&Control) + 'static) -> Rig {
        self.deeds.push((at, Rc::new(deed)));
        self
    }

    fn act(mut self, act: impl Fn(&VuSeat, &Iteration) -> (Duration, Outcome) + 'static) -> Rig {
        self.act = Rc::new(act);
        self
    }

    fn hiring(mut self, hiring: impl Fn(&VuSeat) -> Result<Duration, HireError> + 'static) -> Rig {
        self.hiring = Rc::new(hiring);
        self
    }

    async fn play(self) -> Played {
        LocalSet::new().run_until(self.play_here()).await
    }

    async fn play_here(self) -> Played {
        let registry = Registry::new(SystemTags::default());
        let recorder = Recorder::new(Arc::clone(&registry), 0);
        let control = Control::new();
        let (batches, _kept) = batches(self.workers);
        // The load starts a second from now, so that the virtual users have time to initialise.
        let zero = Instant::now() + Duration::from_secs(1);
        let spec = Spec {
            scenarios: self.scenarios.into_iter().map(Arc::new).collect(),
            share: self.share,
            workers: self.workers,
            registry,
            epoch: Epoch {
                instant: Instant::now().into_std(),
                wall: SystemTime::UNIX_EPOCH,
            },
            tags: BTreeMap::new(),
            min_iteration_duration: self.min_iteration,
            batches,
        };
        let (gate, jobs, mut ready, live) = plan(spec, &control);
        let log = Rc::<RefCell<Log>>::default();
        let mut workers = JoinSet::new();
        for job in jobs {
            let (act, hiring) = (Rc::clone(&self.act), Rc::clone(&self.hiring));
            let crew = Crew {
                act,
                hiring,
                zero,
                log: Rc::clone(&log),
            };
            workers.spawn_local(work(job, Rc::new(crew), recorder.clone()));
        }
        for (at, level) in self.stops {
            let control = control.clone();
            tokio::task::spawn_local(async move {
                sleep_until(zero + ms(at)).await;
                match level {
                    Level::Run => {}
                    Level::Graceful => control.stop_gracefully(Reason::Signal),
                    Level::Now => control.stop_now(Reason::Signal),
                }
            });
        }
        for (at, deed) in self.deeds {
            let control = control.clone();
            tokio::task::spawn_local(async move {
                sleep_until(zero + ms(at)).await;
                deed(&control);
            });
        }
        for _ in 0..self.workers {
            if ready.recv().await.is_none() {
                break;
            }
        }
        gate.send_replace(Some(zero));
        while let Some(ended) = workers.join_next().await {
            ended.unwrap();
        }
        let log = log.take();
        Played {
            done: log.done,
            homes: log.homes,
            interrupts: log.interrupts,
            took: since(zero),
            live,
            samples: recorder.drain(),
            reason: control.reason(),
        }
    }
}

impl Played {
    fn progress(&self) -> Progress {
        self.live.scenarios().next().unwrap().1
    }

    /// Complete, interrupted, dropped.
    fn counts(&self) -> (u64, u64, u64) {
        let progress = self.progress();
        assert!(progress.finished);
        assert_eq!((progress.active, progress.busy), (0, 0), "all have gone home");
        (progress.complete, progress.interrupted, progress.dropped)
    }

    fn starts(&self) -> Vec<u64> {
        let mut starts: Vec<u64> = self.done.iter().map(|done| done.start).collect();
        starts.sort_unstable();
        starts
    }

    fn starts_of(&self, vu: u64) -> Vec<u64> {
        self.done
            .iter()
            .filter(|done| done.vu == vu)
            .map(|done| done.start)
            .collect()
    }

    fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.done.iter().map(|done| done.in_scenario).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The sum (here always a whole number) and the count of a metric's samples.
    fn metric(&self, metric: MetricId) -> (u64, usize) {
        let values = self
            .samples
            .samples
            .iter()
            .filter(|sample| sample.metric == metric);
        let (sum, count) = values.fold((0.0, 0), |(sum, count), sample| (sum + sample.value, count + 1));
        (f64::round(sum) as u64, count)
    }
}

fn scenario(name: &str, plan: Plan) -> Scenario {
    Scenario {
        name: name.to_owned(),
        executor: "",
        plan,
        start: Duration::ZERO,
        graceful_stop: Duration::from_secs(30),
        exec: "default".to_owned(),
        env: BTreeMap::new(),
        tags: BTreeMap::new(),
        options: serde_json::Value::Null,
    }
}

fn constant_vus(vus: u32, duration: u64) -> Plan {
    closed(vus, duration, Budget::Unlimited)
}

fn closed(vus: u32, duration: u64, budget: Budget) -> Plan {
    Plan::Closed {
        staffing: Staffing::Constant {
            vus,
            duration: ms(duration),
        },
        budget,
    }
}

fn stages(stages: &[(u64, u64)]) -> Vec<Stage> {
    stages
        .iter()
        .map(|&(duration, target)| Stage {
            duration: ms(duration),
            target,
        })
        .collect()
}

fn ramping_vus(start: u32, legs: &[(u64, u64)], graceful_ramp_down: u64) -> Plan {
    Plan::Closed {
        staffing: Staffing::Ramping {
            start,
            stages: stages(legs),
            graceful_ramp_down: ms(graceful_ramp_down),
        },
        budget: Budget::Unlimited,
    }
}

fn constant_rate(per_second: u64, duration: u64, pre_allocated: u32, max_vus: u32) -> Plan {
    let arrivals = Arrivals::constant(per_second, Duration::from_secs(1), ms(duration));
    Plan::Open {
        arrivals,
        pre_allocated,
        max_vus,
    }
}
