//! The script's own metrics on the `/metrics` page: `loadgen_custom_NAME`, with the script's tags as labels.
//!
//! Names are brought into Prometheus' conventions: snake case, a base unit where the script said it is a time,
//! `_total` on counters and only there. Times become seconds.

use std::collections::BTreeMap;

use crate::metrics::tunnel::ROUND_TRIP;
use crate::metrics::{Contains, Kind, MetricDef, Snapshot, SystemTag, TagSet, Value, builtin, is_target};

use super::families::{BYTES, Buckets, Families, NUMBERS, SECONDS, labels};

/// Adds a family for each metric that the script defined.
pub(super) fn families(snapshot: &Snapshot, families: &mut Families) {
    for (metric, definition) in snapshot.registry().definitions() {
        // Readings of the target have names of their own on `/metrics/remote`, and so has the tunnel's round trip.
        let own = is_target(&definition.name) || &*definition.name == ROUND_TRIP;
        if builtin::contains(metric) || own {
            continue;
        }
        let name = free_name(families, &definition);
        let help = format!("The script's metric {}.", definition.name);
        let unit = if definition.contains == Contains::Time {
            1e-3
        } else {
            1.0
        };
        let mut series: BTreeMap<Vec<(String, String)>, Value> = BTreeMap::new();
        for row in snapshot.rows_of(metric) {
            series
                .entry(label_pairs(&snapshot.tags(row)))
                .and_modify(|value| value.merge(&row.value))
                .or_insert_with(|| row.value.clone());
        }
        if series.is_empty() {
            empty(families, &name, &help, &definition);
        }
        for (pairs, value) in series {
            let pairs = || {
                pairs
                    .iter()
                    .map(|(label, value)| (label.as_str(), value.as_str()))
            };
            match value {
                Value::Counter { total } => families.counter(&name, &help, labels(pairs()), total * unit),
                Value::Gauge { value, .. } => families.gauge(&name, &help, labels(pairs()), value * unit),
                Value::Rate { passes, total } => {
                    for (result, count) in [("true", passes), ("false", total - passes)] {
                        let pairs = pairs()
                            .filter(|(label, _)| *label != "result")
                            .chain([("result", result)]);
                        families.counter(&name, &help, labels(pairs), count as f64);
                    }
                }
                Value::Trend(trend) => {
                    let mut buckets = buckets(definition.contains);
                    buckets.add(&trend);
                    families.histogram(&name, &help, labels(pairs()), &buckets);
                }
            }
        }
    }
}

/// A metric without samples, at zero; a gauge has no value before it is set.
fn empty(families: &mut Families, name: &str, help: &str, definition: &MetricDef) {
    match definition.kind {
        Kind::Counter => families.counter(name, help, Vec::new(), 0.0),
        Kind::Gauge => {}
        Kind::Rate => {
            for result in ["true", "false"] {
                families.counter(name, help, labels([("result", result)]), 0.0);
            }
        }
        Kind::Trend => families.histogram(name, help, Vec::new(), &buckets(definition.contains)),
    }
}

fn buckets(contains: Contains) -> Buckets {
    match contains {
        Contains::Time => Buckets::new(SECONDS, 1e-3),
        Contains::Data => Buckets::new(BYTES, 1.0),
        Contains::Default => Buckets::new(NUMBERS, 1.0),
    }
}

fn free_name(families: &Families, definition: &MetricDef) -> String {
    let name = family_name(definition);
    let with = |number: u32| match name.strip_suffix("_total") {
        Some(stem) => format!("{stem}_{number}_total"),
        None => format!("{name}_{number}"),
    };
    if families.has(&name) {
        (2..u32::MAX)
            .map(with)
            .find(|name| !families.has(name))
            .unwrap_or(name)
    } else {
        name
    }
}

fn family_name(definition: &MetricDef) -> String {
    let mut stem = snake_case(&definition.name);
    let mut strip = |suffixes: &[&str]| {
        let suffix = suffixes
            .iter()
            .find(|suffix| stem.len() > suffix.len() && stem.ends_with(**suffix));
        stem.truncate(stem.len() - suffix.map_or(0, |suffix| suffix.len()));
    };
    strip(&["_total"]);
    let time = definition.contains == Contains::Time && definition.kind != Kind::Rate;
    if time {
        strip(&["_milliseconds", "_millis", "_ms", "_seconds"]);
    }
    if definition.contains == Contains::Data {
        strip(&["_bytes"]);
    }
    if matches!(definition.kind, Kind::Gauge | Kind::Trend) {
        strip(&["_count", "_sum", "_bucket"]);
    }
    let unit = match definition.contains {
        Contains::Time if time => "_seconds",
        Contains::Data if definition.kind != Kind::Rate => "_bytes",
        _ => "",
    };
    let total = if matches!(definition.kind, Kind::Counter | Kind::Rate) {
        "_total"
    } else {
        ""
    };
    format!("loadgen_custom_{stem}{unit}{total}")
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            snake.push('_');
        }
        if !(letter == '_' && before == '_') {
            snake.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    snake
}

/// Scenario, group and the script's tags under valid label names (`[a-zA-Z_][a-zA-Z0-9_]*`, not starting with two
/// underscores, and not `le`, which histograms use). Two tags that become the same label are one, the later.
fn label_pairs(tags: &TagSet) -> Vec<(String, String)> {
    let known = [SystemTag::Scenario.as_str(), SystemTag::Group.as_str()];
    let mut pairs: BTreeMap<String, String> = known
        .iter()
        .map(|key| ((*key).to_owned(), tags.get(key).unwrap_or("").to_owned()))
        .collect();
    for (key, value) in tags.iter() {
        if SystemTag::from_key(key).is_some() {
            continue;
        }
        let mut label: String = key
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '_' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        if label.starts_with("__")
            || label.starts_with(|c: char| c.is_ascii_digit())
            || label == "le"
            || label.is_empty()
        {
            label.insert_str(0, "tag_");
        }
        pairs.insert(label, value.to_owned());
    }
    pairs.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn name(name: &str, kind: Kind, contains: Contains) -> String {
        family_name(&MetricDef {
            name: Arc::from(name),
            kind,
            contains,
        })
    }

    #[test]
    fn names_follow_the_conventions() {
        assert_eq!(
            name("orders", Kind::Counter, Contains::Default),
            "loadgen_custom_orders_total"
        );
        assert_eq!(
            name("orders_total", Kind::Counter, Contains::Default),
            "loadgen_custom_orders_total"
        );
        assert_eq!(
            name("loginTime_ms", Kind::Trend, Contains::Time),
            "loadgen_custom_login_time_seconds"
        );
        assert_eq!(
            name("body_bytes", Kind::Trend, Contains::Data),
            "loadgen_custom_body_bytes"
        );
        assert_eq!(
            name("queue_count", Kind::Gauge, Contains::Default),
            "loadgen_custom_queue"
        );
        assert_eq!(
            name("errors", Kind::Rate, Contains::Default),
            "loadgen_custom_errors_total"
        );
        assert_eq!(
            name("HTTPErrors", Kind::Rate, Contains::Default),
            "loadgen_custom_httperrors_total"
        );
    }

    #[test]
    fn labels_are_valid_and_no_two_are_the_same() {
        let tags = TagSet::from_pairs([
            ("my-tag", "a"),
            ("my tag", "b"),
            ("le", "c"),
            ("9", "d"),
            ("__x", "e"),
            ("status", "200"),
        ]);
        let names: Vec<String> = label_pairs(&tags).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["group", "my_tag", "scenario", "tag_9", "tag___x", "tag_le"]
        );
    }
}
