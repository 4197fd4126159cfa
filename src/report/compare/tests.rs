//! What counts as a regression, and what must not.

use serde_json::{Value, json};

use super::*;
use crate::report::saved::fixture::{saved_run, spread};

/// A saved run of one name per part: name, durations in ms, failures.
fn run(parts: &[(&str, Vec<f64>, u64)], duration: f64) -> SavedRun {
    let parts = parts.iter().map(|(name, durations, failed)| {
        let tags = json!({"name": name, "scenario": "default"});
        (tags, durations.clone(), *failed)
    });
    saved_run("a.js", duration, &parts.collect::<Vec<_>>())
}

/// Compares two runs with a tolerance of 10 %.
fn two(base: &SavedRun, new: &SavedRun) -> Result<Comparison, CompareError> {
    of_metrics(base, new, &[])
}

fn of_metrics(base: &SavedRun, new: &SavedRun, metrics: &[&str]) -> Result<Comparison, CompareError> {
    let options = CompareOptions {
        tolerance: Some("10%".parse().unwrap()),
        metrics: metrics.iter().map(|&name| name.to_owned()).collect(),
        force: false,
    };
    compare(std::slice::from_ref(base), std::slice::from_ref(new), &options)
}

fn forced(base: &SavedRun, new: &SavedRun) -> Comparison {
    let options = CompareOptions {
        force: true,
        ..CompareOptions::default()
    };
    compare(std::slice::from_ref(base), std::slice::from_ref(new), &options).unwrap()
}

fn worse(base: &SavedRun, run: &SavedRun) -> Vec<String> {
    let comparison = two(base, run).unwrap();
    comparison
        .regressions()
        .map(|row| format!("{} {} {}", row.part, row.metric, row.measure))
        .collect()
}

#[test]
fn a_run_is_no_regression_of_itself() {
    let one = run(&[("a", spread(2000, 20.0), 3), ("b", spread(2000, 2.0), 0)], 10.0);
    assert_eq!(worse(&one, &one), Vec::<String>::new());
}

#[test]
fn what_became_slower_is_named_with_its_part() {
    let base = run(
        &[("a", spread(2000, 20.0), 0), ("b", spread(2000, 20.0), 0)],
        10.0,
    );
    let slower = run(
        &[("a", spread(2000, 20.0), 0), ("b", spread(2000, 30.0), 0)],
        10.0,
    );
    let worse = worse(&base, &slower);
    assert!(
        worse.contains(&"name=b http_req_duration p95".to_owned()),
        "{worse:?}"
    );
    assert!(
        worse.contains(&"whole http_req_duration p99".to_owned()),
        "{worse:?}"
    );
    assert!(!worse.iter().any(|row| row.contains("name=a")), "{worse:?}");
    // The other way round it is better, and nothing else.
    let comparison = two(&slower, &base).unwrap();
    assert_eq!(comparison.regressions().count(), 0);
    assert!(comparison.rows.iter().any(|row| row.verdict == Verdict::Better));
}

#[test]
fn noise_does_not_flap() {
    // Half a millisecond is 50 % of one, and still less than machines differ by themselves.
    let base = run(&[("a", spread(2000, 0.5), 0)], 10.0);
    let noisy = run(&[("a", spread(2000, 0.9), 0)], 10.0);
    assert_eq!(worse(&base, &noisy), Vec::<String>::new());
    // Twice as slow, but of 150 samples a p99 rests on one of them and a p95 on seven.
    let base = run(&[("a", spread(150, 20.0), 0)], 10.0);
    let few = run(&[("a", spread(150, 40.0), 0)], 10.0);
    assert_eq!(worse(&base, &few), ["whole http_req_duration p50"]);
    let comparison = two(&base, &few).unwrap();
    let p99 = comparison.rows.iter().find(|row| row.measure == "p99").unwrap();
    assert_eq!(
        p99.reason.as_deref(),
        Some("too few to judge: 150 samples, 1000 are needed")
    );
    // Within the tolerance.
    let base = run(&[("a", spread(2000, 20.0), 0)], 10.0);
    let near = run(&[("a", spread(2000, 21.5), 0)], 10.0);
    assert_eq!(worse(&base, &near), Vec::<String>::new());
}

#[test]
fn errors_count_when_they_are_more_than_chance() {
    let with = |failed| run(&[("a", spread(1000, 20.0), failed)], 10.0);
    for (base, failed, regression) in [
        (0, 1, false),
        (0, 5, false),
        (0, 12, true),
        (10, 14, false),
        (10, 40, true),
        (40, 10, false),
    ] {
        let found = worse(&with(base), &with(failed));
        assert_eq!(
            !found.is_empty(),
            regression,
            "{base} to {failed} of 1000: {found:?}"
        );
    }
    let few = |failed| run(&[("a", spread(50, 20.0), failed)], 10.0);
    assert_eq!(worse(&few(0), &few(25)), Vec::<String>::new());
}

#[test]
fn throughput_is_judged_only_under_the_same_load() {
    let base = run(&[("a", spread(2000, 20.0), 0)], 10.0);
    let fewer = run(&[("a", spread(1500, 20.0), 0)], 10.0);
    assert_eq!(worse(&base, &fewer), ["whole http_reqs rate"]);
    let mut other = fewer.clone();
    other.options["scenarios"]["default"]["vus"] = 3.into();
    let refused = two(&base, &other).unwrap_err().to_string();
    assert!(
        refused.contains("their loads differ, by the options scenarios; --force compares"),
        "{refused}"
    );
    let comparison = forced(&base, &other);
    assert_eq!(comparison.regressions().count(), 0);
    let text = comparison.render(Format::Text, false);
    assert!(
        text.contains("not judged: the load differs (scenarios)"),
        "{text}"
    );
    assert!(
        text.contains("! their loads differ, by the options scenarios"),
        "{text}"
    );
    // Thresholds and variables of a scenario are no load.
    let mut same = fewer.clone();
    same.options["thresholds"]["x"] = json!(["rate>1"]);
    same.options["scenarios"]["default"]["env"]["A"] = "b".into();
    assert_eq!(worse(&base, &same), ["whole http_reqs rate"]);
    let short = |count| run(&[("a", spread(count, 20.0), 0)], 2.0);
    assert_eq!(worse(&short(2000), &short(1000)), Vec::<String>::new());
}

#[test]
fn unlike_runs_are_warned_about() {
    let base = run(&[("a", spread(200, 20.0), 0)], 10.0);
    let mut other = run(&[("a", spread(200, 20.0), 0)], 10.0);
    other.run.name = "b.js".to_owned();
    other.environment.host = "elsewhere".to_owned();
    other.environment.cores = 8;
    other.ending.name = "signal".to_owned();
    other.generator.dropped_iterations = 7.0;
    other.variables.insert("SIZE".to_owned(), "9".to_owned());
    other.timeline.outage = vec![0.0, 0.5];
    other.timeline.length = vec![1.0, 1.0];
    let refused = two(&base, &other).unwrap_err().to_string();
    assert!(refused.contains("different scripts, a.js and b.js"), "{refused}");
    let warnings = forced(&base, &other).warnings.join("\n");
    for part in [
        "different scripts, a.js and b.js",
        "missing for 0.5 s in the new",
        "elsewhere",
        "cores",
        "signal",
        "7 iterations were dropped in the new",
        "variables differ: SIZE",
    ] {
        assert!(warnings.contains(part), "{part}:\n{warnings}");
    }
    assert_eq!(two(&base, &base).unwrap().warnings, Vec::<String>::new());
}

#[test]
fn names_that_only_one_run_has_are_said() {
    let base = run(
        &[("a", spread(200, 20.0), 0), ("gone", spread(200, 20.0), 0)],
        10.0,
    );
    let other = run(
        &[("a", spread(200, 20.0), 0), ("new", spread(200, 20.0), 0)],
        10.0,
    );
    let text = two(&base, &other).unwrap().render(Format::Text, false);
    assert!(
        text.contains("name=gone p50") && text.contains("only in the base"),
        "{text}"
    );
    assert!(
        text.contains("name=new p50") && text.contains("only in the new"),
        "{text}"
    );
}

#[test]
fn metrics_can_be_chosen_and_must_exist() {
    let base = run(&[("a", spread(2000, 20.0), 0)], 10.0);
    let only = of_metrics(&base, &base, &["http_reqs"]).unwrap();
    assert!(only.rows.iter().all(|row| row.metric == "http_reqs"));
    let error = of_metrics(&base, &base, &["nosuch"]).unwrap_err().to_string();
    assert!(
        error.contains("http_req_duration, http_req_failed, http_reqs"),
        "{error}"
    );
    let mut empty = base.clone();
    empty.metrics = crate::report::saved::SavedMetrics::default();
    assert!(two(&empty, &empty).is_err());
}

#[test]
fn tolerances_are_percentages() {
    assert_eq!("7.5%".parse(), Ok(Tolerance(0.075)));
    for wrong in ["10", "-1%", "x%", "", "inf%"] {
        assert!(wrong.parse::<Tolerance>().is_err(), "{wrong}");
    }
}

#[test]
fn every_format_says_the_verdict() {
    let base = run(
        &[("a|b", spread(2000, 20.0), 0), ("c", spread(2000, 20.0), 0)],
        10.0,
    );
    let slower = run(
        &[("a|b", spread(2000, 40.0), 0), ("c", spread(2000, 20.0), 0)],
        10.0,
    );
    let comparison = two(&base, &slower).unwrap();
    let markdown = comparison.render(Format::Markdown, false);
    assert!(
        markdown.starts_with("### ❌ ") && markdown.contains("`name=a\\|b` p95"),
        "{markdown}"
    );
    let json: Value = serde_json::from_str(&comparison.render(Format::Json, false)).unwrap();
    assert_eq!(json["verdict"], "regression");
    assert_eq!(
        json["comparison"]["rows"].as_array().unwrap().len(),
        comparison.rows.len()
    );
    let text = comparison.render(Format::Text, false);
    assert!(
        text.contains("+100.0 %") && text.contains("regressions past 10 %"),
        "{text}"
    );
}
