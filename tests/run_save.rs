//! `--save`, end to end: what is in the file, what is not, and what happens when it cannot be written.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod run_support;
mod schema_support;

use std::path::Path;
use std::time::Duration;

use loadgen::report::saved::{SavedRun, count, trend};
use run_support::{Running, Scripted, Server, eventually, loadgen, run};
use serde_json::{Value, json};

const SCRIPT: &str = "
    import http from 'k6/http';
    import { check, group } from 'k6';
    import { Trend, Gauge } from 'k6/metrics';
    const own = new Trend('own', true), gauge = new Gauge('level');
    export const options = {
      scenarios: {
        one: { executor: 'constant-vus', vus: 2, duration: '1500ms', tags: { phase: 'one' }, env: { DB_PASSWORD: 'hunter-2-hunter' } },
        two: { executor: 'constant-arrival-rate', rate: 50, duration: '1500ms', preAllocatedVUs: 3, tags: { phase: 'two' } },
      },
      thresholds: { http_req_duration: ['p(95)<2000'], 'http_reqs{phase:two}': ['count>100000'] },
    };
    export default function () {
      group('outer', () => {
        const answer = http.get(`${__ENV.BASE_URL}/?token=tok-in-a-url`, { headers: { Authorization: `Bearer ${__ENV.API_KEY}` } });
        check(answer, { 'answered': (r) => r.status === 200 });
        http.get(`${__ENV.BASE_URL}/status/500`, { tags: { name: 'broken', who: __ENV.API_KEY } });
      });
      own.add(-1.5);
      gauge.add(7);
    }";

fn schema() -> Value {
    serde_json::from_str(include_str!("../docs/saved-run.schema.json")).unwrap()
}

fn fits_the_schema(text: &str) {
    let faults = schema_support::faults(&schema(), &serde_json::from_str(text).unwrap());
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_run_is_in_its_file_and_its_secrets_are_not() {
    let server = Server::start();
    let scripted = Scripted::new(SCRIPT);
    let file = scripted.file("run.json");
    let url = format!("BASE_URL=http://user:pass-in-a-url@{}", server.address);
    let ended = loadgen(&[
        "run",
        "--metrics-addr",
        "off",
        "--save",
        &file,
        "-e",
        "API_KEY=key-of-the-api",
        "-e",
        &url,
        "-e",
        "PLAIN=plain",
        scripted.path(),
    ])
    .env("SOME_SECRET", "a-secret-of-the-system")
    .output()
    .unwrap();
    let ended = run_support::Ended::from(ended).expect(99);
    let text = scripted.read("run.json");
    fits_the_schema(&text);
    assert!(text.len() < 200_000, "{} bytes", text.len());
    for secret in [
        "key-of-the-api",
        "pass-in-a-url",
        "tok-in-a-url",
        "hunter-2-hunter",
        "a-secret-of-the-system",
        "Bearer",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }

    let saved = SavedRun::read(Path::new(&file)).unwrap();
    assert_eq!(
        (saved.ending.name.as_str(), saved.ending.exit_code),
        ("thresholds", 99)
    );
    assert_eq!(saved.variables["PLAIN"], "plain");
    assert_eq!(saved.variables["API_KEY"], "(hidden)");
    assert_eq!(saved.variables["BASE_URL"], format!("http://{}", server.address));
    let command = &saved.run.command;
    assert_eq!((command[0].as_str(), command[1].as_str()), ("loadgen", "run"));
    assert!(command.contains(&"API_KEY=(hidden)".to_owned()), "{command:?}");
    assert_eq!(saved.options["scenarios"]["one"]["vus"], 2);

    // One truth: the server's count, the summary's, the file's total, its time axis and its distributions.
    let requests = server.count();
    assert_eq!(ended.shown("http_reqs"), requests.to_string());
    assert_eq!(count(saved.series("http_reqs").total().as_ref()) as u64, requests);
    assert_eq!(saved.timeline.requests.iter().sum::<u64>(), requests);
    assert_eq!(saved.timeline.failed.iter().sum::<u64>(), requests / 2);
    let by_phase: u64 = saved
        .timeline
        .strands
        .iter()
        .flat_map(|strand| &strand.requests)
        .sum();
    assert_eq!(by_phase, requests);
    assert_eq!(
        trend(saved.series("http_req_duration").of("name", "broken"))
            .unwrap()
            .count(),
        requests / 2
    );
    assert_eq!(saved.checks[0].group, "::outer");
    assert_eq!(saved.checks[0].passes, requests / 2);
    assert_eq!(saved.groups, ["::outer"]);
    let failed: Vec<&str> = saved
        .thresholds
        .iter()
        .filter(|t| !t.ok)
        .map(|t| t.metric.as_str())
        .collect();
    assert_eq!(failed, ["http_reqs{phase:two}"]);
    assert!(saved.generator.cpu_seconds > 0.0 && saved.generator.scheduling_lag.is_some());
    assert!(saved.environment.cores > 0 && !saved.environment.host.is_empty());
}

#[test]
fn a_demo_run_has_the_targets_use_and_is_small_when_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json.gz");
    let path = file.to_str().unwrap();
    run(&[
        "run",
        "--demo",
        "--metrics-addr",
        "off",
        "-u",
        "2",
        "-d",
        "2s",
        "--save",
        path,
        "store-crud",
    ])
    .expect(0);
    assert!(std::fs::metadata(&file).unwrap().len() < 100_000);
    let saved = SavedRun::read(&file).unwrap();
    fits_the_schema(&serde_json::to_string(&saved).unwrap());
    assert_eq!(saved.target.kind, "demo");
    assert!(
        saved.hosts[0].series["cpu_busy"]
            .iter()
            .flatten()
            .any(|busy| *busy > 0.0)
    );
    assert_eq!(saved.hosts[0].processes[0].name, "demo");
    assert!(saved.values_of("name").contains("delete"));
}

#[test]
fn hit_saves_without_headers_and_body() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    run(&[
        "hit",
        "--metrics-addr",
        "off",
        "-n",
        "20",
        "-u",
        "2",
        "--save",
        file.to_str().unwrap(),
        "-H",
        "X-Odd: odd-header-value",
        "-H",
        "Authorization: Bearer header-token",
        "-b",
        "body-of-the-request",
        "-X",
        "POST",
        &server.url("/?key=key-in-a-url"),
    ])
    .expect(0);
    let text = std::fs::read_to_string(&file).unwrap();
    fits_the_schema(&text);
    for secret in [
        "odd-header-value",
        "header-token",
        "body-of-the-request",
        "key-in-a-url",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let saved = SavedRun::read(&file).unwrap();
    assert_eq!((saved.run.kind.as_str(), saved.ending.exit_code), ("url", 0));
    assert_eq!(saved.run.name, server.url("/?key=(hidden)"));
}

#[test]
fn two_runs_cannot_save_to_one_file() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json").to_str().unwrap().to_owned();
    let url = server.url("/");
    let hit = ["hit", "--metrics-addr", "off", "-u", "1", "--save", &file, "-d"];
    let first = Running::start(&[&hit[..], &["30s", &url]].concat());
    eventually(Duration::from_secs(20), "the first run", || {
        (server.count() > 0).then_some(())
    });
    run(&[&hit[..], &["1s", &server.url("/second")]].concat())
        .expect(104)
        .says(&["another run is writing", "run.json"]);
    first.signal("INT");
    first.wait().expect(105);
    let saved = SavedRun::read(Path::new(&file)).unwrap();
    assert_eq!(saved.ending.name, "signal");
    // Nothing of it is in the next run's way.
    run(&[&hit[..], &["1s", &url]].concat()).expect(0);
}

#[test]
fn what_keeps_a_run_from_being_saved_is_said_before_anything_is_sent() {
    let server = Server::start();
    let scripted = Scripted::new("");
    let inside = format!("{}/run.json", scripted.path());
    for (file, said) in [
        (
            scripted.file("no/run.json"),
            "name a file in a folder that exists",
        ),
        (inside, "name a file in a folder that exists"),
        (scripted.file(""), "it is a folder"),
    ] {
        run(&[
            "hit",
            "--metrics-addr",
            "off",
            "-n",
            "1",
            "--save",
            &file,
            &server.url("/"),
        ])
        .expect(104)
        .says(&[said]);
    }
    assert_eq!(server.count(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_costs_the_file_and_not_the_summary() {
    let server = Server::start();
    let ended = run(&[
        "hit",
        "--metrics-addr",
        "off",
        "-n",
        "5",
        "--save",
        "/dev/full",
        &server.url("/"),
    ]);
    let ended = ended
        .expect(0)
        .says(&["the run could not be saved to /dev/full: No space left on device"]);
    assert_eq!(ended.shown("http_reqs"), "5");
    assert_eq!(ended.stderr.matches("/dev/full").count(), 1, "{}", ended.stderr);
}

#[test]
fn a_run_that_broke_off_is_saved_with_its_reason() {
    let scripted = Scripted::new(
        "export function setup() { throw new Error('no way: http://u:hidden-pass@h/'); }
         export default function () {}",
    );
    let file = scripted.file("run.json");
    run(&["run", "--metrics-addr", "off", "--save", &file, scripted.path()]).expect(107);
    let text = scripted.read("run.json");
    fits_the_schema(&text);
    let saved = SavedRun::read(Path::new(&file)).unwrap();
    assert_eq!(
        (saved.ending.name.as_str(), saved.ending.exit_code),
        ("exception", 107)
    );
    let message = saved.ending.message.unwrap();
    assert!(message.contains("no way: http://h/"), "{message}");
    assert_eq!(saved.timeline.load_start, None);
}

#[test]
fn what_verify_asserts_is_saved_and_reported() {
    let scripted = Scripted::new(
        "import { check } from 'k6';
         export default function () {}
         export function verify() { check(100, { 'orders are 100': (n) => n === 100, 'stock is 0': (n) => n === 0 }); }",
    );
    let (file, page) = (scripted.file("run.json"), scripted.file("page.md"));
    let out = format!("markdown={page}");
    run(&[
        "run",
        "--metrics-addr",
        "off",
        "--save",
        &file,
        "-o",
        &out,
        scripted.path(),
    ])
    .expect(112);
    fits_the_schema(&scripted.read("run.json"));
    let saved = SavedRun::read(Path::new(&file)).unwrap();
    assert_eq!(
        (saved.ending.name.as_str(), saved.ending.exit_code),
        ("verify", 112)
    );
    let verification = saved.verification.unwrap();
    let held: Vec<_> = verification
        .checks
        .iter()
        .map(|check| (check.name.as_str(), check.held))
        .collect();
    assert_eq!(held, [("orders are 100", true), ("stock is 0", false)]);
    let page = scripted.read("page.md");
    assert!(
        page.contains("❌ verify: stock is 0") && page.contains("✅ verify: orders are 100"),
        "{page}"
    );
}

#[test]
fn the_schema_is_strict() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let server = Server::start();
    run(&[
        "hit",
        "--metrics-addr",
        "off",
        "-n",
        "1",
        "--save",
        file.to_str().unwrap(),
        &server.url("/"),
    ])
    .expect(0);
    let good: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for (pointer, value) in [
        ("/version", json!(2)),
        ("/run/started", json!("yesterday")),
        ("/run/id", json!("0123456789ABCDEF")),
        ("/timeline/requests", json!([1.5])),
        ("/metrics/trends/0/series/0/count", json!(-1)),
        ("/environment", json!({})),
        ("/ending", json!({"name": "x", "exit_code": 0, "extra": 1})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(!schema_support::faults(&schema(), &bad).is_empty(), "{pointer}");
    }
}
