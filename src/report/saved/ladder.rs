//! A search for the breaking point, as it is saved: its steps and what came of them.

use serde::{Deserialize, Serialize};

use super::number::number;

/// What `loadgen breakpoint` sought and found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedBreakpoint {
    /// What the load is counted in: `vus`, or `rate`, iterations per second.
    pub by: String,
    /// What had to hold, such as `http_req_failed: rate<=0.01`.
    pub criteria: Vec<String>,
    /// How the search ended: `found`, `held` (up to the highest load), `never` (not even the lowest load held), `generator`,
    /// `dead`, `time`, `stopped`, or `unfinished`.
    pub outcome: String,
    /// The highest load that held.
    pub held: Option<u64>,
    /// How often it did.
    pub times: u32,
    /// The lowest load that did not.
    pub broke: Option<u64>,
    /// Requests per second and the 95th percentile of latency, in milliseconds, at the highest load that held.
    #[serde(serialize_with = "number")]
    pub rate: f64,
    #[serde(serialize_with = "number")]
    pub p95: f64,
    /// In the order in which they were tried.
    pub steps: Vec<SavedStep>,
}

/// One load, tried once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedStep {
    /// Why it was tried: `probe` is the light load at the beginning; `double`, `bisect`, `again`, `confirm`.
    pub stage: String,
    pub load: u64,
    /// Seconds on the time axis: its begin, from where on it was measured, its end.
    #[serde(serialize_with = "number")]
    pub from: f64,
    #[serde(serialize_with = "number")]
    pub measured: f64,
    #[serde(serialize_with = "number")]
    pub to: f64,
    pub requests: u64,
    /// Requests per second.
    #[serde(serialize_with = "number")]
    pub rate: f64,
    /// Iterations per second that ended.
    #[serde(serialize_with = "number")]
    pub iterations: f64,
    /// In milliseconds; `null` without requests.
    pub p50: Option<f64>,
    pub p95: Option<SavedBounds>,
    /// Share of requests that failed; `null` without requests.
    pub errors: Option<SavedBounds>,
    /// Share of the target's CPU that was busy, and the cores that watched processes used; `null` if nobody looked.
    pub target_cpu: Option<f64>,
    pub target_cores: Option<f64>,
    /// `held`, `broke`, `invalid`, or `stopped` before it was judged; `base` of the probe.
    pub verdict: String,
    /// Whether it was beyond doubt when the step ended.
    pub certain: bool,
    /// What decided against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Seconds until the target was as at the beginning again, if it was waited for; `null` if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<SavedRecovery>,
}

/// How the target came to itself after a step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedRecovery {
    #[serde(serialize_with = "number")]
    pub seconds: f64,
    /// Whether it did, as long as it was waited for.
    pub complete: bool,
}

/// A number, and the 95 % interval that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedBounds {
    #[serde(serialize_with = "number")]
    pub value: f64,
    /// `null` where there was too little to tell.
    pub low: Option<f64>,
    pub high: Option<f64>,
}

impl SavedBreakpoint {
    /// The steps that tried this load.
    pub fn tries(&self, load: u64) -> impl Iterator<Item = &SavedStep> {
        self.searched().filter(move |step| step.load == load)
    }

    /// All steps but the probe.
    pub fn searched(&self) -> impl Iterator<Item = &SavedStep> {
        self.steps.iter().filter(|step| step.stage != PROBE)
    }

    /// The light load at the beginning.
    pub fn probe(&self) -> Option<&SavedStep> {
        self.steps.iter().find(|step| step.stage == PROBE)
    }
}

/// The stage of the light load at the beginning.
pub const PROBE: &str = "probe";
