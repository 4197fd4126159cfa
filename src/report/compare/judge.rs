//! Whether a number of the new runs is worse than that of the base.

use std::collections::{BTreeMap, BTreeSet};

use crate::metrics::{Cell, Trend, Value};
use crate::report::saved::{SavedRun, Series, count, rate, trend};

use super::evidence::{
    self, Basis, Difference, RUNS, Reading, STRETCHES, among_many, dense, difference, pace, percentile,
    share_below,
};
use super::{Row, Unit, Verdict};

/// A difference of less is noise of the machines, whatever share of a small number it is.
const LEAST_MS: f64 = 1.0;
/// The same where several runs tell what that noise is.
const LEAST_MS_OF_RUNS: f64 = 0.05;
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
/// Chance may bring about a verdict among the rows of the whole, and among those of parts, so often: together 4 %.
const CHANCE: f64 = 0.02;

/// The runs of both sides, and what is common to all judgements.
pub(super) struct Sides<'a> {
    base: &'a [SavedRun],
    new: &'a [SavedRun],
    tolerance: f64,
    /// Why throughput cannot be compared; `Ok` if it can.
    same_load: Result<(), String>,
    /// Of each metric, those of all runs of the base and of the new. They are made once: every part is a sum of some.
    series: BTreeMap<&'a str, [Vec<Series<'a>>; 2]>,
}

/// A row without its verdict.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) row: Row,
    worse: Worse,
    found: Option<Difference>,
}

/// Which way is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Worse {
    Up,
    Down,
    /// loadgen does not know what the metric means.
    Unknown,
}

/// A part of a run: all, or the series with one value of a tag.
type Part<'p> = Option<(&'p str, &'p str)>;

impl<'a> Sides<'a> {
    pub(super) fn new(
        base: &'a [SavedRun],
        new: &'a [SavedRun],
        tolerance: f64,
        same_load: Result<(), String>,
        metrics: &[&'a str],
    ) -> Sides<'a> {
        let of = |side: &'a [SavedRun], name| side.iter().map(|run| run.series(name)).collect();
        let series = metrics
            .iter()
            .map(|name| (*name, [of(base, name), of(new, name)]));
        Sides {
            base,
            new,
            tolerance,
            same_load,
            series: series.collect(),
        }
    }

    /// The rows of a metric as a whole.
    pub(super) fn whole(&self, metric: &str) -> Vec<Draft> {
        self.rows(metric, None)
    }

    /// The rows of one part. Its throughput is that of the whole's script: it is not judged again.
    pub(super) fn part(&self, metric: &str, tag: &str, value: &str) -> Vec<Draft> {
        self.rows(metric, Some((tag, value)))
    }

    /// Each check by itself, where there are several.
    pub(super) fn checks(&self) -> Vec<Draft> {
        let mut names: Vec<&str> = Vec::new();
        for check in self.base.iter().chain(self.new).flat_map(|run| &run.checks) {
            if !names.contains(&check.name.as_str()) {
                names.push(&check.name);
            }
        }
        if names.len() < 2 {
            return Vec::new();
        }
        let rows = names.into_iter().map(|name| self.part("checks", "check", name));
        rows.flatten().collect()
    }

    /// Of each run of both sides, the metric's value in this part.
    fn values(&self, metric: &str, part: Part) -> [Vec<Option<Value>>; 2] {
        let wanted = |tags: &BTreeMap<String, String>| {
            part.is_none_or(|(tag, value)| tags.get(tag).is_some_and(|found| found == value))
        };
        let of = |side: &Vec<Series>| side.iter().map(|series| series.matching(wanted)).collect();
        self.series.get(metric).map_or_else(
            || [Vec::new(), Vec::new()],
            |sides| [of(&sides[0]), of(&sides[1])],
        )
    }

    fn rows(&self, metric: &str, part: Part) -> Vec<Draft> {
        let values = self.values(metric, part);
        match values.iter().flatten().flatten().next() {
            Some(Value::Trend(_)) => self.percentiles(metric, part, &values),
            Some(Value::Rate { .. }) => vec![self.share(metric, part, &values)],
            Some(Value::Counter { .. }) if part.is_none() => {
                self.throughput(metric, &values).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn percentiles(&self, metric: &str, part: Part, values: &[Vec<Option<Value>>; 2]) -> Vec<Draft> {
        let time = self.contains_time(metric);
        let unit = if time { Unit::Milliseconds } else { Unit::Plain };
        let runs = [self.base, self.new];
        let sides: [Vec<Distribution>; 2] = [0, 1].map(|side| {
            let pairs = runs[side].iter().zip(&values[side]);
            pairs
                .filter_map(|(run, value)| Some((trend(value.clone())?, cells(run, metric, part))))
                .collect()
        });
        let counts = sides
            .each_ref()
            .map(|side| side.iter().map(|(t, _)| t.count()).min().unwrap_or(0));
        let row = |(measure, p): (&'static str, f64)| {
            let readings = sides.each_ref().map(|side| {
                let read = side
                    .iter()
                    .map(|(trend, cells)| percentile(trend, cells.as_deref(), p));
                read.collect::<Option<Vec<Reading>>>()
            });
            let of = |side: usize| readings[side].as_deref().filter(|list| !list.is_empty());
            let plain = |side: usize| mean(sides[side].iter().map(|(trend, _)| trend.percentile(p)));
            let shown = |side: usize| of(side).map(geometric).or_else(|| plain(side));
            let mut draft = Draft::new(metric, part, measure, unit, [shown(0), shown(1)], Worse::Up);
            let needed = (BEYOND / (1.0 - p / 100.0)).round() as u64;
            let fewer = counts[0].min(counts[1]);
            if fewer > 0 && fewer < needed {
                return draft.because(format!("too few to judge: {fewer} samples, {needed} are needed"));
            }
            match (of(0), of(1)) {
                (Some(base), Some(new)) => {
                    let alike = self.same_load.is_ok();
                    let found = difference(base, new, alike);
                    draft.set(found, true);
                    if found.basis == Basis::Stretches {
                        let at = [geometric(base), geometric(new)];
                        draft.row.chance = Some(beyond(&sides, at, alike).max(found.chance()));
                    }
                    draft
                }
                _ if draft.row.base.is_some() && draft.row.new.is_some() => {
                    draft.because("values of zero and below have no ratio".to_owned())
                }
                _ => draft.lonely(),
            }
        };
        [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)]
            .into_iter()
            .map(row)
            .collect()
    }

    fn share(&self, metric: &str, part: Part, values: &[Vec<Option<Value>>; 2]) -> Draft {
        let worse = match metric {
            "checks" => Worse::Down,
            name if ["fail", "error"].iter().any(|part| name.contains(part)) => Worse::Up,
            _ => Worse::Unknown,
        };
        let runs = [self.base, self.new];
        // Failures are counted with the durations. A check by itself comes and goes as all of them do.
        let (course, of) = match metric {
            "http_req_failed" => ("http_req_duration", part),
            name => (name, None),
        };
        let counts = values.each_ref().map(|side| {
            let counts = side.iter().map(|value| rate(value.as_ref()));
            counts.collect::<Vec<_>>()
        });
        let readings: [Vec<Reading>; 2] = [0, 1].map(|side| {
            let known = runs[side]
                .iter()
                .zip(&counts[side])
                .filter(|(_, (_, total))| *total > 0);
            let read = known.map(|(run, counts)| {
                let own = metric != "checks" || part.is_none();
                let cells = cells(run, course, of).filter(|_| own);
                evidence::share(*counts, cells.as_deref())
            });
            read.collect()
        });
        let shown = [0, 1].map(|side| mean(readings[side].iter().map(|reading| reading.value)));
        let mut draft = Draft::new(metric, part, "rate", Unit::Share, shown, worse);
        if readings.iter().any(Vec::is_empty) {
            return draft.lonely();
        }
        let least = |side: &Vec<(u64, u64)>| side.iter().map(|(_, total)| *total).sum::<u64>();
        let fewer = least(&counts[0]).min(least(&counts[1]));
        if fewer < LEAST_SAMPLES {
            return draft.because(format!(
                "too few to judge: {fewer} samples, {LEAST_SAMPLES} are needed"
            ));
        }
        draft.set(
            difference(&readings[0], &readings[1], self.same_load.is_ok()),
            false,
        );
        draft
    }

    fn throughput(&self, metric: &str, values: &[Vec<Option<Value>>; 2]) -> Option<Draft> {
        // Counters are there from the start: one that never counted is no number of this test.
        if values.iter().flatten().all(|value| count(value.as_ref()) == 0.0) {
            return None;
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
        // Requests are counted with their durations.
        let course = if metric == "http_reqs" {
            "http_req_duration"
        } else {
            metric
        };
        let runs = [self.base, self.new];
        let seconds = |run: &SavedRun| run.run.duration.max(f64::MIN_POSITIVE);
        let shown = [0, 1].map(|side| {
            let known = runs[side]
                .iter()
                .zip(&values[side])
                .filter(|(_, value)| value.is_some());
            mean(known.map(|(run, value)| count(value.as_ref()) / seconds(run)))
        });
        let mut draft = Draft::new(metric, None, "rate", Unit::PerSecond, shown, worse);
        if draft.row.base.is_none() || draft.row.new.is_none() {
            return Some(draft.lonely());
        }
        if let Err(reason) = &self.same_load {
            return Some(draft.because(reason.clone()));
        }
        if self
            .base
            .iter()
            .chain(self.new)
            .any(|run| run.run.duration < LEAST_SECONDS)
        {
            return Some(draft.because(format!("too short to judge: {LEAST_SECONDS} s are needed")));
        }
        let read = |side: usize| {
            let pairs = runs[side].iter().zip(&values[side]);
            let read = pairs.map(|(run, value)| {
                pace(
                    count(value.as_ref()),
                    seconds(run),
                    cells(run, course, None).as_deref(),
                )
            });
            read.collect::<Option<Vec<Reading>>>()
        };
        let (Some(base), Some(new)) = (read(0), read(1)) else {
            return Some(draft.because("one of the runs has none".to_owned()));
        };
        draft.set(difference(&base, &new, true), true);
        Some(draft)
    }

    fn contains_time(&self, metric: &str) -> bool {
        let mut trends = self
            .base
            .iter()
            .chain(self.new)
            .flat_map(|run| &run.metrics.trends);
        trends.any(|trend| trend.name == metric && trend.contains == "time")
    }

    /// The rows of a family with their verdicts.
    pub(super) fn verdicts(&self, drafts: Vec<Draft>) -> Vec<Row> {
        let chances: Vec<f64> = drafts.iter().filter_map(|draft| draft.row.chance).collect();
        let mut adjusted = among_many(&chances).into_iter();
        let judged = drafts.into_iter().map(|mut draft| {
            if draft.row.chance.is_some() {
                draft.row.chance_among_all = adjusted.next();
            }
            draft.judge(self.tolerance)
        });
        judged.collect()
    }
}

/// A distribution of a run, and its stretches.
type Distribution = (std::sync::Arc<Trend>, Option<Vec<Cell>>);

/// How likely chance alone brings it about that so many values lie on the other side of either side's percentile. A few bad
/// seconds that are the tail of one run and not of the other are as little proof as they are few.
fn beyond(sides: &[Vec<Distribution>; 2], at: [f64; 2], alike: bool) -> f64 {
    let chance = |value: f64| {
        let [base, new] = sides.each_ref().map(|side| {
            let read = side
                .iter()
                .map(|(trend, cells)| share_below(trend, cells.as_deref(), value));
            read.collect::<Vec<Reading>>()
        });
        difference(&base, &new, alike).chance()
    };
    chance(at[0]).max(chance(at[1]))
}

/// The stretches of a part of a run.
fn cells(run: &SavedRun, metric: &str, part: Part) -> Option<Vec<Cell>> {
    run.course(metric, part).map(|course| dense(run, course))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Back from logarithms.
fn geometric(readings: &[Reading]) -> f64 {
    (readings.iter().map(|reading| reading.value).sum::<f64>() / readings.len() as f64).exp()
}

impl Draft {
    fn new(
        metric: &str,
        part: Part,
        measure: &'static str,
        unit: Unit,
        [base, new]: [Option<f64>; 2],
        worse: Worse,
    ) -> Draft {
        Draft {
            row: Row {
                part: part.map_or_else(|| "whole".to_owned(), |(tag, value)| format!("{tag}={value}")),
                metric: metric.to_owned(),
                measure,
                unit,
                base,
                new,
                change: None,
                interval: None,
                chance: None,
                chance_among_all: None,
                verdict: Verdict::Uncertain,
                reason: None,
            },
            worse,
            found: None,
        }
    }

    fn because(mut self, reason: String) -> Draft {
        self.row.reason = Some(reason);
        self
    }

    fn lonely(self) -> Draft {
        let reason = match (self.row.base, self.row.new) {
            (Some(_), None) => "only in the base",
            (None, Some(_)) => "only in the new",
            _ => "no samples",
        };
        self.because(reason.to_owned())
    }

    /// Takes a difference in; that of logarithms becomes a ratio.
    fn set(&mut self, found: Difference, logarithms: bool) {
        let half = found.half();
        let shown = |value: f64| {
            if logarithms {
                value.clamp(-700.0, 700.0).exp_m1()
            } else {
                value
            }
        };
        self.row.change = Some(shown(found.change));
        self.row.interval = Some((shown(found.change - half), shown(found.change + half)));
        self.row.chance = Some(found.chance());
        self.found = Some(found);
    }

    /// A change of less than this, in the unit of `row.change`, is none.
    fn slack(&self, tolerance: f64, base: f64, basis: Basis) -> f64 {
        match self.row.unit {
            // The smaller of a share and its complement: 99 % that become 98 % are twice the failures.
            Unit::Share => LEAST_SHARE.max(base.min(1.0 - base) * tolerance),
            Unit::Milliseconds if basis == Basis::Runs => tolerance.max(LEAST_MS_OF_RUNS / base),
            Unit::Milliseconds => tolerance.max(LEAST_MS / base),
            Unit::PerSecond => tolerance.max(LEAST_PER_SECOND / base),
            Unit::Plain => tolerance,
        }
    }

    fn judge(mut self, tolerance: f64) -> Row {
        let (Some(found), Some(change), Some((low, high)), Some(base)) =
            (self.found, self.row.change, self.row.interval, self.row.base)
        else {
            return self.row;
        };
        let slack = self.slack(tolerance, base, found.basis);
        let certain = self.row.chance_among_all.is_some_and(|chance| chance <= CHANCE);
        self.row.verdict = if certain && change.abs() > slack {
            match (self.worse, change > 0.0) {
                (Worse::Unknown, _) => {
                    self.row.reason = Some("loadgen does not know which way is worse".to_owned());
                    Verdict::Uncertain
                }
                (Worse::Up, true) | (Worse::Down, false) => Verdict::Worse,
                _ => Verdict::Better,
            }
        } else if certain || (low >= -slack && high <= slack) {
            Verdict::Same
        } else {
            self.row.reason = Some("too uncertain".to_owned());
            Verdict::Uncertain
        };
        self.row
    }
}

/// What the intervals rest on, and what that leaves open.
pub(super) fn notes(base: &[SavedRun], new: &[SavedRun], drafts: &[Draft]) -> Vec<String> {
    let (b, n) = (base.len(), new.len());
    let more = if b + n > 2 {
        format!("{b} and {n} runs are too few to tell how much runs differ from each other")
    } else {
        "one run a side does not tell how much runs differ from each other".to_owned()
    };
    let needed = RUNS / 2 + 1;
    let note = |basis: &Basis| match basis {
        Basis::Runs => format!("intervals are from how much {b} and {n} runs differ from each other"),
        Basis::Stretches => {
            format!("intervals are from how much each run varies in time; {more}: {needed} a side do")
        }
        Basis::Requests => format!(
            "where a run has less than {STRETCHES} s of load, or too little in them, it does not tell how much it varies: only great differences count there"
        ),
    };
    let found: BTreeSet<Basis> = drafts
        .iter()
        .filter_map(|draft| Some(draft.found?.basis))
        .collect();
    found.iter().map(note).collect()
}
