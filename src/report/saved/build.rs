//! A saved run from what a run has left.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use serde_json::Value as Json;

use crate::metrics::machine::Machine;
use crate::metrics::utc::rfc3339;
use crate::metrics::{
    Kind, Losses, MetricDef, MetricId, Row, Slice, Snapshot, Timeline, Trend, Value, Window, builtin,
};
use crate::report::Hint;
use crate::report::Verification;
use crate::report::findings::findings;
use crate::report::groups::Group;

use super::course::courses;
use super::number::{rounded, seconds};
use super::scrub::Scrubber;
use super::{
    FORMAT, Metric, RunFacts, SavedAssertion, SavedBreakpoint, SavedCheck, SavedCounter, SavedEnding,
    SavedFinding, SavedGauge, SavedGenerator, SavedLimits, SavedMachine, SavedMetrics, SavedOutage,
    SavedRate, SavedRun, SavedStrand, SavedTarget, SavedThreshold, SavedTimeline, SavedTrend, SavedValidity,
    SavedVerification, Stats, VERSION, hosts,
};

/// So many series of one metric are kept apart. The rest, those of the fewest samples, become one, so that totals
/// stay exact and a file stays some megabytes at the most.
const MOST_SERIES: usize = 500;

/// What a run knows beside its numbers.
#[derive(Debug)]
pub struct Facts<'a> {
    pub id: &'a str,
    pub name: &'a str,
    /// `script` or `url`.
    pub kind: &'a str,
    pub command: &'a [String],
    /// The time axis' zero.
    pub zero: SystemTime,
    /// When the test began, on the axis.
    pub begun: Duration,
    /// When the load began, on the axis.
    pub load_start: Option<Duration>,
    pub ending: SavedEnding,
    pub verification: Option<&'a Verification>,
    pub target: SavedTarget,
    pub environment: &'a Machine,
    pub variables: &'a BTreeMap<String, String>,
    pub options: &'a Json,
    pub workers: u16,
    /// Cores that this process may use.
    pub cores: f64,
    /// CPU time of this process so far.
    pub cpu_seconds: f64,
    /// Bytes.
    pub peak_memory: u64,
    /// Knows what must not be written down.
    pub scrubber: &'a Scrubber,
    /// What is said about failed requests.
    pub hints: &'a [Hint],
    /// The search for the breaking point, if it is one.
    pub breakpoint: Option<SavedBreakpoint>,
}

impl SavedRun {
    /// The run as it is saved. Secrets are gone from it.
    pub fn new(snapshot: &Snapshot, timeline: &Timeline, facts: &Facts) -> SavedRun {
        let scrubber = facts.scrubber;
        let mut tags = TagTable {
            scrubber,
            list: Vec::new(),
            places: HashMap::new(),
        };
        let metrics = metrics(snapshot, &mut tags);
        let root = Group::root(snapshot);
        let (mut groups, mut checks) = (Vec::new(), Vec::new());
        walk(&root, scrubber, &mut groups, &mut checks);
        SavedRun {
            format: FORMAT.to_owned(),
            version: VERSION,
            run: RunFacts {
                id: facts.id.to_owned(),
                loadgen: env!("CARGO_PKG_VERSION").to_owned(),
                name: scrubber.text(facts.name),
                kind: facts.kind.to_owned(),
                command: scrubber.command(facts.command),
                started: rfc3339(facts.zero + facts.begun),
                duration: seconds(snapshot.elapsed),
            },
            ending: SavedEnding {
                message: facts.ending.message.as_deref().map(|text| scrubber.text(text)),
                ..facts.ending.clone()
            },
            target: facts.target.clone(),
            environment: facts.environment.into(),
            variables: scrubber.variables(facts.variables),
            options: scrubber.options(facts.options),
            thresholds: thresholds(snapshot, scrubber),
            checks,
            verification: facts.verification.map(|found| SavedVerification {
                checks: found
                    .checks
                    .iter()
                    .map(|(name, held)| SavedAssertion {
                        name: scrubber.text(name),
                        held: *held,
                    })
                    .collect(),
                error: found.error.as_deref().map(|text| scrubber.text(text)),
            }),
            groups,
            tags: tags.list,
            metrics,
            timeline: SavedTimeline {
                course_span: timeline.courses.span,
                courses: courses(snapshot, timeline, scrubber),
                ..SavedTimeline::new(timeline, facts)
            },
            hosts: hosts::hosts(&timeline.hosts),
            generator: generator(snapshot, facts),
            validity: None,
            breakpoint: facts.breakpoint.clone(),
            findings: Vec::new(),
            parts: Vec::new(),
        }
        .concluded(facts.hints, scrubber)
    }

    /// With what follows from its numbers.
    fn concluded(mut self, hints: &[Hint], scrubber: &Scrubber) -> SavedRun {
        let found = findings(&self);
        self.validity = Some(SavedValidity {
            verdict: found.validity.verdict.as_str().to_owned(),
            reasons: found.validity.reasons,
        });
        let hints = hints.iter().map(|hint| SavedFinding {
            name: format!("hint-{}", hint.name),
            text: scrubber.text(&hint.text),
            ..SavedFinding::default()
        });
        let list = found.list.into_iter();
        let findings = list.map(|finding| (finding, found.zero).into());
        self.findings = hints.chain(findings).collect();
        self
    }
}

/// Each tag set once.
struct TagTable<'a> {
    scrubber: &'a Scrubber,
    list: Vec<BTreeMap<String, String>>,
    places: HashMap<BTreeMap<String, String>, usize>,
}

impl TagTable<'_> {
    fn place<'t>(&mut self, tags: impl Iterator<Item = (&'t str, &'t str)>) -> usize {
        let tags: BTreeMap<String, String> = tags
            .map(|(key, value)| (key.to_owned(), self.scrubber.value(key, value)))
            .collect();
        let list = &mut self.list;
        *self.places.entry(tags).or_insert_with_key(|tags| {
            list.push(tags.clone());
            list.len() - 1
        })
    }
}

fn metrics(snapshot: &Snapshot, table: &mut TagTable) -> SavedMetrics {
    let mut saved = SavedMetrics::default();
    for (id, definition) in snapshot.metrics() {
        let (rows, folded) = folded(snapshot, id);
        let mut rows: Vec<(usize, Value)> = rows
            .into_iter()
            .map(|(row, value)| {
                let place = match row {
                    Some(row) => table.place(snapshot.tags(row).iter()),
                    None => table.place([("folded", "true")].into_iter()),
                };
                (place, value)
            })
            .collect();
        rows.sort_by_key(|(place, _)| *place);
        match definition.kind {
            Kind::Counter => {
                let series = |tags, value| match value {
                    Value::Counter { total } => Some(SavedCounter { tags, total }),
                    _ => None,
                };
                saved.counters.push(metric(&definition, folded, rows, series));
            }
            Kind::Gauge => {
                let series = |tags, value| match value {
                    Value::Gauge { value, min, max, at } => Some(SavedGauge {
                        tags,
                        value,
                        min,
                        max,
                        at: seconds(Duration::from_nanos(at)),
                    }),
                    _ => None,
                };
                saved.gauges.push(metric(&definition, folded, rows, series));
            }
            Kind::Rate => {
                let series = |tags, value| match value {
                    Value::Rate { passes, total } => Some(SavedRate { tags, passes, total }),
                    _ => None,
                };
                saved.rates.push(metric(&definition, folded, rows, series));
            }
            Kind::Trend => {
                let series = |tags, value| match value {
                    Value::Trend(trend) => Some(SavedTrend::new(tags, &trend)),
                    _ => None,
                };
                saved.trends.push(metric(&definition, folded, rows, series));
            }
        }
    }
    saved
}

fn metric<T>(
    definition: &MetricDef,
    folded: u64,
    rows: Vec<(usize, Value)>,
    series: impl Fn(usize, Value) -> Option<T>,
) -> Metric<T> {
    Metric {
        name: definition.name.to_string(),
        contains: definition.contains.as_str().to_owned(),
        series: rows
            .into_iter()
            .filter_map(|(place, value)| series(place, value))
            .collect(),
        folded,
    }
}

/// The series of a metric, and of those that are too many the sum; how many the sum has.
fn folded(snapshot: &Snapshot, id: MetricId) -> (Vec<(Option<&Row>, Value)>, u64) {
    let mut rows: Vec<&Row> = snapshot.rows_of(id).collect();
    let mut rest: Option<Value> = None;
    let mut count = 0;
    if rows.len() > MOST_SERIES {
        rows.sort_by(|a, b| {
            weight(&b.value)
                .total_cmp(&weight(&a.value))
                .then(a.tags.cmp(&b.tags))
        });
        for row in rows.split_off(MOST_SERIES - 1) {
            count += 1;
            match &mut rest {
                Some(rest) => rest.merge(&row.value),
                None => rest = Some(row.value.clone()),
            }
        }
    }
    let kept = rows.into_iter().map(|row| (Some(row), row.value.clone()));
    (kept.chain(rest.map(|rest| (None, rest))).collect(), count)
}

fn weight(value: &Value) -> f64 {
    match value {
        Value::Counter { total } => *total,
        Value::Gauge { at, .. } => *at as f64,
        Value::Rate { total, .. } => *total as f64,
        Value::Trend(trend) => trend.count() as f64,
    }
}

fn thresholds(snapshot: &Snapshot, scrubber: &Scrubber) -> Vec<SavedThreshold> {
    let states = snapshot.thresholds.iter();
    states
        .map(|state| SavedThreshold {
            metric: scrubber.text(&state.spec.filter.to_string()),
            threshold: state.spec.expression.source.clone(),
            value: state.value.filter(|value| value.is_finite()).map(rounded),
            ok: state.ok,
            empty: state.empty,
        })
        .collect()
}

/// Groups and checks, from the outside in.
fn walk(group: &Group, scrubber: &Scrubber, paths: &mut Vec<String>, checks: &mut Vec<SavedCheck>) {
    let path = scrubber.text(&group.path);
    if !path.is_empty() {
        paths.push(path.clone());
    }
    checks.extend(group.checks.iter().map(|check| SavedCheck {
        name: scrubber.text(&check.name),
        group: path.clone(),
        passes: check.passes,
        fails: check.fails,
    }));
    for inner in &group.groups {
        walk(inner, scrubber, paths, checks);
    }
}

impl SavedTimeline {
    fn new(timeline: &Timeline, facts: &Facts) -> SavedTimeline {
        let windows = &timeline.windows;
        let whole = |of: &dyn Fn(&Window) -> u64| windows.iter().map(of).collect();
        let gauge = |of: &dyn Fn(&Window) -> u32| windows.iter().map(of).collect();
        let real = |of: &dyn Fn(&Window) -> f64| windows.iter().map(of).collect();
        SavedTimeline {
            zero: rfc3339(facts.zero),
            load_start: facts.load_start.map(seconds),
            resolution: seconds(timeline.span()),
            start: real(&|w| seconds(w.start)),
            length: real(&|w| seconds(w.length)),
            requests: whole(&|w| w.requests),
            failed: whole(&|w| w.failed),
            iterations: whole(&|w| w.iterations),
            dropped: whole(&|w| w.dropped),
            sent: whole(&|w| w.sent),
            received: whole(&|w| w.received),
            vus: gauge(&|w| w.vus),
            vus_max: gauge(&|w| w.vus_max),
            in_flight: gauge(&|w| w.in_flight),
            p50: real(&|w| rounded(w.p50)),
            p95: real(&|w| rounded(w.p95)),
            p99: real(&|w| rounded(w.p99)),
            lag_max: real(&|w| rounded(w.lag_max)),
            outage: outage(windows, &facts.target.outages),
            timer_lag_max: real(&|w| rounded(w.timer_lag_max)),
            offered: real(&|w| rounded(w.offered)),
            generator_cpu: real(&|w| rounded(w.generator_cpu)),
            strands: timeline
                .strands
                .iter()
                .map(|strand| {
                    let value = facts.scrubber.value(strand.tag, &strand.value);
                    SavedStrand::new(strand.tag, value, &strand.slices)
                })
                .collect(),
            course_span: 1,
            courses: Vec::new(),
        }
    }
}

/// The share of each window during which a lane was missing. Outages of several lanes at once count once.
fn outage(windows: &[Window], outages: &[SavedOutage]) -> Vec<f64> {
    if outages.is_empty() {
        return Vec::new();
    }
    let mut spans: Vec<(f64, f64)> = outages
        .iter()
        .map(|outage| (outage.from, outage.until.unwrap_or(f64::INFINITY)))
        .collect();
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    let share = |window: &Window| {
        let (begin, length) = (seconds(window.start), seconds(window.length));
        let (mut missing, mut from) = (0.0, begin);
        for &(start, end) in &spans {
            let (start, end) = (start.max(from), end.min(begin + length));
            if start < end {
                missing += end - start;
                from = end;
            }
        }
        if length > 0.0 {
            rounded(missing / length)
        } else {
            0.0
        }
    };
    windows.iter().map(share).collect()
}

impl SavedStrand {
    fn new(tag: &str, value: String, slices: &[Slice]) -> SavedStrand {
        let whole = |of: &dyn Fn(&Slice) -> u64| slices.iter().map(of).collect();
        let real = |of: &dyn Fn(&Slice) -> f64| slices.iter().map(of).collect();
        SavedStrand {
            tag: tag.to_owned(),
            value,
            start: real(&|s| seconds(s.start)),
            length: real(&|s| seconds(s.length)),
            requests: whole(&|s| s.requests),
            failed: whole(&|s| s.failed),
            p50: real(&|s| rounded(s.p50)),
            p95: real(&|s| rounded(s.p95)),
            p99: real(&|s| rounded(s.p99)),
        }
    }
}

fn generator(snapshot: &Snapshot, facts: &Facts) -> SavedGenerator {
    let stats = |metric| snapshot.trend(metric).map(|trend| Stats::of(&trend));
    let Losses {
        collapsed_names,
        collapsed_series,
        outputs,
    } = &snapshot.losses;
    SavedGenerator {
        workers: facts.workers,
        cores: rounded(facts.cores),
        cpu_seconds: rounded(facts.cpu_seconds),
        peak_memory: facts.peak_memory,
        scheduling_lag: stats(builtin::SCHEDULING_LAG),
        timer_lag: stats(builtin::TIMER_LAG),
        dropped_iterations: snapshot.count(builtin::DROPPED_ITERATIONS),
        collapsed_names: *collapsed_names,
        collapsed_series: *collapsed_series,
        lost_samples: outputs
            .iter()
            .map(|(name, lost)| (facts.scrubber.text(name), *lost))
            .collect(),
    }
}

impl Stats {
    /// The numbers of a distribution.
    pub fn of(trend: &Trend) -> Stats {
        Stats {
            avg: rounded(trend.avg()),
            med: rounded(trend.med()),
            p95: rounded(trend.percentile(95.0)),
            p99: rounded(trend.percentile(99.0)),
            max: rounded(trend.max()),
        }
    }
}

impl From<&Machine> for SavedMachine {
    fn from(machine: &Machine) -> SavedMachine {
        SavedMachine {
            host: machine.host.clone(),
            os: machine.os.clone(),
            kernel: machine.kernel.clone(),
            architecture: machine.architecture.clone(),
            cores: machine.cores,
            cpu_model: machine.cpu_model.clone(),
            memory: machine.memory,
            limits: machine.limits.map(|limits| SavedLimits {
                cgroup: limits.cgroup,
                cpus: limits.cpus,
                memory: limits.memory,
            }),
        }
    }
}
