//! Which runs are parts of one test, and what becomes of what does not simply add up.

#![allow(clippy::float_cmp, reason = "what is exact is compared exactly")]

use serde_json::{Value, json};

use super::*;
use crate::report::saved::fixture::{saved_run, spread};
use crate::report::saved::{Metric, SavedGauge, SavedHost, SavedOutage, count, rate};

/// A part of a test: its number, its segment, and the second in which it began.
fn part(number: u64, segment: &str, second: u64) -> SavedRun {
    let tags = json!({"name": "a", "scenario": "default"});
    let mut run = saved_run("a.js", 10.0, &[(tags, spread(200, 10.0 * number as f64), number)]);
    run.run.id = format!("{number:016x}");
    run.options["executionSegment"] = segment.into();
    let started = format!("2026-11-21T03:15:{second:02}.000Z");
    run.timeline.zero.clone_from(&started);
    run.run.started = started;
    run.generator.cores = 2.0;
    run.environment.host = format!("host{number}");
    let t = &mut run.timeline;
    for at in 0..10_u32 {
        t.start.push(f64::from(at));
        t.length.push(1.0);
        t.requests.push(20);
        t.failed.push(0);
        t.iterations.push(20);
        t.vus.push(5);
        t.p50.push(10.0 * number as f64);
        t.p95.push(20.0 * number as f64);
    }
    for list in [&mut t.dropped, &mut t.sent, &mut t.received] {
        *list = vec![0; 10];
    }
    (t.vus_max, t.in_flight) = (vec![5; 10], vec![1; 10]);
    (t.p99, t.lag_max) = (vec![30.0; 10], vec![0.5; 10]);
    run
}

fn halves() -> [SavedRun; 2] {
    [part(1, "0:1/2", 6), part(2, "1/2:1", 6)]
}

fn refused(runs: &[SavedRun]) -> String {
    merge(runs).unwrap_err().to_string()
}

#[test]
fn sums_are_exact() {
    let merged = merge(&halves()).unwrap();
    assert_eq!(merged.warnings, Vec::<String>::new());
    let run = merged.run;
    assert!((count(run.series("http_reqs").total().as_ref()) - 400.0).abs() < 1e-9);
    assert_eq!(rate(run.series("http_req_failed").total().as_ref()), (3, 400));
    let mut both = (*trend(halves()[0].series("http_req_duration").total()).unwrap()).clone();
    both.merge(&trend(halves()[1].series("http_req_duration").total()).unwrap());
    assert_eq!(
        trend(run.series("http_req_duration").total()).unwrap().parts(),
        both.parts()
    );
    let t = &run.timeline;
    assert_eq!((t.requests.len(), t.requests[3], t.vus[3]), (10, 40, 10));
    // Weighted by requests, which were as many.
    assert_eq!((t.p50[3], t.p95[3]), (15.0, 30.0));
    assert_eq!((run.generator.workers, run.generator.cores), (4, 4.0));
    assert_eq!(
        run.parts
            .iter()
            .map(|part| part.segment.as_str())
            .collect::<Vec<_>>(),
        ["0:1/2", "1/2:1"]
    );
    assert_eq!(run.options.get("executionSegment"), None);
    // Of the same runs the same, whichever comes first.
    let [one, other] = halves();
    let again = merge(&[other, one]).unwrap().run;
    assert_eq!(again.timeline.requests, run.timeline.requests);
}

#[test]
fn clocks_lay_the_axes_over_each_other() {
    let mut late = part(2, "1/2:1", 9);
    late.target.outages.push(SavedOutage {
        from: 1.0,
        until: Some(2.0),
        lane: 0,
        reason: "gone".to_owned(),
    });
    late.hosts.push(SavedHost {
        host: "target".to_owned(),
        at: vec![1.0, 2.0],
        readings: 1,
        ..SavedHost::default()
    });
    let mut early = part(1, "0:1/2", 6);
    early.hosts.push(SavedHost {
        at: vec![0.5],
        ..late.hosts[0].clone()
    });
    let merged = merge(&[late, early]).unwrap();
    assert!(
        merged.warnings[0].contains("up to 3.0 s apart: with --start-at"),
        "{:?}",
        merged.warnings
    );
    let run = merged.run;
    assert_eq!(
        run.timeline.requests,
        [20, 20, 20, 40, 40, 40, 40, 40, 40, 40, 20, 20, 20]
    );
    assert_eq!(run.timeline.zero, "2026-11-21T03:15:06.000Z");
    assert!((run.run.duration - 13.0).abs() < 1e-9);
    assert_eq!(
        (run.target.outages[0].from, run.target.outages[0].until),
        (4.0, Some(5.0))
    );
    // One machine, seen by both: the one with more readings.
    assert_eq!(run.hosts.len(), 1);
    assert_eq!(run.hosts[0].at, [4.0, 5.0]);
}

#[test]
fn thresholds_are_judged_on_the_sum() {
    let thresholds = json!({
        "http_reqs": ["count>=400", "count>400", "rate>39"],
        "http_req_duration{name:a}": [{"threshold": "p(99)<35", "abortOnFail": true}],
        "nothing": [{"threshold": "count<1", "onEmpty": "pass"}, "p(95)<1"],
    });
    let runs = halves().map(|mut run| {
        run.options["thresholds"] = thresholds.clone();
        run.ending.name = "thresholds".to_owned();
        run
    });
    let run = merge(&runs).unwrap().run;
    let verdicts: Vec<bool> = run.thresholds.iter().map(|threshold| threshold.ok).collect();
    assert_eq!(verdicts, [true, false, true, false, true, false]);
    assert_eq!(run.thresholds[0].value, Some(400.0));
    assert_eq!(
        (run.ending.name.as_str(), run.ending.exit_code),
        ("thresholds", 99)
    );
    let held = halves().map(|mut run| {
        run.options["thresholds"] = json!({"http_reqs": ["count==400"]});
        run.ending.name = "thresholds".to_owned();
        run
    });
    assert_eq!(merge(&held).unwrap().run.ending.name, "passed");
}

#[test]
fn runs_that_are_no_parts_of_one_test_are_refused() {
    let [one, other] = halves();
    assert!(refused(std::slice::from_ref(&one)).contains("nothing to merge"));
    assert!(refused(&[one.clone(), one.clone()]).contains("is given twice"));
    let with = |change: &dyn Fn(&mut SavedRun)| {
        let mut other = other.clone();
        change(&mut other);
        refused(&[one.clone(), other])
    };
    let script = with(&|run| run.run.name = "b.js".to_owned());
    assert!(script.contains("different scripts, a.js and b.js"), "{script}");
    let load = with(&|run| run.options["scenarios"]["default"]["vus"] = 9.into());
    assert!(load.contains("their options differ: scenarios"), "{load}");
    let judged = with(&|run| run.options["thresholds"] = json!({"http_reqs": ["count>1"]}));
    assert!(judged.contains("their options differ: thresholds"), "{judged}");
    let overlap = with(&|run| run.options["executionSegment"] = "1/4:3/4".into());
    assert!(
        overlap.contains("the segments 0:1/2 of") && overlap.contains("overlap"),
        "{overlap}"
    );
    let none = |run: &mut SavedRun| run.options["executionSegment"] = Value::Null;
    let mut whole = one.clone();
    none(&mut whole);
    let mut second = other.clone();
    none(&mut second);
    assert!(refused(&[whole, second]).contains("each ran the whole test, without --execution-segment"));
    let sequence = with(&|run| run.options["executionSegmentSequence"] = "0,1/4,1/2,1".into());
    assert!(
        sequence.contains("of different sequences, 0,1/2,1 and 0,1/4,1/2,1"),
        "{sequence}"
    );
    let later = with(&|run| {
        run.timeline.zero = "2026-11-21T04:15:06.000Z".to_owned();
        run.run.started = run.timeline.zero.clone();
    });
    assert!(later.contains("began when others had ended"), "{later}");
}

#[test]
fn what_is_doubtful_is_said() {
    let runs = [part(1, "0:1/4", 6), part(2, "1/4:1/2", 6)];
    let merged = merge(&runs).unwrap();
    assert_eq!(
        merged.warnings,
        ["the segment 1/2:1 is missing: what is merged is 50 % of the test"]
    );
    let [mut one, mut other] = halves();
    one.ending = SavedEnding::unfinished();
    other.ending.name = "signal".to_owned();
    other.run.loadgen = "0.0.9".to_owned();
    other.validity = Some(SavedValidity {
        verdict: "invalid".to_owned(),
        reasons: vec!["starved".to_owned()],
    });
    let merged = merge(&[one, other]).unwrap();
    let said = merged.warnings.join("\n");
    for part in [
        "is a checkpoint",
        "did not end as planned: signal",
        "loadgen's version differs: 0.0.9, 0.1.0",
    ] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    let validity = merged.run.validity.unwrap();
    assert_eq!(validity.verdict, "invalid");
    assert!(
        validity.reasons.contains(&"0000000000000002: starved".to_owned()),
        "{validity:?}"
    );
}

#[test]
fn parts_of_a_gauge_add_up_and_the_last_value_wins_elsewhere() {
    let runs = halves().map(|mut run| {
        let gauge = |name: &str, value, at| Metric {
            name: name.to_owned(),
            contains: "default".to_owned(),
            series: vec![SavedGauge {
                tags: 0,
                value,
                min: 1.0,
                max: value,
                at,
            }],
            folded: 0,
        };
        let first = run.run.id.ends_with('1');
        run.metrics.gauges = vec![
            gauge("vus", 5.0, 1.0),
            gauge(
                "stock",
                if first { 3.0 } else { 8.0 },
                if first { 9.0 } else { 2.0 },
            ),
        ];
        run
    });
    let run = merge(&runs).unwrap().run;
    let found: Vec<(&str, f64, f64)> = run
        .metrics
        .gauges
        .iter()
        .map(|gauge| (gauge.name.as_str(), gauge.series[0].value, gauge.series[0].max))
        .collect();
    assert_eq!(found, [("vus", 10.0, 10.0), ("stock", 3.0, 8.0)]);
}

#[test]
fn a_part_of_a_test_can_be_merged_with_the_rest_later() {
    let quarters: Vec<SavedRun> = [(1, "0:1/4"), (2, "1/4:1/2"), (3, "1/2:3/4"), (4, "3/4:1")]
        .map(|(number, segment)| part(number, segment, 6))
        .into();
    let pair = |at: usize| merge(&quarters[at..at + 2]).unwrap().run;
    let twice = merge(&[pair(0), pair(2)]).unwrap();
    assert_eq!(twice.warnings, Vec::<String>::new());
    let once = merge(&quarters).unwrap().run;
    assert_eq!(twice.run.parts, once.parts);
    assert_eq!(twice.run.timeline.requests, once.timeline.requests);
    let face = |run: &SavedRun| {
        trend(run.series("http_req_duration").total())
            .unwrap()
            .parts()
            .buckets
    };
    assert_eq!(face(&twice.run), face(&once));
    assert!(refused(&[pair(0), quarters[1].clone()]).contains("overlap"));
}
