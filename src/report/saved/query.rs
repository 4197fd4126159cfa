//! Questions to a saved run: what comparing and reporting need of its series.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::metrics::{Contains, Trend, Value};

use super::SavedRun;

/// The values of one metric in a saved run.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    /// Of each tag set.
    pub rows: Vec<(&'a BTreeMap<String, String>, Value)>,
}

impl SavedRun {
    /// The series of a metric; none if the run has no such metric.
    pub fn series(&self, metric: &str) -> Series<'_> {
        let tags = |place: usize| self.tags.get(place);
        let mut rows = Vec::new();
        let metrics = &self.metrics;
        for found in metrics.counters.iter().filter(|found| found.name == metric) {
            let values = found.series.iter();
            rows.extend(values.filter_map(|s| Some((tags(s.tags)?, Value::Counter { total: s.total }))));
        }
        for found in metrics.gauges.iter().filter(|found| found.name == metric) {
            rows.extend(found.series.iter().filter_map(|s| {
                let (value, min, max, at) = (s.value, s.min, s.max, (s.at.max(0.0) * 1e9) as u64);
                Some((tags(s.tags)?, Value::Gauge { value, min, max, at }))
            }));
        }
        for found in metrics.rates.iter().filter(|found| found.name == metric) {
            rows.extend(found.series.iter().filter_map(|s| {
                let (passes, total) = (s.passes, s.total);
                Some((tags(s.tags)?, Value::Rate { passes, total }))
            }));
        }
        for found in metrics.trends.iter().filter(|found| found.name == metric) {
            let contains = contains(&found.contains);
            rows.extend(found.series.iter().filter_map(|s| {
                // Reading has found every distribution to be one.
                let trend = s.trend(contains).ok()?;
                Some((tags(s.tags)?, Value::Trend(Arc::new(trend))))
            }));
        }
        Series { rows }
    }

    /// The names of all metrics.
    pub fn metric_names(&self) -> impl Iterator<Item = &str> {
        let metrics = &self.metrics;
        let counters = metrics.counters.iter().map(|metric| metric.name.as_str());
        let gauges = metrics.gauges.iter().map(|metric| metric.name.as_str());
        let rates = metrics.rates.iter().map(|metric| metric.name.as_str());
        let trends = metrics.trends.iter().map(|metric| metric.name.as_str());
        counters.chain(gauges).chain(rates).chain(trends)
    }

    /// The values that a tag has in any series.
    pub fn values_of(&self, tag: &str) -> BTreeSet<&str> {
        self.tags
            .iter()
            .filter_map(|tags| tags.get(tag))
            .map(String::as_str)
            .collect()
    }
}

/// What a metric's values are.
pub(super) fn contains(name: &str) -> Contains {
    match name {
        "time" => Contains::Time,
        "data" => Contains::Data,
        _ => Contains::Default,
    }
}

impl Series<'_> {
    /// The series that `wanted` accepts, together; `None` without any.
    pub fn matching(&self, wanted: impl Fn(&BTreeMap<String, String>) -> bool) -> Option<Value> {
        let mut rows = self.rows.iter().filter(|(tags, _)| wanted(tags));
        let mut sum = rows.next()?.1.clone();
        rows.for_each(|(_, value)| sum.merge(value));
        Some(sum)
    }

    /// All series together.
    pub fn total(&self) -> Option<Value> {
        self.matching(|_| true)
    }

    /// The series with this value of a tag, together.
    pub fn of(&self, tag: &str, value: &str) -> Option<Value> {
        self.matching(|tags| tags.get(tag).is_some_and(|found| found == value))
    }
}

/// The distribution, if the value is one that has values.
pub fn trend(value: Option<Value>) -> Option<Arc<Trend>> {
    match value {
        Some(Value::Trend(trend)) if !trend.is_empty() => Some(trend),
        _ => None,
    }
}

/// The number, if the value is a counter's; else zero.
pub fn count(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Counter { total }) => *total,
        _ => 0.0,
    }
}

/// Passes and total, if the value is a rate's.
pub fn rate(value: Option<&Value>) -> (u64, u64) {
    match value {
        Some(Value::Rate { passes, total }) => (*passes, *total),
        _ => (0, 0),
    }
}
