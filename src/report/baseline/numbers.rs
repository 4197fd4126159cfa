//! The numbers of a run or of a part of it that tables show.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::metrics::Trend;
use crate::report::format::humanize_duration;
use crate::report::saved::{SavedRun, count, rate, trend};

use crate::report::limits::ERRORS;

/// How many virtual users the table of the store is about.
pub(super) const STEPS_VUS: u32 = 50;

/// Requests, durations and failures of a part.
pub(in crate::report) struct Line {
    pub(in crate::report) requests: f64,
    pub(super) durations: Option<Arc<Trend>>,
    /// Failed and judged requests.
    pub(super) failed: (u64, u64),
}

pub(in crate::report) type Wanted<'w> = &'w dyn Fn(&BTreeMap<String, String>) -> bool;

pub(in crate::report) fn line_of(run: &SavedRun, wanted: Wanted) -> Line {
    Line {
        requests: count(run.series("http_reqs").matching(wanted).as_ref()),
        durations: trend(run.series("http_req_duration").matching(wanted)),
        failed: rate(run.series("http_req_failed").matching(wanted).as_ref()),
    }
}

impl Line {
    pub(in crate::report) fn percentile(&self, p: f64) -> Option<f64> {
        self.durations.as_ref().map(|durations| durations.percentile(p))
    }

    fn shown(&self, p: f64) -> Option<String> {
        self.percentile(p).map(|ms| humanize_duration(ms, None))
    }

    pub(in crate::report) fn p50(&self) -> Option<String> {
        self.shown(50.0)
    }

    pub(in crate::report) fn p95(&self) -> Option<String> {
        self.shown(95.0)
    }

    pub(in crate::report) fn p99(&self) -> Option<String> {
        self.shown(99.0)
    }

    /// Share of requests that failed.
    pub(in crate::report) fn error_ratio(&self) -> Option<f64> {
        (self.failed.1 > 0).then(|| self.failed.0 as f64 / self.failed.1 as f64)
    }

    pub(in crate::report) fn errors(&self) -> Option<String> {
        self.error_ratio().map(percent)
    }
}

/// A share as a percentage; what is not zero does not look like it.
pub(in crate::report) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.0001 {
        "<0.01%".to_owned()
    } else {
        format!("{:.2}%", share * 100.0)
    }
}

/// Requests per second of the best whole slice of a run; of the whole run if it has none that is whole.
pub fn max_rate(run: &SavedRun) -> Option<f64> {
    let t = &run.timeline;
    best(t.resolution, &t.length, &t.requests)
}

/// The same for the requests with one value of a tag.
pub(super) fn max_rate_of(run: &SavedRun, tag: &str, value: &str) -> Option<f64> {
    let strand = run
        .timeline
        .strands
        .iter()
        .find(|strand| strand.tag == tag && strand.value == value)?;
    best(run.timeline.resolution, &strand.length, &strand.requests)
}

fn best(resolution: f64, lengths: &[f64], requests: &[u64]) -> Option<f64> {
    let slices = lengths.iter().zip(requests);
    let rates = slices
        .clone()
        .filter(|(length, _)| **length >= resolution * 0.999)
        .map(|(length, requests)| *requests as f64 / length);
    let best = rates.fold(None, |best: Option<f64>, rate| {
        Some(best.map_or(rate, |best| best.max(rate)))
    });
    let total = || {
        let length: f64 = lengths.iter().sum();
        (length > 0.0).then(|| requests.iter().sum::<u64>() as f64 / length)
    };
    best.or_else(total)
}

/// The most virtual users there were at a time.
pub(super) fn peak_vus(run: &SavedRun) -> u32 {
    run.timeline.vus.iter().copied().max().unwrap_or(0)
}

/// Where errors first passed 1 %: how many virtual users there were then, and how many seconds into the load. Slices of
/// few requests say nothing.
pub fn breaking_point(run: &SavedRun) -> Option<(u32, f64)> {
    const FEW: u64 = 20;
    let t = &run.timeline;
    let at = (0..t.start.len())
        .find(|at| t.requests[*at] >= FEW && t.failed[*at] as f64 > ERRORS * t.requests[*at] as f64)?;
    Some((t.vus[at], (t.start[at] - t.load_start.unwrap_or(0.0)).max(0.0)))
}

/// What the seconds with the most virtual users were like.
pub(super) struct Hold {
    pub(super) vus: u32,
    pub(super) seconds: f64,
    /// The median of the seconds' p95, in milliseconds.
    pub(super) p95: f64,
    pub(super) errors: f64,
}

/// The plateau of a run that climbs to one; `None` without requests there.
pub(super) fn hold(run: &SavedRun) -> Option<Hold> {
    let t = &run.timeline;
    let vus = peak_vus(run);
    let at: Vec<usize> = (0..t.start.len())
        .filter(|at| t.vus[*at] == vus && t.requests[*at] > 0)
        .collect();
    let mut p95: Vec<f64> = at.iter().map(|at| t.p95[*at]).collect();
    p95.sort_by(f64::total_cmp);
    let requests: u64 = at.iter().map(|at| t.requests[*at]).sum();
    let failed: u64 = at.iter().map(|at| t.failed[*at]).sum();
    Some(Hold {
        vus,
        seconds: at.iter().map(|at| t.length[*at]).sum(),
        p95: *p95.get(p95.len() / 2)?,
        errors: failed as f64 / requests as f64,
    })
}
