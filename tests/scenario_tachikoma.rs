//! The Tachikoma scenarios against the embedded target: requests per endpoint, checks, their own metrics, the verdict.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;
mod scenario_support;

use scenario_support::{Told, play};

#[test]
fn health_is_asked_twice_a_second() {
    let told = play("tachikoma/health", &["-e", "PROFILE=smoke", "--duration", "3s"]).expect(0);
    let asked = told.requests("health");
    assert!((3..=6).contains(&asked), "{asked}");
    assert_eq!(told.names().len(), 1);
    told.passed_exactly(&["status is 200", "response has status field"]);
    assert_eq!(told.count("errors", &[]), asked);
    assert_eq!(told.sum("errors", &[]), 0.0);
    assert_eq!(told.count("health_check_duration", &[]), asked);
    assert_eq!(told.count("http_reqs", &[("project", "tachikoma")]), asked);
}

#[test]
fn a_slow_server_breaks_the_promise_on_health() {
    let told = play(
        "tachikoma/health",
        &["--iterations", "2", "--demo-args", "--latency 200ms"],
    )
    .expect(99);
    assert!(
        told.ended.stdout.contains("✗ 'p(95)<100'"),
        "{}",
        told.ended.stdout
    );
}

#[test]
fn missions_are_created_and_listed() {
    let told = play("tachikoma/missions", &["--vus", "4", "--iterations", "8"]).expect(0);
    assert_eq!(told.requests("mission create"), 8);
    assert_eq!(told.requests("mission list"), 8);
    told.passed_exactly(&[
        "create status is 201",
        "create returns id",
        "list status is 200",
        "list returns array",
    ]);
    assert_eq!(told.sum("missions_created", &[]), 8.0);
    assert_eq!(told.count("mission_create_duration", &[]), 8);
    assert_eq!(told.count("mission_list_duration", &[]), 8);
    assert_eq!(told.count("errors", &[]), 16);
    assert_eq!(told.count("group_duration", &[("group", "::Mission CRUD")]), 8);
    // A second's rest after each.
    assert!(told.sum("iteration_duration", &[]) >= 8.0 * 1000.0);
}

#[test]
fn a_wrong_key_creates_no_missions() {
    let told = play(
        "tachikoma/missions",
        &["--iterations", "1", "-e", "API_KEY=wrong"],
    )
    .expect(99);
    assert_eq!(told.count("http_reqs", &[("status", "401")]), 2);
    assert_eq!(told.count("missions_created", &[]), 0);
    assert_eq!(told.sum("errors", &[]), 2.0);
}

#[test]
fn specs_that_do_not_exist_are_no_errors() {
    let told = play("tachikoma/specs", &["--vus", "40", "--iterations", "160"]).expect(0);
    assert_eq!(told.requests("spec get"), 160);
    assert_eq!(told.requests("spec search"), 160);
    told.passed_exactly(&[
        "get status is 200 or 404",
        "search status is 200",
        "search returns array",
    ]);
    // The embedded target has six of the seven.
    Told::share(
        "specs not found",
        told.count("http_reqs", &[("status", "404")]),
        160,
        1.0 / 7.0,
    );
    assert_eq!(told.sum("http_req_failed", &[]), 0.0);
    assert_eq!(told.count("spec_get_duration", &[]), 160);
    assert_eq!(told.count("spec_search_duration", &[]), 160);
    assert_eq!(told.sum("errors", &[]), 0.0);
}

#[test]
fn websocket_sessions_subscribe_and_listen() {
    let told = play(
        "tachikoma/websocket",
        &["--vus", "3", "--iterations", "3", "-e", "WS_HOLD=3"],
    )
    .expect(0);
    assert_eq!(told.count("ws_sessions", &[]), 3);
    assert_eq!(told.sum("ws_messages_sent", &[]), 3.0);
    // The answer to the subscription, and an update about once a second.
    let received = told.sum("ws_messages_received", &[]);
    assert!((6.0..=15.0).contains(&received), "{received}");
    assert_eq!(told.sum("ws_msgs_received", &[]), received);
    told.passed_exactly(&["message has type", "WebSocket connection successful"]);
    assert_eq!(
        told.count("checks", &[("check", "message has type")]) as f64,
        received
    );
    assert_eq!(told.count("ws_errors", &[]), 3);
    assert_eq!(told.sum("ws_errors", &[]), 0.0);
    let longest = told.sum("ws_session_duration", &[]) / 3.0;
    assert!((3000.0..6000.0).contains(&longest), "{longest}");
}

#[test]
fn a_websocket_that_does_not_open_is_an_error_that_counts() {
    let told = play(
        "tachikoma/websocket",
        &["--iterations", "2", "-e", "WS_HOLD=1", "-e", "API_KEY=wrong"],
    )
    .expect(99);
    assert_eq!(told.count("ws_errors", &[]), 2);
    assert_eq!(told.sum("ws_errors", &[]), 2.0);
    assert!(
        told.ended.stdout.contains("✗ 'rate<0.01'"),
        "{}",
        told.ended.stdout
    );
}
