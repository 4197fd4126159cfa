//! Whatever takes a run's numbers is in trouble: metrics that are pushed, samples that are written. The load is what it would be
//! without, to the iteration; it is said once; and the last page tells what was lost. Spans are in `run_otlp_trouble.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod otlp_support;
mod run_support;

use std::time::Duration;

use otlp_support::{answering, hanging, refusing_grpc};
use run_support::{Ended, Server, free_port, planned_load, sum};

/// 100 requests a second for three seconds, and the last page of the run.
fn load(flags: &[&str], variables: &[(&str, &str)]) -> (Ended, String) {
    let server = Server::start();
    let (ended, last) = planned_load(&server.url("/"), flags, variables);
    assert_eq!(server.count(), 300, "the load is what it would be without");
    (ended, last)
}

/// It was said once, and the page has what was lost of this metric.
fn told(ended: &Ended, page: &str, metric: &str, labels: &[&str], what: &str) {
    assert_eq!(ended.stderr.matches("WARN").count(), 1, "{}", ended.stderr);
    assert_eq!(ended.stderr.matches(what).count(), 1, "{what}: {}", ended.stderr);
    assert!(sum(page, metric, labels) > 0.0, "{metric} {labels:?}\n{page}");
}

/// The same of samples that were pushed in vain: each failure is counted as well, and the end of the run tells what was lost.
fn pushed(ended: &Ended, page: &str, metric: &str, failures: &str, what: &str) {
    told(ended, page, metric, LOST, what);
    assert!(sum(page, failures, &[]) > 0.0, "{page}");
    assert!(
        ended.stderr.contains("samples were not taken"),
        "{}",
        ended.stderr
    );
}

const LOST: &[&str] = &["result=\"lost\""];

fn remote_write(port: u16, what: &str) -> String {
    let url = format!("http://127.0.0.1:{port}/api/v1/write");
    let often = ["--remote-write-interval", "1s", "--remote-write-timeout", "700ms"];
    let (ended, page) = load(&[&["--remote-write", &url], &often[..]].concat(), &[]);
    pushed(
        &ended,
        &page,
        "loadgen_remote_write_samples_total",
        "loadgen_remote_write_failures_total",
        what,
    );
    page
}

#[test]
fn prometheus_is_away() {
    remote_write(
        free_port(),
        "does not take samples, which are kept and sent again: dial: connection refused",
    );
}

#[test]
fn prometheus_hangs() {
    remote_write(
        hanging(),
        "does not take samples, which are kept and sent again: no answer within 0.7 s",
    );
}

#[test]
fn prometheus_has_an_error() {
    let answer = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\nfull";
    let (port, sizes) = answering(answer, Duration::ZERO);
    remote_write(port, "500 Internal Server Error full");
    assert!(sizes.lock().unwrap().len() > 1, "it is tried again");
}

#[test]
fn prometheus_refuses() {
    let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 12\r\n\r\nout of order";
    let (port, sizes) = answering(answer, Duration::ZERO);
    let page = remote_write(port, "refuses samples: 400 Bad Request out of order");
    let pages = sizes.lock().unwrap().len() as f64;
    let failures = sum(&page, "loadgen_remote_write_failures_total", &[]);
    assert_eq!(failures.to_string(), pages.to_string(), "each page is tried once");
}

fn otlp(port: u16, protocol: &str, what: &str) -> String {
    let flag = format!("--otlp-metrics=http://127.0.0.1:{port}");
    let (ended, page) = load(
        &[&flag],
        &[
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", protocol),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "700"),
        ],
    );
    pushed(
        &ended,
        &page,
        "loadgen_otlp_metric_points_total",
        "loadgen_otlp_metric_failures_total",
        what,
    );
    page
}

#[test]
fn a_collector_of_metrics_is_away() {
    for protocol in ["grpc", "http/protobuf"] {
        otlp(
            free_port(),
            protocol,
            "does not take samples, which are kept and sent again",
        );
    }
}

#[test]
fn a_collector_of_metrics_hangs() {
    for protocol in ["grpc", "http/protobuf"] {
        otlp(hanging(), protocol, "no answer within 0.7 s");
    }
}

#[test]
fn a_collector_of_metrics_answers_with_errors() {
    let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    let (port, _) = answering(answer, Duration::ZERO);
    otlp(port, "http/protobuf", "503 Service Unavailable");
    otlp(
        refusing_grpc("3"),
        "grpc",
        "refuses samples: InvalidArgument: not today",
    );
}

#[test]
fn a_collector_takes_only_some_points() {
    // ExportMetricsServiceResponse { partial_success { rejected_data_points: 1, error_message: "no" } }
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n\x0a\x06\x08\x01\x12\x02no";
    let (port, sizes) = answering(answer, Duration::ZERO);
    let flag = format!("--otlp-metrics=http://127.0.0.1:{port}");
    let variables = [("OTEL_METRIC_EXPORT_INTERVAL", "1000")];
    let (ended, page) = load(&[&flag], &variables);
    let name = "loadgen_otlp_metric_points_total";
    told(&ended, &page, name, LOST, "does not take all samples: no");
    let requests = sizes.lock().unwrap().len();
    assert_eq!(sum(&page, name, LOST).to_string(), requests.to_string());
    assert!(sum(&page, name, &["result=\"sent\""]) > 100.0, "{page}");
}

#[test]
fn the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let compressed = folder.path().join("samples.json.gz");
    std::os::unix::fs::symlink("/dev/full", &compressed).unwrap();
    for kind in [
        "json=/dev/full",
        "csv=/dev/full",
        &format!("json={}", compressed.display()),
    ] {
        let (ended, page) = load(&["--out", kind], &[]);
        let first = "samples are being lost, the run goes on";
        assert_eq!(ended.stderr.matches(first).count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains("No space left"), "{}", ended.stderr);
        // All of them, on the last page as in the last message.
        let lost = sum(&page, "loadgen_output_samples_lost_total", &[]);
        let said = format!("{lost} of {lost} samples were lost");
        assert!(
            lost > 300.0 && ended.stderr.contains(&said),
            "{said}: {}",
            ended.stderr
        );
    }
}
