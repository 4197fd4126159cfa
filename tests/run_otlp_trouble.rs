//! A collector that is not there, hangs, or answers with errors: the load goes on as planned, it is said once, and what is lost
//! is counted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod otlp_support;
mod run_support;

use std::time::{Duration, Instant};

use otlp_support::{Target, answering, hanging, refusing_grpc};
use run_support::{Ended, Running, free_port, last_page, loadgen, planned_load, run, sum};

/// 100 requests a second for three seconds, and the last page of the run.
fn load(endpoint: &str, variables: &[(&str, &str)]) -> (Ended, String) {
    let target = Target::start();
    let begun = Instant::now();
    let (ended, last) = planned_load(&target.url("/"), &[endpoint], variables);
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    assert_eq!(target.seen().len(), 300, "the load is what it would be without");
    (ended, last)
}

/// Every span is lost for one of these reasons, and it is said once.
fn all_lost(ended: &Ended, page: &str, reasons: &[&str]) {
    let dropped = |reason: &str| {
        let label = format!("reason=\"{reason}\"");
        sum(page, "loadgen_otlp_spans_dropped_total", &[&label])
    };
    let lost: f64 = reasons.iter().map(|reason| dropped(reason)).sum();
    // Two for each request, and perhaps the run's own.
    assert!((600.0..=601.0).contains(&lost), "{reasons:?}\n{page}");
    assert_eq!(
        sum(page, "loadgen_otlp_spans_exported_total", &[]).to_string(),
        "0"
    );
    let said = ended.stderr.matches("WARN").count();
    assert_eq!(said, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the collector at http://127.0.0.1:"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("0 spans exported"), "{}", ended.stderr);
}

#[test]
fn a_collector_that_is_not_there() {
    for protocol in ["grpc", "http/protobuf"] {
        let endpoint = format!("--otlp=http://127.0.0.1:{}", free_port());
        let (ended, page) = load(&endpoint, &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        all_lost(&ended, &page, &["unreachable"]);
        assert!(
            ended.stderr.to_lowercase().contains("refused"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_collector_that_hangs() {
    for protocol in ["grpc", "http/protobuf"] {
        let endpoint = format!("--otlp=http://127.0.0.1:{}", hanging());
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "700"),
        ];
        let (ended, page) = load(&endpoint, &variables);
        all_lost(&ended, &page, &["timeout", "unreachable"]);
        assert!(
            ended.stderr.contains("no answer within 0.7 s"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_collector_that_hangs_longer_than_the_run_may_wait() {
    let endpoint = format!("--otlp=http://127.0.0.1:{}", hanging());
    let begun = Instant::now();
    let target = Target::start();
    let ended = run(&[
        "hit",
        &target.url("/"),
        "-n",
        "10",
        "--metrics-addr",
        "off",
        &endpoint,
    ])
    .expect(0);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(ended.stderr.contains("lost: shutdown 2"), "{}", ended.stderr);
}

#[test]
fn a_collector_that_answers_with_errors() {
    for answer in [
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (port, sizes) = answering(answer, Duration::ZERO);
        let variables = [("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")];
        let (ended, page) = load(&format!("--otlp=http://127.0.0.1:{port}"), &variables);
        all_lost(&ended, &page, &["refused"]);
        assert!(ended.stderr.contains(&answer[9..16]), "{}", ended.stderr);
        assert!(!sizes.lock().unwrap().is_empty());
    }
}

#[test]
fn a_collector_that_answers_with_errors_over_grpc() {
    // UNAVAILABLE may pass; INVALID_ARGUMENT does not.
    for (code, name) in [("14", "Unavailable"), ("3", "InvalidArgument")] {
        let endpoint = format!("--otlp=http://127.0.0.1:{}", refusing_grpc(code));
        let (ended, page) = load(&endpoint, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        all_lost(&ended, &page, &["refused"]);
        assert!(
            ended.stderr.contains(&format!("{name}: not today")),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_slow_collector_gets_everything() {
    let (port, sizes) = answering(
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        Duration::from_millis(400),
    );
    let (ended, page) = load(
        &format!("--otlp=http://127.0.0.1:{port}"),
        &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
    );
    let exported = sum(&page, "loadgen_otlp_spans_exported_total", &[]);
    assert_eq!(exported.to_string(), "601");
    assert!(sizes.lock().unwrap().len() > 3, "while the run goes on");
    assert!(!ended.stderr.contains("traces:"), "{}", ended.stderr);
}

#[test]
fn a_collector_that_takes_only_some() {
    // ExportTraceServiceResponse { partial_success { rejected_spans: 1, error_message: "no" } }
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n\x0a\x06\x08\x01\x12\x02no";
    let (port, sizes) = answering(answer, Duration::ZERO);
    let (ended, page) = load(
        &format!("--otlp=http://127.0.0.1:{port}"),
        &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
    );
    let requests = sizes.lock().unwrap().len() as f64;
    let rejected = sum(
        &page,
        "loadgen_otlp_spans_dropped_total",
        &["reason=\"rejected\""],
    );
    let exported = sum(&page, "loadgen_otlp_spans_exported_total", &[]);
    assert_eq!(rejected.to_string(), requests.to_string());
    assert_eq!((rejected + exported).to_string(), "601");
    assert_eq!(
        ended.stderr.matches("does not take all spans: no").count(),
        1,
        "{}",
        ended.stderr
    );
}

#[test]
fn past_the_limit_spans_are_counted_and_not_exported() {
    let (port, _) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Duration::ZERO);
    let target = Target::start();
    let (url, endpoint) = (target.url("/"), format!("--otlp=http://127.0.0.1:{port}"));
    let address = format!("127.0.0.1:{}", free_port());
    let running = Running::start(&[
        "hit",
        &url,
        "-r",
        "200",
        "-d",
        "3s",
        "--metrics-addr",
        &address,
        "--linger=20s",
        "--trace-limit",
        "40",
        &endpoint,
    ]);
    let page = last_page(&address);
    let ended = running.wait().expect(0);
    let limited = sum(
        &page,
        "loadgen_otlp_spans_dropped_total",
        &["reason=\"rate_limit\""],
    );
    let exported = sum(&page, "loadgen_otlp_spans_exported_total", &[]);
    assert_eq!(
        (limited + exported).to_string(),
        "1201",
        "each is one or the other: {page}"
    );
    // 40 in each of three or four seconds, and those that were the slowest of theirs.
    assert!((80.0..300.0).contains(&exported), "{exported}");
    assert!(
        !ended.stderr.contains("traces:"),
        "that is no trouble: {}",
        ended.stderr
    );
}

#[test]
fn what_cannot_be_an_endpoint_is_said_before_anything_is_sent() {
    let target = Target::start();
    let url = target.url("/");
    run(&["hit", &url, "--otlp=ftp://c"])
        .expect(104)
        .says(&["--otlp: ftp://c", "http://HOST:4317"]);
    let mut command = loadgen(&["hit", &url, "--otlp"]);
    command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    Ended::from(command.output().unwrap())
        .expect(104)
        .says(&["grpc and http/protobuf"]);
    run(&["hit", &url, "--otlp", "--trace-sample", "2"])
        .expect(104)
        .says(&["from 0 to 1"]);
    assert!(target.seen().is_empty());
}
