//! The series of all runs, each tag set once.

use std::collections::{BTreeMap, HashMap};

use crate::metrics::{Value, builtin};
use crate::report::saved::{Metric, SavedCounter, SavedGauge, SavedMetrics, SavedRate, SavedRun, SavedTrend};

use super::axis::Axis;

type Tags = BTreeMap<String, String>;

/// Gauges of which each generator has a part. Of any other the value that was set last is the value.
const PARTS: [crate::metrics::MetricId; 3] = [builtin::VUS, builtin::VUS_MAX, builtin::HTTP_REQS_IN_FLIGHT];

/// All tag sets, and the series that refer to them.
pub(super) fn metrics(runs: &[SavedRun], axis: &Axis) -> (SavedMetrics, Vec<Tags>) {
    let mut table = Table::default();
    let mut sum = SavedMetrics::default();
    for (name, contains, folded) in names(runs, |run| heads(&run.metrics.counters)) {
        let series = table.series(runs, axis, &name, |tags, value| match value {
            Value::Counter { total } => Some(SavedCounter { tags, total }),
            _ => None,
        });
        sum.counters.push(Metric {
            name,
            contains,
            series,
            folded,
        });
    }
    for (name, contains, folded) in names(runs, |run| heads(&run.metrics.gauges)) {
        let series = table.series(runs, axis, &name, |tags, value| match value {
            Value::Gauge { value, min, max, at } => Some(SavedGauge {
                tags,
                value,
                min,
                max,
                at: at as f64 / 1e9,
            }),
            _ => None,
        });
        sum.gauges.push(Metric {
            name,
            contains,
            series,
            folded,
        });
    }
    for (name, contains, folded) in names(runs, |run| heads(&run.metrics.rates)) {
        let series = table.series(runs, axis, &name, |tags, value| match value {
            Value::Rate { passes, total } => Some(SavedRate { tags, passes, total }),
            _ => None,
        });
        sum.rates.push(Metric {
            name,
            contains,
            series,
            folded,
        });
    }
    for (name, contains, folded) in names(runs, |run| heads(&run.metrics.trends)) {
        let series = table.series(runs, axis, &name, |tags, value| match value {
            Value::Trend(trend) => Some(SavedTrend::new(tags, &trend)),
            _ => None,
        });
        sum.trends.push(Metric {
            name,
            contains,
            series,
            folded,
        });
    }
    (sum, table.list)
}

type Head = (String, String, u64);

fn heads<T>(metrics: &[Metric<T>]) -> Vec<Head> {
    let head = |metric: &Metric<T>| (metric.name.clone(), metric.contains.clone(), metric.folded);
    metrics.iter().map(head).collect()
}

/// Name, content and folded series of every metric of a kind, in the order in which runs have them.
fn names(runs: &[SavedRun], of: impl Fn(&SavedRun) -> Vec<Head>) -> Vec<Head> {
    let mut all: Vec<Head> = Vec::new();
    for head in runs.iter().flat_map(of) {
        match all.iter_mut().find(|known| known.0 == head.0) {
            Some(known) => known.2 += head.2,
            None => all.push(head),
        }
    }
    all
}

#[derive(Default)]
struct Table {
    list: Vec<Tags>,
    places: HashMap<Tags, usize>,
}

impl Table {
    fn place(&mut self, tags: &Tags) -> usize {
        if let Some(place) = self.places.get(tags) {
            return *place;
        }
        self.list.push(tags.clone());
        self.places.insert(tags.clone(), self.list.len() - 1);
        self.list.len() - 1
    }

    /// The sum of a metric's series by their tags.
    fn series<T>(
        &mut self,
        runs: &[SavedRun],
        axis: &Axis,
        name: &str,
        saved: impl Fn(usize, Value) -> Option<T>,
    ) -> Vec<T> {
        let mut sums: BTreeMap<usize, Value> = BTreeMap::new();
        let parts = PARTS.iter().any(|id| builtin::ALL[usize::from(id.0)].0 == name);
        for (run, shift) in runs.iter().zip(axis.shifts()) {
            for (tags, value) in run.series(name).rows {
                let value = moved(value, *shift);
                match sums.entry(self.place(tags)) {
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(value);
                    }
                    std::collections::btree_map::Entry::Occupied(mut entry) => {
                        add(entry.get_mut(), &value, parts);
                    }
                }
            }
        }
        sums.into_iter()
            .filter_map(|(tags, value)| saved(tags, value))
            .collect()
    }
}

/// A gauge was set at a time on its own axis.
fn moved(value: Value, shift: f64) -> Value {
    match value {
        Value::Gauge { value, min, max, at } => Value::Gauge {
            value,
            min,
            max,
            at: at.saturating_add((shift.max(0.0) * 1e9) as u64),
        },
        value => value,
    }
}

fn add(sum: &mut Value, more: &Value, parts: bool) {
    match (sum, more) {
        (
            Value::Gauge { value, min, max, at },
            Value::Gauge {
                value: more,
                min: least,
                max: most,
                at: later,
            },
        ) if parts => {
            (*value, *min, *max) = (*value + more, *min + least, *max + most);
            *at = (*at).max(*later);
        }
        (sum, more) => sum.merge(more),
    }
}
