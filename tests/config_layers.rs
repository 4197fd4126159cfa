//! Options from every tier: who wins, what the shortcuts make of them, and how scenarios are described.

#![allow(clippy::unwrap_used)]

use loadgen::config::{Config, ConfigErrors, RawOptions, Tier, check, file, stage};
use loadgen::metrics::{Kind, builtin};
use loadgen::pace::{Budget, Plan, Staffing};
use serde_json::{Value, json};

fn known(name: &str) -> Option<Kind> {
    builtin::ALL
        .iter()
        .find(|metric| metric.0 == name)
        .map(|metric| metric.1)
}

fn raw(options: &Value, tier: Tier) -> RawOptions {
    RawOptions::from_json(options.as_object().unwrap(), tier)
}

fn env(variables: &[(&str, &str)]) -> RawOptions {
    RawOptions::from_env(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

fn config(options: &Value) -> Config {
    check(&raw(options, Tier::Script), &known).unwrap()
}

fn refused(options: &Value) -> String {
    let errors: ConfigErrors = check(&raw(options, Tier::Script), &known).unwrap_err();
    errors.to_string()
}

fn described(options: &Value) -> String {
    let config = config(options);
    assert_eq!(config.scenarios.len(), 1);
    config.scenarios[0].describe()
}

#[test]
fn shortcuts_make_the_default_scenario() {
    for (options, line) in [
        (
            json!({}),
            "1 iterations for each of 1 VUs (maxDuration: 10m0s, gracefulStop: 30s)",
        ),
        (
            json!({ "vus": 2, "duration": "2s" }),
            "2 looping VUs for 2s (gracefulStop: 30s)",
        ),
        (
            json!({ "vus": "2", "duration": 2000 }),
            "2 looping VUs for 2s (gracefulStop: 30s)",
        ),
        (
            json!({ "vus": 5, "iterations": 10 }),
            "10 iterations shared among 5 VUs (maxDuration: 10m0s, gracefulStop: 30s)",
        ),
        (
            json!({ "vus": 5 }),
            "5 iterations shared among 5 VUs (maxDuration: 10m0s, gracefulStop: 30s)",
        ),
        (
            json!({ "vus": 5, "stages": [] }),
            "5 iterations shared among 5 VUs (maxDuration: 10m0s, gracefulStop: 30s)",
        ),
        (
            json!({ "iterations": 10, "duration": "1m" }),
            "10 iterations shared among 1 VUs (maxDuration: 1m0s, gracefulStop: 30s)",
        ),
        (
            json!({ "vus": 0, "stages": [{ "duration": "1m", "target": 100 }, { "duration": "1m", "target": 0 }] }),
            "Up to 100 looping VUs for 2m0s over 2 stages (gracefulRampDown: 30s, gracefulStop: 30s)",
        ),
    ] {
        let config = config(&options);
        assert_eq!(config.scenarios[0].describe(), line, "{options}");
        assert_eq!(
            (
                config.scenarios[0].name.as_str(),
                config.scenarios[0].exec.as_str()
            ),
            ("default", "default")
        );
    }
}

#[test]
fn scenarios_are_described_in_the_dialects_words() {
    let one = |fields: Value| described(&json!({ "scenarios": { "s": fields } }));
    for (fields, line) in [
        (
            json!({ "executor": "constant-vus", "vus": 3, "duration": "90s", "gracefulStop": "0s" }),
            "3 looping VUs for 1m30s",
        ),
        (
            json!({ "executor": "constant-vus", "duration": "5s", "exec": "buy", "startTime": "3s" }),
            "1 looping VUs for 5s (exec: buy, startTime: 3s, gracefulStop: 30s)",
        ),
        (
            json!({ "executor": "constant-arrival-rate", "rate": 600, "timeUnit": "1m", "duration": "10s",
                    "preAllocatedVUs": 5, "maxVUs": 20 }),
            "10.00 iterations/s for 10s (maxVUs: 5-20, gracefulStop: 30s)",
        ),
        (
            json!({ "executor": "ramping-arrival-rate", "startRate": 1, "preAllocatedVUs": 5,
                    "stages": [{ "duration": "10s", "target": 50 }, { "duration": "10s", "target": 0 }] }),
            "Up to 50.00 iterations/s for 20s over 2 stages (maxVUs: 5, gracefulStop: 30s)",
        ),
        (
            json!({ "executor": "per-vu-iterations", "vus": 2, "iterations": 3, "maxDuration": "1m" }),
            "3 iterations for each of 2 VUs (maxDuration: 1m0s, gracefulStop: 30s)",
        ),
    ] {
        assert_eq!(one(fields), line);
    }
}

#[test]
fn a_segment_describes_its_part() {
    let config = config(&json!({ "vus": 8, "duration": "1s", "executionSegment": "0:1/4" }));
    assert_eq!(
        config.scenarios[0].describe_share(&config.segment, config.segment_fraction),
        "2 looping VUs for 1s (gracefulStop: 30s)"
    );
    assert_eq!((config.max_vus(), config.max_vus_here()), (8, 2));
}

#[test]
fn plans_carry_the_numbers() {
    let config = config(&json!({ "vus": 4, "iterations": 9, "duration": "7s" }));
    let expected = Plan::Closed {
        staffing: Staffing::Constant {
            vus: 4,
            duration: std::time::Duration::from_secs(7),
        },
        budget: Budget::Shared(9),
    };
    assert_eq!(config.scenarios[0].plan, expected);
}

#[test]
fn a_later_tiers_load_replaces_the_whole_load_and_vus_stay() {
    let script = json!({ "vus": 7, "scenarios": { "a": { "executor": "constant-vus", "duration": "1m" } } });
    let mut all = raw(&script, Tier::Script);
    all.overlay(env(&[("K6_DURATION", "5s")]));
    let merged = check(&all, &known).unwrap();
    assert_eq!(
        merged.scenarios[0].describe(),
        "7 looping VUs for 5s (gracefulStop: 30s)"
    );

    let mut flags = RawOptions::new();
    flags.set("stages", json!([stage("10s:5"), stage("5s:0")]), Tier::Flags);
    all.overlay(flags);
    let merged = check(&all, &known).unwrap();
    assert_eq!(
        merged.scenarios[0].describe(),
        "Up to 7 looping VUs for 15s over 2 stages (gracefulRampDown: 30s, gracefulStop: 30s)"
    );
}

#[test]
fn null_is_not_given() {
    let mut all = raw(&json!({ "vus": 3, "duration": "1s" }), Tier::File);
    all.overlay(raw(
        &json!({ "vus": null, "duration": null, "thresholds": null }),
        Tier::Script,
    ));
    assert_eq!(
        check(&all, &known).unwrap().scenarios[0].describe(),
        "3 looping VUs for 1s (gracefulStop: 30s)"
    );
}

#[test]
fn environment_variables_in_every_form() {
    let raw = env(&[
        ("LOADGEN_VUS", "9"),
        ("K6_VUS", "3"),
        ("K6_STAGES", "10s:5, 20s:10"),
        ("K6_SYSTEM_TAGS", "status,method"),
        ("K6_TAGS", "a=1,b=2"),
        ("K6_HOSTS", r#"{"*.example.com": "10.0.0.1:8080"}"#),
        ("K6_BLACKLIST_IPS", "10.0.0.0/8"),
        ("K6_NO_SETUP", "1"),
        ("K6_DNS", "ttl=inf,select=first,policy=onlyIPv4"),
        ("K6_THRESHOLDS", r#"{"http_req_failed": "rate<0.01"}"#),
        ("K6_SUMMARY_TREND_STATS", "avg,p(99.9)"),
        ("K6_USER_AGENT", ""),
        ("K6_MY_OWN", "x"),
        ("PATH", "/bin"),
    ]);
    let config = check(&raw, &known).unwrap();
    assert_eq!(
        config.scenarios[0].describe(),
        "Up to 10 looping VUs for 30s over 2 stages (gracefulRampDown: 30s, gracefulStop: 30s)"
    );
    assert_eq!(config.system_tags.iter().count(), 2);
    assert_eq!(config.tags.get("b").map(String::as_str), Some("2"));
    assert!(config.http.hosts[0].host.covers("x.example.com"));
    assert_eq!(config.http.hosts[0].to_port, Some(8080));
    assert!(config.http.blacklist_ips[0].contains("10.9.9.9".parse().unwrap()));
    assert!(config.no_setup);
    assert_eq!(config.http.dns.ttl, None);
    assert_eq!(config.thresholds[0].to_string(), "http_req_failed: rate<0.01");
    assert_eq!(config.summary_trend_stats.len(), 2);
    assert!(config.http.user_agent.starts_with("loadgen/"));
}

#[test]
fn a_slip_in_our_own_variables_is_pointed_out() {
    let config = check(
        &env(&[("LOADGEN_DURATOIN", "1s"), ("LOADGEN_IMAGE_TAG", "x")]),
        &known,
    )
    .unwrap();
    assert_eq!(
        config.warnings,
        ["the environment variable LOADGEN_DURATOIN is not an option; did you mean LOADGEN_DURATION?"]
    );
}

#[test]
fn what_has_no_effect_is_said() {
    let config = config(&json!({
        "vus": 5, "ext": { "loadimpact": {} },
        "scenarios": { "a": { "executor": "constant-vus", "duration": "1s" } },
        "thresholds": { "http_reqs{vu:1}": "count>0" },
    }));
    assert_eq!(
        config.warnings,
        [
            "options.ext has no effect here: it configures extensions and hosted services",
            "options.vus (script) has no effect beside scenarios",
            "threshold \"http_reqs{vu:1}\" filters by vu, which systemTags leaves out: no sample will match",
        ]
    );
}

#[test]
fn a_config_file_gives_options_and_settings() {
    let text = r#"{ "options": { "vus": 2 }, "duration": "3s", "out": ["json=a.json", "csv=b.csv"], "linger": true }"#;
    let (raw, settings) = file("runner.json", text).unwrap();
    assert_eq!(
        check(&raw, &known).unwrap().scenarios[0].describe(),
        "2 looping VUs for 3s (gracefulStop: 30s)"
    );
    assert_eq!(
        (settings.get("OUT"), settings.get("LINGER")),
        (Some("json=a.json,csv=b.csv"), Some("true"))
    );
    assert_eq!(
        file("runner.json", "[1]").unwrap_err().to_string(),
        "configuration error: runner.json (config file): is not a JSON object; write options as in { \"vus\": 10 }"
    );
    let (raw, _) = file("runner.json", r#"{ "vus": 2, "duratoin": "3s", "stgaes": [] }"#).unwrap();
    let wrong = check(&raw, &known).unwrap_err().to_string();
    for part in ["duratoin", "duration", "stgaes", "stages", "config file"] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
    assert!(
        file("runner.json", "{")
            .unwrap_err()
            .to_string()
            .contains("runner.json (config file): is not JSON")
    );
}

#[test]
fn thresholds_in_every_form() {
    let config = config(&json!({ "thresholds": {
        "http_reqs": "count>10",
        "http_req_failed": ["rate<0.1", { "threshold": "rate<0.5", "abortOnFail": true, "delayAbortEval": "10s" }],
        "http_req_duration{name:x}": { "threshold": "p(95)<500", "onEmpty": "pass", "over": "30s" },
    }}));
    let shown: Vec<String> = config.thresholds.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "http_reqs: count>10",
            "http_req_failed: rate<0.1",
            "http_req_failed: rate<0.5",
            "http_req_duration{name:x}: p(95)<500"
        ]
    );
    assert!(config.thresholds[2].abort_on_fail && config.thresholds[3].on_empty_pass);
    assert_eq!(config.thresholds[2].delay_abort_eval.as_secs(), 10);
    assert_eq!(config.thresholds[3].over.map(|window| window.as_secs()), Some(30));
}

#[test]
fn the_longest_and_the_largest_a_run_can_be() {
    let config = config(&json!({ "scenarios": {
        "first": { "executor": "constant-vus", "vus": 5, "duration": "10s", "gracefulStop": "0s" },
        "after": { "executor": "constant-vus", "vus": 7, "duration": "10s", "startTime": "10s" },
        "with": { "executor": "constant-vus", "vus": 1, "duration": "20s", "startTime": "5s" },
    }}));
    assert_eq!(config.max_vus(), 8);
    assert_eq!(config.max_duration().as_secs(), 55);
    let names: Vec<&str> = config
        .scenarios
        .iter()
        .map(|scenario| scenario.name.as_str())
        .collect();
    assert_eq!(names, ["first", "with", "after"]);
}

#[test]
fn consolidated_options_spell_the_load_out() {
    let config = config(&json!({ "vus": 2, "duration": "2s", "batch": 5 }));
    assert_eq!(
        config.options,
        json!({
            "scenarios": { "default": {
                "executor": "constant-vus", "startTime": "0s", "gracefulStop": "30s", "env": {}, "exec": "default",
                "tags": {}, "vus": 2, "duration": "2s",
            }},
            "batch": 5,
        })
    );
}

#[test]
fn an_exec_that_the_script_does_not_export() {
    let config = config(&json!({ "scenarios": {
        "a": { "executor": "constant-vus", "duration": "1s", "exec": "checkuot" },
    }}));
    let exported = ["default".to_owned(), "checkout".to_owned()];
    assert_eq!(
        config.check_exports(&exported).unwrap_err().to_string(),
        "configuration error: options.scenarios.a.exec (script): the script exports no function \"checkuot\"; \
         did you mean `checkout`?"
    );
    assert!(refused(&json!({ "vus": 0, "duration": "1s" })).contains("options.vus"));
}
