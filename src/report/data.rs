//! The object that a script's `handleSummary(data)` gets.

use serde_json::{Map, Number, Value as Json, json};

use crate::config::{TimeUnit, TrendStat};
use crate::metrics::Snapshot;

use super::groups::Group;
use super::metrics::{entries, numbers};

/// What the data says besides the numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct DataOptions {
    pub trend_stats: Vec<TrendStat>,
    pub time_unit: Option<TimeUnit>,
    pub no_color: bool,
    pub stdout_is_tty: bool,
    pub stderr_is_tty: bool,
    /// What `setup()` returned; `None` when there is no setup.
    pub setup_data: Option<Json>,
}

/// `{root_group, options, state, metrics, setup_data}` in the dialect's documented shape. Here a threshold's `ok: true`
/// means that it held.
pub fn summary_data(snapshot: &Snapshot, options: &DataOptions) -> Json {
    let mut metrics = Map::new();
    for entry in entries(snapshot) {
        let values: Map<String, Json> = numbers(snapshot, &entry.value, &options.trend_stats)
            .into_iter()
            .map(|(key, value)| (key, json_number(value)))
            .collect();
        let mut object = Map::new();
        object.insert("type".to_owned(), entry.definition.kind.as_str().into());
        object.insert("contains".to_owned(), entry.definition.contains.as_str().into());
        object.insert("values".to_owned(), values.into());
        if !entry.thresholds.is_empty() {
            let thresholds: Map<String, Json> = entry
                .thresholds
                .iter()
                .map(|state| (state.spec.expression.source.clone(), json!({"ok": state.ok})))
                .collect();
            object.insert("thresholds".to_owned(), thresholds.into());
        }
        metrics.insert(entry.name(), object.into());
    }
    let stats: Vec<String> = options.trend_stats.iter().map(TrendStat::to_string).collect();
    let mut data = json!({
        "root_group": group(&Group::root(snapshot)),
        "options": {
            "summaryTrendStats": stats,
            "summaryTimeUnit": options.time_unit.map(|unit| unit.to_string()).unwrap_or_default(),
            "noColor": options.no_color,
        },
        "state": {
            "isStdOutTTY": options.stdout_is_tty,
            "isStdErrTTY": options.stderr_is_tty,
            "testRunDurationMs": json_number(snapshot.elapsed.as_secs_f64() * 1e3),
        },
        "metrics": metrics,
    });
    if let (Some(setup), Some(object)) = (&options.setup_data, data.as_object_mut()) {
        object.insert("setup_data".to_owned(), setup.clone());
    }
    data
}

fn group(of: &Group) -> Json {
    let checks: Vec<Json> = of
        .checks
        .iter()
        .map(|check| {
            let (path, id) = of.check_path(check);
            json!({"name": check.name, "path": path, "id": id, "passes": check.passes, "fails": check.fails})
        })
        .collect();
    let groups: Vec<Json> = of.groups.iter().map(group).collect();
    json!({"name": of.name, "path": of.path, "id": of.id(), "groups": groups, "checks": checks})
}

/// A number as JavaScript writes it: without `.0`, and `null` for what JSON cannot say.
pub(super) fn json_number(value: f64) -> Json {
    // Up to 2^53 every whole number is exact.
    if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
        return (value as i64).into();
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}
