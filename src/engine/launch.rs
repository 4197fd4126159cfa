//! Starts the workers, each on its own thread with its own runtime, and gives the conductor a handle on them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::closed::Common;
use super::control::{Control, Reason};
use super::lanes::Lanes;
use super::ledger::panic_text;
use super::live::{Line, Live};
use super::place::Place;
use super::roster::{Roster, Span};
use super::staff::Staff;
use super::watchdog::{LOOK, Watchdog, stuck};
use super::worker::{Job, Model, Post, Test, flush, work};
use crate::config::Scenario;
use crate::metrics::{Batch, Epoch, Recorder, Registry};
use crate::pace::{Plan, Share};

/// How many batches per worker may wait for the collector.
pub const BATCHES_PER_WORKER: usize = 4;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The scenarios, in the order in which they are shown.
    pub scenarios: Vec<Arc<Scenario>>,
    /// This instance's part of the test.
    pub share: Share,
    /// Worker threads; at least one is started. Usually [`cores`].
    pub workers: u16,
    /// Where metrics and tags are known.
    pub registry: Arc<Registry>,
    /// The run's zero, for the times in samples.
    pub epoch: Epoch,
    /// The run's tags.
    pub tags: BTreeMap<String, String>,
    /// The least time from the start of an iteration to the next one of the same virtual user.
    pub min_iteration_duration: Duration,
    /// Where samples go; see [`batches`]. It must be drained until the engine has finished, or the last ones wait for ever.
    pub batches: mpsc::Sender<Batch>,
}

/// Why workers could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The system gave no thread.
    #[error("cannot start a worker thread: {0}; is the limit of processes (ulimit -u) too low?")]
    Thread(#[source] std::io::Error),
    /// The system gave no event queue.
    #[error("cannot start a worker's event loop: {0}; is the limit of open files (ulimit -n) too low?")]
    Runtime(#[source] std::io::Error),
    /// A bug.
    #[error("internal error: {0}")]
    Panic(String),
}

/// The number of worker threads that fits this machine: one per core that this process may use.
pub fn cores() -> u16 {
    thread::available_parallelism().map_or(1, |n| u16::try_from(n.get()).unwrap_or(u16::MAX))
}

/// A channel for the samples of `workers` workers, bounded so that a collector that lags makes windows wider, not memory.
pub fn batches(workers: u16) -> (mpsc::Sender<Batch>, mpsc::Receiver<Batch>) {
    mpsc::channel(BATCHES_PER_WORKER * usize::from(workers.max(1)))
}

/// The workers of a test that has been launched.
#[derive(Debug)]
pub struct Handle {
    live: Arc<Live>,
    control: Control,
    gate: watch::Sender<Option<Instant>>,
    waiting: usize,
    ready: mpsc::UnboundedReceiver<()>,
    /// Closed when the last worker has ended; nothing is ever sent.
    alive: mpsc::Receiver<Infallible>,
    threads: Vec<JoinHandle<()>>,
    watch: Watchdog,
}

/// Starts the workers, which begin to initialise their virtual users: [`Handle::ready`] waits for these, and
/// [`Handle::start`] starts the load. `make_staff` is called once on each worker's thread.
pub fn run<S, F>(spec: Spec, make_staff: F, control: Control) -> Result<Handle, EngineError>
where
    S: Staff,
    F: Fn(u16, Recorder) -> S + Send + Sync + 'static,
{
    let make_staff = Arc::new(make_staff);
    let (registry, epoch, batches) = (Arc::clone(&spec.registry), spec.epoch, spec.batches.clone());
    let ends = spec.scenarios.iter().map(|scenario| scenario.latest_end());
    let graces = spec.scenarios.iter().map(|scenario| scenario.graceful_stop);
    let watch = Watchdog {
        epoch,
        planned: ends.max().unwrap_or_default(),
        grace: graces.max().unwrap_or_default(),
        stopped: None,
    };
    let (gate, jobs, ready, live) = plan(spec, &control);
    let (alive_here, alive) = mpsc::channel(1);
    let mut handle = Handle {
        live,
        control,
        gate,
        waiting: jobs.len(),
        ready,
        alive,
        threads: Vec::new(),
        watch,
    };
    for job in jobs {
        let runtime = runtime()?;
        let (make_staff, alive) = (Arc::clone(&make_staff), alive_here.clone());
        let (registry, batches) = (Arc::clone(&registry), batches.clone());
        let (live, control) = (handle.live(), handle.control.clone());
        let worker = job.worker;
        let body = move || {
            let body = |recorder: Recorder| async move {
                let staff = Rc::new(make_staff(worker, recorder.clone()));
                work(job, staff, recorder).await;
            };
            if let Err(panic) = on_runtime(runtime, worker, registry, epoch, &batches, Some(live), body) {
                control.stop_now(Reason::Panic(panic));
            }
            drop(alive);
        };
        let name = format!("worker-{worker}");
        handle.threads.push(
            thread::Builder::new()
                .name(name)
                .spawn(body)
                .map_err(EngineError::Thread)?,
        );
    }
    Ok(handle)
}

impl Handle {
    /// What the test is doing.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Waits until all planned virtual users are initialised; false if the test was stopped before, when
    /// [`finished`](Self::finished) says why.
    pub async fn ready(&mut self) -> bool {
        while self.waiting > 0 {
            if self.ready.recv().await.is_none() {
                return false;
            }
            self.waiting -= 1;
        }
        true
    }

    /// Starts the load: `at` is when all scenarios count from. Call it once [`ready`](Self::ready), and a moment ahead if the
    /// workers are to begin together to the microsecond.
    pub fn start(&self, at: Instant) {
        self.control.begin(at);
        self.live.begin();
        self.live.begin_load(at.into_std());
        self.gate.send_replace(Some(at));
    }

    /// Waits until the last virtual user is gone and the last sample is handed over, and says why the test ended before its
    /// time, if it did.
    pub async fn finished(mut self) -> Option<Reason> {
        let mut left_behind = false;
        while !left_behind {
            tokio::select! {
                _ = self.alive.recv() => break,
                () = tokio::time::sleep(LOOK) => {
                    if let Some(worker) = self.watch.stuck(&self.threads, &self.live, &self.control) {
                        self.control.abandon(stuck(worker));
                        left_behind = true;
                    }
                }
            }
        }
        for thread in self.threads.drain(..) {
            // One that was left behind is never joined: it ends with the process.
            if (!left_behind || thread.is_finished())
                && let Err(payload) = thread.join()
            {
                self.control.stop_now(Reason::Panic(panic_text(&*payload)));
            }
        }
        self.control.reason()
    }
}

/// Runs something that takes samples on a thread of its own, apart from the workers: `setup()` and `teardown()`. `worker` is
/// the number on its batches, which should be no worker's.
pub async fn solo<T, F, Fut>(
    worker: u16,
    registry: Arc<Registry>,
    epoch: Epoch,
    batches: mpsc::Sender<Batch>,
    task: F,
) -> Result<T, EngineError>
where
    T: Send + 'static,
    F: FnOnce(Recorder) -> Fut + Send + 'static,
    Fut: Future<Output = T>,
{
    let runtime = runtime()?;
    let (result, wait) = oneshot::channel();
    let body = move || {
        let ended = on_runtime(runtime, worker, registry, epoch, &batches, None, task);
        let _ = result.send(ended);
    };
    thread::Builder::new()
        .name("solo".to_owned())
        .spawn(body)
        .map_err(EngineError::Thread)?;
    match wait.await {
        Ok(ended) => ended.map_err(EngineError::Panic),
        Err(_) => Err(EngineError::Panic("a thread ended without a result".to_owned())),
    }
}

fn runtime() -> Result<Runtime, EngineError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(EngineError::Runtime)
}

/// Runs a task on this thread with a recorder whose samples leave regularly and, in the end, completely. An error is what a
/// panic said.
fn on_runtime<T, F, Fut>(
    runtime: Runtime,
    worker: u16,
    registry: Arc<Registry>,
    epoch: Epoch,
    batches: &mpsc::Sender<Batch>,
    live: Option<Arc<Live>>,
    task: F,
) -> Result<T, String>
where
    F: FnOnce(Recorder) -> Fut,
    Fut: Future<Output = T>,
{
    let whole = || {
        let recorder = Recorder::new(registry, worker);
        let local = LocalSet::new();
        let _flusher = local.spawn_local(flush(recorder.clone(), batches.clone(), epoch, worker, live));
        let result = local.block_on(&runtime, task(recorder.clone()));
        // Virtual users and connections go before the last samples are taken: some record their end.
        {
            let _context = runtime.enter();
            drop(local);
        }
        let rest = recorder.drain();
        if !rest.is_empty() {
            // A collector that has gone needs no samples.
            let _ = batches.blocking_send(rest);
        }
        result
    };
    let ended = catch_unwind(AssertUnwindSafe(whole)).map_err(|payload| panic_text(&*payload));
    // Dropped, a runtime would wait for its blocking calls, such as a name lookup that hangs.
    runtime.shutdown_background();
    ended
}

/// How a test is set going: the gate, the jobs, who says that they are ready, and the counters.
type Planned = (
    watch::Sender<Option<Instant>>,
    Vec<Job>,
    mpsc::UnboundedReceiver<()>,
    Arc<Live>,
);

/// Deals a test to its workers.
pub(super) fn plan(spec: Spec, control: &Control) -> Planned {
    let workers = spec.workers.max(1);
    let mine = |vus: u32| spec.share.count(u64::from(vus)) as u32;
    let spans: Vec<Span> = spec
        .scenarios
        .iter()
        .map(|scenario| Span {
            start: scenario.start,
            end: scenario.start + scenario.plan.duration() + scenario.graceful_stop,
            vus: mine(scenario.plan.initial_vus()),
        })
        .collect();
    let (roster, ids) = Roster::new(&spans);
    // A scenario with fewer virtual users than there are workers needs no more workers than that.
    let lanes = |scenario: &Scenario| mine(scenario.plan.max_vus()).min(u32::from(workers));
    let lines: Vec<_> = spec
        .scenarios
        .iter()
        .zip(&spans)
        .map(|(scenario, span)| Line::new(Arc::clone(scenario), span.vus, lanes(scenario)))
        .collect();
    let live = Arc::new(Live::new(
        lines,
        u32::try_from(roster.planned()).unwrap_or(u32::MAX),
        control.clone(),
        workers,
    ));
    let test = Arc::new(Test {
        share: spec.share.clone(),
        roster,
        live: Arc::clone(&live),
        control: control.clone(),
        epoch: spec.epoch,
        tags: spec.tags,
        min_iteration: spec.min_iteration_duration,
    });
    let (gate, gate_seen) = watch::channel(None);
    let (ready_here, ready) = mpsc::unbounded_channel();
    let mut jobs: Vec<Job> = (0..workers)
        .map(|worker| Job {
            worker,
            posts: Vec::new(),
            test: Arc::clone(&test),
            ready: ready_here.clone(),
            gate: gate_seen.clone(),
        })
        .collect();
    // Where the next scenario's first virtual user goes: many small scenarios should not all sit on the first worker.
    let mut first = 0;
    for (index, (scenario, ids)) in spec.scenarios.iter().zip(ids).enumerate() {
        let lanes = lanes(scenario);
        // Iterations go where virtual users are; an instance without any has no part in the scenario.
        let Some(numbers) = spec.share.staffed(u64::from(scenario.plan.max_vus())) else {
            continue;
        };
        let place = Arc::new(Place::of(
            Arc::clone(&live),
            spec.epoch,
            index,
            Arc::clone(scenario),
            numbers.clone(),
            control.clone(),
        ));
        let models = models(&scenario.plan, &spec.share, &numbers, lanes);
        for (lane, model) in (0..lanes).zip(models) {
            let worker = (first + lane) % u32::from(workers);
            jobs[worker as usize].posts.push(Post {
                scenario: Arc::clone(scenario),
                ids: ids
                    .iter()
                    .copied()
                    .skip(lane as usize)
                    .step_by(lanes as usize)
                    .collect(),
                share: spec.share.split(lane, lanes),
                tally: live.tally(index, lane),
                place: Arc::clone(&place),
                model,
            });
        }
        first += lanes;
    }
    (gate, jobs, ready, live)
}

/// A scenario's model for each of its lanes, that is, for each worker that takes part.
fn models(plan: &Plan, share: &Share, numbers: &Share, lanes: u32) -> Vec<Model> {
    let mine = |vus: u32| share.count(u64::from(vus)) as u32;
    match plan {
        Plan::Closed { staffing, budget } => {
            let common = Arc::new(Common::new(*budget, numbers, mine(staffing.max_vus()), lanes));
            let model = || Model::Closed {
                staffing: staffing.clone(),
                budget: *budget,
                common: Arc::clone(&common),
            };
            (0..lanes).map(|_| model()).collect()
        }
        Plan::Open {
            arrivals,
            pre_allocated,
            ..
        } => {
            let growth = mine(plan.max_vus()).saturating_sub(mine(*pre_allocated));
            let berths = Lanes::berths(lanes as usize, growth, numbers);
            (0..lanes)
                .zip(berths)
                .map(|(lane, berth)| Model::Open {
                    arrivals: arrivals.clone(),
                    dues: numbers.split(lane, lanes),
                    berth,
                })
                .collect()
        }
    }
}
