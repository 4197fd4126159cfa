//! The scripts of the systems' own documents, as they stand there, against the embedded target.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;
mod scenario_support;

use run_support::{Scripted, run};
use scenario_support::play;

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}.k6.js", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn tachikoma_health() {
    let told = play(&fixture("tachikoma-health"), &["--vus", "2", "--duration", "2s"]).expect(0);
    told.passed_exactly(&["status is 200", "response has status field"]);
    assert_eq!(told.count("health_check_duration", &[]), told.iterations());
}

#[test]
fn tachikoma_missions() {
    let told = play(
        &fixture("tachikoma-missions"),
        &["--vus", "2", "--iterations", "4"],
    )
    .expect(0);
    assert_eq!(told.sum("missions_created", &[]), 4.0);
    told.passed_exactly(&[
        "create status is 201",
        "create returns id",
        "list status is 200",
        "list returns array",
    ]);
}

#[test]
fn tachikoma_specs() {
    let told = play(&fixture("tachikoma-specs"), &["--vus", "2", "--iterations", "6"]).expect(0);
    assert_eq!(told.count("spec_get_duration", &[]), 6);
    assert_eq!(told.count("spec_search_duration", &[]), 6);
    told.passed_exactly(&[
        "get status is 200 or 404",
        "search status is 200",
        "search returns array",
    ]);
}

/// The script says itself that a session lasts for half a minute. Its `ws_errors` has no samples unless something fails,
/// which is no success here: the document's threshold could not fail.
#[test]
fn tachikoma_websocket() {
    let told = play(
        &fixture("tachikoma-websocket"),
        &["--vus", "2", "--iterations", "2", "--no-thresholds"],
    )
    .expect(0);
    assert_eq!(told.sum("ws_messages_sent", &[]), 2.0);
    assert!(told.sum("ws_messages_received", &[]) >= 20.0);
    told.passed_exactly(&["message has type", "WebSocket connection successful"]);
}

#[test]
fn tachikoma_options_and_profiles() {
    let script = Scripted::new(&format!(
        "import {{ options as shared, profiles }} from '{}';
        export const options = {{ ...shared, ...profiles.stress }};
        export default function () {{}}",
        fixture("tachikoma-config")
    ));
    let shown = run(&["inspect", script.path()]).expect(0).stdout;
    let options: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(options["tags"]["project"], "tachikoma");
    let stages = options["scenarios"]["default"]["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 5);
    assert_eq!(options["thresholds"]["http_req_failed"][0], "rate<0.01");
}

#[test]
fn flux_gate_load_test() {
    let script = fixture("flux-gate-load-test");
    let told = play(&script, &["--vus", "10", "--iterations", "500"]).expect(0);
    told.passed_exactly(&["valid response"]);
    assert_eq!(told.count("http_reqs", &[("status", "409")]), 400);
    let shown = run(&["inspect", &script]).expect(0).stdout;
    let options: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(options["scenarios"]["flash_sale"]["gracefulRampDown"], "0s");
}
