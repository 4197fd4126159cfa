//! The Prim scenarios against the embedded target: what they ask, how often, and what they find.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;
mod scenario_support;

use run_support::Ended;
use scenario_support::play;

#[test]
fn health_asks_each_service_in_turn() {
    let told = play("health", &["--vus", "3", "--iterations", "90", "--no-thresholds"]).expect(0);
    assert_eq!(told.requests("GET /"), 90);
    for service in ["wallet", "store", "spawn"] {
        let count = told.count("http_reqs", &[("service", service)]);
        assert!((20..=40).contains(&count), "{service}: {count}");
    }
    told.passed_exactly(&["status is 200"]);
}

#[test]
fn store_crud_reads_back_what_it_wrote_and_leaves_nothing() {
    let told = play("store-crud", &["--vus", "5", "--iterations", "50"]).expect(0);
    for step in ["set", "get", "list", "delete"] {
        assert_eq!(told.requests(step), 50, "{step}");
    }
    // The one request that finds nothing left to delete.
    assert_eq!(told.requests("clean up"), 1);
    told.passed_exactly(&[
        "set: stored",
        "get: reads back what was written",
        "list: has the key",
        "delete: deleted",
    ]);
}

#[test]
fn spike_with_another_load_is_not_judged_by_phases() {
    let told = play("spike", &["-e", "PROFILE=smoke", "--duration", "1s"]).expect(0);
    assert!(told.requests("GET /") > 10);
    assert_eq!(told.count("http_reqs", &[("phase", "spike")]), 0);
    told.passed_exactly(&["status is 200"]);
}

#[test]
fn a_slow_target_breaks_the_promise() {
    let Ended { stdout, .. } = play(
        "health",
        &[
            "--demo-args",
            "--latency 300ms",
            "--vus",
            "5",
            "--iterations",
            "10",
        ],
    )
    .expect(99)
    .ended;
    assert!(stdout.contains("✗ 'p(95)<200'"), "{stdout}");
}
