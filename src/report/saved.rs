//! A run as a file (`--save`): everything that is known when it ends, to be compared, merged and reported on later.
//!
//! The format is described in `docs/saved-run.md` and `docs/saved-run.schema.json`. Its version changes when a reader of
//! the version before could misread it; fields may be added without that.

mod build;
mod course;
mod file;
#[cfg(test)]
pub(in crate::report) mod fixture;
mod histogram;
mod hosts;
mod ladder;
mod number;
mod query;
mod read;
mod scrub;
mod snapshot;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use build::Facts;
pub use course::SavedCourse;
pub use file::{Checkpoint, Destination, SaveError};
pub use histogram::{SavedBuckets, SavedTrend};
pub use hosts::REPEATED;
pub use ladder::{PROBE, SavedBounds, SavedBreakpoint, SavedRecovery, SavedStep};
pub use query::{Series, count, rate, trend};
pub use read::ReadError;
pub use scrub::Scrubber;

use number::{list, number};

/// What the file says it is.
pub const FORMAT: &str = "loadgen-run";
/// The version of the format that this program writes.
pub const VERSION: u32 = 1;
/// In place of what must not be written down.
pub const HIDDEN: &str = "(hidden)";

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedRun {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    pub run: RunFacts,
    pub ending: SavedEnding,
    pub target: SavedTarget,
    /// The machine that made the load.
    pub environment: SavedMachine,
    /// The script's variables that were given with `-e`, or that the demo target set.
    pub variables: BTreeMap<String, String>,
    /// The options that were in force, as `loadgen inspect` prints them.
    pub options: Value,
    pub thresholds: Vec<SavedThreshold>,
    pub checks: Vec<SavedCheck>,
    /// What the script's `verify()` found, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<SavedVerification>,
    /// Paths of the script's groups, such as `::outer::inner`.
    pub groups: Vec<String>,
    /// Tag sets, which the series refer to by their place here.
    pub tags: Vec<BTreeMap<String, String>>,
    pub metrics: SavedMetrics,
    pub timeline: SavedTimeline,
    /// Machines that were sampled.
    pub hosts: Vec<SavedHost>,
    pub generator: SavedGenerator,
    /// Missing in files of earlier builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity: Option<SavedValidity>,
    /// The search for the breaking point, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoint: Option<SavedBreakpoint>,
    /// What loadgen concludes from the numbers.
    pub findings: Vec<SavedFinding>,
    /// The runs that this one was merged of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SavedPart>,
}

/// A generator's run in a merged one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedPart {
    pub id: String,
    /// The machine that it ran on.
    pub host: String,
    /// `0:1/4`
    pub segment: String,
    pub started: String,
    #[serde(serialize_with = "number")]
    pub duration: f64,
    pub ending: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity: Option<String>,
}

/// What was run, by what, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    pub id: String,
    /// The version of loadgen.
    pub loadgen: String,
    /// The script, the scenario's name or the URL, as the user called it.
    pub name: String,
    /// `script` or `url`.
    pub kind: String,
    /// The command line, without secrets.
    pub command: Vec<String>,
    /// When the test began, with its `setup()` (RFC 3339, UTC).
    pub started: String,
    /// From then to the end of `teardown()`, in seconds.
    #[serde(serialize_with = "number")]
    pub duration: f64,
}

/// The name of the ending of a run that has not ended: a checkpoint has it.
pub const UNFINISHED: &str = "unfinished";

/// How the run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedEnding {
    /// `passed`, `thresholds`, `signal`, …; [`UNFINISHED`] in a checkpoint.
    pub name: String,
    /// -1 in a checkpoint.
    pub exit_code: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl SavedEnding {
    /// That of a run which goes on.
    pub fn unfinished() -> SavedEnding {
        SavedEnding {
            name: UNFINISHED.to_owned(),
            exit_code: -1,
            message: Some("a checkpoint, written while the run went on".to_owned()),
        }
    }
}

impl SavedRun {
    /// Whether it is what there was of a run that went on: nobody knows how it ended.
    pub fn is_checkpoint(&self) -> bool {
        self.ending.name == UNFINISHED
    }
}

/// What was under test, as far as loadgen knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedTarget {
    /// `demo` or `external`.
    pub kind: String,
    /// Through which host the requests were tunnelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    /// When connections of the tunnel were missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<SavedOutage>,
    /// The machine, where it was asked what it is. The demo target runs on the generator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<SavedMachine>,
}

/// When a connection of the tunnel was missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedOutage {
    /// Seconds on the time axis.
    #[serde(serialize_with = "number")]
    pub from: f64,
    /// Seconds on the time axis; `null` if it never came back.
    #[serde(default)]
    pub until: Option<f64>,
    /// Which of the connections, from 0.
    pub lane: usize,
    pub reason: String,
}

/// What a machine is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedMachine {
    pub host: String,
    pub os: String,
    pub kernel: String,
    pub architecture: String,
    pub cores: u32,
    pub cpu_model: Option<String>,
    /// Bytes.
    pub memory: Option<u64>,
    /// What the control group leaves of it, where there is a limit.
    pub limits: Option<SavedLimits>,
}

/// The limits of a control group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SavedLimits {
    /// 1 or 2.
    pub cgroup: u8,
    pub cpus: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
}

/// A threshold and its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedThreshold {
    /// `http_req_duration{name:login}`
    pub metric: String,
    /// `p(95)<200`
    pub threshold: String,
    /// The number that was judged; `null` when there was none.
    pub value: Option<f64>,
    pub ok: bool,
    /// There were no samples.
    pub empty: bool,
}

/// A check's counts in one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCheck {
    pub name: String,
    /// The path of the group; empty outside of all.
    pub group: String,
    pub passes: u64,
    pub fails: u64,
}

/// What `verify()` asserted after the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedVerification {
    pub checks: Vec<SavedAssertion>,
    /// Why it did not run to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAssertion {
    pub name: String,
    pub held: bool,
}

/// All series, by the kind of their metric.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedMetrics {
    pub counters: Vec<Metric<SavedCounter>>,
    pub gauges: Vec<Metric<SavedGauge>>,
    pub rates: Vec<Metric<SavedRate>>,
    pub trends: Vec<Metric<SavedTrend>>,
}

/// A metric and its series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric<T> {
    pub name: String,
    /// `default`, `time` (milliseconds) or `data` (bytes).
    pub contains: String,
    pub series: Vec<T>,
    /// How many series of few samples are together in the one tagged `folded`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedCounter {
    pub tags: usize,
    #[serde(serialize_with = "number")]
    pub total: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedGauge {
    pub tags: usize,
    #[serde(serialize_with = "number")]
    pub value: f64,
    #[serde(serialize_with = "number")]
    pub min: f64,
    #[serde(serialize_with = "number")]
    pub max: f64,
    /// When it was set to `value`, in seconds on the timeline.
    #[serde(serialize_with = "number")]
    pub at: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedRate {
    pub tags: usize,
    pub passes: u64,
    pub total: u64,
}

/// The run in slices. Every list has one number for each slice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedTimeline {
    /// The axis' zero (RFC 3339, UTC). Virtual users are initialised from here on.
    pub zero: String,
    /// Where on the axis the load began, in seconds; `null` if it never did.
    pub load_start: Option<f64>,
    /// Length of a slice, in seconds: 1, and twice that each time a run outgrows the list.
    #[serde(serialize_with = "number")]
    pub resolution: f64,
    #[serde(serialize_with = "list")]
    pub start: Vec<f64>,
    #[serde(serialize_with = "list")]
    pub length: Vec<f64>,
    pub requests: Vec<u64>,
    pub failed: Vec<u64>,
    pub iterations: Vec<u64>,
    pub dropped: Vec<u64>,
    pub sent: Vec<u64>,
    pub received: Vec<u64>,
    pub vus: Vec<u32>,
    pub vus_max: Vec<u32>,
    pub in_flight: Vec<u32>,
    #[serde(serialize_with = "list")]
    pub p50: Vec<f64>,
    #[serde(serialize_with = "list")]
    pub p95: Vec<f64>,
    #[serde(serialize_with = "list")]
    pub p99: Vec<f64>,
    #[serde(serialize_with = "list")]
    pub lag_max: Vec<f64>,
    /// Which share of a slice some connection of the tunnel was missing for. Left out if none ever was.
    #[serde(default, serialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub outage: Vec<f64>,
    /// The latest that a timer of the generator fired. Files of earlier builds have not this list nor the two after it.
    #[serde(default, serialize_with = "list")]
    pub timer_lag_max: Vec<f64>,
    /// Iterations per second that the plans asked for.
    #[serde(default, serialize_with = "list")]
    pub offered: Vec<f64>,
    /// CPU that the generator used, in cores.
    #[serde(default, serialize_with = "list")]
    pub generator_cpu: Vec<f64>,
    /// The requests of each `phase` and `service` by themselves.
    pub strands: Vec<SavedStrand>,
    /// Seconds of a stretch of a course: 1, and twice that each time there are too many.
    #[serde(default = "one")]
    pub course_span: u64,
    /// How distributions changed. Files of earlier builds have none.
    #[serde(default)]
    pub courses: Vec<SavedCourse>,
}

fn one() -> u64 {
    1
}

/// Requests with one value of a tag. Slices without any are left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedStrand {
    pub tag: String,
    pub value: String,
    #[serde(serialize_with = "list")]
    pub start: Vec<f64>,
    #[serde(serialize_with = "list")]
    pub length: Vec<f64>,
    pub requests: Vec<u64>,
    pub failed: Vec<u64>,
    #[serde(serialize_with = "list")]
    pub p50: Vec<f64>,
    #[serde(serialize_with = "list")]
    pub p95: Vec<f64>,
    #[serde(serialize_with = "list")]
    pub p99: Vec<f64>,
}

/// What a sampler saw of a machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedHost {
    pub host: String,
    pub cores: u32,
    /// Bytes.
    pub memory: u64,
    /// So many readings are one here: a mean of them.
    pub readings: usize,
    /// Seconds on the timeline.
    #[serde(serialize_with = "list")]
    pub at: Vec<f64>,
    /// By what was read: `cpu_busy`, `memory_used`, … `null` where the machine did not tell.
    pub series: BTreeMap<String, Vec<Option<f64>>>,
    pub processes: Vec<SavedProcess>,
}

/// What a sampler saw of a process.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedProcess {
    pub name: String,
    #[serde(serialize_with = "list")]
    pub at: Vec<f64>,
    pub series: BTreeMap<String, Vec<Option<f64>>>,
}

/// The generator about itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedGenerator {
    pub workers: u16,
    /// Cores that it may use: what affinity and control group leave. 0 in files of earlier builds.
    #[serde(default, serialize_with = "number")]
    pub cores: f64,
    /// User and system time of the process.
    #[serde(serialize_with = "number")]
    pub cpu_seconds: f64,
    /// Bytes.
    pub peak_memory: u64,
    /// How late iterations started that were due at a time, in milliseconds.
    pub scheduling_lag: Option<Stats>,
    /// How late its timers fired, in milliseconds.
    pub timer_lag: Option<Stats>,
    #[serde(serialize_with = "number")]
    pub dropped_iterations: f64,
    /// Look-ups of request names past the limit.
    pub collapsed_names: u64,
    /// Look-ups of tag sets past the limit.
    pub collapsed_series: u64,
    /// Samples that an output lost.
    pub lost_samples: BTreeMap<String, u64>,
}

/// A few numbers of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Stats {
    #[serde(serialize_with = "number")]
    pub avg: f64,
    #[serde(serialize_with = "number")]
    pub med: f64,
    #[serde(serialize_with = "number")]
    pub p95: f64,
    #[serde(serialize_with = "number")]
    pub p99: f64,
    #[serde(serialize_with = "number")]
    pub max: f64,
}

/// A sentence that loadgen derives from the numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedFinding {
    pub name: String,
    pub text: String,
    /// Seconds on the time axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
    /// `high`, `medium` or `low`, where it is less than certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
    /// The numbers that it rests on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<String, f64>,
}

/// Whether the generator can be trusted to have measured the target and not itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedValidity {
    /// `valid`, `suspect` or `invalid`.
    pub verdict: String,
    /// Why it is not valid.
    pub reasons: Vec<String>,
}

#[cfg(test)]
mod tests;
