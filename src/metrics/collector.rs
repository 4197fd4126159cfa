//! Adds up what the workers recorded. One thread owns a collector; it has no clock and does no I/O.
//!
//! Cost per HTTP transaction: one index into a vector, then a handful of histogram increments. Series live here as
//! plain values; only at the end of a window are those that changed copied into shared ones for the snapshot.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::host::HostSample;
use super::judge::Judge;
use super::model::{Contains, Epoch, Kind, MetricId, Sample, TagsId, builtin};
use super::recorder::Batch;
use super::registry::Registry;
use super::snapshot::{Losses, Row, Snapshot, Value, matches};
use super::tags::TagSet;
use super::target::is_target;
use super::threshold::ThresholdSpec;
use super::trend::Trend;
use super::window::{OpenWindows, RequestCourses, Strands, Timeline, Window, strands_of};

/// The run's totals so far, its windows and its thresholds.
#[derive(Debug)]
pub struct Collector {
    registry: Arc<Registry>,
    epoch: Epoch,
    /// HTTP series, indexed by tag set.
    http: Vec<Option<Box<HttpSeries>>>,
    /// All other series.
    others: FxHashMap<(MetricId, TagsId), Series>,
    windows: OpenWindows,
    timeline: Timeline,
    last_window: Window,
    thresholds: Vec<Judge>,
    outputs: Vec<(Arc<str>, u64)>,
    /// Thresholds do not look at what has this tag.
    left_out: Option<&'static str>,
}

/// A distribution that is being added to, and the copy that the last snapshot shares.
#[derive(Debug)]
struct LiveTrend {
    now: Trend,
    shared: Option<Arc<Trend>>,
}

impl LiveTrend {
    fn new(contains: Contains) -> LiveTrend {
        LiveTrend {
            now: Trend::new(contains),
            shared: None,
        }
    }

    fn share(&mut self) -> Arc<Trend> {
        match &self.shared {
            // Distributions only grow, so an equal count is an equal distribution.
            Some(shared) if shared.count() == self.now.count() => shared.clone(),
            _ => {
                let fresh = Arc::new(self.now.clone());
                self.shared = Some(fresh.clone());
                fresh
            }
        }
    }
}

#[derive(Debug)]
struct HttpSeries {
    strands: Strands,
    courses: RequestCourses,
    requests: u64,
    judged: u64,
    failed: u64,
    phases: [LiveTrend; 7],
}

#[derive(Debug)]
enum Series {
    Plain(Value),
    Trend(LiveTrend),
}

impl Collector {
    /// A collector without samples. What the thresholds' filters name is protected in the registry.
    pub fn new(registry: Arc<Registry>, epoch: Epoch, thresholds: Vec<ThresholdSpec>) -> Collector {
        registry.protect(thresholds.iter().map(|spec| &spec.filter));
        let thresholds = thresholds.into_iter().map(Judge::new).collect();
        Collector {
            registry,
            epoch,
            http: Vec::new(),
            others: FxHashMap::default(),
            windows: OpenWindows::new(),
            timeline: Timeline::default(),
            last_window: Window::default(),
            thresholds,
            outputs: Vec::new(),
            left_out: None,
        }
    }

    /// Adds a worker's samples.
    pub fn absorb(&mut self, batch: &Batch) {
        for record in &batch.http {
            let index = record.tags.0 as usize;
            if self.http.len() <= index {
                self.http.resize_with(index + 1, || None);
            }
            let series = self.http[index].get_or_insert_with(|| {
                let tags = self.registry.tags(record.tags);
                Box::new(HttpSeries {
                    strands: strands_of(&mut self.timeline.strands, &tags),
                    courses: self.timeline.courses.of_request(&tags),
                    requests: 0,
                    judged: 0,
                    failed: 0,
                    phases: std::array::from_fn(|_| LiveTrend::new(Contains::Time)),
                })
            });
            self.windows.http(record, series.strands, series.courses);
            series.requests += 1;
            series.judged += u64::from(record.failed.is_some());
            series.failed += u64::from(record.failed == Some(true));
            for (trend, value) in series.phases.iter_mut().zip(record.phases()) {
                trend.now.record(to_ms(value));
            }
        }
        for sample in &batch.samples {
            self.sample(sample);
        }
    }

    /// Sets a gauge (or adds to whatever else the metric is) from outside any worker.
    pub fn gauge(&mut self, metric: MetricId, tags: TagsId, at: u64, value: f64) {
        self.sample(&Sample {
            at,
            metric,
            tags,
            value,
        });
    }

    fn sample(&mut self, sample: &Sample) {
        let kind = || {
            let definition = self.registry.definition(sample.metric);
            (!is_target(&definition.name)).then_some(definition.kind)
        };
        let course = self.timeline.courses.of_metric(sample.metric, kind);
        self.windows.sample(sample, course);
        let value = sample.value;
        let series = self
            .others
            .entry((sample.metric, sample.tags))
            .or_insert_with(|| {
                let definition = self.registry.definition(sample.metric);
                match definition.kind {
                    Kind::Counter => Series::Plain(Value::Counter { total: 0.0 }),
                    Kind::Gauge => Series::Plain(Value::Gauge {
                        value,
                        min: value,
                        max: value,
                        at: sample.at,
                    }),
                    Kind::Rate => Series::Plain(Value::Rate { passes: 0, total: 0 }),
                    Kind::Trend => Series::Trend(LiveTrend::new(definition.contains)),
                }
            });
        match series {
            Series::Trend(trend) => trend.now.record(value),
            Series::Plain(Value::Counter { total }) => *total += value,
            Series::Plain(Value::Gauge {
                value: last,
                min,
                max,
                at,
            }) => {
                // Workers' batches come in any order: the latest in time wins, not the latest to arrive.
                if sample.at >= *at {
                    (*last, *at) = (value, sample.at);
                }
                *min = min.min(value);
                *max = max.max(value);
            }
            Series::Plain(Value::Rate { passes, total }) => {
                *passes += u64::from(value != 0.0);
                *total += 1;
            }
            Series::Plain(Value::Trend(_)) => {}
        }
    }

    /// Thresholds are judged without the samples that have this tag, whatever its value.
    pub fn leave_out(&mut self, tag: &'static str) {
        self.left_out = Some(tag);
    }

    /// Adds what a sampler read.
    pub fn host(&mut self, sample: HostSample) {
        self.timeline.push_host(sample);
    }

    /// Tells how many samples an output has lost so far; it shows in the next snapshots.
    pub fn output_losses(&mut self, output: &str, lost: u64) {
        match self.outputs.iter_mut().find(|(name, _)| **name == *output) {
            Some((_, count)) => *count = lost,
            None => self.outputs.push((Arc::from(output), lost)),
        }
    }

    /// The run on its time axis.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// What holds until the next window is closed: iterations per second that the plans ask for, and CPU, in cores, that
    /// the generator uses.
    pub fn hold(&mut self, offered: f64, generator_cpu: f64) {
        self.windows.hold(offered, generator_cpu);
    }

    /// Closes the one-second windows that ended by `until` (time since the epoch) and takes a snapshot. To be called
    /// once a second, a little after the second is over: batches arrive some hundred milliseconds after their samples,
    /// and what comes later still is counted in the next window.
    pub fn close_window(&mut self, until: Duration) -> Arc<Snapshot> {
        self.close(until, false)
    }

    /// The last snapshot: also closes the window that `until` falls into, shorter as it is.
    pub fn finish(&mut self, until: Duration) -> Arc<Snapshot> {
        self.close(until, true)
    }

    fn close(&mut self, until: Duration, last: bool) -> Arc<Snapshot> {
        if let Some(window) = self.windows.close(until, last, &mut self.timeline) {
            self.last_window = window;
        }
        Arc::new(self.snapshot(until))
    }

    /// Every series now. Does not close a window.
    pub fn snapshot(&mut self, elapsed: Duration) -> Snapshot {
        let mut rows = Vec::with_capacity(self.others.len() + self.http.len() * 9 + builtin::ALL.len());
        for (index, series) in self.http.iter_mut().enumerate() {
            let Some(series) = series else { continue };
            let tags = TagsId(index as u32);
            let total = series.requests as f64;
            rows.push(Row {
                metric: builtin::HTTP_REQS,
                tags,
                value: Value::Counter { total },
            });
            for (metric, trend) in builtin::HTTP_TRENDS.into_iter().zip(&mut series.phases) {
                rows.push(Row {
                    metric,
                    tags,
                    value: Value::Trend(trend.share()),
                });
            }
            if series.judged > 0 {
                let value = Value::Rate {
                    passes: series.failed,
                    total: series.judged,
                };
                rows.push(Row {
                    metric: builtin::HTTP_REQ_FAILED,
                    tags,
                    value,
                });
            }
        }
        for ((metric, tags), series) in &mut self.others {
            let value = match series {
                Series::Plain(value) => value.clone(),
                Series::Trend(trend) => Value::Trend(trend.share()),
            };
            rows.push(Row {
                metric: *metric,
                tags: *tags,
                value,
            });
        }
        let definitions = self.registry.definitions();
        let mut has_rows = vec![false; definitions.len()];
        for row in &rows {
            has_rows[usize::from(row.metric.0)] = true;
        }
        for (metric, definition) in definitions {
            if definition.kind == Kind::Counter && !has_rows[usize::from(metric.0)] {
                rows.push(Row {
                    metric,
                    tags: TagsId::EMPTY,
                    value: Value::Counter { total: 0.0 },
                });
            }
        }
        rows.sort_unstable_by_key(|row| (row.metric, row.tags));
        let (collapsed_names, collapsed_series) = self.registry.collapsed();
        Snapshot {
            elapsed,
            wall: self
                .epoch
                .wall(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)),
            rows: rows.into(),
            window: self.last_window,
            thresholds: self.thresholds.iter().map(|judge| judge.state.clone()).collect(),
            losses: Losses {
                collapsed_names,
                collapsed_series,
                outputs: self.outputs.clone(),
            },
            registry: self.registry.clone(),
        }
    }

    /// Judges every threshold on what was absorbed so far, and returns one that wants the run stopped now: it fails
    /// on samples (an empty one cannot stop a run), asks for it, and its delay is over. To be called every 2 s and
    /// once at the end, before [`Collector::finish`].
    pub fn judge(&mut self, elapsed: Duration) -> Option<Arc<ThresholdSpec>> {
        let mut abort = None;
        let mut thresholds = std::mem::take(&mut self.thresholds);
        for judge in &mut thresholds {
            let now = self.matching(&judge.state.spec);
            judge.judge(now, elapsed);
            if abort.is_none() && judge.aborts(elapsed) {
                abort = Some(judge.state.spec.clone());
            }
        }
        self.thresholds = thresholds;
        abort
    }

    /// The series that a threshold is about, together.
    fn matching(&mut self, spec: &ThresholdSpec) -> Option<Value> {
        let metric = self.registry.lookup(&spec.filter.metric)?;
        let mut sum: Option<Value> = None;
        let mut add = |value: Value| match &mut sum {
            Some(sum) => sum.merge(&value),
            None => sum = Some(value),
        };
        let left_out = self.left_out;
        let is_left_out = |tags: &TagSet| left_out.is_some_and(|tag| tags.get(tag).is_some());
        let phase = builtin::HTTP_TRENDS.iter().position(|trend| *trend == metric);
        if phase.is_some() || metric == builtin::HTTP_REQS || metric == builtin::HTTP_REQ_FAILED {
            for (index, series) in self.http.iter_mut().enumerate() {
                let Some(series) = series else { continue };
                let tags = self.registry.tags(TagsId(index as u32));
                if !matches(&spec.filter, &tags) || is_left_out(&tags) {
                    continue;
                }
                match phase {
                    Some(phase) => add(Value::Trend(series.phases[phase].share())),
                    None if metric == builtin::HTTP_REQS => {
                        add(Value::Counter {
                            total: series.requests as f64,
                        });
                    }
                    None => add(Value::Rate {
                        passes: series.failed,
                        total: series.judged,
                    }),
                }
            }
        }
        for ((_, tags), series) in self.others.iter_mut().filter(|((id, _), _)| *id == metric) {
            let tags = self.registry.tags(*tags);
            if matches(&spec.filter, &tags) && !is_left_out(&tags) {
                add(match series {
                    Series::Plain(value) => value.clone(),
                    Series::Trend(trend) => Value::Trend(trend.share()),
                });
            }
        }
        // No event is a count of zero, which is a number: `errors: ['count<10']` holds in a run without errors.
        let counter = self.registry.definition(metric).kind == Kind::Counter;
        sum.or_else(|| counter.then_some(Value::Counter { total: 0.0 }))
    }
}

/// A phase as the nanoseconds that it was measured in: widening an `f32` alone would turn 0.225 into 0.22499999.
pub(super) fn to_ms(phase: f32) -> f64 {
    (f64::from(phase) * 1e6 + 0.5) as u64 as f64 / 1e6
}

#[cfg(test)]
mod tests;
