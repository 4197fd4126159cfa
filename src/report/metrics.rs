//! Which metrics and sub-metrics a report shows, and their numbers.

use crate::config::TrendStat;
use crate::metrics::{
    Aggregation, Contains, Filter, Kind, MetricDef, MetricId, Snapshot, TagSet, TagsId, ThresholdState,
    Trend, Value, builtin, matches,
};

use super::format::alphabetical;

/// A metric, or a part of one that a filter names.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: MetricId,
    pub(super) definition: MetricDef,
    /// `None` for the whole metric.
    pub(super) filter: Option<Filter>,
    /// Zero, for a metric that is only there because a threshold names it.
    pub(super) value: Value,
    pub(super) thresholds: Vec<ThresholdState>,
}

impl Entry {
    /// The name as in the dialect's data: `http_req_duration{name:x}`.
    pub(super) fn name(&self) -> String {
        self.filter
            .as_ref()
            .map_or_else(|| self.definition.name.to_string(), Filter::to_string)
    }
}

/// All metrics that have samples or a threshold, and the parts that the `thresholds` option names, by name.
pub(super) fn entries(snapshot: &Snapshot) -> Vec<Entry> {
    let registry = snapshot.registry();
    let kept = registry.kept();
    let mut list = Vec::new();
    for (id, definition) in registry.definitions() {
        let own = |filter: Option<&Filter>| -> Vec<ThresholdState> {
            let wanted = |state: &&ThresholdState| match filter {
                Some(filter) => state.spec.filter == *filter,
                None => *state.spec.filter.metric == *definition.name && state.spec.filter.tags.is_empty(),
            };
            snapshot.thresholds.iter().filter(wanted).cloned().collect()
        };
        let whole = value(snapshot, id, &definition, |_| true);
        let kept: Vec<&Filter> = kept
            .iter()
            .filter(|filter| *filter.metric == *definition.name)
            .collect();
        for filter in filters(snapshot, id, &definition, &kept) {
            let part = value(snapshot, id, &definition, |tags| matches(&filter, tags));
            let thresholds = own(Some(&filter));
            if part.is_some() || !thresholds.is_empty() || kept.contains(&&filter) {
                let value = part.unwrap_or_else(|| zero(&definition));
                let definition = definition.clone();
                list.push(Entry {
                    id,
                    definition,
                    filter: Some(filter),
                    value,
                    thresholds,
                });
            }
        }
        let thresholds = own(None);
        if whole.is_some() || !thresholds.is_empty() || !kept.is_empty() {
            let value = whole.unwrap_or_else(|| zero(&definition));
            list.push(Entry {
                id,
                definition,
                filter: None,
                value,
                thresholds,
            });
        }
    }
    sort(&mut list);
    list
}

/// By name, parts under their metric.
fn sort(list: &mut [Entry]) {
    let part = |entry: &Entry| entry.filter.as_ref().map(Filter::to_string).unwrap_or_default();
    list.sort_by(|a, b| {
        alphabetical(&a.definition.name, &b.definition.name).then_with(|| alphabetical(&part(a), &part(b)))
    });
}

/// The whole metrics as far as they have samples whose tags `wanted` accepts, by name.
pub(super) fn part(snapshot: &Snapshot, wanted: impl Fn(&TagSet) -> bool) -> Vec<Entry> {
    let mut list: Vec<Entry> = snapshot
        .registry()
        .definitions()
        .into_iter()
        .filter_map(|(id, definition)| {
            let value = value(snapshot, id, &definition, &wanted)?;
            Some(Entry {
                id,
                definition,
                filter: None,
                value,
                thresholds: Vec::new(),
            })
        })
        .collect();
    sort(&mut list);
    list
}

/// The distinct filters with tags that thresholds use on a metric, those that were kept without one, and the one the
/// dialect always keeps.
fn filters(snapshot: &Snapshot, id: MetricId, definition: &MetricDef, kept: &[&Filter]) -> Vec<Filter> {
    let mut filters: Vec<Filter> = Vec::new();
    let judged = snapshot.thresholds.iter().map(|state| &state.spec.filter);
    for filter in judged.chain(kept.iter().copied()) {
        if *filter.metric == *definition.name && !filter.tags.is_empty() && !filters.contains(filter) {
            filters.push(filter.clone());
        }
    }
    if id == builtin::HTTP_REQ_DURATION {
        let tags = vec![("expected_response".to_owned(), "true".to_owned())];
        let expected = Filter {
            tags,
            ..Filter::whole(&*definition.name)
        };
        if !filters.contains(&expected) {
            filters.push(expected);
        }
    }
    filters
}

/// The samples together; `None` without any. The zero that every counter starts with is no sample, but for those that
/// a summary always has.
fn value(
    snapshot: &Snapshot,
    id: MetricId,
    definition: &MetricDef,
    wanted: impl Fn(&TagSet) -> bool,
) -> Option<Value> {
    let always = [builtin::ITERATIONS, builtin::DATA_SENT, builtin::DATA_RECEIVED].contains(&id);
    let sampled = definition.kind != Kind::Counter
        || always
        || snapshot
            .rows_of(id)
            .any(|row| row.tags != TagsId::EMPTY || !matches!(row.value, Value::Counter { total: 0.0 }));
    if sampled {
        snapshot.matching_tags(id, wanted)
    } else {
        None
    }
}

fn zero(definition: &MetricDef) -> Value {
    match definition.kind {
        Kind::Counter => Value::Counter { total: 0.0 },
        Kind::Gauge => Value::Gauge {
            value: 0.0,
            min: 0.0,
            max: 0.0,
            at: 0,
        },
        Kind::Rate => Value::Rate { passes: 0, total: 0 },
        Kind::Trend => Value::Trend(Trend::new(Contains::Default).into()),
    }
}

/// A column of a trend.
pub(super) fn stat(trend: &Trend, stat: TrendStat) -> f64 {
    match stat {
        TrendStat::Avg => trend.avg(),
        TrendStat::Min => trend.min(),
        TrendStat::Med => trend.med(),
        TrendStat::Max => trend.max(),
        TrendStat::Count => trend.count() as f64,
        TrendStat::P(p) => trend.percentile(p),
    }
}

/// The numbers of a value under the dialect's keys, as in the export and in `handleSummary`'s data.
pub(super) fn numbers(snapshot: &Snapshot, value: &Value, stats: &[TrendStat]) -> Vec<(String, f64)> {
    let named = |pairs: &[(&str, f64)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), *value))
            .collect()
    };
    match value {
        Value::Counter { total } => {
            let rate = value
                .aggregate(Aggregation::Rate, snapshot.elapsed)
                .unwrap_or(0.0);
            named(&[("count", *total), ("rate", rate)])
        }
        Value::Gauge { value, min, max, .. } => named(&[("value", *value), ("min", *min), ("max", *max)]),
        Value::Rate { passes, total } => named(&[
            ("rate", ratio(*passes, *total)),
            ("passes", *passes as f64),
            ("fails", (total - passes) as f64),
        ]),
        Value::Trend(trend) => stats
            .iter()
            .map(|column| (column.to_string(), stat(trend, *column)))
            .collect(),
    }
}

/// A share from 0 to 1; 0 of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
