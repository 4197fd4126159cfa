//! What there is to show of a run, as plain data: the header before it and the state of it at a moment.

use std::time::Duration;

use crate::config::{Config, Scenario};
use crate::pace::{Budget, Plan, Share, Staffing};

/// The block before the load starts: what runs, where its results go, and the scenarios in k6's words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Header {
    /// What the user called the script, or the URL.
    pub script: String,
    /// Where samples go, as `json (samples.json)`; empty is shown as `-`.
    pub outputs: Vec<String>,
    /// The address of the live `/metrics` page.
    pub metrics: Option<String>,
    /// The embedded target.
    pub target: Option<String>,
    /// How much of the test this process runs, 0 to 1.
    pub fraction: f64,
    /// The most VUs of this process at once.
    pub max_vus: u64,
    /// Until the last graceful stop is over.
    pub max_duration: Duration,
    /// Name and description of each, in the order in which they start.
    pub scenarios: Vec<(String, String)>,
}

impl Header {
    /// What the configuration tells; `outputs`, `metrics` and `target` are to be filled in.
    pub fn new(script: &str, config: &Config) -> Header {
        let describe = |scenario: &Scenario| {
            let line = scenario.describe_share(&config.segment, config.segment_fraction);
            (scenario.name.clone(), line)
        };
        Header {
            script: script.to_owned(),
            fraction: config.segment_fraction,
            max_vus: config.max_vus_here(),
            max_duration: config.max_duration(),
            scenarios: config.scenarios.iter().map(describe).collect(),
            ..Header::default()
        }
    }
}

/// A run at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProgressView {
    /// The test's own time.
    pub elapsed: Duration,
    /// Whether the load stands still.
    pub paused: bool,
    /// What `elapsed` can reach; times are padded to its width.
    pub max_duration: Duration,
    pub scenarios: Vec<ScenarioLine>,
    /// VUs at work.
    pub vus: u32,
    /// VUs initialised.
    pub vus_max: u32,
    /// Iterations that ran to their end.
    pub complete: u64,
    /// Iterations that were cut short.
    pub interrupted: u64,
    /// Iterations that were due and not begun, as no VU was free.
    pub dropped: u64,
    /// Requests per second, of the last window.
    pub rps: f64,
    /// 95th percentile of the last window's request durations, in milliseconds; `None` without requests.
    pub p95_ms: Option<f64>,
    /// Share of the last window's requests that failed, 0 to 1; `None` without requests.
    pub errors: Option<f64>,
    pub target: Option<TargetUse>,
    pub tunnel: Option<TunnelUse>,
    /// How the thresholds stand.
    pub thresholds: Vec<Standing>,
}

/// How a threshold stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    /// As it was written: `http_req_failed: rate<0.01`.
    pub text: String,
    /// The number that it is about; `None` without samples.
    pub value: Option<f64>,
    /// `None` while there is nothing to judge.
    pub ok: Option<bool>,
}

/// What the way to the target is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TunnelUse {
    /// `None` before it was measured.
    pub round_trip: Option<Duration>,
    /// Connections to the server that there should be, and that there are.
    pub lanes: u32,
    pub lanes_up: u32,
}

/// What the target uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetUse {
    /// Share of the CPU time that there is, 0–1.
    pub cpu: f64,
    /// Share of the memory that there is, 0–1.
    pub memory: f64,
    /// What is watched there: CPU, 1.0 being one core, and resident memory in bytes.
    pub watched: Option<(f64, u64)>,
}

/// Where a scenario is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScenarioState {
    /// It starts in this time.
    Waiting(Duration),
    #[default]
    Running,
    /// No iteration begins any more; those under way are waited for.
    Stopping,
    Done,
    /// Stopped before its time.
    Interrupted,
}

/// What a scenario has done besides letting time pass.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Work {
    /// Nothing that is counted.
    #[default]
    Time,
    /// Iterations of a number that all VUs share.
    Shared { done: u64, of: u64 },
    /// Iterations of a number that each VU has.
    PerVu { done: u64, of: u64, each: u64 },
    /// Iterations per second that should begin.
    Rate(f64),
}

/// One scenario at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScenarioLine {
    pub name: String,
    pub state: ScenarioState,
    /// How much is done, 0 to 1.
    pub fraction: f64,
    /// VUs at work, where that number varies.
    pub vus: Option<u32>,
    /// VUs there are.
    pub vus_max: u32,
    /// Since the scenario began.
    pub elapsed: Duration,
    /// How long it lasts at most, without graceful periods.
    pub duration: Duration,
    pub work: Work,
}

/// The engine's counters of one scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScenarioCounts {
    /// VUs at work.
    pub active: u32,
    /// VUs initialised.
    pub hired: u32,
    pub complete: u64,
    pub interrupted: u64,
    /// All of it is over.
    pub finished: bool,
}

impl ScenarioLine {
    /// The line of `scenario` when the test has run for `elapsed`.
    ///
    /// `share` and `fraction` are this process's part of the test ([`Config::segment`], [`Config::segment_fraction`]);
    /// `stopped` says that the test was told to end early.
    pub fn new(
        scenario: &Scenario,
        (share, fraction): (&Share, f64),
        counts: ScenarioCounts,
        elapsed: Duration,
        stopped: bool,
    ) -> ScenarioLine {
        let duration = scenario.plan.duration();
        let since = elapsed.saturating_sub(scenario.start);
        let planned = share.count(u64::from(scenario.plan.max_vus())) as u32;
        let of_time = ratio(since.as_secs_f64(), duration.as_secs_f64());
        let done = counts.complete + counts.interrupted;
        let (work, vus, vus_max) = match &scenario.plan {
            Plan::Closed { staffing, budget } => {
                let work = match *budget {
                    Budget::Unlimited => Work::Time,
                    Budget::Shared(n) => Work::Shared {
                        done,
                        of: share.count(n),
                    },
                    Budget::PerVu(each) => Work::PerVu {
                        done,
                        of: each.saturating_mul(u64::from(planned)),
                        each,
                    },
                };
                let varies = !matches!(staffing, Staffing::Constant { .. });
                (work, varies.then_some(counts.active), planned)
            }
            Plan::Open { arrivals, .. } => {
                let rate = arrivals.rate_at(since) * fraction;
                (Work::Rate(rate), Some(counts.active), counts.hired)
            }
        };
        let part = match work {
            Work::Shared { done, of } | Work::PerVu { done, of, .. } => ratio(done as f64, of as f64),
            Work::Time | Work::Rate(_) => of_time,
        };
        let state = if counts.finished {
            if stopped && part < 1.0 {
                ScenarioState::Interrupted
            } else {
                ScenarioState::Done
            }
        } else if elapsed < scenario.start {
            ScenarioState::Waiting(scenario.start.saturating_sub(elapsed))
        } else if stopped || of_time >= 1.0 {
            ScenarioState::Stopping
        } else {
            ScenarioState::Running
        };
        ScenarioLine {
            name: scenario.name.clone(),
            state,
            fraction: part,
            vus,
            vus_max,
            elapsed: since,
            duration,
            work,
        }
    }

    /// Whether nothing of it changes any more.
    pub fn is_over(&self) -> bool {
        matches!(self.state, ScenarioState::Done | ScenarioState::Interrupted)
    }
}

/// A part of a whole, 0 to 1; a whole of nothing is done.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        (part / whole).clamp(0.0, 1.0)
    } else {
        1.0
    }
}
