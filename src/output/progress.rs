//! Progress in the terminal: what is about to run, and how it is going, in the dialect's wording.
//!
//! The text is a pure function of a [`ProgressView`], so that it can be compared with golden files; [`Progress`] draws it:
//! bars on a terminal, plain lines every few seconds elsewhere, nothing when quiet.

mod terminal;

use std::fmt;
use std::time::Duration;

use crate::config::{Config, Scenario};
use crate::pace::{Budget, Plan, Share, Staffing, format_duration};

pub use terminal::{Messages, Progress, Style, messages};

/// What is known before the load starts.
#[derive(Debug)]
pub struct Header<'a> {
    pub config: &'a Config,
    /// The script's name as it was given.
    pub script: &'a str,
    /// The outputs as they were asked for.
    pub outputs: &'a [String],
    /// More rows: what, and which (`metrics`, `http://127.0.0.1:9464/metrics`).
    pub facts: &'a [(&'a str, String)],
}

/// The block that precedes a run.
impl fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outputs = if self.outputs.is_empty() {
            "-".to_owned()
        } else {
            self.outputs.join(", ")
        };
        let rows = [
            ("execution", "local"),
            ("script", self.script),
            ("output", outputs.as_str()),
        ];
        let facts = self.facts.iter().map(|(what, which)| (*what, which.as_str()));
        writeln!(f, "\n  loadgen {}\n", env!("CARGO_PKG_VERSION"))?;
        for (what, which) in rows.into_iter().chain(facts) {
            writeln!(f, "{what:>14}: {which}")?;
        }
        let config = self.config;
        let count = config.scenarios.len();
        writeln!(
            f,
            "\n     scenarios: ({:.2}%) {count} scenario{}, {} max VUs, {} max duration (incl. graceful stop):",
            config.segment_fraction * 100.0,
            if count == 1 { "" } else { "s" },
            config.max_vus_here(),
            format_duration(config.max_duration()),
        )?;
        for scenario in &config.scenarios {
            let line = scenario.describe_share(&config.segment, config.segment_fraction);
            writeln!(f, "              * {}: {line}", scenario.name)?;
        }
        Ok(())
    }
}

/// How a run is going, at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressView {
    pub phase: Phase,
    /// Since the load started.
    pub elapsed: Duration,
    /// The longest the run can take, grace included; decides how many digits times get.
    pub limit: Duration,
    pub vus: u32,
    /// Virtual users initialised so far.
    pub vus_max: u32,
    /// Iterations.
    pub complete: u64,
    pub interrupted: u64,
    pub dropped: u64,
    /// The last second, once there was one.
    pub pulse: Option<Pulse>,
    pub scenarios: Vec<ScenarioView>,
}

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Virtual users are being initialised.
    Init {
        done: u32,
        of: u32,
    },
    Setup,
    Running,
    /// No new iterations; those under way may finish.
    Stopping,
    Teardown,
    Over,
}

/// The requests of the last second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pulse {
    /// Requests per second.
    pub rate: f64,
    /// 95th percentile of their durations, ms; `None` without requests.
    pub p95: Option<f64>,
    /// Share that failed, 0 to 1.
    pub failed: f64,
}

/// How one scenario is going.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioView {
    pub name: String,
    pub state: ScenarioState,
    /// Since the scenario's own start; before it, the time left until then.
    pub elapsed: Duration,
    /// Its planned duration, or the longest it may take.
    pub limit: Duration,
    /// Virtual users at work.
    pub vus: u32,
    pub load: Load,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScenarioState {
    Waiting,
    Running,
    Stopping,
    Done,
    /// Over, and not all of its iterations were done.
    Interrupted,
}

/// What kind of load it is, with what tells how far it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    Looping,
    Ramping {
        max_vus: u64,
    },
    Shared {
        done: u64,
        of: u64,
    },
    PerVu {
        done: u64,
        of: u64,
        each: u64,
    },
    /// Iterations per second now; `peak` decides its digits.
    Arrivals {
        ready: u32,
        max_vus: u64,
        rate: f64,
        peak: f64,
    },
}

/// What is counted of a scenario while it runs, by this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Virtual users at work.
    pub active: u32,
    /// Of an open model: virtual users with an iteration under way.
    pub busy: u32,
    /// Virtual users initialised.
    pub hired: u32,
    /// Iterations that ran to their end.
    pub complete: u64,
    /// Whether the scenario is over.
    pub finished: bool,
}

impl ScenarioView {
    /// The view of a scenario at `elapsed` since the start of the run; `share` is this process's part of the load, of
    /// length `fraction`, and `stopping` says whether the whole run is being stopped.
    pub fn of(
        scenario: &Scenario,
        (share, fraction): (&Share, f64),
        counts: Counts,
        elapsed: Duration,
        stopping: bool,
    ) -> Self {
        let own = elapsed.saturating_sub(scenario.start);
        let limit = scenario.plan.duration();
        let mine = |n: u32| share.count(u64::from(n));
        let (vus, load) = match &scenario.plan {
            Plan::Closed {
                staffing: Staffing::Constant { vus, .. },
                budget,
            } => {
                let load = match budget {
                    Budget::Unlimited => Load::Looping,
                    Budget::Shared(n) => Load::Shared {
                        done: counts.complete,
                        of: share.count(*n),
                    },
                    Budget::PerVu(n) => Load::PerVu {
                        done: counts.complete,
                        of: n.saturating_mul(mine(*vus)),
                        each: *n,
                    },
                };
                (counts.active, load)
            }
            Plan::Closed {
                staffing: staffing @ Staffing::Ramping { .. },
                ..
            } => (
                counts.active,
                Load::Ramping {
                    max_vus: mine(staffing.max_vus()),
                },
            ),
            Plan::Open {
                arrivals, max_vus, ..
            } => (
                counts.busy,
                Load::Arrivals {
                    ready: counts.hired,
                    max_vus: mine(*max_vus),
                    rate: arrivals.rate_at(own) * fraction,
                    peak: arrivals.peak_rate() * fraction,
                },
            ),
        };
        let short = matches!(load, Load::Shared { done, of } | Load::PerVu { done, of, .. } if done < of);
        let state = match () {
            () if counts.finished && short => ScenarioState::Interrupted,
            () if counts.finished => ScenarioState::Done,
            () if elapsed < scenario.start => ScenarioState::Waiting,
            () if stopping || own >= limit => ScenarioState::Stopping,
            () => ScenarioState::Running,
        };
        let elapsed = if state == ScenarioState::Waiting {
            scenario.start.saturating_sub(elapsed)
        } else {
            own
        };
        Self {
            name: scenario.name.clone(),
            state,
            elapsed,
            limit,
            vus,
            load,
        }
    }

    /// How far it is, 0 to 1.
    pub fn fraction(&self) -> f64 {
        let ratio = |done: f64, of: f64| if of > 0.0 { (done / of).min(1.0) } else { 1.0 };
        match (self.state, self.load) {
            (ScenarioState::Waiting, _) => 0.0,
            (ScenarioState::Done, _) => 1.0,
            (_, Load::Shared { done, of } | Load::PerVu { done, of, .. }) => ratio(done as f64, of as f64),
            _ => ratio(self.elapsed.as_secs_f64(), self.limit.as_secs_f64()),
        }
    }

    fn symbol(&self) -> char {
        match self.state {
            ScenarioState::Waiting => '•',
            ScenarioState::Running => ' ',
            ScenarioState::Stopping => '↓',
            ScenarioState::Done => '✓',
            ScenarioState::Interrupted => '✗',
        }
    }

    /// What stands right of the bar: `2 VUs  1.0s/2s`.
    pub fn figures(&self) -> String {
        if self.state == ScenarioState::Waiting {
            return format!("waiting  {}", fixed(self.elapsed, self.elapsed));
        }
        let limit = format_duration(self.limit);
        // A looping scenario that ends early says when it did; one whose time is up shows just that.
        let time = if self.elapsed >= self.limit {
            limit
        } else {
            format!("{}/{limit}", fixed(self.elapsed, self.limit))
        };
        let vus = self.vus;
        let of = |n: u64, max: u64| {
            let width = digits(max);
            format!("{n:0width$}/{max:0width$}")
        };
        match self.load {
            Load::Looping => format!("{vus} VUs  {time}"),
            Load::Ramping { max_vus } => format!("{} VUs  {time}", of(u64::from(vus), max_vus)),
            Load::Shared { done, of: all } => format!("{vus} VUs  {time}  {} shared iters", of(done, all)),
            Load::PerVu { done, of: all, each } => {
                format!("{vus} VUs  {time}  {} iters, {each} per VU", of(done, all))
            }
            Load::Arrivals {
                ready,
                max_vus,
                rate,
                peak,
            } => {
                let (width, digits) = (digits(max_vus), digits(peak as u64) + 3);
                format!("{vus:0width$}/{ready:0width$} VUs  {time}  {rate:0digits$.2} iters/s")
            }
        }
    }

    /// Name and symbol, the name as wide as the widest.
    fn label(&self, width: usize) -> String {
        format!("{:<width$} {}", self.name, self.symbol())
    }
}

/// Plain lines: how the run is going, what the requests do, and each scenario.
impl fmt::Display for ProgressView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        if let Some(line) = self.pulse_line() {
            writeln!(f, "{line}")?;
        }
        let width = self.name_width();
        for scenario in &self.scenarios {
            // Cut off, not rounded: 100 % is when it is done.
            let percent = (scenario.fraction() * 100.0).floor();
            writeln!(
                f,
                "{} [ {percent:>3}% ] {}",
                scenario.label(width),
                scenario.figures()
            )?;
        }
        Ok(())
    }
}

impl ProgressView {
    fn name_width(&self) -> usize {
        self.scenarios
            .iter()
            .map(|scenario| scenario.name.chars().count())
            .max()
            .unwrap_or(0)
    }

    /// `running (01.0s), 2/2 VUs, 8 complete and 0 interrupted iterations`
    pub fn headline(&self) -> String {
        let word = match self.phase {
            Phase::Init { done, of } => return format!("initialising, {done}/{of} VUs"),
            Phase::Setup => return "setup()".to_owned(),
            Phase::Running | Phase::Over => "running",
            Phase::Stopping => "stopping",
            Phase::Teardown => "teardown()",
        };
        let (vus, vus_max) = (self.vus, self.vus_max);
        let width = digits(u64::from(vus_max));
        let dropped = match self.dropped {
            0 => String::new(),
            n => format!(", {n} dropped"),
        };
        format!(
            "{word} ({}), {vus:0width$}/{vus_max} VUs, {} complete and {} interrupted iterations{dropped}",
            fixed(self.elapsed, self.limit),
            self.complete,
            self.interrupted,
        )
    }

    /// `requests  412.0/s  p(95)=2.93ms  0.00% failed`, of the last second.
    pub fn pulse_line(&self) -> Option<String> {
        let pulse = self
            .pulse
            .filter(|_| matches!(self.phase, Phase::Running | Phase::Stopping))?;
        let p95 = pulse.p95.map_or("-".to_owned(), milliseconds);
        // Rounded up: not a single failure looks like none.
        let failed = (pulse.failed * 1e4).ceil() / 1e2;
        Some(format!(
            "requests  {:.1}/s  p(95)={p95}  {failed:.2}% failed",
            pulse.rate
        ))
    }
}

/// Decimal digits of a number.
fn digits(n: u64) -> usize {
    n.checked_ilog10().unwrap_or(0) as usize + 1
}

/// A time with as many digits as the longest of its kind, so that what stands right of it keeps still: `01.0s` of 32 s,
/// `0m01.0s` of 90 s. Tenths of seconds are cut off.
fn fixed(time: Duration, longest: Duration) -> String {
    let tenths = time.as_millis() / 100;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    let seconds = format!("{}.{tenth}s", whole % 60);
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    let longest = longest.max(time).as_secs();
    match longest {
        0..60 => format!("{seconds:0>width$}", width = digits(longest) + 3),
        60..3600 => format!("{minutes:0width$}m{seconds:0>5}", width = digits(longest / 60)),
        3600..86_400 => format!(
            "{hours:0width$}h{minutes:02}m{seconds:0>5}",
            width = digits(longest / 3600)
        ),
        _ => format!(
            "{days:0width$}d{hours:02}h{minutes:02}m{seconds:0>5}",
            width = digits(longest / 86_400)
        ),
    }
}

/// Milliseconds in the unit that fits.
fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{:.0}µs", ms * 1e3),
        ms if ms < 1e3 => format!("{ms:.2}ms"),
        ms => format!("{:.2}s", ms / 1e3),
    }
}

#[cfg(test)]
mod tests;
