//! Bad configurations: every fault is reported at once, in the words of whoever made it.

#![allow(clippy::unwrap_used)]

use loadgen::config::{RawOptions, Tier, check, option_names, stage};
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
            "scenarios": { "api": {
                "executor": "ramping-vus", "rate": 5, "startUVs": 1,
                "stages": [{ "duration": "1m", "target": 5 }, { "duration": "10x", "target": -1 }],
            }},
            "thresholds": { "http_req_durtion": ["p(95)<abc"], "http_reqs": ["p(95)<500"] },
        })
        .as_object()
        .unwrap(),
        Tier::Script,
    );
    let file = json!({ "vuss": 3 });
    raw.overlay(RawOptions::from_json(file.as_object().unwrap(), Tier::File));
    raw.overlay(RawOptions::from_env([("K6_BATCH".to_owned(), "many".to_owned())]));
    let mut flags = RawOptions::new();
    flags.set("executionSegment", "3/2".into(), Tier::Flags);
    raw.overlay(flags);
    let message = check(&raw, &known).unwrap_err().to_string();
    let expected = [
        "vuss (config file): is not an option; did you mean `vus`?",
        "options.scenarios.api.rate (script): is not a field of ramping-vus; it belongs to constant-arrival-rate",
        "options.scenarios.api.startUVs (script): is not a field of ramping-vus; did you mean `startVUs`?",
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
            json!({ "dns": { "select": "last" } }),
            "options.dns (script): \"last\" is not a select",
        ),
        (
            json!({ "tlsVersion": "tls1.4" }),
            "options.tlsVersion (script): \"tls1.4\" is not a TLS version",
        ),
        (
            json!({ "tlsAuth": [{ "cert": "x", "key": "-----BEGIN ENCRYPTED PRIVATE KEY-----", "password": "p" }] }),
            "options.tlsAuth[0].key (script): the key is no encrypted PEM",
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

/// As the dialect does, which reads options with Go's `encoding/json`.
#[test]
fn what_a_script_exports_besides_options_is_told_and_has_no_effect() {
    let options = json!({
        "vuss": 3, "tresholds": {}, "projectId": 5, "tlsVersion": "tls1.1",
        "dns": { "sel": "first", "TTL": "1m" },
        "stages": [{ "duration": "1s", "target": 1, "name": "warm-up" }],
        "thresholds": { "vus": [{ "threshold": "value>0", "abort": true }] },
    });
    let raw = RawOptions::from_json(options.as_object().unwrap(), Tier::Script);
    let config = check(&raw, &known).unwrap();
    assert_eq!(
        config.warnings,
        [
            "options.tlsVersion: TLS before 1.2 is not spoken; tls1.2 takes its place",
            "options.projectId has no effect: it is not an option",
            "options.tresholds has no effect: it is not an option; did you mean `thresholds`?",
            "options.vuss has no effect: it is not an option; did you mean `vus`?",
            "options.stages[0].name has no effect: it is not a known field",
            "options.thresholds.vus[0].abort has no effect: it is not a known field; did you mean `abortOnFail`?",
            "options.dns.sel has no effect: it is not a known field; did you mean `select`?",
        ]
    );
    let file =
        json!({ "dns": { "sel": "first" }, "stages": [{ "duration": "1s", "target": 1, "name": "x" }] });
    let raw = RawOptions::from_json(file.as_object().unwrap(), Tier::File);
    assert_eq!(check(&raw, &known).unwrap_err().0.len(), 2);
    let scenario = json!({ "scenarios": { "s": {
        "executor": "ramping-vus", "stages": [{ "duration": "1s", "target": 1, "name": "x" }],
    }}});
    assert!(
        only_fault(&scenario)
            .starts_with("options.scenarios.s.stages[0].name (script): is not a known field")
    );
}

#[test]
fn upper_and_lower_case_of_names_are_the_same() {
    let options = json!({
        "VUS": 7, "vus": 2, "insecureSkipTlsVerify": true, "noVuConnectionReuse": true, "EXT": {},
        "scenarios": { "s": {
            "executor": "ramping-arrival-rate", "preAllocatedVus": 3, "maxVus": 9, "startrate": 4,
            "Stages": [{ "Duration": "1s", "TARGET": 5 }],
        }},
    });
    let raw = RawOptions::from_json(options.as_object().unwrap(), Tier::Script);
    let config = check(&raw, &known).unwrap();
    assert!(config.http.insecure_skip_tls_verify && config.http.no_vu_connection_reuse);
    let scenario = &config.scenarios[0].options;
    assert_eq!(
        (
            &scenario["preAllocatedVUs"],
            &scenario["maxVUs"],
            &scenario["startRate"]
        ),
        (&json!(3), &json!(9), &json!(4))
    );
    assert_eq!(raw.get("vus").unwrap().value, json!(2));
    assert!(
        config
            .warnings
            .iter()
            .any(|w| w.starts_with("options.ext has no effect here")),
        "{:?}",
        config.warnings
    );
}

#[test]
fn an_empty_list_of_thresholds_names_a_part_of_a_metric() {
    let options = json!({ "thresholds": {
        "http_req_duration{name:x}": [], "checks": ["rate>0"], "nothing": [],
    }});
    assert!(only_fault(&options).contains("there is no metric \"nothing\""));
    let options = json!({ "thresholds": { "http_req_duration{name:x}": [], "checks": ["rate>0"] } });
    let raw = RawOptions::from_json(options.as_object().unwrap(), Tier::Script);
    let config = check(&raw, &known).unwrap();
    assert_eq!(config.thresholds.len(), 1);
    let names: Vec<String> = config.submetrics.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["http_req_duration{name:x}"]);
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

/// Names of options and of their fields, in any case, and others.
fn name() -> impl Strategy<Value = String> {
    const FIELDS: [&str; 12] = [
        "executor",
        "exec",
        "env",
        "rate",
        "timeUnit",
        "preAllocatedVUs",
        "min",
        "key",
        "password",
        "ttl",
        "over",
        "onEmpty",
    ];
    let known: Vec<&str> = option_names().chain(FIELDS).collect();
    (prop::sample::select(known), 0..4u8).prop_map(|(name, case)| match case {
        0 => name.to_uppercase(),
        1 => name.to_lowercase(),
        2 => format!("{name}s"),
        _ => name.to_owned(),
    })
}

/// JSON whose names are mostly those of options, at every depth.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        prop::sample::select(vec![
            "constant-vus",
            "ramping-vus",
            "shared-iterations",
            "ramping-arrival-rate",
            "externally-controlled",
            "1s",
            "0",
            "p(95)<5",
            "tls1.0",
            "pass",
            "10.0.0.0/8",
            "a.*",
            "*",
            "1/2:1",
            "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n",
        ])
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    prop_oneof![anything(), text].prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    /// No JSON at all, from a script or from a file, makes reading it panic.
    #[test]
    fn no_json_panics(members in prop::collection::btree_map(name(), any_json(), 0..10), file in any::<bool>()) {
        let object: serde_json::Map<String, Value> = members.into_iter().collect();
        let tier = if file { Tier::File } else { Tier::Script };
        let mut raw = RawOptions::from_json(&object, tier);
        if let Ok((more, _)) = loadgen::config::file("options.json", &Value::Object(object).to_string()) {
            raw.overlay(more);
        }
        match check(&raw, &known) {
            Ok(config) => prop_assert!(!config.scenarios.is_empty()),
            Err(errors) => prop_assert!(!errors.to_string().is_empty()),
        }
    }

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
