//! The end-of-test summary against text that was checked by eye once, in the layout of the dialect.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod metrics_support;

use std::sync::Arc;

use loadgen::config::{TimeUnit, TrendStat};
use loadgen::metrics::{Contains, Kind, Snapshot, ThresholdSpec, Timeline, builtin};
use loadgen::report::{SummaryMode, SummaryOptions, summary};

use metrics_support::{Rig, host, reference_run, threshold};

fn options(mode: SummaryMode) -> SummaryOptions {
    SummaryOptions {
        mode,
        ..SummaryOptions::default()
    }
}

fn assert_text(actual: &str, expected: &str) {
    for (number, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "line {}", number + 1);
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "{actual}");
}

/// The layout of the dialect's own output, line by line: columns, dots, units, spaces at the ends.
#[test]
fn a_run_like_the_reference() {
    let mut rig = reference_run();
    let snapshot = rig.finish(2000);
    let timeline = Timeline::default();
    assert_text(
        &summary(&snapshot, &timeline, &options(SummaryMode::Compact)),
        include_str!("golden/summary_compact.txt"),
    );
    assert_text(
        &summary(&snapshot, &timeline, &options(SummaryMode::Full)),
        include_str!("golden/summary_full.txt"),
    );
    assert_eq!(summary(&snapshot, &timeline, &options(SummaryMode::Disabled)), "");
}

#[test]
fn what_failed_and_why_by_name_with_the_target_and_the_generator() {
    let (snapshot, timeline) = overload();
    assert_text(
        &summary(&snapshot, &timeline, &options(SummaryMode::Compact)),
        include_str!("golden/summary_overload.txt"),
    );
}

#[test]
fn columns_and_unit_are_as_asked() {
    let mut rig = reference_run();
    let stats = vec![TrendStat::Count, TrendStat::P(99.9), TrendStat::Max];
    let options = SummaryOptions {
        trend_stats: stats,
        time_unit: Some(TimeUnit::Milliseconds),
        ..SummaryOptions::default()
    };
    let text = summary(&rig.finish(2000), &Timeline::default(), &options);
    assert!(
        text.contains("http_req_duration..............: count=20 p(99.9)=2.62ms   max=2.63ms"),
        "{text}"
    );
}

#[test]
fn colours_only_when_asked_and_they_change_no_column() {
    let mut rig = reference_run();
    let snapshot = rig.finish(2000);
    let plain = summary(&snapshot, &Timeline::default(), &options(SummaryMode::Full));
    let colored = SummaryOptions {
        color: true,
        ..options(SummaryMode::Full)
    };
    let colored = summary(&snapshot, &Timeline::default(), &colored);
    assert!(!plain.contains('\u{1b}') && colored.contains('\u{1b}'));
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        stripped += before;
        rest = after.split_once('m').unwrap().1;
    }
    stripped += rest;
    assert_text(&stripped, &plain);
}

#[test]
fn scenarios_and_nested_groups_have_sections_of_their_own() {
    let mut rig = Rig::new(Vec::new());
    for (scenario, group, name) in [
        ("one", "::a", "x"),
        ("one", "::a::b", "x"),
        ("two", "", "y"),
        // As options without scenarios have it.
        ("default", "::z::y", "x"),
        ("default", "::c", "x"),
    ] {
        let context = rig.context(scenario, group);
        rig.request(context, name, 10, 1.0, 200);
        rig.check(context, "ok", 10, true);
        rig.recorder
            .add(builtin::ITERATIONS, rig.context(scenario, ""), 1, 1.0);
    }
    let text = summary(
        &rig.finish(1000),
        &Timeline::default(),
        &options(SummaryMode::Full),
    );
    let titles: Vec<&str> = text
        .lines()
        .filter(|line| line.contains('█') || line.contains("GROUP"))
        .map(str::trim_end)
        .collect();
    assert_eq!(
        titles,
        [
            "  █ TOTAL RESULTS",
            "  █ GROUP: c",
            "  █ GROUP: z",
            "    ↳ GROUP: y",
            "  █ SCENARIO: one",
            "    ↳ GROUP: a",
            "    ↳ GROUP: b",
            "  █ SCENARIO: two",
            "  █ BY NAME"
        ]
    );
    assert!(text.contains("✓ ok\n"), "one name, however many groups: {text}");
    // Spaces as the dialect has them: of a group in another one, and of one whose own samples are none.
    for part in [
        "/s\n\n    ↳ GROUP: b \n\n      checks_total.......: 1 ",
        "\n\n\n  █ GROUP: z \n\n    ↳ GROUP: y \n\n      checks_total",
        "\n\n\n  █ SCENARIO: two \n\n    checks_total",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn a_run_without_anything_has_a_summary_too() {
    let mut rig = Rig::new(Vec::new());
    let text = summary(&rig.finish(0), &Timeline::default(), &options(SummaryMode::Full));
    assert!(
        text.contains("iterations......: 0 ") && !text.contains("NaN"),
        "{text}"
    );
}

/// An arrival-rate run against a machine that gave up half-way.
fn overload() -> (Arc<Snapshot>, Timeline) {
    let empty = threshold("http_req_duration{name:typo}", "p(95)<500");
    let may_be_empty = ThresholdSpec {
        on_empty_pass: true,
        ..threshold("http_req_failed{scenario:night}", "rate<0.1")
    };
    let mut rig = Rig::new(vec![
        empty,
        may_be_empty,
        threshold("errors", "count<10"),
        threshold("http_reqs", "rate>50"),
        threshold("dropped_iterations", "count==0"),
    ]);
    rig.registry
        .define("errors", Kind::Counter, Contains::Default)
        .unwrap();
    let context = rig.context("spike", "");
    for index in 0..400_u16 {
        let at = 10 + u64::from(index) * 10;
        let name = if index % 4 == 0 {
            "http://h/v1/set"
        } else {
            "http://h/health"
        };
        let status = match index {
            300.. => 0,
            200.. if index % 2 == 0 => 503,
            _ => 200,
        };
        rig.request(context, name, at, 1.0 + f32::from(index) / 4.0, status);
        let at = at * 1_000_000;
        rig.recorder.add(builtin::ITERATIONS, context, at, 1.0);
        rig.recorder
            .add(builtin::SCHEDULING_LAG, context, at, f64::from(index % 7) / 8.0);
    }
    rig.recorder
        .add(builtin::DROPPED_ITERATIONS, context, 3_900_000_000, 100.0);
    rig.collector.output_losses("json (a.json)", 1234);
    for second in 0..4_u32 {
        let load = f64::from(second) / 4.0;
        rig.collector.host(host(
            u64::from(second),
            load,
            load * 2.0,
            10_000_000 + u64::from(second) * 1_000_000,
        ));
    }
    let snapshot = rig.finish(4000);
    (snapshot, rig.collector.timeline().clone())
}
