//! Saved runs next to earlier ones: what became slower, less reliable or less, and whether that is a regression.
//!
//! A gate that cries wolf is switched off, so a difference counts only if it is past the tolerance *and* more than what runs
//! vary by themselves: known from several runs a side, or from the stretches of one. All rows together are wrong that way in
//! one comparison of twenty-five at the most. What cannot be judged says why. `docs/compare.md` has the method.

mod alike;
mod evidence;
mod judge;
mod render;
mod spread;
mod student;

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Serialize;

use super::saved::SavedRun;

pub(super) use alike::{differing, stem};
pub use render::Format;
pub(super) use render::code;

/// What is compared unless the user names metrics.
const USUAL: [&str; 8] = [
    "http_req_duration",
    "http_req_failed",
    "http_reqs",
    "checks",
    "ws_connecting",
    "ws_sessions",
    "grpc_req_duration",
    "grpc_streams",
];
/// Parts of a run are told apart by these tags.
const PARTS: [&str; 4] = ["name", "group", "service", "scenario"];
/// How far a number may move unless the user says so.
pub const TOLERANCE: &str = "5%";

/// How far a number may move: a share of the base's, such as `10%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance(pub f64);

impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance(0.05)
    }
}

/// A tolerance that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no tolerance: write a percentage from 0% up, such as 10%")]
pub struct BadTolerance(String);

impl FromStr for Tolerance {
    type Err = BadTolerance;

    fn from_str(text: &str) -> Result<Tolerance, BadTolerance> {
        let percent = text
            .trim()
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<f64>().ok());
        match percent {
            Some(percent) if percent.is_finite() && percent >= 0.0 => Ok(Tolerance(percent / 100.0)),
            _ => Err(BadTolerance(text.to_owned())),
        }
    }
}

/// Why runs are not compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    #[error("none of the runs has a metric `{name}`; they have: {known}")]
    NoMetric { name: String, known: String },
    #[error("the runs have nothing in common to compare: {0}")]
    Nothing(String),
    #[error("these runs cannot be compared: {}; --force compares them all the same", .0.join("; "))]
    Unlike(Vec<String>),
    #[error("{0} is given twice; a run is no evidence about itself")]
    Twice(String),
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct CompareOptions {
    pub tolerance: Option<Tolerance>,
    /// Only these metrics, unless there are none.
    pub metrics: Vec<String>,
    /// Compare runs that cannot be compared.
    pub force: bool,
}

/// How a number stands against the base's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Within the tolerance.
    Same,
    Better,
    /// Past the tolerance to the worse: a regression.
    Worse,
    /// It cannot be told, or says nothing.
    Uncertain,
}

/// What a row's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Milliseconds,
    /// 0 to 1.
    Share,
    #[serde(rename = "per_second")]
    PerSecond,
    Plain,
}

/// One number of both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// `whole`, or a tag and its value: `name=login`.
    pub part: String,
    pub metric: String,
    /// `p50`, `p95`, `p99`, `rate`.
    pub measure: &'static str,
    pub unit: Unit,
    /// The mean of the runs of a side; of latencies and rates the geometric one.
    pub base: Option<f64>,
    pub new: Option<f64>,
    /// As a share of the base's number; of shares the difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// The interval that holds the change with 95 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// How likely chance alone brings about such a change in this row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// The same in any row of its family; a verdict needs 0.02.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance_among_all: Option<f64>,
    pub verdict: Verdict,
    /// Why it was not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What is left of a run when it is compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    pub name: String,
    pub id: String,
    pub started: String,
    pub loadgen: String,
}

/// The result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub base: Vec<Side>,
    pub new: Vec<Side>,
    /// A share: 0.05 is 5 %.
    pub tolerance: f64,
    /// What makes the runs hard to compare.
    pub warnings: Vec<String>,
    /// What the intervals rest on, and how far that goes.
    pub notes: Vec<String>,
    pub rows: Vec<Row>,
}

impl Comparison {
    /// Rows past the tolerance to the worse.
    pub fn regressions(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.verdict == Verdict::Worse)
    }
}

impl From<&SavedRun> for Side {
    fn from(run: &SavedRun) -> Side {
        Side {
            name: run.run.name.clone(),
            id: run.run.id.clone(),
            started: run.run.started.clone(),
            loadgen: run.run.loadgen.clone(),
        }
    }
}

/// Compares runs with earlier ones.
///
/// # Errors
/// Runs that have not done the same, a metric that no run has, or sides without a metric in common.
pub fn compare(
    base: &[SavedRun],
    new: &[SavedRun],
    options: &CompareOptions,
) -> Result<Comparison, CompareError> {
    let all = || base.iter().chain(new);
    let mut ids = BTreeSet::new();
    let sides = [base, new].into_iter().enumerate();
    for (side, run) in sides.flat_map(|(side, runs)| runs.iter().map(move |run| (side, run))) {
        // The same file on both sides is a way to try it out; twice on one side it would feign certainty.
        if !ids.insert((side, &run.run.id)) {
            return Err(CompareError::Twice(format!("the run {}", run.run.id)));
        }
    }
    let known: BTreeSet<&str> = all().flat_map(SavedRun::metric_names).collect();
    if let Some(name) = options.metrics.iter().find(|name| !known.contains(name.as_str())) {
        return Err(CompareError::NoMetric {
            name: name.clone(),
            known: known.into_iter().collect::<Vec<_>>().join(", "),
        });
    }
    let (unlike, mut warnings) = (alike::unlike(base, new), alike::warnings(base, new));
    if !unlike.is_empty() && !options.force {
        return Err(CompareError::Unlike(unlike));
    }
    let chosen: Vec<&str> = match options.metrics.as_slice() {
        [] => USUAL.into_iter().filter(|name| known.contains(name)).collect(),
        names => names.iter().map(String::as_str).collect(),
    };
    let Tolerance(tolerance) = options.tolerance.unwrap_or_default();
    let sides = judge::Sides::new(base, new, tolerance, alike::same_load(base, new), &chosen);
    let mut rows = Vec::new();
    for metric in &chosen {
        rows.extend(sides.whole(metric));
    }
    let whole = rows.len();
    for tag in PARTS {
        let values: BTreeSet<&str> = all().flat_map(|run| run.values_of(tag)).collect();
        // Where there is one part only, it is the whole.
        if values.len() < 2 {
            continue;
        }
        for value in values {
            for metric in &chosen {
                rows.extend(sides.part(metric, tag, value));
            }
        }
    }
    if chosen.contains(&"checks") {
        rows.extend(sides.checks());
    }
    if !rows
        .iter()
        .any(|row| row.row.base.is_some() && row.row.new.is_some())
    {
        let name = |side: &[SavedRun]| side.first().map_or("", |run| &run.run.name).to_owned();
        let names = format!("the base is of {}, the new of {}", name(base), name(new));
        return Err(CompareError::Nothing(names));
    }
    warnings.splice(0..0, unlike);
    let notes = judge::notes(base, new, &rows);
    let parts = rows.split_off(whole);
    Ok(Comparison {
        base: base.iter().map(Side::from).collect(),
        new: new.iter().map(Side::from).collect(),
        tolerance,
        warnings,
        notes,
        rows: [sides.verdicts(rows), sides.verdicts(parts)].concat(),
    })
}

#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;
