//! The summary's data: the export file and what `handleSummary` gets, against the dialect's shapes.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod metrics_support;

use loadgen::config::TrendStat;
use loadgen::report::{DataOptions, summary_data, summary_export};
use serde_json::{Value, json};

use metrics_support::{Rig, reference_run, threshold};

fn options() -> DataOptions {
    DataOptions {
        trend_stats: TrendStat::DEFAULT.to_vec(),
        time_unit: None,
        no_color: true,
        stdout_is_tty: false,
        stderr_is_tty: true,
        setup_data: Some(json!({"token": "t"})),
    }
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// The metrics, their fields and the groups of the reference file, for the same script.
#[test]
fn the_export_has_the_shape_of_the_reference() {
    let mut rig = reference_run();
    let text = summary_export(&rig.finish(2000), &TrendStat::DEFAULT, None);
    assert!(
        text.starts_with("{\n    \"metrics\": {\n        \"checks\": {\n"),
        "{text}"
    );
    let export: Value = serde_json::from_str(&text).unwrap();
    let metrics = &export["metrics"];
    assert_eq!(
        keys(metrics),
        [
            "checks",
            "data_received",
            "data_sent",
            "group_duration",
            "http_req_blocked",
            "http_req_connecting",
            "http_req_duration",
            "http_req_duration{expected_response:true}",
            "http_req_duration{name:x}",
            "http_req_failed",
            "http_req_receiving",
            "http_req_sending",
            "http_req_tls_handshaking",
            "http_req_waiting",
            "http_reqs",
            "iteration_duration",
            "iterations",
            "my_counter",
            "my_gauge",
            "my_rate",
            "my_trend",
            "vus",
            "vus_max",
        ]
    );
    assert_eq!(
        metrics["checks"],
        json!({"passes": 20, "fails": 20, "value": 0.5, "thresholds": {"rate>0.9": true}}),
        "true means failed"
    );
    assert_eq!(metrics["my_gauge"], json!({"value": 3, "min": 3, "max": 3}));
    assert_eq!(metrics["http_reqs"], json!({"count": 20, "rate": 10}));
    assert_eq!(
        metrics["http_req_failed"],
        json!({"passes": 0, "fails": 20, "value": 0})
    );
    assert_eq!(
        metrics["http_req_duration"]["thresholds"],
        json!({"p(95)<500": false, "p(99)<0.001": true})
    );
    assert_eq!(
        keys(&metrics["my_trend"]),
        ["avg", "max", "med", "min", "p(90)", "p(95)"]
    );
    assert_eq!(
        export["root_group"],
        json!({
            "name": "", "path": "", "id": "d41d8cd98f00b204e9800998ecf8427e", "checks": {},
            "groups": {"g1": {
                "name": "g1", "path": "::g1", "id": "9ccb03cc5acd728a2fe595bbd1f14da3", "groups": {},
                "checks": {
                    "is 200": {
                        "name": "is 200", "path": "::g1::is 200", "id": "0f192ccfe3ed2edb5ec55aa9dee80a4b",
                        "passes": 20, "fails": 0,
                    },
                    "is 201": {
                        "name": "is 201", "path": "::g1::is 201", "id": "553e3302b205dfcaf9f98a7ee9d569d2",
                        "passes": 0, "fails": 20,
                    },
                },
            }},
        })
    );
}

#[test]
fn handle_summary_gets_the_documented_object() {
    let mut rig = reference_run();
    let data = summary_data(&rig.finish(2000), &options());
    assert_eq!(
        keys(&data),
        ["metrics", "options", "root_group", "setup_data", "state"]
    );
    assert_eq!(
        data["state"],
        json!({"isStdOutTTY": false, "isStdErrTTY": true, "testRunDurationMs": 2000})
    );
    assert_eq!(
        data["options"],
        json!({
            "summaryTrendStats": ["avg", "min", "med", "max", "p(90)", "p(95)"],
            "summaryTimeUnit": "", "noColor": true,
        })
    );
    assert_eq!(
        data["metrics"]["checks"],
        json!({
            "type": "rate", "contains": "default", "values": {"rate": 0.5, "passes": 20, "fails": 20},
            "thresholds": {"rate>0.9": {"ok": false}},
        })
    );
    assert_eq!(
        data["metrics"]["http_req_duration"]["thresholds"]["p(95)<500"],
        json!({"ok": true})
    );
    assert_eq!(data["metrics"]["data_sent"]["contains"], "data");
    let group = &data["root_group"]["groups"][0];
    assert_eq!(
        (&group["name"], &group["checks"][1]["fails"]),
        (&json!("g1"), &json!(20))
    );
    assert_eq!(data["setup_data"]["token"], "t");
}

#[test]
fn a_metric_that_a_threshold_names_is_there_without_samples() {
    let mut rig = Rig::new(vec![threshold("http_req_waiting{name:none}", "max<1")]);
    let snapshot = rig.finish(1000);
    let data = summary_data(
        &snapshot,
        &DataOptions {
            setup_data: None,
            ..options()
        },
    );
    assert_eq!(
        data["metrics"]["http_req_waiting{name:none}"]["thresholds"]["max<1"],
        json!({"ok": false})
    );
    assert!(data.get("setup_data").is_none());
    assert!(data["metrics"].get("http_req_duration").is_none());
}
