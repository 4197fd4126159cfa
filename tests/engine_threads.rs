//! The engine on real threads and a real clock: starting, flushing, stopping, failing. What executors do, and when, is tested
//! on a paused clock next to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use loadgen::config::Scenario;
use loadgen::engine::{
    Control, EngineError, HireError, Iteration, Level, Outcome, Reason, Spec, Staff, VirtualUser, VuSeat,
    batches, run, solo,
};
use loadgen::metrics::{Batch, Epoch, MetricId, Recorder, Registry, SystemTags, TagsId, builtin};
use loadgen::pace::{Arrivals, Budget, Plan, Share, Staffing};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Virtual users whose iterations take `pause`, or nothing at all.
#[derive(Clone, Copy)]
struct Crew {
    pause: Duration,
    faulty: bool,
}

struct Sleeper(Duration);

impl VirtualUser for Sleeper {
    async fn iterate(&mut self, _: Iteration) -> Outcome {
        if !self.0.is_zero() {
            tokio::time::sleep(self.0).await;
        }
        Outcome::Complete
    }

    async fn interrupt(&mut self) {}
}

impl Staff for Crew {
    type User = Sleeper;

    async fn hire(&self, seat: VuSeat) -> Result<Sleeper, HireError> {
        if self.faulty && seat.id == 2 {
            return Err(HireError {
                message: "no".to_owned(),
            });
        }
        // The scenario named "idle" sleeps, the others do as the crew does.
        Ok(Sleeper(if seat.scenario.name == "idle" {
            Duration::from_millis(1)
        } else {
            self.pause
        }))
    }
}

fn scenario(name: &str, plan: Plan) -> Arc<Scenario> {
    Arc::new(Scenario {
        name: name.to_owned(),
        executor: "",
        plan,
        start: Duration::ZERO,
        graceful_stop: Duration::from_secs(5),
        exec: "default".to_owned(),
        env: BTreeMap::new(),
        tags: BTreeMap::new(),
        options: serde_json::Value::Null,
    })
}

fn constant_vus(vus: u32, millis: u64) -> Plan {
    let staffing = Staffing::Constant {
        vus,
        duration: Duration::from_millis(millis),
    };
    Plan::Closed {
        staffing,
        budget: Budget::Unlimited,
    }
}

fn spec(scenarios: Vec<Arc<Scenario>>, workers: u16) -> (Spec, mpsc::Receiver<Batch>) {
    let (sender, receiver) = batches(workers);
    let spec = Spec {
        scenarios,
        share: Share::whole(),
        workers,
        registry: Registry::new(SystemTags::default()),
        epoch: Epoch::now(),
        tags: BTreeMap::new(),
        min_iteration_duration: Duration::ZERO,
        batches: sender,
    };
    (spec, receiver)
}

/// Adds up a metric until the last sender is gone.
async fn collect(mut batches: mpsc::Receiver<Batch>, metric: MetricId) -> (u64, usize) {
    let (mut sum, mut count) = (0.0, 0);
    while let Some(batch) = batches.recv().await {
        count += 1;
        sum += batch
            .samples
            .iter()
            .filter(|sample| sample.metric == metric)
            .map(|sample| sample.value)
            .sum::<f64>();
    }
    (sum as u64, count)
}

#[tokio::test]
async fn a_test_from_beginning_to_end() {
    let (spec, received) = spec(vec![scenario("s", constant_vus(5, 600))], 2);
    let crew = Crew {
        pause: Duration::from_millis(5),
        faulty: false,
    };
    let mut handle = run(spec, move |_, _| crew, Control::new()).unwrap();
    assert!(handle.ready().await);
    let live = handle.live();
    assert_eq!((live.vus(), live.vus_max()), (0, 5));
    let samples = tokio::spawn(collect(received, builtin::ITERATIONS));
    let start = Instant::now() + Duration::from_millis(20);
    handle.start(start);
    tokio::time::sleep_until(start + Duration::from_millis(300)).await;
    assert_eq!(live.vus(), 5);
    assert_eq!(handle.finished().await, None);
    assert!(start.elapsed() >= Duration::from_millis(600));
    let progress = live.scenarios().next().unwrap().1;
    assert!(progress.finished && progress.complete > 50, "{progress:?}");
    let (sum, count) = samples.await.unwrap();
    assert_eq!(sum, progress.complete, "no sample is lost");
    assert!(
        count >= 4,
        "two workers, two flushes and a last one each: {count}"
    );
}

/// Iterations that never wait for anything must not keep the others, or the clock, from running.
#[tokio::test]
async fn a_busy_loop_starves_nobody() {
    let arrivals = Arrivals::constant(200, Duration::from_secs(1), Duration::from_millis(500));
    let open = Plan::Open {
        arrivals,
        pre_allocated: 100,
        max_vus: 100,
    };
    let scenarios = vec![scenario("busy", constant_vus(20, 500)), scenario("idle", open)];
    let (spec, received) = spec(scenarios, 1);
    let crew = Crew {
        pause: Duration::ZERO,
        faulty: false,
    };
    let mut handle = run(spec, move |_, _| crew, Control::new()).unwrap();
    let live = handle.live();
    assert!(handle.ready().await);
    let samples = tokio::spawn(collect(received, builtin::DROPPED_ITERATIONS));
    let start = Instant::now();
    handle.start(start);
    assert_eq!(handle.finished().await, None);
    let took = start.elapsed();
    let progress: Vec<_> = live.scenarios().map(|(_, progress)| progress).collect();
    let each = took.as_secs_f64() * 1e9 / progress[0].complete as f64;
    println!("{each:.0} ns per iteration, {:?} of lag", progress[1].lag_max);
    assert_eq!((progress[1].complete, samples.await.unwrap().0), (100, 0));
    assert!(
        progress[1].lag_max < Duration::from_millis(400),
        "{:?}",
        progress[1].lag_max
    );
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn stopped_by_hand() {
    let (spec, received) = spec(vec![scenario("s", constant_vus(2, 60_000))], 2);
    let control = Control::new();
    let crew = Crew {
        pause: Duration::from_mins(1),
        faulty: false,
    };
    let mut handle = run(spec, move |_, _| crew, control.clone()).unwrap();
    let live = handle.live();
    assert!(handle.ready().await);
    handle.start(Instant::now());
    tokio::time::sleep(Duration::from_millis(100)).await;
    control.stop_gracefully(Reason::Signal);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((live.vus(), control.level()), (2, Level::Graceful));
    control.stop_now(Reason::Signal);
    assert_eq!(handle.finished().await, Some(Reason::Signal));
    assert_eq!(live.scenarios().next().unwrap().1.interrupted, 2);
    drop(received);
}

#[tokio::test]
async fn who_never_starts_it_does_not_leave_it_waiting() {
    let (spec, received) = spec(vec![scenario("s", constant_vus(2, 60_000))], 2);
    let crew = Crew {
        pause: Duration::ZERO,
        faulty: false,
    };
    let mut handle = run(spec, move |_, _| crew, Control::new()).unwrap();
    assert!(handle.ready().await);
    drop(handle);
    assert_eq!(collect(received, builtin::ITERATIONS).await.0, 0);
}

#[tokio::test]
async fn a_failure_to_initialise_is_the_end() {
    let (spec, _received) = spec(vec![scenario("s", constant_vus(4, 60_000))], 2);
    let crew = Crew {
        pause: Duration::ZERO,
        faulty: true,
    };
    let mut handle = run(spec, move |_, _| crew, Control::new()).unwrap();
    assert!(!handle.ready().await);
    assert_eq!(
        handle.finished().await,
        Some(Reason::Hire(HireError {
            message: "no".to_owned()
        }))
    );
}

#[tokio::test]
async fn a_panic_on_a_worker_is_the_end_and_says_so() {
    let (spec, _received) = spec(vec![scenario("s", constant_vus(4, 60_000))], 2);
    let crew = Crew {
        pause: Duration::ZERO,
        faulty: false,
    };
    let make = move |worker, _| {
        assert!(worker != 1, "worker one is broken");
        crew
    };
    let mut handle = run(spec, make, Control::new()).unwrap();
    assert!(!handle.ready().await);
    assert_eq!(
        handle.finished().await,
        Some(Reason::Panic("worker one is broken".to_owned()))
    );
}

/// A collector that does not keep up makes flushes rarer, and loses nothing.
#[tokio::test]
async fn a_slow_collector_loses_nothing() {
    let (mut spec, _) = spec(vec![scenario("s", constant_vus(2, 1_300))], 1);
    let (sender, mut received) = mpsc::channel(1);
    spec.batches = sender;
    let crew = Crew {
        pause: Duration::from_millis(2),
        faulty: false,
    };
    let mut handle = run(spec, move |_, _| crew, Control::new()).unwrap();
    let live = handle.live();
    assert!(handle.ready().await);
    handle.start(Instant::now());
    tokio::time::sleep(Duration::from_millis(1_250)).await;
    assert!(live.postponed_flushes() >= 2, "{}", live.postponed_flushes());
    let mut sum = 0.0;
    while let Some(batch) = received.recv().await {
        sum += batch
            .samples
            .iter()
            .filter(|s| s.metric == builtin::ITERATIONS)
            .map(|s| s.value)
            .sum::<f64>();
    }
    assert_eq!(handle.finished().await, None);
    assert_eq!(sum as u64, live.scenarios().next().unwrap().1.complete);
}

#[tokio::test]
async fn something_apart_has_its_own_thread_and_samples() {
    let (sender, received) = batches(1);
    let registry = Registry::new(SystemTags::default());
    let task = |recorder: Recorder| async move {
        recorder.add(builtin::HTTP_REQS, TagsId::EMPTY, 0, 3.0);
        tokio::task::spawn_local(async { 41 }).await.unwrap() + 1
    };
    let result = solo(9, Arc::clone(&registry), Epoch::now(), sender.clone(), task).await;
    assert_eq!(result.unwrap(), 42);
    let broken = |_: Recorder| async { panic!("no setup") };
    let result: Result<(), _> = solo(9, registry, Epoch::now(), sender, broken).await;
    assert!(matches!(result, Err(EngineError::Panic(text)) if text == "no setup"));
    assert_eq!(collect(received, builtin::HTTP_REQS).await, (3, 1));
}
