//! Every executor: its fields, their defaults, the plan they make, and what is refused.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use loadgen::config::{Config, RawOptions, Scenario, Tier, check};
use loadgen::pace::{Budget, Plan, Staffing};
use serde_json::{Value, json};

fn checked(options: &Value) -> Result<Config, Vec<String>> {
    let raw = RawOptions::from_json(options.as_object().unwrap(), Tier::Script);
    check(&raw, &|_| None).map_err(|errors| errors.0.iter().map(ToString::to_string).collect())
}

fn scenario(fields: &Value) -> Scenario {
    let config = checked(&json!({ "scenarios": { "s": fields } })).unwrap();
    config.scenarios[0].clone()
}

fn faults(fields: &Value) -> Vec<String> {
    checked(&json!({ "scenarios": { "s": fields } })).unwrap_err()
}

/// The least that each executor needs, and its own fields with everything filled in.
fn executors() -> [(Value, Value); 6] {
    [
        (
            json!({ "executor": "shared-iterations" }),
            json!({ "vus": 1, "iterations": 1, "maxDuration": "10m0s" }),
        ),
        (
            json!({ "executor": "per-vu-iterations" }),
            json!({ "vus": 1, "iterations": 1, "maxDuration": "10m0s" }),
        ),
        (
            json!({ "executor": "constant-vus", "duration": "5s" }),
            json!({ "vus": 1, "duration": "5s" }),
        ),
        (
            json!({ "executor": "ramping-vus", "stages": [{ "duration": "5s", "target": 3 }] }),
            json!({ "startVUs": 1, "stages": [{ "duration": "5s", "target": 3 }], "gracefulRampDown": "30s" }),
        ),
        (
            json!({ "executor": "constant-arrival-rate", "rate": 7, "duration": "5s", "preAllocatedVUs": 2 }),
            json!({ "rate": 7, "duration": "5s", "timeUnit": "1s", "preAllocatedVUs": 2, "maxVUs": 2 }),
        ),
        (
            json!({ "executor": "ramping-arrival-rate", "preAllocatedVUs": 2,
                    "stages": [{ "duration": "5s", "target": 3 }] }),
            json!({ "startRate": 0, "stages": [{ "duration": "5s", "target": 3 }], "timeUnit": "1s",
                    "preAllocatedVUs": 2, "maxVUs": 2 }),
        ),
    ]
}

#[test]
fn defaults_are_filled_in() {
    for (given, own) in executors() {
        let scenario = scenario(&given);
        let mut expected = json!({
            "executor": given["executor"], "startTime": "0s", "gracefulStop": "30s", "env": {}, "exec": "default",
            "tags": {},
        });
        expected
            .as_object_mut()
            .unwrap()
            .extend(own.as_object().unwrap().clone());
        assert_eq!(scenario.options, expected);
        assert_eq!(scenario.executor, given["executor"]);
        assert_eq!(
            (scenario.start, scenario.graceful_stop, scenario.exec.as_str()),
            (Duration::ZERO, Duration::from_secs(30), "default")
        );
        assert!(scenario.env.is_empty() && scenario.tags.is_empty());
    }
}

/// What `inspect` shows and what `k6/execution` tells must be accepted back and mean the same.
#[test]
fn options_spelled_out_read_back_as_themselves() {
    for (given, _) in executors() {
        let first = scenario(&given);
        let again = scenario(&first.options);
        assert_eq!(
            (&first.plan, &first.options, first.latest_end()),
            (&again.plan, &again.options, again.latest_end())
        );
    }
}

#[test]
fn common_fields_are_every_executors() {
    for (mut given, _) in executors() {
        given.as_object_mut().unwrap().extend(
            json!({ "startTime": "1m", "gracefulStop": 2500, "env": { "A": "x", "N": 5 }, "exec": "buy",
                    "tags": { "team": "blue", "shard": 2 }, "options": { "browser": {} } })
            .as_object()
            .unwrap()
            .clone(),
        );
        let scenario = scenario(&given);
        assert_eq!(
            (scenario.start, scenario.graceful_stop, scenario.exec.as_str()),
            (Duration::from_mins(1), Duration::from_millis(2_500), "buy")
        );
        assert_eq!((scenario.env["N"].as_str(), scenario.env.len()), ("5", 2));
        assert_eq!(scenario.tags["shard"], "2");
        assert!(
            scenario
                .describe()
                .ends_with("exec: buy, startTime: 1m0s, gracefulStop: 2.5s)")
        );
    }
}

#[test]
fn a_field_of_another_executor_is_pointed_out() {
    let owners = [
        ("maxDuration", json!("1m")),
        ("iterations", json!(9)),
        ("startVUs", json!(0)),
        ("gracefulRampDown", json!("5s")),
        ("rate", json!(5)),
        ("startRate", json!(5)),
        ("timeUnit", json!("1m")),
        ("maxVUs", json!(90)),
    ];
    for (given, own) in executors() {
        for (field, value) in &owners {
            let mut given = given.clone();
            given[*field] = value.clone();
            if own.get(field).is_some() {
                scenario(&given);
                continue;
            }
            let [fault] = &faults(&given)[..] else {
                panic!("{given}")
            };
            let expected = format!(
                "options.scenarios.s.{field} (script): is not a field of {}; it belongs to ",
                given["executor"].as_str().unwrap()
            );
            assert!(fault.starts_with(&expected), "{fault}\n{expected}");
        }
    }
}

#[test]
fn plans_carry_the_numbers() {
    let constant = |vus, seconds| Staffing::Constant {
        vus,
        duration: Duration::from_secs(seconds),
    };
    for (fields, expected) in [
        (
            json!({ "executor": "shared-iterations", "vus": 3, "iterations": 7, "maxDuration": "20s" }),
            Plan::Closed {
                staffing: constant(3, 20),
                budget: Budget::Shared(7),
            },
        ),
        (
            json!({ "executor": "per-vu-iterations", "vus": 3, "iterations": 2, "maxDuration": 20_000 }),
            Plan::Closed {
                staffing: constant(3, 20),
                budget: Budget::PerVu(2),
            },
        ),
        (
            json!({ "executor": "constant-vus", "vus": "4", "duration": "1m" }),
            Plan::Closed {
                staffing: constant(4, 60),
                budget: Budget::Unlimited,
            },
        ),
    ] {
        assert_eq!(scenario(&fields).plan, expected);
    }
    let ramp = scenario(&json!({
        "executor": "ramping-vus", "startVUs": 5, "gracefulRampDown": "3s",
        "stages": [{ "duration": "10s", "target": 9 }, { "duration": 0, "target": 2 }],
    }));
    assert_eq!((ramp.plan.max_vus(), ramp.plan.initial_vus()), (9, 9));
    assert_eq!(ramp.latest_end(), Duration::from_secs(40));

    let Plan::Open {
        arrivals,
        pre_allocated,
        max_vus,
    } = scenario(&json!({
        "executor": "constant-arrival-rate", "rate": 120, "timeUnit": "1m", "duration": "10s", "preAllocatedVUs": 0,
        "maxVUs": 3,
    }))
    .plan
    else {
        panic!("an arrival rate is an open model")
    };
    assert_eq!((pre_allocated, max_vus, arrivals.total()), (0, 3, 20));
}

#[test]
fn durations_are_text_or_milliseconds() {
    let duration = |value: Value| scenario(&json!({ "executor": "constant-vus", "duration": value })).plan;
    for (value, millis) in [
        (json!(1500), 1_500),
        (json!("1500"), 1_500),
        (json!(1500.5e0), 1_500),
        (json!("1m30s"), 90_000),
        (json!("1.5h"), 5_400_000),
        (json!("1d"), 86_400_000),
        (json!(1e3), 1_000),
    ] {
        assert_eq!(duration(value.clone()).duration().as_millis(), millis, "{value}");
    }
    for (value, message) in [
        (
            json!(-1000),
            "-1000 is not a duration; write it like \"1m30s\" or \"500ms\"",
        ),
        (
            json!("-1s"),
            "the duration \"-1s\" is negative; only zero or more makes sense here",
        ),
        (json!(1e30), "1e+30 is not a duration"),
        (json!("300y"), "unknown unit \"y\" in duration \"300y\""),
        (json!(999), "999 is too short; it must be at least 1s"),
        (json!(""), "the duration is empty"),
        (json!(true), "true is not a duration"),
        (json!(["1s"]), "[\"1s\"] is not a duration"),
    ] {
        let fault = faults(&json!({ "executor": "constant-vus", "duration": value })).remove(0);
        let expected = format!("options.scenarios.s.duration (script): {message}");
        assert!(fault.starts_with(&expected), "{fault}\n{expected}");
    }
}

#[test]
fn null_fields_are_not_given() {
    let given =
        json!({ "executor": "constant-vus", "vus": null, "duration": "1s", "tags": null, "rate": null });
    assert_eq!(
        scenario(&given).describe(),
        "1 looping VUs for 1s (gracefulStop: 30s)"
    );
    assert_eq!(
        faults(&json!({ "executor": "constant-vus", "duration": null })),
        ["options.scenarios.s.duration (script): is required; say how long it runs, as in duration: '30s'"]
    );
    assert!(checked(&json!({ "scenarios": { "a": null }, "duration": "1s" })).is_err());
    assert_eq!(
        checked(&json!({ "scenarios": { "a": null, "b": null } })).unwrap_err(),
        [
            "options.scenarios (script): has only scenarios that are null; describe one, or leave scenarios out"
        ]
    );
    let one = json!({ "a": null, "b": { "executor": "constant-vus", "duration": "1s" } });
    assert_eq!(checked(&json!({ "scenarios": one })).unwrap().scenarios.len(), 1);
}

#[test]
fn all_faults_of_a_scenario_come_together() {
    let fields = json!({
        "executor": "ramping-arrival-rate", "startRate": -1, "timeUnit": "0s", "maxVUs": "many", "startTime": "soon",
        "gracefulStop": -1, "exec": 5, "env": [], "tags": { "a": {} }, "stages": [{ "duration": "1s" }, 5],
    });
    let shown = faults(&fields);
    for expected in [
        ".startTime (script): \"soon\" is not a duration",
        ".gracefulStop (script): -1 is not a duration",
        ".exec (script): expected text but found 5",
        ".env (script): expected an object but found []",
        ".tags.a (script): expected text but found {}",
        ".timeUnit (script): \"0s\" is too short; it must be at least 1ns",
        ".preAllocatedVUs (script): is required; say how many VUs to start with",
        ".maxVUs (script): expected a whole number from 0 to 1000000 but found \"many\"",
        ".startRate (script): expected a whole number from 0 to 1000000000 but found -1",
        ".stages[0].target (script): is required; say what the stage reaches at its end",
        ".stages[1] (script): expected an object but found 5",
    ] {
        let expected = format!("options.scenarios.s{expected}");
        assert!(
            shown.iter().any(|fault| fault.starts_with(&expected)),
            "{expected}\n{shown:#?}"
        );
    }
    assert_eq!(shown.len(), 11, "{shown:#?}");
}

#[test]
fn segments_divide_every_executor() {
    for (segment, sequence, part, vus) in [
        ("1/2:1", None, "0.5", 4),
        ("25%", None, "0.25", 2),
        ("1/4:1/2", Some("0,1/4,1/2,1"), "0.25", 2),
    ] {
        let config = checked(&json!({
            "executionSegment": segment, "executionSegmentSequence": sequence, "vus": 8, "iterations": 100,
        }))
        .unwrap();
        assert_eq!(config.segment_fraction.to_string(), part, "{segment}");
        assert_eq!((config.max_vus_here(), config.max_vus()), (vus, 8));
    }
    let refused = |options: Value| checked(&options).unwrap_err();
    assert_eq!(
        refused(json!({ "executionSegment": "1/2:1/4" })),
        [
            "options.executionSegment (script): the execution segment \"1/2:1/4\" must have 0 <= from < to <= 1"
        ]
    );
    assert_eq!(
        refused(json!({ "executionSegmentSequence": "0,1/2" })),
        [
            "options.executionSegmentSequence (script): the execution segment sequence \"0,1/2\" must rise from 0 to 1 \
             without repeats, like \"0,1/4,1/2,1\""
        ]
    );
    assert_eq!(
        refused(json!({ "executionSegment": "1/3", "executionSegmentSequence": "0,1/2,1" })).len(),
        1
    );
}
