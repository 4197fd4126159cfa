//! The loads and thresholds of the scenarios that ship, as the documents of the five systems state them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::fmt::Write as _;

use run_support::run;
use serde_json::Value;

fn options(scenario: &str, profile: Option<&str>) -> Value {
    let profile = profile.map(|name| format!("PROFILE={name}"));
    let mut arguments = vec!["inspect", scenario];
    if let Some(profile) = &profile {
        arguments.extend(["-e", profile]);
    }
    serde_json::from_str(&run(&arguments).expect(0).stdout).unwrap()
}

/// A load in one line: the executor, its users, and its duration or stages.
fn load(scenario: &str, profile: Option<&str>) -> String {
    let options = options(scenario, profile);
    let scenarios = options["scenarios"].as_object().unwrap().values();
    let one = |it: &Value| {
        let mut text = format!(
            "{} {}:",
            it["executor"].as_str().unwrap(),
            it.get("vus").or(it.get("startVUs")).unwrap()
        );
        for stage in it["stages"].as_array().into_iter().flatten() {
            write!(
                text,
                " {}→{}",
                stage["duration"].as_str().unwrap(),
                stage["target"]
            )
            .unwrap();
        }
        if let Some(duration) = it["duration"].as_str() {
            write!(text, " {duration}").unwrap();
        }
        text
    };
    scenarios.map(one).collect::<Vec<_>>().join("; ")
}

/// The thresholds of a scenario as `metric: expressions`, in their order.
fn thresholds(scenario: &str, profile: Option<&str>) -> Vec<String> {
    let options = options(scenario, profile);
    let expression = |it: &Value| it["threshold"].as_str().or(it.as_str()).unwrap().to_owned();
    let of_metric = |(metric, list): (&String, &Value)| {
        let all: Vec<String> = list.as_array().unwrap().iter().map(expression).collect();
        format!("{metric}: {}", all.join(" "))
    };
    options["thresholds"]
        .as_object()
        .unwrap()
        .iter()
        .map(of_metric)
        .collect()
}

#[test]
fn prim_loads() {
    assert_eq!(
        load("health", None),
        "ramping-vus 1: 30s→50 30s→100 1m0s→100 10s→0"
    );
    assert_eq!(load("store-crud", None), "ramping-vus 1: 30s→20 30s→50 1m0s→50");
    assert_eq!(
        load("spike", None),
        "constant-vus 1: 10s; constant-vus 200: 30s; constant-vus 1: 30s"
    );
    assert_eq!(load("health", Some("smoke")), "constant-vus 1: 30s");
    assert_eq!(load("spike", Some("smoke")), "constant-vus 1: 30s");
}

#[test]
fn tachikoma_loads_are_the_same_for_every_scenario() {
    for scenario in ["health", "missions", "specs", "websocket"] {
        let scenario = format!("tachikoma/{scenario}");
        for (profile, expected) in [
            (None, "constant-vus 1: 30s"),
            (Some("smoke"), "constant-vus 1: 30s"),
            (Some("load"), "ramping-vus 1: 2m0s→10 5m0s→10 2m0s→0"),
            (
                Some("stress"),
                "ramping-vus 1: 2m0s→10 5m0s→50 2m0s→100 5m0s→100 5m0s→0",
            ),
            (Some("soak"), "ramping-vus 1: 5m0s→10 1h0m0s→10 5m0s→0"),
            (
                Some("spike"),
                "ramping-vus 1: 1m0s→5 10s→100 3m0s→100 10s→5 3m0s→5 1m0s→0",
            ),
        ] {
            assert_eq!(load(&scenario, profile), expected, "{scenario} {profile:?}");
        }
        assert_eq!(options(&scenario, None)["tags"]["project"], "tachikoma");
    }
}

#[test]
fn tachikoma_promises() {
    let shared = [
        "http_req_duration: p(95)<500",
        "http_req_failed: rate<0.01",
        "http_req_duration{expected_response:true}: p(99)<1500",
    ];
    for (scenario, own) in [
        (
            "health",
            &["errors: rate<0.01", "health_check_duration: p(95)<100"][..],
        ),
        (
            "missions",
            &[
                "errors: rate<0.05",
                "mission_create_duration: p(95)<1000",
                "mission_list_duration: p(95)<500",
            ],
        ),
        (
            "specs",
            &[
                "errors: rate<0.05",
                "spec_get_duration: p(95)<300",
                "spec_search_duration: p(95)<500",
            ],
        ),
    ] {
        let expected = [&shared[..], own].concat();
        assert_eq!(thresholds(&format!("tachikoma/{scenario}"), None), expected);
    }
    assert_eq!(thresholds("tachikoma/websocket", None), ["ws_errors: rate<0.01"]);
}

#[test]
fn sequencer_loads_and_targets() {
    for scenario in ["ingest", "query", "mixed"] {
        let scenario = format!("sequencer/{scenario}");
        assert_eq!(load(&scenario, None), "constant-vus 10: 30s");
        assert_eq!(load(&scenario, Some("load")), "constant-vus 50: 2m0s");
        assert_eq!(load(&scenario, Some("stress")), "constant-vus 100: 5m0s");
        let targets = thresholds(&scenario, None);
        for target in [
            "http_req_duration: p(50)<20 p(95)<50 p(99)<100",
            "http_req_failed: rate==0",
            "http_reqs: rate>=1000",
        ] {
            assert!(targets.iter().any(|it| it == target), "{scenario}: {targets:?}");
        }
        assert!(thresholds(&scenario, Some("smoke")).contains(&"http_reqs: rate>=0".to_owned()));
    }
}

#[test]
fn flux_gate_loads_and_promises() {
    let name = "flux-gate/flash-sale";
    assert_eq!(load(name, None), "ramping-vus 0: 10s→50 10s→100 5s→0");
    assert_eq!(
        options(name, None)["scenarios"]["flash_sale"]["gracefulRampDown"],
        "0s"
    );
    assert_eq!(load(name, Some("stress")), "constant-vus 100: 5m0s");
    assert_eq!(
        load(name, Some("spike")),
        "ramping-vus 1: 10s→10 1s→500 10s→500 1s→10"
    );
    assert_eq!(load(name, Some("soak")), "constant-vus 50: 30m0s");
    assert_eq!(
        thresholds(name, None)[..2],
        [
            "http_req_duration{name:order}: p(50)<5 p(90)<10 p(95)<20 p(99)<50",
            "http_req_failed{name:order}: rate==0"
        ]
    );
}

#[test]
fn happy_loads_and_promises() {
    for scenario in ["health", "sessions", "websocket", "full-api"] {
        let scenario = format!("happy/{scenario}");
        for (profile, expected) in [
            (None, "constant-vus 1: 30s"),
            (Some("average"), "ramping-vus 1: 30s→100 1m0s→100 30s→0"),
            (Some("stress"), "ramping-vus 1: 1m0s→100 1m0s→200 3m0s→250 1m0s→0"),
            (Some("spike"), "ramping-vus 1: 10s→10 5s→200 30s→200 5s→10 10s→0"),
            (Some("endurance"), "ramping-vus 1: 1m0s→50 10m0s→50 1m0s→0"),
        ] {
            assert_eq!(load(&scenario, profile), expected, "{scenario} {profile:?}");
        }
        let promises = thresholds(&scenario, Some("average"));
        assert_eq!(
            promises[..2],
            [
                "http_req_duration: p(95)<500 p(99)<1000",
                "http_req_failed: rate<0.01"
            ]
        );
        assert!(
            promises.contains(&"http_reqs: rate>=16.67".to_owned()),
            "{promises:?}"
        );
    }
    let by_endpoint = thresholds("happy/full-api", None);
    assert_eq!(
        by_endpoint[3..],
        [
            "http_req_duration{name:health}: p(95)<50 p(99)<100",
            "http_req_duration{name:sessions list}: p(95)<200 p(99)<400",
            "http_req_duration{name:sessions create}: p(95)<300 p(99)<500",
            "http_req_duration{name:machines list}: p(95)<200 p(99)<400",
            "http_req_duration{name:artifacts list}: p(95)<200 p(99)<400",
            "http_req_duration{name:websocket stats}: p(95)<100 p(99)<200",
            "http_req_duration{name:websocket broadcast}: p(95)<200 p(99)<400",
        ]
    );
    for (scenario, names) in [
        ("health", &["health"][..]),
        ("sessions", &["sessions list", "sessions create"]),
        ("websocket", &["websocket stats", "websocket broadcast"]),
    ] {
        let promises = thresholds(&format!("happy/{scenario}"), None);
        for name in names {
            let key = format!("http_req_duration{{name:{name}}}: ");
            let own = promises.iter().find(|it| it.starts_with(&key));
            assert_eq!(own, by_endpoint.iter().find(|it| it.starts_with(&key)), "{name}");
            assert!(own.is_some());
        }
    }
}
