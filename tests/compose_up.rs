//! What `docker compose up` brings about, as its Prometheus tells it. `deploy/compose/stand-in.sh` (`just compose-test`)
//! brings it up, and then runs this.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod grafana_support;
mod run_support;

use std::time::Duration;

use grafana_support::queries::{Variables, ask, asked};
use grafana_support::{Prometheus, dashboards, fetch, list, text};
use run_support::eventually;

/// A spike takes a minute and a half, and everything starts from nothing.
const PATIENCE: Duration = Duration::from_mins(5);

/// The number that an expression has now, if it has one.
fn number(prometheus: &Prometheus, expression: &str) -> Option<f64> {
    let answer = prometheus.api("query", &[("query", expression)]).ok()?;
    answer["result"][0]["value"][1].as_str()?.parse().ok()
}

/// So many seconds of the past are looked at: longer than a spike and the pause after it.
const LOOK_BACK: f64 = 300.0;

/// Waits until an expression is at least so much.
fn at_least(prometheus: &Prometheus, least: f64, expression: &str) {
    eventually(PATIENCE, expression, || {
        number(prometheus, expression)
            .filter(|it| *it >= least)
            .map(|_| ())
    });
}

fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable}: run deploy/compose/stand-in.sh"))
}

#[test]
#[ignore = "needs what deploy/compose/stand-in.sh brings up"]
fn the_first_thing_to_be_seen_is_a_spike_that_exhausts_a_server() {
    let prometheus = Prometheus::at(address("LOADGEN_COMPOSE_PROMETHEUS"));
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    // Whoever comes late looks back, as at a dashboard.
    let begin = now() - LOOK_BACK;

    // Everything is scraped: the run, the server under it, Prometheus itself.
    at_least(&prometheus, 3.0, "sum(up)");
    // Alerts have rules and somebody who is told.
    let told = prometheus.api("alertmanagers", &[]).unwrap();
    assert_eq!(list(&told["activeAlertmanagers"]).len(), 1, "{told}");
    assert!(!list(&prometheus.api("rules", &[]).unwrap()["groups"]).is_empty());
    let alertmanager = fetch(&address("LOADGEN_COMPOSE_ALERTMANAGER"), "/api/v2/status").unwrap();
    assert!(alertmanager.contains("webhook:8080"), "{alertmanager}");

    // It goes through a tunnel, and exhausts half a CPU: requests wait, then some are turned away.
    at_least(&prometheus, 1.0, "max(loadgen_tunnel_lanes_up)");
    let p95 =
        "histogram_quantile(0.95, sum by (le) (rate(loadgen_http_request_duration_seconds_bucket[10s])))";
    for (least, expression) in [
        (
            0.9,
            "max(max_over_time(loadgen_target_cpu_utilization_ratio{host!=\"\"}[5m]))",
        ),
        (0.01, "max(max_over_time(loadgen_target_cpu_throttled_ratio[5m]))"),
        (0.5, &format!("max_over_time(({p95})[5m:1s])")),
        (1.0, "max(max_over_time(loadgen_http_requests_failed_total[5m]))"),
        // And when it is over, the next one comes.
        (
            2.0,
            "count(count by (run_id) (last_over_time(loadgen_run_info[10m])))",
        ),
    ] {
        at_least(&prometheus, least, expression);
    }

    let end = now();
    let boards = dashboards();
    let board = boards
        .iter()
        .find(|board| board.uid() == "loadgen-spike")
        .unwrap();
    let variables = Variables::of(board, &prometheus, (end - begin).ceil() as u32);
    let mut wrong = Vec::new();
    for (title, target) in asked(board) {
        let complaint = ask(&prometheus, target, &variables, (begin, end));
        wrong.extend(complaint.map(|it| format!("{title}: {it}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} has data for all of its queries", text(&board.json, "title"));
}
