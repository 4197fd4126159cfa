//! Below the tables: what was measured on what, how to do it again, and whether it calls for a follow-up.

use crate::report::format::{humanize_bytes, humanize_duration, number};
use crate::report::saved::{SavedHost, SavedRun};

use super::numbers::{Hold, STEPS_VUS, hold, line_of, max_rate_of, peak_vus, percent};
use super::{Runs, SLOW, STEPS, breaking_point, code, parts, per_second, recovery};
use crate::report::limits::ERRORS;

pub(super) fn section(runs: &Runs) -> String {
    let mut text = follow_ups(runs);
    text += "\n## What was measured\n";
    let named = [
        ("Health", "health", runs.health),
        ("Store CRUD", "store-crud", runs.store),
        ("Spike", "spike", runs.spike),
    ];
    for (title, scenario, run) in named {
        text += &format!("\n### {title}\n\n");
        match run {
            Some(run) => {
                text += &facts(run);
                text += &details(scenario, run);
            }
            None => {
                text += &format!(
                    "Not measured. `loadgen run --save {scenario}.json {scenario}` and its file among the arguments of `loadgen baseline` fill the table.\n"
                );
            }
        }
    }
    for run in &runs.others {
        text += &format!("\n### {}\n\n{}", super::title(&run.run.name), facts(run));
    }
    text
}

/// The lines about a run that hold for every scenario.
fn facts(run: &SavedRun) -> String {
    let mut lines = vec![
        format!("Command: `{}`", code(&command(&run.run.command))),
        format!(
            "Run: {} of {}, {} s, at most {} VUs, {} requests, {}",
            run.run.id,
            run.run.started,
            number(run.run.duration, 1),
            peak_vus(run),
            number(line_of(run, &|_| true).requests, 0),
            ended(run)
        ),
        target(run),
    ];
    lines.extend(run.hosts.iter().flat_map(used));
    lines.push(generator(run));
    lines.push(thresholds(run));
    lines.push(match breaking_point(run) {
        Some((vus, at)) => format!("Errors first passed 1 % with {vus} VUs, {at:.0} s into the load"),
        None => format!(
            "Errors never passed 1 % in a second, with at most {} VUs",
            peak_vus(run)
        ),
    });
    lines.into_iter().map(|line| format!("- {line}.\n")).collect()
}

/// How it ended, or that nobody knows.
fn ended(run: &SavedRun) -> String {
    if run.is_checkpoint() {
        return "**a checkpoint of a run that was cut off: not a whole run**".to_owned();
    }
    format!(
        "ended with `{}` (exit code {})",
        run.ending.name, run.ending.exit_code
    )
}

fn target(run: &SavedRun) -> String {
    let urls: Vec<String> = run
        .variables
        .iter()
        .filter(|(name, _)| name.ends_with("_URL"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    match (run.target.kind.as_str(), &run.target.tunnel) {
        ("demo", _) => "Target: the demo target of loadgen, on the generator's own machine and over its loopback: both share its cores".to_owned(),
        (_, Some(host)) => format!("Target: through the tunnel to {host}, whose round trip is part of every latency"),
        (_, None) if urls.is_empty() => "Target: the scenario's default addresses, or those of the environment".to_owned(),
        (_, None) => format!("Target: {}", urls.join(", ")),
    }
}

/// What was sampled of a machine: mean and greatest.
fn used(host: &SavedHost) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |title: String, values: Option<&Vec<Option<f64>>>, unit: &dyn Fn(f64) -> String| {
        let known: Vec<f64> = values.into_iter().flatten().flatten().copied().collect();
        if known.is_empty() {
            return;
        }
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        let most = known.iter().copied().fold(0.0, f64::max);
        lines.push(format!(
            "{title}: {} on average, {} at the most",
            unit(mean),
            unit(most)
        ));
    };
    add(
        format!("CPU of {} ({} cores)", host.host, host.cores),
        host.series.get("cpu_busy"),
        &percent,
    );
    add(
        format!("Memory of {}", host.host),
        host.series.get("memory_used"),
        &percent,
    );
    for process in &host.processes {
        let cores = |cores: f64| format!("{cores:.2} cores");
        add(
            format!("CPU of process {}", process.name),
            process.series.get("cpu_cores"),
            &cores,
        );
        add(
            format!("Memory of process {}", process.name),
            process.series.get("memory"),
            &humanize_bytes,
        );
    }
    lines
}

fn generator(run: &SavedRun) -> String {
    let (machine, own) = (&run.environment, &run.generator);
    let cores = own.cpu_seconds / run.run.duration.max(f64::MIN_POSITIVE);
    let mut text = format!(
        "Generator: {} ({} cores{}, {}, {}), {} workers, {cores:.2} cores used, {} of memory at the most",
        machine.host,
        machine.cores,
        machine
            .cpu_model
            .as_ref()
            .map(|model| format!(" {model}"))
            .unwrap_or_default(),
        machine.os,
        machine.kernel,
        own.workers,
        humanize_bytes(own.peak_memory as f64),
    );
    for (what, stats) in [
        ("scheduling lag", own.scheduling_lag),
        ("timer lag", own.timer_lag),
    ] {
        if let Some(stats) = stats {
            let at = |ms| humanize_duration(ms, None);
            text += &format!(", {what} p99 {} (max {})", at(stats.p99), at(stats.max));
        }
    }
    text + &format!(", {} iterations dropped", number(own.dropped_iterations, 0))
}

fn thresholds(run: &SavedRun) -> String {
    let failed: Vec<String> = run
        .thresholds
        .iter()
        .filter(|threshold| !threshold.ok)
        .map(|threshold| format!("`{}: {}`", code(&threshold.metric), code(&threshold.threshold)))
        .collect();
    match (run.thresholds.len(), failed.is_empty()) {
        (0, _) => "Thresholds: none".to_owned(),
        (all, true) => format!("Thresholds: all {all} held"),
        (all, false) => format!(
            "Thresholds: {} of {all} failed: {}",
            failed.len(),
            failed.join(", ")
        ),
    }
}

/// What the tables do not say about one scenario.
fn details(scenario: &str, run: &SavedRun) -> String {
    let slice = number(run.timeline.resolution, 0);
    match scenario {
        "health" => {
            let mut text = format!("- Max RPS is that of the best {slice} s; percentiles and error rate are those of the whole run, ramps included.\n");
            for service in run.values_of("service") {
                if let Some(most) = max_rate_of(run, "service", service) {
                    text += &format!("- Max RPS of {service}: {}.\n", per_second(most));
                }
            }
            format!("{text}\n{}", parts(run, "service", "Service", usize::MAX))
        }
        "store-crud" => match hold(run) {
            Some(Hold { vus, seconds, p95, errors }) => {
                let mut text = format!(
                    "- The table is of the whole run, ramp included. In the {seconds:.0} s with {vus} VUs the p95 of all steps was {} (median of the seconds), and {} of the requests failed.\n",
                    humanize_duration(p95, None),
                    percent(errors)
                );
                if vus != STEPS_VUS {
                    text += &format!("- The run had {vus} VUs at the most, not {STEPS_VUS}.\n");
                }
                text
            }
            None => String::new(),
        },
        _ => match recovery(run) {
            Some(found) => {
                let at = |ms| humanize_duration(ms, None);
                let mut text = format!(
                    "- Max RPS, p99 and error rate are those of the requests that the spike started. Recovery time counts from the end of the spike to the first of two {slice} s in a row in which p95 and error rate of the requests started after it are back within 10 % of phase `before` (p95 {}, errors {}), or at its worst second but for the first: p95 at most {}, errors at most {}.\n",
                    at(found.before.0),
                    percent(found.before.1),
                    at(found.p95),
                    percent(found.errors)
                );
                if found.after.is_none() && found.lowest.is_finite() {
                    text += &format!("- The lowest p95 of a second after the spike was {}.\n", at(found.lowest));
                }
                format!("{text}\n{}", parts(run, "phase", "Phase", usize::MAX))
            }
            None => "- This run has no phases, so its table is empty: `loadgen run --save spike.json spike`, without a load of your own, fills it.\n".to_owned(),
        },
    }
}

/// p95 over 500 ms, or errors over 1 %.
fn follow_ups(runs: &Runs) -> String {
    let mut found = Vec::new();
    let mut judge = |what: String, p95: Option<f64>, errors: Option<f64>| {
        if let Some(p95) = p95.filter(|p95| *p95 > SLOW) {
            found.push(format!(
                "p95 of {what} is {}, more than 500 ms",
                humanize_duration(p95, None)
            ));
        }
        if let Some(errors) = errors.filter(|errors| *errors > ERRORS) {
            found.push(format!("{} of {what} failed, more than 1 %", percent(errors)));
        }
    };
    if let Some(run) = runs.health {
        let line = line_of(run, &|_| true);
        let what = format!("`GET /` at up to {} VUs", peak_vus(run));
        judge(what, line.percentile(95.0), line.error_ratio());
    }
    if let Some(run) = runs.store {
        let vus = peak_vus(run);
        for step in STEPS {
            let line = line_of(run, &|tags| tags.get("name").is_some_and(|name| name == step));
            judge(
                format!("`{step}` at {vus} VUs"),
                line.percentile(95.0),
                line.error_ratio(),
            );
        }
        if let Some(hold) = hold(run) {
            judge(
                format!("all steps while there were {vus} VUs"),
                Some(hold.p95),
                Some(hold.errors),
            );
        }
    }
    if found.is_empty() {
        return match runs.store.map(peak_vus) {
            Some(vus) => {
                format!("\nNo follow-up: p95 is at most 500 ms and errors are at most 1 % at {vus} VUs.\n")
            }
            None => String::new(),
        };
    }
    let lines: String = found.iter().map(|line| format!("- {line}.\n")).collect();
    format!("\n**Follow-up: p95 over 500 ms or errors over 1 %.**\n\n{lines}")
}

/// A command line as one would type it.
fn command(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_alphanumeric() || "-_./:=,%@+".contains(c))
    };
    let quoted = words.iter().map(|word| {
        if plain(word) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
