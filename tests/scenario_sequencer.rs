//! The `StateSet` Sequencer scenarios against the embedded target: requests per endpoint, events, the mix, the targets.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;
mod scenario_support;

use scenario_support::{Told, play};

#[test]
fn every_event_of_every_batch_is_accepted_once() {
    let told = play(
        "sequencer/ingest",
        &[
            "--vus",
            "5",
            "--iterations",
            "100",
            "-e",
            "BATCH_SIZE=50",
            "--no-thresholds",
        ],
    )
    .expect(0);
    assert_eq!(told.requests("ingest"), 100);
    assert_eq!(told.names().len(), 1);
    assert_eq!(told.sum("events_ingested", &[]), 5000.0);
    told.passed_exactly(&["ingest: all events are accepted"]);
    assert!(told.ended.shown("events_ingested").starts_with("5000"));
}

#[test]
fn a_batch_has_a_hundred_events_unless_it_is_told_otherwise() {
    let told = play(
        "sequencer/ingest",
        &["--vus", "1", "--iterations", "3", "--no-thresholds"],
    )
    .expect(0);
    assert_eq!(told.sum("events_ingested", &[]), 300.0);
}

#[test]
fn queries_ask_each_endpoint_as_often() {
    let told = play(
        "sequencer/query",
        &["--vus", "4", "--iterations", "40", "--no-thresholds"],
    )
    .expect(0);
    for name in ["events", "head", "entity", "commitments"] {
        assert_eq!(told.requests(name), 40, "{name}");
    }
    assert_eq!(told.requests("prepare"), 2);
    told.passed_exactly(&[
        "events: a list",
        "head: a number",
        "entity: its events",
        "commitments: a list",
    ]);
    assert_eq!(told.sum("http_req_failed", &[]), 0.0);
}

#[test]
fn the_mix_is_seventy_twenty_ten() {
    let told = play(
        "sequencer/mixed",
        &[
            "--vus",
            "10",
            "--iterations",
            "4000",
            "-e",
            "BATCH_SIZE=5",
            "--no-thresholds",
        ],
    )
    .expect(0);
    let n = told.iterations();
    assert_eq!(n, 4000);
    let sum = |names: &[&str]| names.iter().map(|name| told.requests(name)).sum::<usize>();
    Told::share("ingest", sum(&["ingest"]), n, 0.7);
    Told::share(
        "queries",
        sum(&["events", "head", "entity", "commitments"]),
        n,
        0.2,
    );
    Told::share("commitments and proofs", sum(&["commit", "proof"]), n, 0.1);
    for name in ["events", "head", "entity", "commitments", "commit", "proof"] {
        Told::share(name, told.requests(name), n, 0.05);
    }
    assert_eq!(told.requests("latest"), told.requests("proof"));
    assert_eq!(told.count("http_reqs", &[]), n + 2 + told.requests("latest"));
    assert_eq!(told.sum("http_req_failed", &[]), 0.0);
    assert_eq!(told.sum("checks", &[]), n as f64);
}

#[test]
fn a_server_that_forgets_old_events_fails_nothing() {
    let forgetful = [
        "--vus",
        "5",
        "--iterations",
        "600",
        "--no-thresholds",
        "--demo-args",
        "--max-keys 7000",
    ];
    let told = play("sequencer/mixed", &forgetful).expect(0);
    assert!(told.sum("events_ingested", &[]) > 20_000.0);
    assert_eq!(told.sum("http_req_failed", &[]), 0.0);
    assert_eq!(told.sum("checks", &[]), 600.0);
}

#[test]
fn a_target_that_is_missed_fails_the_run() {
    let slow = play(
        "sequencer/ingest",
        &[
            "--vus",
            "1",
            "--iterations",
            "5",
            "-e",
            "MIN_TPS=0",
            "--demo-args",
            "--latency 60ms",
        ],
    )
    .expect(99);
    for part in ["✗ 'p(50)<20'", "✗ 'p(95)<50'", "✓ 'rate==0'"] {
        assert!(slow.ended.stdout.contains(part), "{part}\n{}", slow.ended.stdout);
    }
    let few = play("sequencer/ingest", &["--vus", "1", "--iterations", "1"]).expect(99);
    assert!(
        few.ended.stdout.contains("✗ 'rate>=1000'"),
        "{}",
        few.ended.stdout
    );
}

#[test]
fn the_options_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("runner.json");
    // What the script says wins over the file, as in the dialect; what it does not say comes from there.
    std::fs::write(&file, r#"{ "tags": { "suite": "nightly" } }"#).unwrap();
    let told = play(
        "sequencer/ingest",
        &[
            "--config",
            file.to_str().unwrap(),
            "--vus",
            "1",
            "--iterations",
            "2",
            "--no-thresholds",
        ],
    )
    .expect(0);
    assert_eq!(told.count("http_reqs", &[("suite", "nightly")]), 2);
}

#[test]
fn a_rate_limit_is_a_failure() {
    let told = play(
        "sequencer/ingest",
        &[
            "--iterations",
            "20",
            "-e",
            "BATCH_SIZE=1",
            "-e",
            "MIN_TPS=0",
            "--demo-args",
            "--rate-limit-per-minute 10",
        ],
    )
    .expect(99);
    assert_eq!(told.count("http_reqs", &[("status", "429")]), 10);
    assert!(told.ended.stdout.contains("✗ 'rate==0'"), "{}", told.ended.stdout);
}
