//! A server that accepts and never answers: what it does shows while it does it.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;

use std::time::Duration;

use run_support::{Running, Scripted, Server, eventually, free_port, get, sum};

#[test]
fn a_stall_shows_in_the_live_page_while_it_lasts() {
    let server = Server::start();
    let script = Scripted::new(&format!(
        "import http from 'k6/http';
        export const options = {{ scenarios: {{ open: {{
            executor: 'constant-arrival-rate', rate: 20, duration: '8s', preAllocatedVUs: 5, maxVUs: 5,
            gracefulStop: '1s' }} }} }};
        export default function () {{ http.get('{}', {{ timeout: '1s' }}); }}",
        server.url("/stall")
    ));
    let address = format!("127.0.0.1:{}", free_port());
    let running = Running::start(&["run", script.path(), "-q", "--metrics-addr", &address]);
    let page = eventually(Duration::from_secs(7), "timeouts on the page", || {
        let page = get(&address, "/metrics").ok()?;
        (sum(&page, "loadgen_http_requests_total", &["error_code=\"1050\""]) >= 5.0).then_some(page)
    });
    assert!(page.contains("state=\"running\"} 1"), "the run is still going");
    assert!(
        sum(&page, "loadgen_dropped_iterations_total", &[]) > 0.0,
        "{page}"
    );
    assert!(sum(&page, "loadgen_http_requests_in_flight", &[]) > 0.0, "{page}");
    assert!(
        sum(&page, "loadgen_scheduling_lag_seconds_count", &[]) > 0.0,
        "{page}"
    );
    let ended = running.wait().expect(0);
    assert!(ended.stdout.contains("request timeout"), "{}", ended.stdout);
    assert_eq!(ended.shown("http_req_failed"), "100.00%");
}
