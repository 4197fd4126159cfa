//! A saved run on one time axis that begins with the load: its windows, and what was read of machines and processes.

use std::time::Duration;

use crate::metrics::Window;
use crate::report::saved::{SavedHost, SavedProcess, SavedRun, SavedTimeline};

/// What the load is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Vus,
    /// Iterations per second.
    Rate,
}

/// One slice of the load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Its end, in seconds since the load began.
    pub(super) at: f64,
    /// In seconds.
    pub(super) length: f64,
    pub(super) load: f64,
    pub(super) window: Window,
}

impl Point {
    /// Requests per second.
    pub(super) fn rate(&self) -> f64 {
        self.window.rate()
    }
}

/// The windows of the load.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Joined {
    pub(super) points: Vec<Point>,
    pub(super) unit: Unit,
    /// When the load began on the file's axis, in seconds.
    pub(super) zero: f64,
}

/// A slice that is shorter than this share of the usual is left out: its numbers are of few requests.
const WHOLE: f64 = 0.5;

impl Joined {
    /// The part of the run in which there was a load.
    pub(super) fn of(run: &SavedRun) -> Joined {
        let zero = run.timeline.load_start.unwrap_or(0.0);
        let windows = windows(&run.timeline);
        let usual = run.timeline.resolution.max(1.0);
        let busy = |window: &Window| window.requests > 0 || window.in_flight > 0 || window.iterations > 0;
        let last = windows
            .iter()
            .rposition(|window| busy(window) || window.dropped > 0);
        let windows = &windows[..last.map_or(0, |last| last + 1)];
        // Before the load virtual users are initialised, for as long as that takes.
        let during = || {
            windows
                .iter()
                .filter(|window| window.start.as_secs_f64() >= zero - 0.5)
        };
        let planned = during().filter(|window| window.offered > 0.0).count();
        let rate = planned * 2 > during().count();
        let unit = if rate { Unit::Rate } else { Unit::Vus };
        let points = windows.iter().filter_map(|window| {
            let (start, length) = (window.start.as_secs_f64() - zero, window.length.as_secs_f64());
            // The second in which the load began has less of it than the others.
            (length >= usual * WHOLE && start > -usual * WHOLE).then(|| Point {
                at: start + length,
                length,
                load: match unit {
                    Unit::Vus => f64::from(window.vus),
                    Unit::Rate => window.offered,
                },
                window: *window,
            })
        });
        Joined {
            points: points.collect(),
            unit,
            zero,
        }
    }

    /// The part between two times on the file's axis, as if it were all of the load.
    pub(super) fn between(&self, from: f64, to: f64) -> Joined {
        let (since, until) = (from - self.zero, to - self.zero);
        let within = self
            .points
            .iter()
            .filter(|point| point.at > since && point.at <= until + 0.5);
        Joined {
            points: within
                .map(|point| Point {
                    at: point.at - since,
                    ..*point
                })
                .collect(),
            unit: self.unit,
            zero: from,
        }
    }

    /// When the load began on the file's axis, in seconds.
    pub(in crate::report) fn zero(&self) -> f64 {
        self.zero
    }

    /// A load in words: `143 VUs`, `500 iterations/s`.
    pub(super) fn load(&self, load: f64) -> String {
        let rounded = load.round();
        match self.unit {
            Unit::Vus if (rounded - 1.0).abs() < f64::EPSILON => "1 VU".to_owned(),
            Unit::Vus => format!("{rounded} VUs"),
            Unit::Rate => format!("{rounded} iterations/s"),
        }
    }

    /// When the load ended, in seconds since it began.
    pub(super) fn end(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.at)
    }

    /// What was read of something while there was a load, with the time since it began.
    pub(super) fn readings(&self, at: &[f64], values: Option<&Vec<Option<f64>>>) -> Vec<(f64, f64)> {
        let end = self.end();
        let values = values.into_iter().flatten();
        at.iter()
            .zip(values)
            .filter_map(|(at, value)| Some((at - self.zero, (*value)?)))
            // A reading speaks of the time before it.
            .filter(|(at, value)| *at > 0.5 && *at <= end + 1.0 && value.is_finite())
            .collect()
    }

    /// A column of a machine.
    pub(super) fn host(&self, host: &SavedHost, column: &str) -> Vec<(f64, f64)> {
        self.readings(&host.at, host.series.get(column))
    }

    /// A column of a process.
    pub(super) fn process(&self, process: &SavedProcess, column: &str) -> Vec<(f64, f64)> {
        self.readings(&process.at, process.series.get(column))
    }
}

/// The slices of a file as they were in the run.
pub(super) fn windows(timeline: &SavedTimeline) -> Vec<Window> {
    let seconds = |list: &[f64], at: usize| {
        let seconds = list.get(at).copied().unwrap_or(0.0);
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
    };
    let real = |list: &[f64], at: usize| list.get(at).copied().unwrap_or(0.0);
    let t = timeline;
    (0..t.start.len())
        .map(|at| Window {
            start: seconds(&t.start, at),
            length: seconds(&t.length, at),
            requests: t.requests[at],
            failed: t.failed[at],
            iterations: t.iterations[at],
            dropped: t.dropped[at],
            sent: t.sent[at],
            received: t.received[at],
            vus: t.vus[at],
            vus_max: t.vus_max[at],
            in_flight: t.in_flight[at],
            p50: t.p50[at],
            p95: t.p95[at],
            p99: t.p99[at],
            lag_max: t.lag_max[at],
            timer_lag_max: real(&t.timer_lag_max, at),
            offered: real(&t.offered, at),
            generator_cpu: real(&t.generator_cpu, at),
        })
        .collect()
}
