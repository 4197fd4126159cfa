//! Bad configurations: every fault is reported at once, in the words of whoever made it.

#![allow(clippy::unwrap_used)]

use loadgen::config::{RawOptions, Tier, check, stage};
use loadgen::metrics::{Kind, builtin};
use proptest::prelude::*;
use serde_json::{Value, json};

fn known(name: &str) -> Option<Kind> {
    builtin::ALL
        .iter()
        .find(|metric| metric.0 == name)
        .map(|metric| metric.1)
}

fn faults(options: &Value) -> Vec<String> {
    let raw = RawOptions::from_json(options.as_object().unwrap(), Tier::Script);
    match check(&raw, &known) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

fn only_fault(options: &Value) -> String {
    let all = faults(options);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.into_iter().next().unwrap()
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut raw = RawOptions::from_json(
        json!({
            "vuss": 3,
            "scenarios": { "api": {
                "executor": "ramping-vus", "rate": 5, "startVus": 1,
                "stages": [{ "duration": "1m", "target": 5 }, { "duration": "10x", "target": -1 }],
            }},
            "thresholds": { "http_req_durtion": ["p(95)<abc"], "http_reqs": ["p(95)<500"] },
        })
        .as_object()
        .unwrap(),
        Tier::Script,
    );
    raw.overlay(RawOptions::from_env([("K6_BATCH".to_owned(), "many".to_owned())]));
    let mut flags = RawOptions::new();
    flags.set("executionSegment", "3/2".into(), Tier::Flags);
    raw.overlay(flags);
    let message = check(&raw, &known).unwrap_err().to_string();
    let expected = [
        "options.vuss (script): is not an option; did you mean `vus`?",
        "options.scenarios.api.rate (script): is not a field of ramping-vus; it belongs to constant-arrival-rate",
        "options.scenarios.api.startVus (script): is not a field of ramping-vus; did you mean `startVUs`?",
        "options.scenarios.api.stages[1].duration (script): unknown unit \"x\" in duration \"10x\"",
        "options.scenarios.api.stages[1].target (script): expected a whole number from 0 to 1000000 but found -1",
        "--execution-segment (flag): ",
        "options.thresholds.http_req_durtion (script): there is no metric \"http_req_durtion\"; did you mean `http_req_duration`?",
        "options.thresholds.http_req_durtion[0] (script): `p(95)<abc`: expected a number after `<`",
        "options.thresholds.http_reqs[0] (script): `p(95)<500`: a counter has no `p(95)`; it has count, rate",
        "K6_BATCH (environment): expected a whole number from 1 to 4294967295 but found \"many\"",
    ];
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines[0], "10 configuration errors:");
    for (line, expected) in lines[1..].iter().zip(expected) {
        assert!(line.trim_start().starts_with(expected), "\n{line}\n{expected}");
    }
}

#[test]
fn contradictions() {
    assert_eq!(
        only_fault(&json!({ "iterations": 1, "stages": [{ "duration": "1s", "target": 1 }] })),
        "options.stages (script): contradicts iterations, which is given too; leave one of the two out"
    );
    assert_eq!(
        only_fault(
            &json!({ "duration": "1s", "scenarios": { "a": { "executor": "constant-vus", "duration": "1s" } } })
        ),
        "options.scenarios (script): contradicts duration, which is given too; leave one of the two out"
    );
}

#[test]
fn what_contradicts_is_checked_all_the_same() {
    let all = faults(&json!({ "duration": [], "scenarios": { "a": { "executor": "constant-vus" } } }));
    assert_eq!(
        all,
        [
            "options.scenarios (script): contradicts duration, which is given too; leave one of the two out",
            "options.scenarios.a.duration (script): is required; say how long it runs, as in duration: '30s'",
            "options.duration (script): [] is not a duration; write it like \"1m30s\" or \"500ms\", or as a \
             number of milliseconds",
        ]
    );
}

#[test]
fn a_list_is_read_to_its_end() {
    let all = faults(&json!({
        "blacklistIPs": ["x", "10.0.0.0/8", "y"], "summaryTrendStats": ["p95", "q"], "tags": { "a": [], "b": {} },
    }));
    assert_eq!(all.len(), 6, "{all:#?}");
}

#[test]
fn scenario_faults() {
    let one = |fields: Value| only_fault(&json!({ "scenarios": { "s": fields } }));
    let path = "options.scenarios.s";
    for (fields, message) in [
        (
            json!({}),
            ".executor (script): is required; choose one of shared-iterations, ",
        ),
        (
            json!({ "executor": "constant-vu" }),
            ".executor (script): \"constant-vu\" is not an executor; did you mean `constant-vus`?",
        ),
        (
            json!({ "executor": "externally-controlled" }),
            ".duration (script): is required; say how long it runs; '0' is until somebody stops it",
        ),
        (
            json!({ "executor": "constant-vus" }),
            ".duration (script): is required; say how long it runs, as in duration: '30s'",
        ),
        (
            json!({ "executor": "constant-vus", "duration": "999ms" }),
            ".duration (script): \"999ms\" is too short; it must be at least 1s",
        ),
        (
            json!({ "executor": "constant-vus", "duration": "-1s" }),
            ".duration (script): the duration \"-1s\" is negative",
        ),
        (
            json!({ "executor": "constant-vus", "duration": "1s", "vus": 1.5 }),
            ".vus (script): expected a whole number from 1 to 1000000 but found 1.5",
        ),
        (
            json!({ "executor": "constant-vus", "duration": "1s", "exec": "" }),
            ".exec (script): is empty; name an exported function",
        ),
        (
            json!({ "executor": "shared-iterations", "vus": 3, "iterations": 2 }),
            " (script): 3 VUs share 2 iterations, so some would have none",
        ),
        (
            json!({ "executor": "ramping-vus", "startVUs": 0, "stages": [{ "duration": "1s", "target": 0 }] }),
            " (script): no stage ever has a VU",
        ),
        (
            json!({ "executor": "ramping-vus", "stages": [] }),
            ".stages (script): has no stage",
        ),
        (
            json!({ "executor": "ramping-vus", "stages": [{ "target": 1 }] }),
            ".stages[0].duration (script): is required",
        ),
        (
            json!({ "executor": "constant-arrival-rate", "rate": 1, "duration": "1s" }),
            ".preAllocatedVUs (script): is required",
        ),
        (
            json!({ "executor": "constant-arrival-rate", "rate": 1, "duration": "1s", "preAllocatedVUs": 5,
                    "maxVUs": 2 }),
            ".maxVUs (script): maxVUs is 2 and preAllocatedVUs is 5",
        ),
    ] {
        let fault = one(fields);
        assert!(
            fault.starts_with(&format!("{path}{message}")),
            "{fault}\n{message}"
        );
    }
    let bad_name = json!({ "scenarios": { "a b": { "executor": "constant-vus", "duration": "1s" } } });
    assert!(only_fault(&bad_name).contains("is not a scenario name"));
}

#[test]
fn option_faults() {
    for (options, message) in [
        (
            json!({ "systemTags": ["staus"] }),
            "options.systemTags (script): `staus` is not a system tag",
        ),
        (
            json!({ "summaryTrendStats": ["p95"] }),
            "options.summaryTrendStats[0] (script): \"p95\" is not a statistic; use avg, min, med, max, count or p(0-100)",
        ),
        (
            json!({ "summaryTimeUnit": "h" }),
            "options.summaryTimeUnit (script): \"h\" is not a unit of time",
        ),
        (
            json!({ "hosts": { "a": "b" } }),
            "options.hosts.a (script): \"b\" is not an address",
        ),
        (
            json!({ "hosts": { "a:x": "1.1.1.1" } }),
            "options.hosts.a:x (script): \"a:x\" is not a host",
        ),
        (
            json!({ "blacklistIPs": ["10.0.0.0/33"] }),
            "options.blacklistIPs[0] (script): \"10.0.0.0/33\" is not an IP range",
        ),
        (
            json!({ "blockHostnames": ["a.*.com"] }),
            "options.blockHostnames[0] (script): \"a.*.com\" is not a host pattern",
        ),
        (
            json!({ "localIPs": "10.0.0.9-10.0.0.1" }),
            "options.localIPs (script): ",
        ),
        (json!({ "dns": "ttl=x" }), "options.dns (script): ttl: "),
        (
            json!({ "dns": { "sel": "first" } }),
            "options.dns.sel (script): is not a known field; did you mean",
        ),
        (
            json!({ "dns": { "select": "last" } }),
            "options.dns (script): \"last\" is not a select",
        ),
        (
            json!({ "tlsVersion": "tls1.0" }),
            "options.tlsVersion (script): this TLS version is too old",
        ),
        (
            json!({ "tlsVersion": { "min": "tls1.3", "max": "tls1.2" } }),
            "options.tlsVersion (script): min is above",
        ),
        (
            json!({ "tlsAuth": [{ "cert": "x" }] }),
            "options.tlsAuth[0].key (script): is required",
        ),
        (
            json!({ "tlsCipherSuites": ["RC4"] }),
            "options.tlsCipherSuites (script): none of these cipher suites",
        ),
        (
            json!({ "userAgent": "a\nb" }),
            "options.userAgent (script): cannot be sent as a header",
        ),
        (
            json!({ "throw": "maybe" }),
            "options.throw (script): expected true or false but found \"maybe\"",
        ),
        (
            json!({ "tags": ["a"] }),
            "options.tags (script): expected an object but found [\"a\"]",
        ),
        (
            json!({ "thresholds": { "vus": [{}] } }),
            "options.thresholds.vus[0].threshold (script): is required",
        ),
        (
            json!({ "thresholds": { "vus": [{ "threshold": "value>1", "onEmpty": "ok" }] } }),
            "options.thresholds.vus[0].onEmpty (script): \"ok\" is not known; write 'pass' or 'fail'",
        ),
    ] {
        let fault = only_fault(&options);
        assert!(fault.starts_with(message), "{fault}\n{message}");
    }
}

#[test]
fn flags_are_named_as_they_were_typed() {
    let mut flags = RawOptions::new();
    flags.set("stages", json!([stage("10s:5"), stage("10s")]), Tier::Flags);
    flags.set("vus", json!(-1), Tier::Flags);
    let errors = check(&flags, &known).unwrap_err();
    let shown: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "--vus (flag): expected a whole number from 0 to 1000000 but found -1",
            "--stage[1] (flag): stage \"10s\" has no target; write it as duration:target, like \"30s:100\"",
        ]
    );
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9]{0,3}[smh:/.{}-]{0,2}[a-z]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                prop_oneof![
                    "[a-z]{1,4}",
                    prop::sample::select(vec![
                        "executor",
                        "duration",
                        "target",
                        "stages",
                        "vus",
                        "threshold"
                    ])
                    .prop_map(str::to_owned),
                ],
                inner,
                0..4
            )
            .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    /// Whatever a script exports, it is a configuration or an error with at least one fault, never a panic.
    #[test]
    fn no_options_panic(values in prop::collection::vec(anything(), 6)) {
        const NAMES: [&str; 12] = ["vus", "duration", "stages", "scenarios", "thresholds", "hosts", "dns", "tags",
            "tlsAuth", "tlsVersion", "executionSegment", "localIPs"];
        for (i, window) in NAMES.windows(6).enumerate() {
            let mut raw = RawOptions::new();
            for (name, value) in window.iter().zip(&values) {
                raw.set(name, value.clone(), if i % 2 == 0 { Tier::Script } else { Tier::Flags });
            }
            match check(&raw, &known) {
                Ok(config) => prop_assert!(!config.scenarios.is_empty()),
                Err(errors) => prop_assert!(!errors.0.is_empty()),
            }
        }
    }
}
