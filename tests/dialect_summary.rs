//! The library k6-summary: its own layout, and the numbers of loadgen's own summary, which is checked against the dialect's.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod metrics_support;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use loadgen::config::{TimeUnit, TrendStat};
use loadgen::metrics::{Epoch, Recorder, Registry, Snapshot, SystemTags, Timeline};
use loadgen::net::{NetOptions, Shared};
use loadgen::report::{DataOptions, SummaryMode, SummaryOptions, summary, summary_data};
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

/// The lines of metrics by their names, with single spaces: parts have their metric's name before their own.
fn by_name(text: &str) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    let mut whole = String::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        let name = name.trim_start().trim_start_matches(['✓', '✗']).trim();
        let Some(name) = name.strip_suffix("..") else {
            continue;
        };
        let name = name.trim_end_matches('.');
        let name = if name.starts_with('{') {
            format!("{whole}{name}")
        } else {
            name.clone_into(&mut whole);
            name.to_owned()
        };
        let value: Vec<&str> = value.split_whitespace().collect();
        lines.entry(name).or_insert_with(|| value.join(" "));
    }
    lines
}

/// What the library's own text is for these results; the numbers are those of k6's tests of the same layout.
#[test]
fn the_text_has_the_librarys_layout() {
    let check = |name: &str, passes: u32, fails: u32| serde_json::json!({ "name": name, "passes": passes, "fails": fails });
    let metric = |kind: &str, contains: &str, values: serde_json::Value| serde_json::json!({ "type": kind, "contains": contains, "values": values });
    let judged = |mut metric: serde_json::Value, expression: &str, ok: bool| {
        metric["thresholds"] = serde_json::json!({ expression: { "ok": ok } });
        metric
    };
    let data = serde_json::json!({
        "root_group": {
            "name": "",
            "checks": [check("at the root", 1, 0)],
            "groups": [{
                "name": "child",
                "checks": [check("check1", 30, 0), check("check3", 10, 5), check("check2", 5, 10)],
                "groups": [{ "name": "empty", "checks": [], "groups": [] }],
            }],
        },
        "options": { "summaryTrendStats": ["avg", "p(95)", "count"], "summaryTimeUnit": "", "noColor": true },
        "state": { "testRunDurationMs": 1000 },
        "metrics": {
            "vus": metric("gauge", "default", serde_json::json!({ "value": 1, "min": 1, "max": 1 })),
            "http_reqs": judged(
                metric("counter", "default", serde_json::json!({ "count": 3, "rate": 3 })), "rate<100", false),
            "checks": judged(
                metric("rate", "default", serde_json::json!({ "rate": 0.75, "passes": 45, "fails": 15 })), "rate>70", true),
            "my_trend": judged(
                metric("trend", "time", serde_json::json!({ "avg": 15, "p(95)": 19.5, "count": 3 })), "avg<1", false),
            "my_trend{sub:1}": metric("trend", "time", serde_json::json!({ "avg": 1500, "p(95)": 0.25, "count": 1 })),
            "data_sent": metric("counter", "data", serde_json::json!({ "count": 1234, "rate": 7 })),
            "MyOwn": metric("counter", "default", serde_json::json!({ "count": 1, "rate": 0.5 })),
            "timer_lag": metric("trend", "time", serde_json::json!({ "avg": 1, "p(95)": 1, "count": 3 })),
        },
    });
    let text = handled(&data, "textSummary(data, { enableColors: false })");
    let expected = [
        "     ✓ at the root",
        "",
        "     █ child",
        "",
        "       ✓ check1",
        "       ✗ check3",
        "        ↳  66% — ✓ 10 / ✗ 5",
        "       ✗ check2",
        "        ↳  33% — ✓ 5 / ✗ 10",
        "",
        "       █ empty",
        "",
        "   ✓ checks........: 75.00% ✓ 45  ✗ 15 ",
        "     data_sent.....: 1.2 kB 7 B/s",
        "   ✗ http_reqs.....: 3      3/s",
        "   ✗ my_trend......: avg=15ms p(95)=19.5ms count=3",
        "       { sub:1 }...: avg=1.5s p(95)=250µs  count=1",
        "     MyOwn.........: 1      0.5/s",
        "     vus...........: 1      min=1 max=1",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{text}");

    // A threshold has its metric shown; columns and unit are as asked; the indent is the script's.
    let mut data = data;
    data["metrics"]["timer_lag"]["thresholds"] = serde_json::json!({ "avg<5": { "ok": true } });
    let options =
        "{ indent: '→', enableColors: false, summaryTrendStats: ['count', 'avg'], summaryTimeUnit: 'us' }";
    let text = handled(&data, &format!("textSummary(data, {options})"));
    assert!(
        text.contains("\n→  ✗ my_trend......: count=3 avg=15000.00µs  \n"),
        "{text}"
    );
    assert!(
        text.contains("\n→  ✓ timer_lag.....: count=3 avg=1000.00µs   \n"),
        "{text}"
    );

    // Colours unless they are not wanted, as from the library itself.
    let text = handled(&data, "textSummary(data)");
    for part in [
        "\u{1b}[32m       ✓ check1\u{1b}[0m\n",
        "\u{1b}[31m       ✗ check3\n        ↳  66% — ✓ 10 / ✗ 5\u{1b}[0m\n",
        "\n   \u{1b}[31m✗\u{1b}[0m http_reqs\u{1b}[2m.....:\u{1b}[0m \u{1b}[36m3\u{1b}[0m      \u{1b}[36;2m3/s\u{1b}[0m\n",
    ] {
        assert!(text.contains(part), "{part:?}\n{text:?}");
    }
}

/// All but the layout is as in our own summary.
#[test]
fn the_numbers_are_those_of_our_own_summary() {
    let mut rig = reference_run();
    let snapshot = rig.finish(2000);
    let all = [
        TrendStat::DEFAULT.to_vec(),
        vec![TrendStat::Count, TrendStat::Max],
    ];
    for unit in [None, Some(TimeUnit::Microseconds)] {
        for stats in &all {
            let options = SummaryOptions {
                mode: SummaryMode::Full,
                time_unit: unit,
                trend_stats: stats.clone(),
                ..SummaryOptions::default()
            };
            let own = by_name(&summary(&snapshot, &Timeline::default(), &options));
            let text = handled(
                &data(&snapshot, unit, stats),
                "textSummary(data, { enableColors: false })",
            );
            let library = by_name(&text);
            for (name, value) in &library {
                let rate = value.contains('✓');
                // Ours says `checks` in other words, and a group's duration nowhere.
                if !rate && name != "group_duration" {
                    assert_eq!(Some(value), own.get(name), "{name} of {text}");
                }
            }
            assert!(library.len() > 20, "{text}");
            assert_eq!(
                library.get("checks").map(String::as_str),
                Some("50.00% ✓ 20 ✗ 20")
            );
        }
    }
}

#[test]
fn indent_and_colours_are_as_asked() {
    let mut rig = reference_run();
    let data = data(&rig.finish(2000), None, &TrendStat::DEFAULT);
    let bare = handled(&data, "textSummary(data, { indent: '', enableColors: false })");
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
    let own = by_name(&summary(
        &snapshot,
        &Timeline::default(),
        &SummaryOptions::default(),
    ));
    let text = handled(
        &data(&snapshot, None, &TrendStat::DEFAULT),
        "textSummary(data, { enableColors: false })",
    );
    let library = by_name(&text);
    for name in ["long", "size", "http_req_duration", "data_received", "http_reqs"] {
        assert_eq!(library.get(name), own.get(name), "{name}: {text}");
    }
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
        xml.contains(
            "<testcase name=\"checks - rate&gt;0.9\" classname=\"Unnamed folder\"><failure message=\"rate threshold failed: "
        ),
        "{xml}"
    );
    assert!(
        xml.contains(
            "<testcase name=\"http_req_duration{name:x} - max&lt;100\" classname=\"Unnamed folder\" />\n"
        ),
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
