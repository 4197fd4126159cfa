//! The library k6-summary against loadgen's own summary, which is checked against the dialect's.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod metrics_support;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use loadgen::config::{TimeUnit, TrendStat};
use loadgen::metrics::{Epoch, Recorder, Registry, Snapshot, SystemTags, Timeline};
use loadgen::net::{NetOptions, Shared};
use loadgen::report::{DataOptions, SummaryOptions, summary, summary_data};
use loadgen::script::{HttpDefaults, Program, ScriptUser, Seat, Workshop};

use metrics_support::reference_run;

/// What `handleSummary` returns for `stdout`, with the body `expression` over `data`.
fn handled(data: &serde_json::Value, expression: &str) -> String {
    let text = format!(
        "import {{ textSummary, jUnit }} from 'https://jslib.k6.io/k6-summary/0.0.2/index.js';
        export default function () {{}}
        export function handleSummary(data) {{ return {{ stdout: {expression} }}; }}"
    );
    let program = Arc::new(Program::from_text("file:///t.js", text, BTreeMap::new()));
    let recorder = Recorder::new(Registry::new(SystemTags::default()), 0);
    let net = Shared::new(NetOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let files = tokio::task::LocalSet::new().block_on(&runtime, async {
        let http = HttpDefaults::default();
        let shop = Rc::new(Workshop::new(program, recorder, Epoch::now(), net, http));
        let (mut user, _) = ScriptUser::start(shop, Seat::default()).await.unwrap();
        user.summarize(data.to_string()).await.unwrap()
    });
    String::from_utf8(files[0].1.clone()).unwrap()
}

fn data(snapshot: &Snapshot, unit: Option<TimeUnit>, stats: &[TrendStat]) -> serde_json::Value {
    summary_data(
        snapshot,
        &DataOptions {
            trend_stats: stats.to_vec(),
            time_unit: unit,
            no_color: true,
            stdout_is_tty: false,
            stderr_is_tty: false,
            setup_data: None,
        },
    )
}

/// The data have no column `p(99)` for the threshold on it, so its number is not shown.
fn without_p99(text: &str) -> String {
    let line = |line: &str| match line.find(" p(99)=") {
        Some(at) if line.contains("'p(99)") => line[..at].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Colours may begin and end elsewhere: what is seen must be the same.
fn plain(text: &str) -> String {
    let mut seen = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        seen += before;
        rest = after.split_once('m').unwrap().1;
    }
    seen + rest
}

#[test]
fn the_text_is_that_of_our_own_summary() {
    let mut rig = reference_run();
    let snapshot = rig.finish(2000);
    let all = [
        TrendStat::DEFAULT.to_vec(),
        vec![TrendStat::Count, TrendStat::Max],
    ];
    for unit in [None, Some(TimeUnit::Microseconds)] {
        for stats in &all {
            let options = SummaryOptions {
                time_unit: unit,
                trend_stats: stats.clone(),
                ..SummaryOptions::default()
            };
            let own = summary(&snapshot, &Timeline::default(), &options);
            let library = handled(&data(&snapshot, unit, stats), "textSummary(data)");
            // What thresholds judge is in the data only as far as it has a column.
            let judged = |text: &str| {
                let lines = text
                    .lines()
                    .filter(|line| !line.contains("'p(") && !line.contains("'max<"));
                lines.collect::<Vec<_>>().join("\n")
            };
            assert_eq!(judged(&library), judged(&own));
            if *stats == TrendStat::DEFAULT {
                assert_eq!(without_p99(&library), without_p99(&own));
            }
        }
    }
}

#[test]
fn indent_and_colours_are_as_asked() {
    let mut rig = reference_run();
    let data = data(&rig.finish(2000), None, &TrendStat::DEFAULT);
    let bare = handled(&data, "textSummary(data, { enableColors: false })");
    let colored = handled(&data, "textSummary(data, { indent: '→ ', enableColors: true })");
    assert!(!bare.contains('\u{1b}') && colored.contains("\u{1b}[32m✓\u{1b}[0m"));
    let indented: Vec<String> = bare
        .lines()
        .map(|line| {
            if line.is_empty() {
                String::new()
            } else {
                format!("→ {line}")
            }
        })
        .collect();
    assert_eq!(plain(&colored).lines().collect::<Vec<_>>(), indented, "{colored}");
}

#[test]
fn durations_and_sizes_of_all_magnitudes_are_shown_alike() {
    let mut rig = metrics_support::Rig::new(Vec::new());
    let context = rig.context("default", "");
    for ms in [0.0, 0.000_7, 0.009, 0.999, 1.5, 999.99, 1000.0, 1234.5] {
        rig.request(context, &format!("http://h/{ms}"), 5, ms, 200);
    }
    for (name, kind, contains) in [
        (
            "long",
            loadgen::metrics::Kind::Trend,
            loadgen::metrics::Contains::Time,
        ),
        (
            "size",
            loadgen::metrics::Kind::Gauge,
            loadgen::metrics::Contains::Data,
        ),
        (
            "share",
            loadgen::metrics::Kind::Rate,
            loadgen::metrics::Contains::Default,
        ),
    ] {
        let id = rig.registry.define(name, kind, contains).unwrap();
        for value in [0.0, 1.0, 9.5, 1400.0, 999_999.0, 3_723_000.0, 2.5e9] {
            let value = if name == "share" {
                f64::from(u8::from(value > 1.0))
            } else {
                value
            };
            rig.recorder.add(id, context, 7, value);
        }
    }
    let snapshot = rig.finish(1700);
    let own = summary(&snapshot, &Timeline::default(), &SummaryOptions::default());
    let library = handled(&data(&snapshot, None, &TrendStat::DEFAULT), "textSummary(data)");
    // Behind the dialect's part come sections of our own.
    assert!(own.starts_with(&library), "{library}\n{own}");
}

#[test]
fn thresholds_are_test_cases() {
    let mut rig = reference_run();
    let data = data(&rig.finish(2000), None, &TrendStat::DEFAULT);
    let xml = handled(&data, "jUnit(data, { name: 'a & b' })");
    assert!(
        xml.starts_with("<?xml version=\"1.0\"?>\n<testsuites tests=\"4\" failures=\"2\">"),
        "{xml}"
    );
    assert!(
        xml.contains("<testsuite name=\"a &amp; b\" tests=\"4\" failures=\"2\">"),
        "{xml}"
    );
    assert!(
        xml.contains("<testcase name=\"checks - rate&gt;0.9\"><failure message=\"failed\" /></testcase>\n"),
        "{xml}"
    );
    assert!(
        xml.contains("<testcase name=\"http_req_duration{name:x} - max&lt;100\" />\n"),
        "{xml}"
    );
}

#[test]
fn data_that_a_script_has_cut_down_are_no_error() {
    let rest = serde_json::json!({ "metrics": { "iterations": {
        "type": "counter", "contains": "default", "values": { "count": 3, "rate": 1.5 } } } });
    let text = handled(&rest, "textSummary(data, { indent: ' ' })");
    assert!(plain(&text).contains("iterations...: 3 1.5/s"), "{text}");
    assert!(handled(&serde_json::json!({}), "jUnit(data)").contains("tests=\"0\""));
}
