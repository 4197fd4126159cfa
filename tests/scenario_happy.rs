//! The Happy Server scenarios against the embedded target: requests per endpoint, checks, the mix, the token.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;
mod scenario_support;

use scenario_support::{Told, play};

const SESSIONS: [&str; 5] = [
    "sessions list",
    "sessions create",
    "messages create",
    "messages list",
    "sessions delete",
];

#[test]
fn health_needs_no_token() {
    let told = play("happy/health", &["-e", "PROFILE=smoke", "--duration", "2s"]).expect(0);
    let asked = told.requests("health");
    assert!((1..=2).contains(&asked), "{asked}");
    told.passed_exactly(&["health: status is 200", "health: says ok"]);
}

#[test]
fn a_session_is_listed_made_written_to_read_and_deleted() {
    let told = play(
        "happy/sessions",
        &[
            "--vus",
            "4",
            "--iterations",
            "20",
            "-e",
            "THINK_TIME=0",
            "--no-thresholds",
        ],
    )
    .expect(0);
    for name in SESSIONS {
        assert_eq!(told.requests(name), 20, "{name}");
    }
    told.passed_exactly(&[
        "sessions list: a list",
        "sessions create: has an id",
        "messages create: written",
        "messages list: has the message",
        "sessions delete: deleted",
    ]);
    assert_eq!(told.sum("http_req_failed", &[]), 0.0);
}

#[test]
fn websocket_figures_and_broadcasts() {
    let told = play("happy/websocket", &["--vus", "3", "--iterations", "6"]).expect(0);
    assert_eq!(told.requests("websocket stats"), 6);
    assert_eq!(told.requests("websocket broadcast"), 6);
    told.passed_exactly(&["websocket stats: says connections", "websocket broadcast: sent"]);
}

#[test]
fn the_mix_is_forty_twenty_twenty_ten_ten() {
    let told = play(
        "happy/full-api",
        &[
            "--vus",
            "10",
            "--iterations",
            "3000",
            "-e",
            "THINK_TIME=0",
            "--no-thresholds",
        ],
    )
    .expect(0);
    let n = told.iterations();
    assert_eq!(n, 3000);
    let mut visits = 0;
    for (name, share) in [
        ("sessions", 0.4),
        ("machines", 0.2),
        ("artifacts", 0.2),
        ("websocket", 0.1),
        ("health", 0.1),
    ] {
        let group = format!("::{name}");
        let visited = told.count("group_duration", &[("group", &group)]);
        Told::share(name, visited, n, share);
        visits += visited;
        let first = if ["health", "websocket"].contains(&name) {
            told.requests(if name == "health" { name } else { "websocket stats" })
        } else {
            told.requests(&format!("{name} list"))
        };
        assert_eq!(first, visited, "{name}");
    }
    assert_eq!(visits, n);
    assert_eq!(told.sum("http_req_failed", &[]), 0.0);
    assert_eq!(told.sum("checks", &[]), told.count("checks", &[]) as f64);
}

#[test]
fn the_token_may_come_from_the_server() {
    let told = play(
        "happy/full-api",
        &[
            "--iterations",
            "20",
            "-e",
            "THINK_TIME=0",
            "-e",
            "AUTH_PUBLIC_KEY=key",
            "-e",
            "AUTH_CHALLENGE=challenge",
            "-e",
            "AUTH_SIGNATURE=signature",
            "--no-thresholds",
        ],
    )
    .expect(0);
    assert_eq!(told.requests("auth"), 1);
    assert_eq!(told.sum("http_req_failed", &[]), 0.0);
}

#[test]
fn a_token_that_is_not_accepted_fails_the_run() {
    let told = play(
        "happy/sessions",
        &[
            "--iterations",
            "2",
            "-e",
            "THINK_TIME=0",
            "-e",
            "AUTH_TOKEN=wrong",
        ],
    )
    .expect(99);
    assert_eq!(told.count("http_reqs", &[("status", "401")]), 4);
    // Nothing was made, so there is nothing to write to or to delete.
    assert_eq!(told.count("http_reqs", &[]), 4);
}

#[test]
fn the_promise_of_a_crowd_is_not_asked_of_one_user() {
    let told = play("happy/health", &["--iterations", "1"]).expect(0);
    assert!(
        !told.ended.stdout.contains("rate>=16.67"),
        "{}",
        told.ended.stdout
    );
    let slow = play(
        "happy/health",
        &[
            "-e",
            "PROFILE=average",
            "--iterations",
            "1",
            "--demo-args",
            "--latency 150ms",
        ],
    )
    .expect(99);
    for part in ["✗ 'rate>=16.67'", "✗ 'p(95)<50'", "✓ 'p(95)<500'"] {
        assert!(slow.ended.stdout.contains(part), "{part}\n{}", slow.ended.stdout);
    }
}
