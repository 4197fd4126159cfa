//! Metrics at an OTLP collector that no one here wrote: what it has is what the summary says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod otlp_support;
mod run_support;

use std::collections::BTreeMap;
use std::time::Duration;

use otlp_support::{Collector, Point, points};
use run_support::{Ended, Scripted, Server, eventually, loadgen, run};

fn pushed(collector: &Collector, flag: &str, variables: &[(&str, &str)]) -> (u64, Vec<Point>) {
    let server = Server::start();
    let script = Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ sleep }} from 'k6';
        export const options = {{ vus: 2, duration: '4s' }};
        export default function () {{ http.get('{}'); sleep(0.05); }}",
        server.url("/items/17?page=2")
    ));
    let mut command = loadgen(&["run", script.path(), "-q", "--metrics-addr", "off", flag]);
    command.env("OTEL_METRIC_EXPORT_INTERVAL", "1000");
    command.envs(variables.iter().copied());
    let ended = Ended::from(command.output().unwrap()).expect(0);
    assert!(!ended.stderr.contains("otlp"), "{}", ended.stderr);
    // The last page says that the series have ended, and its last metric is there when all before it are.
    let shown = eventually(Duration::from_secs(20), "the end of the series", || {
        let shown = points(&collector.log());
        let ended = shown.iter().any(|point| {
            point.metric == "loadgen_ws_sessions_total" && point.at > 0 && point.value.is_none()
        });
        ended.then_some(shown)
    });
    (server.count(), shown)
}

/// The last points of a metric's series that have a value.
fn last<'a>(points: &'a [Point], metric: &str) -> Vec<&'a Point> {
    let mut series = BTreeMap::new();
    for point in points {
        let empty = point.value.is_none() && point.count == 0;
        if point.metric == metric && !empty {
            series.insert(&point.attributes, point);
        }
    }
    series.into_values().collect()
}

/// Whether the collector has what happened.
fn complete(count: u64, shown: &[Point]) -> Vec<&Point> {
    let requests = last(shown, "loadgen_http_requests_total");
    let sum: f64 = requests.iter().filter_map(|point| point.value).sum();
    assert_eq!(sum.to_string(), count.to_string());
    let request = requests
        .iter()
        .find(|point| point.attributes.contains_key("name"))
        .unwrap();
    assert_eq!((&*request.kind, request.monotonic), ("Sum", true));
    assert_eq!(request.temporality, "AGGREGATION_TEMPORALITY_CUMULATIVE");
    assert_eq!(request.attributes["status"], "200");
    assert!(request.start < request.at);
    assert_eq!(request.resource["loadgen.run.id"].len(), 16);
    let pages = shown.iter().filter(|point| point.metric == "loadgen_vus");
    assert!(pages.count() >= 4, "more than one page came");
    let gauge = last(shown, "loadgen_run_elapsed_seconds");
    assert_eq!((&*gauge[0].kind, &*gauge[0].unit), ("Gauge", "s"));
    assert!(gauge[0].value.unwrap() >= 4.0, "{gauge:?}");
    let durations = last(shown, "loadgen_http_request_duration_seconds");
    let total: u64 = durations.iter().map(|point| point.count).sum();
    assert_eq!(total, count);
    for point in &durations {
        let within: u64 = point.buckets.iter().map(|(_, count)| count).sum();
        assert_eq!(within, point.count, "the buckets hold all: {point:?}");
        assert_eq!(point.unit, "s");
        let most: f64 = point
            .buckets
            .iter()
            .map(|(end, count)| end.min(60.0) * *count as f64)
            .sum();
        let sum = point.sum.unwrap();
        assert!(sum > 0.0 && sum <= most, "{sum} s of at most {most} s");
    }
    durations
}

#[test]
fn over_grpc_with_exponential_histograms() {
    let collector = Collector::showing("metrics");
    let flag = format!("--otlp-metrics={}", collector.grpc_url());
    let variables = [
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
        ("OTEL_SERVICE_NAME", "shop-load"),
    ];
    let (count, shown) = pushed(&collector, &flag, &variables);
    let durations = complete(count, &shown);
    assert_eq!(durations[0].kind, "ExponentialHistogram");
    assert_eq!(durations[0].resource["service.name"], "shop-load");
    // The sum lies within what the buckets say, which are 4.5 % wide.
    for point in durations {
        let most: f64 = point.buckets.iter().map(|(end, count)| end * *count as f64).sum();
        assert!(point.sum.unwrap() > most / 1.05, "{point:?}");
    }
    let conventional = last(&shown, "http.client.request.duration");
    let [point] = conventional.as_slice() else {
        panic!("{conventional:?}")
    };
    assert_eq!((point.count, &*point.unit), (count, "s"));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("url.template", "/items/:id"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(point.attributes[key], value, "{point:?}");
    }
}

#[test]
fn over_http_compressed_with_bounds() {
    let collector = Collector::showing("metrics");
    let endpoint = collector.http_url();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "explicit_bucket_histogram",
        ),
    ];
    let (count, shown) = pushed(&collector, "--otlp-metrics", &variables);
    let durations = complete(count, &shown);
    assert_eq!(durations[0].kind, "Histogram");
    assert_eq!(durations[0].buckets.len(), 17);
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_sent() {
    let server = Server::start();
    let url = server.url("/");
    run(&["hit", &url, "--otlp-metrics=ftp://c"])
        .expect(104)
        .says(&["--otlp-metrics: ftp://c", "http://HOST:4317"]);
    let mut command = loadgen(&["hit", &url, "--otlp-metrics"]);
    command.env("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta");
    Ended::from(command.output().unwrap()).expect(104).says(&[
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "there is cumulative",
    ]);
    assert_eq!(server.count(), 0);
}
