//! The same samples give the same counts in every place that shows them.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod metrics_support;

use std::io::Read;

use loadgen::config::TrendStat;
use loadgen::metrics::{Snapshot, Timeline, builtin};
use loadgen::output::{FileOutput, Format, OutputSpec, Page, RunInfo, RunState, render};
use loadgen::report::{SummaryOptions, summary, summary_export};

use metrics_support::Rig;

fn run() -> (Rig, std::sync::Arc<Snapshot>) {
    let mut rig = Rig::new(Vec::new());
    for index in 0..1234_u64 {
        let scenario = if index % 3 == 0 { "one" } else { "two" };
        let context = rig.context(scenario, "");
        let status = if index % 10 == 0 { 500 } else { 200 };
        rig.request(
            context,
            ["a", "b", "c"][index as usize % 3],
            index,
            index as f32 / 7.0,
            status,
        );
        rig.check(context, "ok", index, status == 200);
        rig.recorder
            .add(builtin::ITERATIONS, context, index * 1_000_000, 1.0);
        if index % 100 == 0 {
            rig.flush();
        }
    }
    let snapshot = rig.finish(2000);
    (rig, snapshot)
}

/// The sum of a family's series on the page.
fn on_page(page: &str, family: &str) -> f64 {
    page.lines()
        .filter(|line| {
            line.strip_prefix(family)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        })
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum()
}

#[test]
fn summary_export_files_and_page_agree() {
    let (rig, snapshot) = run();

    let text = summary(&snapshot, &Timeline::default(), &SummaryOptions::default());
    assert!(
        text.contains("http_reqs......................: 1234   617/s"),
        "{text}"
    );
    assert!(
        text.contains("http_req_failed................: 10.04% 124 out of 1234"),
        "{text}"
    );

    let export: serde_json::Value =
        serde_json::from_str(&summary_export(&snapshot, &TrendStat::DEFAULT, None)).unwrap();
    assert_eq!(export["metrics"]["http_reqs"]["count"], 1234);
    assert_eq!(export["metrics"]["iterations"]["count"], 1234);
    assert_eq!(export["metrics"]["http_req_failed"]["passes"], 124);

    let page = Page {
        info: RunInfo {
            scenarios: vec!["one".to_owned(), "two".to_owned()],
            ..RunInfo::default()
        },
        state: RunState::Finished,
        snapshot: Some(snapshot.clone()),
        ..Page::default()
    };
    let page = String::from_utf8(render(&page, Format::Text)).unwrap();
    assert_eq!(
        on_page(&page, "loadgen_http_requests_total").to_bits(),
        1234_f64.to_bits()
    );
    assert_eq!(
        on_page(&page, "loadgen_http_requests_failed_total").to_bits(),
        124_f64.to_bits()
    );
    assert_eq!(
        on_page(&page, "loadgen_http_request_duration_seconds_count").to_bits(),
        1234_f64.to_bits()
    );
    assert_eq!(
        on_page(&page, "loadgen_iterations_total").to_bits(),
        1234_f64.to_bits()
    );
    assert_eq!(
        on_page(&page, "loadgen_checks_total").to_bits(),
        1234_f64.to_bits()
    );

    let dir = tempfile::tempdir().unwrap();
    for (file, wanted) in [
        ("out.json", "{\"metric\":\"http_reqs\",\"type\":\"Point\""),
        ("out.csv.gz", "http_reqs,"),
    ] {
        let path = dir.path().join(file);
        let kind = if file.contains("json") { "json" } else { "csv" };
        let spec: OutputSpec = format!("{kind}={}", path.display()).parse().unwrap();
        let output = FileOutput::open(&spec, rig.registry.clone(), rig.epoch, &[]).unwrap();
        rig.batches.iter().for_each(|batch| output.send(batch));
        let end = output.finish();
        assert_eq!(
            (end.written, end.lost),
            (1234 * 11, 0),
            "nine samples of a request, a check, an iteration"
        );
        let mut text = String::new();
        let mut bytes = std::fs::File::open(&path).unwrap();
        if file.ends_with("gz") {
            flate2::read::GzDecoder::new(bytes)
                .read_to_string(&mut text)
                .unwrap();
        } else {
            bytes.read_to_string(&mut text).unwrap();
        }
        assert_eq!(
            text.lines().filter(|line| line.starts_with(wanted)).count(),
            1234,
            "{file}"
        );
    }

    let windows = &rig.collector.timeline().windows;
    assert_eq!(windows.iter().map(|window| window.requests).sum::<u64>(), 1234);
    assert_eq!(
        windows.iter().map(|window| window.requests).collect::<Vec<_>>(),
        [1000, 234]
    );
}
