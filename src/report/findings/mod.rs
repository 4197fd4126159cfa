//! What a run means: where it broke, what ran out first, whether it got worse while it lasted, and whether the generator
//! can be trusted. Pure functions over a saved run, so an old file says the same as the run that wrote it.
//!
//! Each finding has the numbers that it rests on, and a confidence where it is less than certain. `docs/findings.md` says
//! how each is found, with sources, and how often it is right: a test over synthetic runs computes that table.

mod cost;
mod drift;
mod errors;
mod joined;
mod knee;
mod recovery;
mod saturation;
mod section;
pub(in crate::report) mod stats;
mod step;
#[cfg(test)]
pub(in crate::report) mod synthetic;
mod validity;

use std::collections::BTreeMap;

use super::breakpoint;
use super::saved::{SavedFinding, SavedRun};

pub use section::findings_section;
pub use validity::{Trust, Validity, Verdict, outages_since};

pub(in crate::report) use joined::Joined as Part;
pub(in crate::report) use saturation::{FullSpan, Fullness, failures};

use joined::Joined;

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    Low,
    Medium,
    High,
}

impl Confidence {
    /// Its name in a saved run.
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

/// A sentence that follows from the numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What kind it is: `knee`, `errors`, `saturation`, …
    pub name: &'static str,
    pub text: String,
    /// Seconds since the load began.
    pub at: Option<f64>,
    pub confidence: Option<Confidence>,
    /// The numbers that it rests on.
    pub evidence: BTreeMap<&'static str, f64>,
}

impl Finding {
    pub(in crate::report) fn new(name: &'static str, text: String) -> Finding {
        Finding {
            name,
            text,
            at: None,
            confidence: None,
            evidence: BTreeMap::new(),
        }
    }

    pub(in crate::report) fn at(self, at: f64) -> Finding {
        Finding { at: Some(at), ..self }
    }

    pub(in crate::report) fn sure(self, confidence: Confidence) -> Finding {
        Finding {
            confidence: Some(confidence),
            ..self
        }
    }

    pub(in crate::report) fn with<const N: usize>(mut self, evidence: [(&'static str, f64); N]) -> Finding {
        self.evidence
            .extend(evidence.into_iter().filter(|(_, value)| value.is_finite()));
        self
    }
}

/// All that follows from a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    pub validity: Validity,
    pub list: Vec<Finding>,
    /// When the load began on the time axis, in seconds.
    pub zero: f64,
}

/// Where the load hurt the target, for what is looked at next to it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Hurt {
    /// Seconds since the load began.
    at: f64,
}

/// The part of a run in which there was a load, for who asks about parts of it.
pub(in crate::report) fn joined_of(run: &SavedRun) -> Part {
    Joined::of(run)
}

/// What was full from one time on the axis to another, and how full; the more particular first. With an `ease` of less than 1
/// what came near it counts, too.
pub(in crate::report) fn full_during(
    run: &SavedRun,
    whole: &Part,
    (from, to): (f64, f64),
    ease: f64,
) -> Vec<Fullness> {
    saturation::full_during(run, &whole.between(from, to), ease)
}

/// What a request costs the target and the tunnel, over all steps of a search.
pub(in crate::report) fn cost(run: &SavedRun, whole: &Part) -> Vec<Finding> {
    let mut list = Vec::new();
    list.extend(cost::per_request(run, whole));
    list.extend(cost::tunnel_share(run));
    list
}

/// Each time in which something of the target was full, in seconds on the file's axis: whatever a finding names as full is
/// among it.
pub(in crate::report) fn full_spans(run: &SavedRun) -> Vec<FullSpan> {
    let joined = Joined::of(run);
    let hurt = hurt(&worse(&joined));
    let on_axis = |part: &Joined, mut span: FullSpan| {
        (span.from, span.to) = (span.from + part.zero(), span.to + part.zero());
        span
    };
    let mut found: Vec<FullSpan> = saturation::spans(run, &joined, hurt)
        .into_iter()
        .map(|span| on_axis(&joined, span))
        .collect();
    // The load of a search goes up and down, so each step is looked at by itself.
    for step in run.breakpoint.iter().flat_map(|found| &found.steps) {
        let part = joined.between(step.from, step.to);
        let hurt = Some(Hurt { at: 0.0 });
        let inside = saturation::spans(run, &part, hurt).into_iter();
        found.extend(inside.map(|span| on_axis(&part, span)));
    }
    found
}

/// From which load on it got worse, by errors and by latency.
fn worse(joined: &Joined) -> Vec<Finding> {
    let both = [errors::exceeded(joined), knee::knee(joined)];
    both.into_iter().flatten().collect()
}

fn hurt(worse: &[Finding]) -> Option<Hurt> {
    let times = worse.iter().filter_map(|found| found.at);
    times.reduce(f64::min).map(|at| Hurt { at })
}

/// What follows from this run.
pub fn findings(run: &SavedRun) -> Findings {
    // Its load goes up and down: what holds for a ramp does not for it.
    if let Some(found) = &run.breakpoint {
        return breakpoint::findings(run, found);
    }
    let joined = Joined::of(run);
    let validity = validity::of_run(run, &joined);
    let mut list = worse(&joined);
    let hurt = hurt(&list);
    list.extend(saturation::saturation(run, &joined, hurt, &validity));
    list.extend(recovery::recovered(run, &joined));
    list.extend(step::stepped(&joined));
    list.extend(drift::drifts(run, &joined));
    list.extend(cost::per_request(run, &joined));
    list.extend(cost::tunnel_share(run));
    Findings {
        validity,
        list,
        zero: joined.zero,
    }
}

impl Findings {
    /// The finding of this name, the first if there are several.
    pub fn named(&self, name: &str) -> Option<&Finding> {
        self.list.iter().find(|finding| finding.name == name)
    }
}

impl From<(Finding, f64)> for SavedFinding {
    /// A finding and the load's start on the time axis.
    fn from((finding, zero): (Finding, f64)) -> SavedFinding {
        let rounded = |value: f64| (value * 1e4).round() / 1e4;
        SavedFinding {
            name: finding.name.to_owned(),
            text: finding.text,
            at: finding.at.map(|at| rounded(at + zero)),
            confidence: finding.confidence.map(|sure| sure.as_str().to_owned()),
            evidence: finding
                .evidence
                .into_iter()
                .map(|(name, value)| (name.to_owned(), rounded(value)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
