//! The shortcuts `vus`, `duration`, `iterations` and `stages`, which stand for one scenario called `default`.
//!
//! Which executor they mean and what contradicts what is k6's rule (`lib/executor/helpers.go`,
//! `DeriveScenariosFromShortcuts`). So is that `vus` alone means as many iterations, shared.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::check::Reader;
use super::raw::{Given, RawOptions};
use super::reader::{Faults, Node};
use super::scenario::{self, Scenario};

/// The scenario that the shortcuts make.
const NAME: &str = "default";

/// The scenarios of the run, sorted as they start; empty only when faults were noted.
pub(super) fn scenarios(raw: &RawOptions, faults: &Faults, warnings: &mut Vec<String>) -> Vec<Scenario> {
    let reader = Reader { raw, faults };
    let given = |name: &str| raw.get(name).filter(|given| !is_empty(name, &given.value));
    let loads: Vec<(&str, &Given)> = ["iterations", "duration", "stages", "scenarios"]
        .into_iter()
        .filter_map(|name| given(name).map(|given| (name, given)))
        .collect();
    // `duration` limits `iterations`; every other pair is a contradiction.
    for (i, (first, _)) in loads.iter().enumerate() {
        for (second, given) in &loads[i + 1..] {
            if (*first, *second) != ("iterations", "duration") {
                Node::root(given, faults).fault(
                    format!("contradicts {first}, which is given too"),
                    "leave one of the two out",
                );
            }
        }
    }
    let mut scenarios: Vec<Scenario> = match (loads.first(), raw.get("vus")) {
        (Some((shortcut, _)), _) if *shortcut != "scenarios" => {
            // They contradict the shortcut, which was said above; their own faults are said too.
            if let Some(contradicting) = given("scenarios") {
                from_scenarios(contradicting, faults);
            }
            from_shortcut(&reader, shortcut).into_iter().collect()
        }
        (Some((_, given)), vus) => {
            if let Some(vus) = vus.filter(|vus| vus.value != json!(1)) {
                warnings.push(format!(
                    "{} ({}) has no effect beside scenarios",
                    vus.label, vus.tier
                ));
            }
            from_scenarios(given, faults)
        }
        (None, Some(_)) if raw.get("scenarios").is_none() => {
            from_shortcut(&reader, "vus").into_iter().collect()
        }
        (None, _) => {
            for name in ["stages", "scenarios"] {
                if let Some(given) = raw.get(name) {
                    warnings.push(format!("{} is empty: running 1 iteration in 1 VU", given.label));
                }
            }
            synthesize(&json!({ "executor": "per-vu-iterations" }), faults)
                .into_iter()
                .collect()
        }
    };
    scenarios.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
    scenarios
}

fn from_scenarios(given: &Given, faults: &Faults) -> Vec<Scenario> {
    let node = Node::root(given, faults);
    let Some(members) = node.members() else {
        return Vec::new();
    };
    if members.is_empty() {
        // Not the same as `{}`: something was meant to run.
        node.fault(
            "has only scenarios that are null",
            "describe one, or leave scenarios out",
        );
    }
    members
        .iter()
        .filter_map(|(name, node)| scenario::read(name, node))
        .collect()
}

/// An empty list of stages or of scenarios is no load.
fn is_empty(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("stages", Value::Array(items)) => items.is_empty(),
        ("scenarios", Value::Object(members)) => members.is_empty(),
        _ => false,
    }
}

/// Checks the shortcut's values under their own names, so that a fault names what was written, then builds the scenario.
fn from_shortcut(reader: &Reader, shortcut: &str) -> Option<Scenario> {
    let ramping = shortcut == "stages";
    let least_vus = u64::from(!ramping);
    let vus = reader.read("vus", |n| n.whole(least_vus..=scenario::MOST_VUS));
    let duration = reader.read("duration", |n| n.duration_of_at_least(Duration::from_secs(1)));
    let mut fields = Map::new();
    match shortcut {
        "iterations" => {
            let iterations = reader.read("iterations", |n| n.whole(1..=u64::MAX >> 11));
            let (iterations, vus) = (iterations??, vus.unwrap_or(Some(1))?);
            if iterations < vus {
                let node = reader.node("iterations")?;
                node.fault(
                    format!("{vus} VUs share {iterations} iterations, so some would have none"),
                    "use at most as many VUs as iterations",
                );
                return None;
            }
            fields.insert("executor".to_owned(), json!("shared-iterations"));
            fields.insert("vus".to_owned(), json!(vus));
            fields.insert("iterations".to_owned(), json!(iterations));
            if let Some(duration) = duration {
                fields.insert(
                    "maxDuration".to_owned(),
                    json!(crate::pace::format_duration(duration?)),
                );
            }
        }
        "vus" => {
            let vus = vus??;
            fields.insert("executor".to_owned(), json!("shared-iterations"));
            fields.insert("vus".to_owned(), json!(vus));
            fields.insert("iterations".to_owned(), json!(vus));
        }
        "duration" => {
            let (duration, vus) = (duration??, vus.unwrap_or(Some(1))?);
            fields.insert("executor".to_owned(), json!("constant-vus"));
            fields.insert("vus".to_owned(), json!(vus));
            fields.insert(
                "duration".to_owned(),
                json!(crate::pace::format_duration(duration)),
            );
        }
        _ => {
            let stages = reader.read("stages", |n| scenario::stages(n, scenario::MOST_VUS, false));
            let (stages, vus) = (stages??, vus.unwrap_or(Some(1))?);
            if vus == 0 && stages.iter().all(|stage| stage.target == 0) {
                reader.node("stages")?.fault(
                    "no stage ever has a VU",
                    "give vus or a stage's target more than 0",
                );
                return None;
            }
            let stages: Vec<Value> = stages.iter().map(super::raw::stage_json).collect();
            fields.insert("executor".to_owned(), json!("ramping-vus"));
            fields.insert("startVUs".to_owned(), json!(vus));
            fields.insert("stages".to_owned(), json!(stages));
        }
    }
    synthesize(&Value::Object(fields), reader.faults)
}

/// A scenario from fields that were checked already.
fn synthesize(fields: &Value, faults: &Faults) -> Option<Scenario> {
    let given = Given {
        value: fields.clone(),
        tier: super::raw::Tier::Default,
        label: format!("scenarios.{NAME}"),
    };
    scenario::read(NAME, &Node::root(&given, faults))
}
