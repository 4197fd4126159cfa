//! Whether two runs can be compared at all: the same load, on the same machines, against the same target.

use serde_json::{Map, Value};

use crate::report::saved::SavedRun;

/// A generator whose timers are later than this was short of CPU, in milliseconds.
const LATE: f64 = 20.0;

/// Options that change what is shown or judged, and not what is sent.
const NO_LOAD: [&str; 12] = [
    "thresholds",
    "tags",
    "systemTags",
    "summaryTrendStats",
    "summaryTimeUnit",
    "noUsageReport",
    "ext",
    "cloud",
    "setupTimeout",
    "teardownTimeout",
    "handleSummaryTimeout",
    "consoleOutput",
];

/// Whether requests per second can be compared: only if all runs asked for the same load. Otherwise the difference is
/// that of the load.
pub(super) fn same_load(base: &[SavedRun], new: &[SavedRun]) -> Result<(), String> {
    let differing = all_differing(base, new);
    if differing.is_empty() {
        Ok(())
    } else {
        Err(format!("not judged: the load differs ({})", differing.join(", ")))
    }
}

/// Why they are not to be compared: they have not done the same.
pub(super) fn unlike(base: &[SavedRun], new: &[SavedRun]) -> Vec<String> {
    let Some(first) = base.first() else {
        return Vec::new();
    };
    let mut reasons = Vec::new();
    let other = base[1..].iter().chain(new).find(|run| stem(run) != stem(first));
    if let Some(other) = other {
        let (one, other) = (&first.run.name, &other.run.name);
        reasons.push(format!("they are of different scripts, {one} and {other}"));
    }
    let differing = all_differing(base, new);
    if !differing.is_empty() {
        reasons.push(format!(
            "their loads differ, by the options {}",
            differing.join(", ")
        ));
    }
    reasons
}

/// What a script is called wherever it lies: `health` of `tests/load/health.js`.
pub(in crate::report) fn stem(run: &SavedRun) -> &str {
    if run.run.kind == "url" {
        return &run.run.name;
    }
    let file = run.run.name.rsplit('/').next().unwrap_or_default();
    file.strip_suffix(".js")
        .or_else(|| file.strip_suffix(".ts"))
        .unwrap_or(file)
}

/// The options by which the loads of any two runs differ.
fn all_differing(base: &[SavedRun], new: &[SavedRun]) -> Vec<String> {
    let Some(first) = base.first() else {
        return Vec::new();
    };
    let others = base[1..].iter().chain(new);
    let mut names: Vec<String> = others.flat_map(|run| differing(first, run)).collect();
    names.sort();
    names.dedup();
    names
}

/// The options by which the loads differ.
pub(in crate::report) fn differing(base: &SavedRun, run: &SavedRun) -> Vec<String> {
    let (base, run) = (load(&base.options), load(&run.options));
    let mut names: Vec<&String> = base.keys().chain(run.keys()).collect();
    names.sort();
    names.dedup();
    let differ = names.into_iter().filter(|name| base.get(*name) != run.get(*name));
    differ.cloned().collect()
}

/// The options that make the load. A scenario's variables and tags are not among them.
fn load(options: &Value) -> Map<String, Value> {
    let mut load = options.as_object().cloned().unwrap_or_default();
    load.retain(|name, _| !NO_LOAD.contains(&name.as_str()));
    if let Some(Value::Object(scenarios)) = load.get_mut("scenarios") {
        for scenario in scenarios.values_mut().filter_map(Value::as_object_mut) {
            scenario.retain(|name, _| name != "env" && name != "tags");
        }
    }
    load
}

/// What makes the runs hard to compare, each said once.
pub(super) fn warnings(base: &[SavedRun], new: &[SavedRun]) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(first) = base.first() else {
        return warnings;
    };
    for (which, side) in [("the base", base), ("the new", new)] {
        for run in side {
            warnings.extend(unequal(first, run));
            let which = match side.len() {
                1 => which.to_owned(),
                _ => format!("run {} of {which}", run.run.id),
            };
            warnings.extend(own(&which, run));
        }
    }
    let mut said = std::collections::BTreeSet::new();
    warnings.retain(|warning| said.insert(warning.clone()));
    warnings
}

/// In what two runs are not the same.
fn unequal(base: &SavedRun, run: &SavedRun) -> Vec<String> {
    let mut warnings = Vec::new();
    if base.breakpoint.is_some() || run.breakpoint.is_some() {
        let means =
            "one of them sought a breaking point: its means are over loads that held and loads that broke";
        warnings.push(means.to_owned());
    }
    let mut differ = |what: &str, base: &str, run: &str| {
        if base != run {
            warnings.push(format!("{what} differs: {base} in the base, {run} in the new"));
        }
    };
    differ("the script's place", &base.run.name, &run.run.name);
    let demo = |run: &SavedRun| run.target.kind.clone();
    differ("the kind of target", &demo(base), &demo(run));
    let tunnel = |run: &SavedRun| run.target.tunnel.clone().unwrap_or_else(|| "none".to_owned());
    differ("the tunnel", &tunnel(base), &tunnel(run));
    let (b, r) = (&base.environment, &run.environment);
    differ("the generator's host", &b.host, &r.host);
    differ(
        "the number of its cores",
        &b.cores.to_string(),
        &r.cores.to_string(),
    );
    let model = |model: &Option<String>| model.clone().unwrap_or_else(|| "unknown".to_owned());
    differ("its processor", &model(&b.cpu_model), &model(&r.cpu_model));
    let target = |run: &SavedRun| run.target.machine.as_ref().map(|machine| machine.host.clone());
    if let (Some(base), Some(run)) = (target(base), target(run)) {
        differ("the target's host", &base, &run);
    }
    differ("loadgen's version", &base.run.loadgen, &run.run.loadgen);
    let variables = variables(base, run);
    if !variables.is_empty() {
        warnings.push(format!("the script's variables differ: {}", variables.join(", ")));
    }
    warnings
}

/// What makes one of them doubtful by itself.
fn own(which: &str, run: &SavedRun) -> Vec<String> {
    let mut warnings = Vec::new();
    if run.is_checkpoint() {
        warnings.push(format!(
            "{which} is a checkpoint: the first {:.0} s of a run of which nobody knows how it ended",
            run.run.duration
        ));
    } else if !["passed", "thresholds", "verify", "failed", "invalid"].contains(&run.ending.name.as_str()) {
        warnings.push(format!("{which} did not run to its end: {}", run.ending.name));
    }
    let missing = missing(run);
    if missing > 0.0 {
        warnings.push(format!(
            "connections of the tunnel were missing for {missing:.1} s in {which}"
        ));
    }
    let validity = run.validity.as_ref();
    let doubtful = validity.filter(|validity| !validity.is_valid());
    if let Some(validity) = doubtful {
        warnings.push(format!("{which} is {}", validity.line()));
        return warnings;
    }
    let late = |stats: &Option<crate::report::saved::Stats>| stats.map_or(0.0, |stats| stats.p99);
    let lag = late(&run.generator.scheduling_lag).max(late(&run.generator.timer_lag));
    if lag > LATE {
        warnings.push(format!(
            "the generator was late itself in {which} (p99 {lag:.0} ms): it was short of CPU, and latencies have that in them"
        ));
    }
    if run.generator.dropped_iterations > 0.0 {
        let dropped = run.generator.dropped_iterations;
        warnings.push(format!("{dropped:.0} iterations were dropped in {which}"));
    }
    warnings
}

/// For how long some connection of the tunnel was missing, in seconds.
fn missing(run: &SavedRun) -> f64 {
    let t = &run.timeline;
    t.outage
        .iter()
        .zip(&t.length)
        .map(|(share, length)| share * length)
        .sum()
}

/// Names of variables that differ. The demo target's addresses do in every run.
fn variables(base: &SavedRun, run: &SavedRun) -> Vec<String> {
    let demo = base.target.kind == "demo" && run.target.kind == "demo";
    let mut names: Vec<&String> = base.variables.keys().chain(run.variables.keys()).collect();
    names.sort();
    names.dedup();
    let differ = names.into_iter().filter(|name| {
        base.variables.get(*name) != run.variables.get(*name) && !(demo && name.ends_with("_URL"))
    });
    differ.cloned().collect()
}
