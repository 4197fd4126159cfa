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
    let counters = table.kind(
        runs,
        axis,
        |of| &of.counters,
        |tags, value| match value {
            Value::Counter { total } => Some(SavedCounter { tags, total }),
            _ => None,
        },
    );
    let gauges = table.kind(
        runs,
        axis,
        |of| &of.gauges,
        |tags, value| match value {
            Value::Gauge { value, min, max, at } => Some(SavedGauge {
                tags,
                value,
                min,
                max,
                at: at as f64 / 1e9,
            }),
            _ => None,
        },
    );
    let rates = table.kind(
        runs,
        axis,
        |of| &of.rates,
        |tags, value| match value {
            Value::Rate { passes, total } => Some(SavedRate { tags, passes, total }),
            _ => None,
        },
    );
    let trends = table.kind(
        runs,
        axis,
        |of| &of.trends,
        |tags, value| match value {
            Value::Trend(trend) => Some(SavedTrend::new(tags, &trend)),
            _ => None,
        },
    );
    let sum = SavedMetrics {
        counters,
        gauges,
        rates,
        trends,
    };
    (sum, table.list)
}

/// Every metric of a kind without its series, in the order in which runs have them.
fn heads<'a, T: 'a>(lists: impl Iterator<Item = &'a Vec<Metric<T>>>) -> Vec<Metric<T>> {
    let mut all: Vec<Metric<T>> = Vec::new();
    for metric in lists.flatten() {
        match all.iter_mut().find(|known| known.name == metric.name) {
            Some(known) => known.folded += metric.folded,
            None => all.push(Metric {
                name: metric.name.clone(),
                contains: metric.contains.clone(),
                series: Vec::new(),
                folded: metric.folded,
            }),
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

    /// The metrics of a kind, each with the sums of its series.
    fn kind<T>(
        &mut self,
        runs: &[SavedRun],
        axis: &Axis,
        of: impl Fn(&SavedMetrics) -> &Vec<Metric<T>>,
        saved: impl Fn(usize, Value) -> Option<T>,
    ) -> Vec<Metric<T>> {
        let mut all = heads(runs.iter().map(|run| of(&run.metrics)));
        for metric in &mut all {
            metric.series = self.series(runs, axis, &metric.name, &saved);
        }
        all
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
