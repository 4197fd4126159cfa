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

/// Whether requests per second can be compared: only if both runs asked for the same load. Otherwise the difference is
/// that of the load.
pub(super) fn same_load(base: &SavedRun, run: &SavedRun) -> Result<(), String> {
    let differing = differing(base, run);
    if differing.is_empty() {
        Ok(())
    } else {
        Err(format!("not judged: the load differs ({})", differing.join(", ")))
    }
}

/// The options by which the loads differ.
fn differing(base: &SavedRun, run: &SavedRun) -> Vec<String> {
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

/// What makes the runs hard to compare.
pub(super) fn warnings(base: &SavedRun, run: &SavedRun) -> Vec<String> {
    let mut warnings = Vec::new();
    if base.breakpoint.is_some() || run.breakpoint.is_some() {
        let means =
            "one of them sought a breaking point: its means are over loads that held and loads that broke";
        warnings.push(means.to_owned());
    }
    let mut differ = |what: &str, base: &str, run: &str| {
        if base != run {
            warnings.push(format!("{what} differs: {base} in the base, {run} in the run"));
        }
    };
    differ("the script", &base.run.name, &run.run.name);
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
    differ("loadgen's version", &base.run.loadgen, &run.run.loadgen);
    let options = differing(base, run);
    if !options.is_empty() {
        warnings.push(format!("the options differ: {}", options.join(", ")));
    }
    let variables = variables(base, run);
    if !variables.is_empty() {
        warnings.push(format!("the script's variables differ: {}", variables.join(", ")));
    }
    for (which, run) in [("base", base), ("run", run)] {
        warnings.extend(own(which, run));
    }
    warnings
}

/// What makes one of them doubtful by itself.
fn own(which: &str, run: &SavedRun) -> Vec<String> {
    let mut warnings = Vec::new();
    if run.is_checkpoint() {
        warnings.push(format!(
            "the {which} is a checkpoint: the first {:.0} s of a run of which nobody knows how it ended",
            run.run.duration
        ));
    } else if !["passed", "thresholds", "verify", "failed", "invalid"].contains(&run.ending.name.as_str()) {
        warnings.push(format!("the {which} did not run to its end: {}", run.ending.name));
    }
    let validity = run.validity.as_ref();
    let doubtful = validity.filter(|validity| validity.verdict != "valid");
    if let Some(validity) = doubtful {
        let (verdict, reasons) = (validity.verdict.to_uppercase(), validity.reasons.join("; "));
        warnings.push(format!("the {which} is {verdict}: {reasons}"));
        return warnings;
    }
    let late = |stats: &Option<crate::report::saved::Stats>| stats.map_or(0.0, |stats| stats.p99);
    let lag = late(&run.generator.scheduling_lag).max(late(&run.generator.timer_lag));
    if lag > LATE {
        warnings.push(format!(
            "the generator was late itself in the {which} (p99 {lag:.0} ms): it was short of CPU, and latencies have that in them"
        ));
    }
    if run.generator.dropped_iterations > 0.0 {
        let dropped = run.generator.dropped_iterations;
        warnings.push(format!("{dropped:.0} iterations were dropped in the {which}"));
    }
    warnings
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
