//! Two saved runs next to each other: what became slower, less reliable or less, and whether that is a regression.
//!
//! A gate that cries wolf is switched off, so a difference counts only if it is past the tolerance *and* more than noise:
//! at least a millisecond, from enough samples, and for shares more than chance explains. What cannot be judged says why.

mod alike;
mod judge;
mod render;

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Serialize;

use super::saved::SavedRun;

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
const PARTS: [&str; 3] = ["name", "service", "scenario"];

/// How far a number may move: a share of the base's, such as `10%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance(pub f64);

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

/// Why two runs are not compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    #[error("neither run has a metric `{name}`; they have: {known}")]
    NoMetric { name: String, known: String },
    #[error("the runs have nothing in common to compare: {0}")]
    Nothing(String),
}

/// How a number stands against the base's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Within the tolerance, or within the noise.
    Same,
    Better,
    /// Past the tolerance to the worse: a regression.
    Worse,
    /// It cannot be told, or says nothing.
    Unjudged,
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

/// One number of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// `whole`, or a tag and its value: `name=login`.
    pub part: String,
    pub metric: String,
    /// `p50`, `p95`, `p99`, `rate`.
    pub measure: &'static str,
    pub unit: Unit,
    pub base: Option<f64>,
    pub run: Option<f64>,
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
    pub base: Side,
    pub run: Side,
    /// A share: 0.1 is 10 %.
    pub tolerance: f64,
    /// What makes the runs hard to compare.
    pub warnings: Vec<String>,
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

/// Compares a run with an earlier one; only these metrics, unless there are none.
///
/// # Errors
/// A metric that neither run has, or two runs without a metric in common.
pub fn compare(
    base: &SavedRun,
    run: &SavedRun,
    tolerance: Tolerance,
    metrics: &[String],
) -> Result<Comparison, CompareError> {
    let known: BTreeSet<&str> = base.metric_names().chain(run.metric_names()).collect();
    if let Some(name) = metrics.iter().find(|name| !known.contains(name.as_str())) {
        return Err(CompareError::NoMetric {
            name: name.clone(),
            known: known.into_iter().collect::<Vec<_>>().join(", "),
        });
    }
    let chosen: Vec<&str> = match metrics {
        [] => USUAL.into_iter().filter(|name| known.contains(name)).collect(),
        names => names.iter().map(String::as_str).collect(),
    };
    let pair = judge::Pair {
        base,
        run,
        tolerance: tolerance.0,
        same_load: alike::same_load(base, run),
        series: chosen
            .iter()
            .map(|name| (*name, (base.series(name), run.series(name))))
            .collect(),
    };
    let mut rows = Vec::new();
    for metric in &chosen {
        rows.extend(pair.whole(metric));
    }
    for tag in PARTS {
        let values: BTreeSet<&str> = base.values_of(tag).union(&run.values_of(tag)).copied().collect();
        // Where there is one part only, it is the whole.
        if values.len() < 2 {
            continue;
        }
        for value in values {
            for metric in &chosen {
                rows.extend(pair.part(metric, tag, value));
            }
        }
    }
    if chosen.contains(&"checks") {
        rows.extend(pair.checks());
    }
    if !rows.iter().any(|row| row.base.is_some() && row.run.is_some()) {
        let names = format!("one is of {}, the other of {}", base.run.name, run.run.name);
        return Err(CompareError::Nothing(names));
    }
    Ok(Comparison {
        base: base.into(),
        run: run.into(),
        tolerance: tolerance.0,
        warnings: alike::warnings(base, run),
        rows,
    })
}

#[cfg(test)]
mod tests;
