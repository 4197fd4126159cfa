//! The rules, the configuration of Alertmanager, and the whole way from a run that fails to a webhook.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alert_support;
mod grafana_support;
mod run_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use alert_support::{Alertmanager, Webhook};
use grafana_support::{Prometheus, configuration, list, path, read, yaml};
use loadgen::pace::parse_duration;
use run_support::{Running, Scripted, Server, eventually, free_port};
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

/// Runs a checker; it has to end well.
fn check(program: &str, arguments: &[&str]) -> String {
    let ended = Command::new(program).args(arguments).output();
    let ended = ended.unwrap_or_else(|error| panic!("{program}: {error}; see .ci/run for what to install"));
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{program} {arguments:?}:\n{said}");
    said
}

fn alerts() -> BTreeSet<String> {
    let rules = read("prometheus/rules/loadgen.yml");
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn promtool_and_amtool_find_nothing_wrong() {
    let rules = path("prometheus/rules/loadgen.yml");
    assert!(check("promtool", &["check", "rules", rules.to_str().unwrap()]).contains("SUCCESS"));
    let config = path("prometheus/alertmanager.yml");
    assert!(check("amtool", &["check-config", config.to_str().unwrap()]).contains("SUCCESS"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    fs::write(&file, configuration("127.0.0.1:1", "127.0.0.1:2")).unwrap();
    check("promtool", &["check", "config", file.to_str().unwrap()]);
}

#[test]
fn each_alert_fires_and_does_not_fire_when_it_should_not() {
    let files = ["hours", "seconds"].map(|name| path(&format!("prometheus/tests/{name}.yml")));
    let files = files.each_ref().map(|file| file.to_str().unwrap());
    check("promtool", &["test", "rules", files[0], files[1]]);

    let mut cases: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for file in files {
        let documents = YamlLoader::load_from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for test in documents[0]["tests"].as_vec().unwrap() {
            for case in test["alert_rule_test"].as_vec().unwrap() {
                let count = cases
                    .entry(case["alertname"].as_str().unwrap().to_owned())
                    .or_default();
                if case["exp_alerts"].as_vec().unwrap().is_empty() {
                    count.1 += 1;
                } else {
                    count.0 += 1;
                }
            }
        }
    }
    let both: BTreeSet<String> = cases
        .into_iter()
        .filter(|(_, (fires, does_not))| *fires > 0 && *does_not > 0)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(both, alerts(), "each alert is tested both ways");
}

#[test]
fn each_alert_says_how_bad_it_is_whom_it_concerns_and_what_to_do() {
    let document = read("docs/alerts.md");
    let rules = yaml("prometheus/rules/loadgen.yml");
    let groups = rules["groups"].as_vec().unwrap();
    for rule in groups.iter().flat_map(|group| group["rules"].as_vec().unwrap()) {
        let Some(name) = rule["alert"].as_str() else {
            continue;
        };
        let label = |key: &str| rule["labels"][key].as_str().unwrap_or_default();
        assert!(["critical", "warning"].contains(&label("severity")), "{name}");
        assert!(
            ["target", "generator", "tunnel", "telemetry"].contains(&label("concerns")),
            "{name}"
        );
        for key in ["summary", "description", "dashboard"] {
            assert!(
                rule["annotations"][key]
                    .as_str()
                    .is_some_and(|text| text.len() > 5),
                "{name}: {key}"
            );
        }
        assert!(document.contains(&format!("`{name}`")), "docs/alerts.md: {name}");
    }
    // Names in Alertmanager's rules of inhibition are names of alerts.
    let config = read("prometheus/alertmanager.yml");
    for word in config
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.starts_with("Loadgen"))
    {
        let known = alerts().iter().any(|alert| alert.starts_with(word));
        assert!(known, "{word}");
    }
}

/// Alertmanager holds back what is firing already when its cause comes: so the cause has to come first. Groups are evaluated at
/// moments of their own, up to an interval apart.
#[test]
fn a_tunnel_that_is_down_is_told_of_before_what_follows_from_it() {
    let rules = yaml("prometheus/rules/loadgen.yml");
    let interval = yaml("prometheus/prometheus.yml")["global"]["evaluation_interval"].clone();
    let time = |text: &Yaml| text.as_str().map(|text| parse_duration(text).unwrap());
    let groups = rules["groups"].as_vec().unwrap();
    let waits: BTreeMap<&str, Duration> = groups
        .iter()
        .flat_map(|group| group["rules"].as_vec().unwrap())
        .filter_map(|rule| Some((rule["alert"].as_str()?, time(&rule["for"]).unwrap_or_default())))
        .collect();
    assert_eq!(waits.len(), alerts().len());
    let first = waits["LoadgenTunnelDown"] + time(&interval).unwrap();
    for (name, wait) in &waits {
        assert!(*name == "LoadgenTunnelDown" || *wait >= first, "{name}: {wait:?}");
    }
}

/// What holds back what: a cause, what follows from it, and what does not.
const INHIBITED: [(&str, &[&str], &[&str]); 6] = [
    (
        "LoadgenTunnelDown",
        &[
            "LoadgenTargetSamplesStale",
            "LoadgenGeneratorDown",
            "LoadgenRunStalled",
        ],
        // Other people's alerts are none of ours.
        &["NodeDiskFull"],
    ),
    (
        "LoadgenGeneratorDown",
        &["LoadgenIterationsDropped", "LoadgenTargetCpuSaturated"],
        &["NodeDiskFull"],
    ),
    (
        "LoadgenTargetSamplesStale",
        &["LoadgenTargetCpuSaturated", "LoadgenTargetFilesExhausted"],
        &["LoadgenLatencyDrift"],
    ),
    (
        "LoadgenTargetOutOfMemory",
        &["LoadgenTargetMemoryLeak"],
        &["LoadgenTargetCpuStolen"],
    ),
    (
        "LoadgenErrorBudgetBurnsFast",
        &["LoadgenErrorBudgetBurnsSlowly", "LoadgenThresholdFails"],
        &["LoadgenLatencyDrift"],
    ),
    (
        "LoadgenGeneratorSaturated",
        &["LoadgenIterationsDropped", "LoadgenLatencyDrift"],
        &["LoadgenThresholdFails"],
    ),
];

#[test]
fn one_cause_is_one_message() {
    let config = yaml("prometheus/alertmanager.yml");
    let rules = config["inhibit_rules"].as_vec().unwrap();
    let causes: Vec<&str> = rules
        .iter()
        .map(|rule| rule["source_matchers"][0].as_str().unwrap())
        .collect();
    let tested = INHIBITED.map(|(cause, ..)| format!("alertname=\"{cause}\""));
    assert_eq!(causes, tested, "each rule of inhibition is tested");

    let webhook = Webhook::start();
    let alertmanager = Alertmanager::start(&webhook);
    // Each cause at a generator of its own; and one more generator, at which nothing is held back.
    let at = |index: usize| format!("{index}:1");
    let here: Vec<String> = (0..INHIBITED.len()).map(at).collect();
    let elsewhere = "elsewhere:1";
    let told =
        |name: &str, instance: &str| webhook.firing().contains(&(name.to_owned(), instance.to_owned()));
    // The cause has to be known first, as it is: it waits for less, or for what came before.
    let first: Vec<(&str, &str)> = INHIBITED
        .iter()
        .zip(&here)
        .map(|((cause, ..), here)| (*cause, here.as_str()))
        .collect();
    alertmanager.post(&first);
    eventually(Duration::from_secs(30), "the causes", || {
        first.iter().all(|(cause, here)| told(cause, here)).then_some(())
    });

    let (mut all, mut wanted) = (Vec::new(), BTreeSet::new());
    for ((_, held, free), here) in INHIBITED.iter().zip(&here) {
        all.extend(held.iter().chain(*free).map(|name| (*name, here.as_str())));
        wanted.extend(free.iter().map(|name| (*name, here.as_str())));
        // Where there is no cause everything is told.
        for name in held
            .iter()
            .filter(|name| first.iter().all(|(cause, _)| cause != *name))
        {
            all.push((*name, elsewhere));
            wanted.insert((*name, elsewhere));
        }
    }
    alertmanager.post(&all);
    eventually(Duration::from_secs(30), "what does not follow from them", || {
        let missing = wanted.iter().any(|(name, here)| !told(name, here));
        (!missing).then_some(())
    });
    // One that was not held back would have been told with them.
    thread::sleep(Duration::from_secs(3));
    wanted.extend(first);
    let wanted: BTreeSet<(String, String)> = wanted
        .into_iter()
        .map(|(name, here)| (name.to_owned(), here.to_owned()))
        .collect();
    assert_eq!(webhook.firing(), wanted);
}

#[test]
fn a_run_that_fails_is_told_to_the_webhook_and_so_is_that_it_is_over() {
    let server = Server::start();
    let script = Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ sleep }} from 'k6';
        export const options = {{
          vus: 2, duration: '40s', thresholds: {{ http_req_failed: ['rate<0.01'], http_reqs: ['count>0'] }},
        }};
        export default function () {{ http.get('{}'); sleep(0.05); }}",
        server.url("/status/500")
    ));
    let webhook = Webhook::start();
    let alertmanager = Alertmanager::start(&webhook);
    let generator = format!("127.0.0.1:{}", free_port());
    let prometheus = Prometheus::start(&generator, &alertmanager.address);
    let run = Running::start(&[
        "run",
        script.path(),
        "-q",
        "--metrics-addr",
        &generator,
        "--linger=20s",
    ]);
    let heard = |status: &str| {
        let wanted = ("LoadgenThresholdFails".to_owned(), status.to_owned());
        webhook.heard().contains(&wanted).then_some(())
    };
    eventually(Duration::from_mins(1), "the alert", || heard("firing"));
    run.wait().expect(99);
    eventually(Duration::from_mins(1), "that it is over", || heard("resolved"));
    let told = webhook.told.lock().unwrap();
    let alert = list(&told[0]["alerts"])
        .iter()
        .find(|alert| alert["labels"]["alertname"] == "LoadgenThresholdFails")
        .unwrap();
    assert_eq!(alert["labels"]["metric"], "http_req_failed");
    assert_eq!(alert["labels"]["threshold"], "rate<0.01");
    assert_eq!(alert["labels"]["instance"], Value::String(generator));
    drop(told);
    // It ended as planned, and was seen to: that it is gone is no alert.
    let query = "last_over_time(loadgen_run_state{state=\"finished\"}[5m])";
    let seen = prometheus.api("query", &[("query", query)]).unwrap();
    assert_eq!(seen["result"][0]["value"][1], "1", "{seen}");
    let names: BTreeSet<String> = webhook.heard().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(["LoadgenThresholdFails".to_owned()]));
}
