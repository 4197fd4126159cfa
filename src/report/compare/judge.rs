//! Whether one number of a run is worse than that of the base.

use std::collections::BTreeMap;

use crate::metrics::{Trend, Value};
use crate::report::saved::{SavedRun, Series, count, rate, trend};

use super::{Row, Unit, Verdict};

/// A difference of less is noise of the machines, whatever share of a small number it is.
const LEAST_MS: f64 = 1.0;
/// The same for requests per second.
const LEAST_PER_SECOND: f64 = 1.0;
/// The same for shares: a tenth of a percentage point.
const LEAST_SHARE: f64 = 0.001;
/// A percentile rests on the samples beyond it; it is judged if there are so many.
const BEYOND: f64 = 10.0;
/// A share of fewer samples says nothing.
const LEAST_SAMPLES: u64 = 100;
/// A rate over less time says nothing.
const LEAST_SECONDS: f64 = 5.0;
/// Standard deviations that two shares must lie apart: chance alone does that once in some 700 times.
const SIGMAS: f64 = 3.0;

/// Two runs, and what is common to all judgements.
pub(super) struct Pair<'a> {
    pub(super) base: &'a SavedRun,
    pub(super) run: &'a SavedRun,
    pub(super) tolerance: f64,
    /// Why throughput cannot be compared; `Ok` if it can.
    pub(super) same_load: Result<(), String>,
    /// Of each metric, the base's and the run's. They are made once: every part is a sum of some of them.
    pub(super) series: BTreeMap<&'a str, (Series<'a>, Series<'a>)>,
}

/// Which way is worse.
#[derive(Clone, Copy, PartialEq)]
enum Worse {
    Up,
    Down,
    /// loadgen does not know what the metric means.
    Unknown,
}

type Wanted<'w> = &'w dyn Fn(&BTreeMap<String, String>) -> bool;

impl Pair<'_> {
    /// The rows of a metric as a whole.
    pub(super) fn whole(&self, metric: &str) -> Vec<Row> {
        self.rows(metric, "whole", &|_| true, true)
    }

    /// The rows of one part. Its throughput is that of the whole's script: it is not judged again.
    pub(super) fn part(&self, metric: &str, tag: &str, value: &str) -> Vec<Row> {
        let wanted = |tags: &BTreeMap<String, String>| tags.get(tag).is_some_and(|found| found == value);
        self.rows(metric, &format!("{tag}={value}"), &wanted, false)
    }

    /// Each check by itself, where there are several.
    pub(super) fn checks(&self) -> Vec<Row> {
        let mut names: Vec<&str> = Vec::new();
        for check in self.base.checks.iter().chain(&self.run.checks) {
            if !names.contains(&check.name.as_str()) {
                names.push(&check.name);
            }
        }
        if names.len() < 2 {
            return Vec::new();
        }
        names
            .into_iter()
            .flat_map(|name| self.part("checks", "check", name))
            .collect()
    }

    fn rows(&self, metric: &str, part: &str, wanted: Wanted, whole: bool) -> Vec<Row> {
        let Some((base, run)) = self.series.get(metric) else {
            return Vec::new();
        };
        let (base, run) = (base.matching(wanted), run.matching(wanted));
        let row = |measure, unit, base, run, (verdict, reason): Judged| Row {
            part: part.to_owned(),
            metric: metric.to_owned(),
            measure,
            unit,
            base,
            run,
            verdict,
            reason,
        };
        match (base.as_ref().or(run.as_ref()), metric) {
            (Some(Value::Trend(_)), _) => {
                let time = self.contains_time(metric);
                let (base, run) = (trend(base.clone()), trend(run.clone()));
                let at = |trend: &Option<std::sync::Arc<Trend>>, p| {
                    trend.as_ref().map(|trend| trend.percentile(p))
                };
                [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)]
                    .into_iter()
                    .map(|(measure, p)| {
                        let counts = (
                            base.as_ref().map_or(0, |t| t.count()),
                            run.as_ref().map_or(0, |t| t.count()),
                        );
                        let (b, r) = (at(&base, p), at(&run, p));
                        let unit = if time { Unit::Milliseconds } else { Unit::Plain };
                        row(measure, unit, b, r, self.percentile(b, r, p, counts, time))
                    })
                    .collect()
            }
            (Some(Value::Rate { .. }), metric) => {
                let (b, r) = (rate(base.as_ref()), rate(run.as_ref()));
                let share = |(passes, total): (u64, u64)| (total > 0).then(|| passes as f64 / total as f64);
                let worse = match metric {
                    "checks" => Worse::Down,
                    name if ["fail", "error"].iter().any(|part| name.contains(part)) => Worse::Up,
                    _ => Worse::Unknown,
                };
                vec![row(
                    "rate",
                    Unit::Share,
                    share(b),
                    share(r),
                    self.share(b, r, worse),
                )]
            }
            (Some(Value::Counter { .. }), metric) if whole => {
                // Counters are there from the start: one that never counted is no number of this test.
                if count(base.as_ref()) == 0.0 && count(run.as_ref()) == 0.0 {
                    return Vec::new();
                }
                let per_second = |run: &SavedRun, value: Option<&Value>| {
                    value.map(|_| count(value) / run.run.duration.max(f64::MIN_POSITIVE))
                };
                let (b, r) = (
                    per_second(self.base, base.as_ref()),
                    per_second(self.run, run.as_ref()),
                );
                vec![row("rate", Unit::PerSecond, b, r, self.throughput(metric, b, r))]
            }
            _ => Vec::new(),
        }
    }

    fn contains_time(&self, metric: &str) -> bool {
        let runs = [self.base, self.run];
        let mut trends = runs.into_iter().flat_map(|run| &run.metrics.trends);
        trends.any(|trend| trend.name == metric && trend.contains == "time")
    }

    fn percentile(
        &self,
        base: Option<f64>,
        run: Option<f64>,
        p: f64,
        counts: (u64, u64),
        time: bool,
    ) -> Judged {
        let Some((base, run)) = base.zip(run) else {
            return missing(base, run);
        };
        let needed = (BEYOND / (1.0 - p / 100.0)).round() as u64;
        let fewer = counts.0.min(counts.1);
        if fewer < needed {
            return unjudged(format!("too few to judge: {fewer} samples, {needed} are needed"));
        }
        self.moved(base, run, if time { LEAST_MS } else { 0.0 }, Worse::Up)
    }

    fn throughput(&self, metric: &str, base: Option<f64>, run: Option<f64>) -> Judged {
        let Some((base, run)) = base.zip(run) else {
            return missing(base, run);
        };
        if let Err(reason) = &self.same_load {
            return unjudged(reason.clone());
        }
        if self.base.run.duration.min(self.run.run.duration) < LEAST_SECONDS {
            return unjudged(format!("too short to judge: {LEAST_SECONDS} s are needed"));
        }
        let known = [
            "http_reqs",
            "iterations",
            "ws_sessions",
            "ws_msgs_sent",
            "ws_msgs_received",
            "grpc_streams",
            "grpc_streams_msgs_sent",
            "grpc_streams_msgs_received",
        ];
        let worse = if known.contains(&metric) {
            Worse::Down
        } else {
            Worse::Unknown
        };
        self.moved(base, run, LEAST_PER_SECOND, worse)
    }

    /// Past the tolerance and past the noise floor.
    fn moved(&self, base: f64, run: f64, least: f64, worse: Worse) -> Judged {
        let change = run - base;
        if change.abs() < least || change.abs() <= base.abs() * self.tolerance {
            return (Verdict::Same, None);
        }
        directed(change, worse)
    }

    fn share(&self, base: (u64, u64), run: (u64, u64), worse: Worse) -> Judged {
        if base.1 == 0 || run.1 == 0 {
            return missing((base.1 > 0).then_some(0.0), (run.1 > 0).then_some(0.0));
        }
        let fewer = base.1.min(run.1);
        if fewer < LEAST_SAMPLES {
            return unjudged(format!(
                "too few to judge: {fewer} samples, {LEAST_SAMPLES} are needed"
            ));
        }
        let share = |(part, whole): (u64, u64)| part as f64 / whole as f64;
        let change = share(run) - share(base);
        // The smaller of a share and its complement: 99 % that become 98 % are twice the failures.
        let small = share(base).min(1.0 - share(base));
        if change.abs() <= LEAST_SHARE || change.abs() <= small * self.tolerance || !apart(base, run) {
            return (Verdict::Same, None);
        }
        directed(change, worse)
    }
}

/// A verdict, and why there is none.
type Judged = (Verdict, Option<String>);

fn unjudged(reason: String) -> Judged {
    (Verdict::Unjudged, Some(reason))
}

fn missing(base: Option<f64>, run: Option<f64>) -> Judged {
    unjudged(
        match (base, run) {
            (Some(_), None) => "only in the base",
            (None, Some(_)) => "only in the run",
            _ => "no samples",
        }
        .to_owned(),
    )
}

fn directed(change: f64, worse: Worse) -> Judged {
    match (worse, change > 0.0) {
        (Worse::Unknown, _) => unjudged("loadgen does not know which way is worse".to_owned()),
        (Worse::Up, true) | (Worse::Down, false) => (Verdict::Worse, None),
        _ => (Verdict::Better, None),
    }
}

/// Whether two shares differ by more than chance explains (two-proportion z-test).
fn apart(base: (u64, u64), run: (u64, u64)) -> bool {
    let (n1, n2) = (base.1 as f64, run.1 as f64);
    let pooled = (base.0 + run.0) as f64 / (n1 + n2);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    let change = run.0 as f64 / n2 - base.0 as f64 / n1;
    deviation > 0.0 && change.abs() >= SIGMAS * deviation
}
