//! How long a system takes to be itself again after a spike.

use std::fmt;

use serde_json::Value;

use crate::pace::parse_duration;
use crate::report::saved::{SavedRun, SavedStrand};

use super::numbers::line_of;

/// As near to the level before as counts as back at it.
const NEAR: f64 = 1.1;

/// What the second after the spike showed, and what it was measured by.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovery {
    /// Seconds from the end of the spike; `None` if it never was itself again.
    pub after: Option<f64>,
    /// Seconds that were watched.
    pub watched: f64,
    /// Milliseconds and a share: at most this is back.
    pub p95: f64,
    pub errors: f64,
    /// The same numbers of the phase before the spike.
    pub before: (f64, f64),
    /// The lowest p95 of a second after the spike.
    pub lowest: f64,
    /// Length of a slice in seconds: no shorter time is told.
    pub resolution: f64,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Some(after) if after < self.resolution => write!(f, "< {} s", self.resolution),
            Some(after) => write!(f, "{:.0} s", after.ceil()),
            None => write!(f, "not within {:.0} s", self.watched),
        }
    }
}

/// Seconds from the end of the spike until p95 and error rate of the requests that started after it are back within 10 %
/// of their level before it, for two slices in a row where there are two. That level is that of the phase `before` as a
/// whole, or of its worst second: a second like those before the spike is back, however much they differ among themselves.
/// The first second before it does not count if there are others: connections open then.
///
/// `None` for a run without the phases `before`, `spike` and `after`.
pub fn recovery(run: &SavedRun) -> Option<Recovery> {
    let of = |phase: &str| {
        let strands = run.timeline.strands.iter();
        strands
            .clone()
            .find(|strand| strand.tag == "phase" && strand.value == phase)
    };
    let (before, after) = (of("before")?, of("after")?);
    let resolution = run.timeline.resolution;
    let end = spike_end(run).or_else(|| after.start.first().copied())?;
    let line = line_of(run, &|tags| {
        tags.get("phase").is_some_and(|phase| phase == "before")
    });
    let level = (line.percentile(95.0)?, line.error_ratio().unwrap_or(0.0));
    let whole: Vec<usize> = (0..before.start.len())
        .filter(|at| before.length[*at] >= resolution * 0.999)
        .collect();
    let whole = whole.split_first().map_or(&[][..], |(first, rest)| {
        if rest.is_empty() {
            std::slice::from_ref(first)
        } else {
            rest
        }
    });
    let (mut p95, mut errors) = (level.0 * NEAR, level.1 * NEAR);
    for &at in whole {
        p95 = p95.max(before.p95[at]);
        errors = errors.max(share(before, at));
    }
    let seconds: Vec<usize> = (0..after.start.len())
        .filter(|at| after.start[*at] + after.length[*at] > end && after.requests[*at] > 0)
        .collect();
    let good = |at: usize| after.p95[at] <= p95 && share(after, at) <= errors;
    let back = (0..seconds.len())
        .find(|n| seconds[*n..].iter().take(2).all(|at| good(*at)))
        .map(|n| seconds[n]);
    let last = seconds
        .last()
        .map_or(end, |at| after.start[*at] + after.length[*at]);
    Some(Recovery {
        after: back.map(|at| (after.start[at] - end).max(0.0)),
        watched: last - end,
        p95,
        errors,
        before: level,
        lowest: seconds
            .iter()
            .map(|at| after.p95[*at])
            .fold(f64::INFINITY, f64::min),
        resolution,
    })
}

fn share(strand: &SavedStrand, at: usize) -> f64 {
    strand.failed[at] as f64 / strand.requests[at].max(1) as f64
}

/// Where the spike's scenario ends on the time axis, by its options.
fn spike_end(run: &SavedRun) -> Option<f64> {
    let scenarios = run.options["scenarios"].as_object()?;
    let spike = scenarios
        .values()
        .find(|scenario| scenario["tags"]["phase"] == "spike")?;
    let seconds = |value: &Value| {
        let text = value.as_str()?;
        parse_duration(text).ok().map(|duration| duration.as_secs_f64())
    };
    let length = match spike["stages"].as_array() {
        Some(stages) => stages
            .iter()
            .map(|stage| seconds(&stage["duration"]))
            .sum::<Option<f64>>()?,
        None => seconds(&spike["duration"])?,
    };
    Some(run.timeline.load_start? + seconds(&spike["startTime"]).unwrap_or(0.0) + length)
}
