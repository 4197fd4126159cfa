//! The state of all series at one moment: what outputs, thresholds and reports read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::model::{Kind, MetricDef, MetricId, TagsId};
use super::registry::Registry;
use super::tags::TagSet;
use super::threshold::{Aggregation, Filter, ThresholdSpec};
use super::trend::Trend;
use super::window::Window;

/// The cumulative value of one series.
#[derive(Debug, Clone)]
pub enum Value {
    Counter {
        total: f64,
    },
    /// `at` is when `value` was set, in nanoseconds since the epoch.
    Gauge {
        value: f64,
        min: f64,
        max: f64,
        at: u64,
    },
    Rate {
        passes: u64,
        total: u64,
    },
    Trend(Arc<Trend>),
}

impl Value {
    /// The kind of metric it belongs to.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Counter { .. } => Kind::Counter,
            Value::Gauge { .. } => Kind::Gauge,
            Value::Rate { .. } => Kind::Rate,
            Value::Trend(_) => Kind::Trend,
        }
    }

    /// Adds another series of the same metric. Of two gauges the one set later counts. Values of different kinds
    /// never meet: a metric has one kind.
    pub fn merge(&mut self, other: &Value) {
        match (self, other) {
            (Value::Counter { total }, Value::Counter { total: more }) => *total += more,
            (
                Value::Gauge { value, min, max, at },
                Value::Gauge {
                    value: theirs,
                    min: their_min,
                    max: their_max,
                    at: their_at,
                },
            ) => {
                if their_at >= at {
                    (*value, *at) = (*theirs, *their_at);
                }
                *min = min.min(*their_min);
                *max = max.max(*their_max);
            }
            (
                Value::Rate { passes, total },
                Value::Rate {
                    passes: more,
                    total: more_total,
                },
            ) => {
                *passes += more;
                *total += more_total;
            }
            (Value::Trend(trend), Value::Trend(more)) => Arc::make_mut(trend).merge(more),
            _ => {}
        }
    }

    /// What came after `earlier`, an earlier state of the same series. A gauge has no past to take away.
    #[must_use]
    pub fn minus(&self, earlier: &Value) -> Value {
        match (self, earlier) {
            (Value::Counter { total }, Value::Counter { total: old }) => {
                Value::Counter { total: total - old }
            }
            (
                Value::Rate { passes, total },
                Value::Rate {
                    passes: old,
                    total: old_total,
                },
            ) => Value::Rate {
                passes: passes.saturating_sub(*old),
                total: total.saturating_sub(*old_total),
            },
            (Value::Trend(trend), Value::Trend(old)) => Value::Trend(Arc::new(trend.minus(old))),
            _ => self.clone(),
        }
    }

    /// The number a threshold or a summary column asks for. `None` when there are no samples to tell from, and when
    /// a metric of this kind has no such number. `over` is the time the samples span, for a counter's rate.
    pub fn aggregate(&self, aggregation: Aggregation, over: Duration) -> Option<f64> {
        match (self, aggregation) {
            (Value::Counter { total }, Aggregation::Count) => Some(*total),
            (Value::Counter { total }, Aggregation::Rate) => Some(if over.is_zero() {
                0.0
            } else {
                total / over.as_secs_f64()
            }),
            (Value::Gauge { value, .. }, Aggregation::Value) => Some(*value),
            (Value::Rate { passes, total }, Aggregation::Rate) if *total > 0 => {
                Some(*passes as f64 / *total as f64)
            }
            (Value::Trend(trend), aggregation) if !trend.is_empty() => match aggregation {
                Aggregation::Avg => Some(trend.avg()),
                Aggregation::Min => Some(trend.min()),
                Aggregation::Max => Some(trend.max()),
                Aggregation::Med => Some(trend.med()),
                Aggregation::P(p) => Some(trend.percentile(p)),
                Aggregation::Count => Some(trend.count() as f64),
                Aggregation::Rate | Aggregation::Value => None,
            },
            _ => None,
        }
    }
}

/// One series: a metric under a tag set.
#[derive(Debug, Clone)]
pub struct Row {
    pub metric: MetricId,
    pub tags: TagsId,
    pub value: Value,
}

/// How a threshold stands.
#[derive(Debug, Clone)]
pub struct ThresholdState {
    pub spec: Arc<ThresholdSpec>,
    /// The number that was judged; `None` when there are no samples to tell from.
    pub value: Option<f64>,
    pub ok: bool,
    /// There are no samples at all. A counter without samples still has a value, zero, and is judged by it.
    pub empty: bool,
}

/// What did not fit, so that no reader takes what is shown for the whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    /// Look-ups of request names past the limit, which went under `__other__`.
    pub collapsed_names: u64,
    /// Look-ups of tag sets past the limit, which lost tags.
    pub collapsed_series: u64,
    /// Samples that an output could not write, per output.
    pub outputs: Vec<(Arc<str>, u64)>,
}

/// Whether a series with these tags is one that `filter` means. An empty value in the filter means "without that
/// tag".
pub fn matches(filter: &Filter, tags: &TagSet) -> bool {
    filter
        .tags
        .iter()
        .all(|(key, value)| tags.get(key).unwrap_or("") == value)
}

/// All series at one moment. Cheap to clone, and cheap to make: distributions that did not change since the last one
/// are shared with it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Since the epoch.
    pub elapsed: Duration,
    pub wall: SystemTime,
    /// In the order of metrics; counters that have no samples are there with zero and no tags.
    pub rows: Arc<[Row]>,
    /// The last window that was closed.
    pub window: Window,
    pub thresholds: Vec<ThresholdState>,
    pub losses: Losses,
    pub(super) registry: Arc<Registry>,
}

impl Snapshot {
    /// Series that were read from somewhere, as if a run had just ended with them.
    pub fn assembled(
        registry: Arc<Registry>,
        elapsed: Duration,
        mut rows: Vec<Row>,
        losses: Losses,
    ) -> Snapshot {
        rows.sort_unstable_by_key(|row| (row.metric, row.tags));
        Snapshot {
            elapsed,
            wall: SystemTime::UNIX_EPOCH,
            rows: rows.into(),
            window: Window::default(),
            thresholds: Vec::new(),
            losses,
            registry,
        }
    }

    /// The registry behind the ids.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The tags of a row.
    pub fn tags(&self, row: &Row) -> Arc<TagSet> {
        self.registry.tags(row.tags)
    }

    /// Metrics that have rows, in the order of their definition.
    pub fn metrics(&self) -> Vec<(MetricId, MetricDef)> {
        self.registry
            .definitions()
            .into_iter()
            .filter(|(id, _)| self.rows_of(*id).next().is_some())
            .collect()
    }

    /// The series of a metric.
    pub fn rows_of(&self, metric: MetricId) -> impl Iterator<Item = &Row> {
        let from = self.rows.partition_point(|row| row.metric < metric);
        self.rows[from..]
            .iter()
            .take_while(move |row| row.metric == metric)
    }

    /// All series of a metric together; `None` without any.
    pub fn total(&self, metric: MetricId) -> Option<Value> {
        merged(self.rows_of(metric))
    }

    /// All series that `filter` means, together; `None` without any.
    pub fn matching(&self, filter: &Filter) -> Option<Value> {
        let metric = self.registry.lookup(&filter.metric)?;
        self.matching_tags(metric, |tags| matches(filter, tags))
    }

    /// All series of a metric whose tags `wanted` accepts, together; `None` without any.
    pub fn matching_tags(&self, metric: MetricId, wanted: impl Fn(&TagSet) -> bool) -> Option<Value> {
        merged(
            self.rows_of(metric)
                .filter(|row| wanted(&self.registry.tags(row.tags))),
        )
    }

    /// The series of a metric by the value of one tag; series without that tag are left out.
    pub fn by_tag(&self, metric: MetricId, key: &str) -> BTreeMap<String, Value> {
        let mut groups: BTreeMap<String, Value> = BTreeMap::new();
        for row in self.rows_of(metric) {
            let tags = self.registry.tags(row.tags);
            let Some(value) = tags.get(key) else { continue };
            match groups.get_mut(value) {
                Some(group) => group.merge(&row.value),
                None => {
                    groups.insert(value.to_owned(), row.value.clone());
                }
            }
        }
        groups
    }

    /// The total of a counter; 0 for what is no counter or has no samples.
    pub fn count(&self, metric: MetricId) -> f64 {
        match self.total(metric) {
            Some(Value::Counter { total }) => total,
            _ => 0.0,
        }
    }

    /// A distribution; `None` without samples.
    pub fn trend(&self, metric: MetricId) -> Option<Arc<Trend>> {
        match self.total(metric) {
            Some(Value::Trend(trend)) if !trend.is_empty() => Some(trend),
            _ => None,
        }
    }
}

fn merged<'a>(mut rows: impl Iterator<Item = &'a Row>) -> Option<Value> {
    let mut value = rows.next()?.value.clone();
    rows.for_each(|row| value.merge(&row.value));
    Some(value)
}
