//! `--summary-export`: the summary as JSON, in the dialect's older shape.

use serde_json::{Map, Value as Json, json};

use crate::config::TrendStat;
use crate::metrics::{Kind, Snapshot};

use super::data::json_number;
use super::groups::Group;
use super::metrics::{entries, numbers};
use super::saved::SavedBreakpoint;

/// The export as text, indented by four spaces. In this format a threshold's `true` means that it *failed*. A search for the
/// breaking point is a member of its own.
pub fn summary_export(
    snapshot: &Snapshot,
    stats: &[TrendStat],
    breakpoint: Option<&SavedBreakpoint>,
) -> String {
    let mut metrics = Map::new();
    for entry in entries(snapshot) {
        let mut object = Map::new();
        for (key, value) in numbers(snapshot, &entry.value, stats) {
            // A rate metric's rate is its `value` here.
            let key = if entry.definition.kind == Kind::Rate && key == "rate" {
                "value".to_owned()
            } else {
                key
            };
            object.insert(key, json_number(value));
        }
        if !entry.thresholds.is_empty() {
            let failed = |state: &crate::metrics::ThresholdState| {
                (state.spec.expression.source.clone(), Json::Bool(!state.ok))
            };
            object.insert(
                "thresholds".to_owned(),
                entry.thresholds.iter().map(failed).collect::<Map<_, _>>().into(),
            );
        }
        metrics.insert(entry.name(), object.into());
    }
    let mut export = json!({"metrics": metrics, "root_group": group(&Group::root(snapshot))});
    if let Some(Ok(found)) = breakpoint.map(serde_json::to_value) {
        export["breakpoint"] = found;
    }
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    let written = serde::Serialize::serialize(&export, &mut serializer);
    debug_assert!(written.is_ok(), "a JSON value is always JSON: {written:?}");
    String::from_utf8(text).unwrap_or_default()
}

fn group(of: &Group) -> Json {
    let checks: Map<String, Json> = of
        .checks
        .iter()
        .map(|check| {
            let (path, id) = of.check_path(check);
            let object = json!({
                "name": check.name, "path": path, "id": id, "passes": check.passes, "fails": check.fails,
            });
            (check.name.clone(), object)
        })
        .collect();
    let groups: Map<String, Json> = of
        .groups
        .iter()
        .map(|inner| (inner.name.clone(), group(inner)))
        .collect();
    json!({"name": of.name, "path": of.path, "id": of.id(), "groups": groups, "checks": checks})
}
