//! A saved run as a run that has just ended, so that it has the same summary.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{TimeUnit, TrendStat};
use crate::metrics::threshold::{Expression, Filter, ThresholdSpec};
use crate::metrics::tunnel::OUTAGE;
use crate::metrics::{
    Kind, Losses, Registry, Row, Snapshot, SystemTags, TagSet, ThresholdState, Value, judged, matches,
};
use crate::pace::parse_duration;

use super::{SavedRun, query};

/// The tag sets of a run that was saved have been through the limits already.
const MOST_SERIES: usize = 10_000_000;

impl SavedRun {
    /// All series, and the thresholds as they stand on them.
    pub fn snapshot(&self) -> Snapshot {
        let registry = Registry::with_max_series(SystemTags::default(), MOST_SERIES);
        let metrics = &self.metrics;
        let named =
            |kind: Kind| move |(name, contains): (&str, &str)| (name.to_owned(), kind, contains.to_owned());
        let counters = metrics
            .counters
            .iter()
            .map(|m| (&*m.name, &*m.contains))
            .map(named(Kind::Counter));
        let gauges = metrics
            .gauges
            .iter()
            .map(|m| (&*m.name, &*m.contains))
            .map(named(Kind::Gauge));
        let rates = metrics
            .rates
            .iter()
            .map(|m| (&*m.name, &*m.contains))
            .map(named(Kind::Rate));
        let trends = metrics
            .trends
            .iter()
            .map(|m| (&*m.name, &*m.contains))
            .map(named(Kind::Trend));
        let mut rows = Vec::new();
        for (name, kind, contains) in counters.chain(gauges).chain(rates).chain(trends) {
            // A name that is none cannot come from a run.
            let Ok(metric) = registry.define(&name, kind, query::contains(&contains)) else {
                continue;
            };
            rows.extend(self.series(&name).rows.into_iter().map(|(tags, value)| Row {
                metric,
                tags: registry.intern(&TagSet::from_pairs(tags)),
                value,
            }));
        }
        let generator = &self.generator;
        let losses = Losses {
            collapsed_names: generator.collapsed_names,
            collapsed_series: generator.collapsed_series,
            outputs: generator
                .lost_samples
                .iter()
                .map(|(name, lost)| (Arc::from(name.as_str()), *lost))
                .collect(),
        };
        let elapsed = Duration::from_secs_f64(self.run.duration.clamp(0.0, 1e9));
        registry.keep(&self.kept());
        let mut snapshot = Snapshot::assembled(registry, elapsed, rows, losses);
        snapshot.thresholds = self.judged(&snapshot);
        snapshot
    }

    /// The thresholds of the options, judged on these series.
    fn judged(&self, snapshot: &Snapshot) -> Vec<ThresholdState> {
        let without = self.run.command.iter().any(|word| word == "--ignore-outages");
        let judge = |spec: ThresholdSpec| {
            let metric = snapshot.registry().lookup(&spec.filter.metric);
            let wanted =
                |tags: &TagSet| matches(&spec.filter, tags) && !(without && tags.get(OUTAGE).is_some());
            let value = metric.and_then(|metric| snapshot.matching_tags(metric, wanted));
            // No event is a count of zero, which is a number.
            let counter =
                metric.is_some_and(|metric| snapshot.registry().definition(metric).kind == Kind::Counter);
            let value = value.or_else(|| counter.then_some(Value::Counter { total: 0.0 }));
            judged(spec, value, snapshot.elapsed)
        };
        self.thresholds_of_options().into_iter().map(judge).collect()
    }

    /// What the run's options name without judging it.
    fn kept(&self) -> Vec<Filter> {
        let members = self.options["thresholds"].as_object().into_iter().flatten();
        members
            .filter(|(_, items)| items.as_array().is_some_and(Vec::is_empty))
            .filter_map(|(key, _)| key.parse().ok())
            .collect()
    }

    /// What the run's options demand. They have been checked when the run began.
    pub fn thresholds_of_options(&self) -> Vec<ThresholdSpec> {
        let Some(thresholds) = self.options["thresholds"].as_object() else {
            return Vec::new();
        };
        let mut specs = Vec::new();
        for (key, items) in thresholds {
            let Ok(filter) = key.parse::<Filter>() else {
                continue;
            };
            let list = items
                .as_array()
                .map_or_else(|| std::slice::from_ref(items), Vec::as_slice);
            for item in list {
                let text = item.as_str().or_else(|| item["threshold"].as_str());
                let Some(Ok(expression)) = text.map(str::parse::<Expression>) else {
                    continue;
                };
                specs.push(ThresholdSpec {
                    filter: filter.clone(),
                    expression,
                    abort_on_fail: item["abortOnFail"].as_bool().unwrap_or(false),
                    delay_abort_eval: Duration::ZERO,
                    on_empty_pass: item["onEmpty"].as_str() == Some("pass"),
                    over: item["over"].as_str().and_then(|text| parse_duration(text).ok()),
                });
            }
        }
        specs
    }

    /// The columns and the unit that the run's summary had.
    pub fn summary_look(&self) -> (Vec<TrendStat>, Option<TimeUnit>) {
        let texts = self.options["summaryTrendStats"].as_array();
        let stats: Vec<TrendStat> = texts
            .into_iter()
            .flatten()
            .filter_map(|text| text.as_str()?.parse().ok())
            .collect();
        let unit = self.options["summaryTimeUnit"].as_str();
        let unit = unit.and_then(|unit| unit.parse().ok());
        if stats.is_empty() {
            (TrendStat::DEFAULT.to_vec(), unit)
        } else {
            (stats, unit)
        }
    }
}
