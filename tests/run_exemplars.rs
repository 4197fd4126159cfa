//! From a dot to its trace: every exemplar that a real Prometheus has scraped from a run names a span that a real collector
//! has, of the request that the series and the value tell of.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod grafana_support;
mod otlp_support;
mod run_support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use grafana_support::{Prometheus, list, text};
use otlp_support::{Collector, Span};
use run_support::{Running, Scripted, eventually, free_port};
use serde_json::Value;

/// A spike in small, past what its target can do: answers that are slow, and some that are refused.
const SPIKE: &str = "
    import http from 'k6/http';
    export const options = {
      scenarios: {
        spike: {
          executor: 'ramping-arrival-rate', startRate: 20, preAllocatedVUs: 20, maxVUs: 100,
          stages: [{ target: 150, duration: '3s' }, { target: 20, duration: '3s' }],
        },
      },
    };
    export default function () {
      http.get(`${__ENV.WALLET_URL}/`);
      http.get(`${__ENV.STORE_URL}/nowhere`);
    }";

const DURATION: &str = "loadgen_http_request_duration_seconds";

#[test]
fn every_exemplar_s_trace_is_at_the_collector() {
    // One trace of ten, and besides what failed or was slow: the spans that are left out may be no exemplars.
    spike(&["--trace-sample", "0.1"], false);
}

#[test]
fn and_past_the_limit() {
    spike(&["--trace-limit", "40"], false);
}

#[test]
fn and_with_native_histograms_which_come_as_protobuf() {
    spike(&["--trace-sample", "0.1"], true);
}

fn spike(flags: &[&str], native: bool) {
    let page = format!("127.0.0.1:{}", free_port());
    let (features, metric) = if native {
        ("exemplar-storage,native-histograms", DURATION.to_owned())
    } else {
        ("exemplar-storage", format!("{DURATION}_bucket"))
    };
    let prometheus = Prometheus::with(features, &page, &format!("127.0.0.1:{}", free_port()));
    let collector = Collector::start();
    let (script, otlp) = (Scripted::new(SPIKE), collector.grpc());
    let export = script.file("export.json");
    let begin = UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let mut arguments = vec![
        "run",
        script.path(),
        "-q",
        "--demo-args",
        "--capacity 100 --queue 5",
        "--metrics-addr",
        &page,
        "--linger=20s",
        "--summary-export",
        &export,
        &otlp,
    ];
    arguments.extend(flags);
    let mut command = run_support::loadgen(&arguments);
    command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let running = Running(Some(command.spawn().unwrap()));
    running.wait().expect(0);

    let spans = collector.spans();
    let known: BTreeMap<(&str, &str), &Span> = spans
        .iter()
        .map(|span| ((span.trace.as_str(), span.id.as_str()), span))
        .collect();
    let end = UNIX_EPOCH.elapsed().unwrap().as_secs_f64() + 1.0;
    let shown = eventually(Duration::from_secs(20), "exemplars at Prometheus", || {
        let range = (begin.to_string(), end.to_string());
        let found = prometheus.api(
            "query_exemplars",
            &[("query", metric.as_str()), ("start", &range.0), ("end", &range.1)],
        );
        found.ok().filter(|found| !list(found).is_empty())
    });
    let mut statuses = BTreeSet::new();
    let mut traces = BTreeSet::new();
    for series in list(&shown) {
        let labels = &series["seriesLabels"];
        for exemplar in list(&series["exemplars"]) {
            let (trace, id) = (
                text(&exemplar["labels"], "trace_id"),
                text(&exemplar["labels"], "span_id"),
            );
            let span = known.get(&(trace, id));
            let span = span.unwrap_or_else(|| panic!("no span {id} of {trace} of {labels}"));
            assert_eq!(labels["__name__"], metric, "{labels}");
            matches(span, labels, exemplar);
            statuses.insert(text(labels, "status").to_owned());
            traces.insert(trace.to_owned());
        }
    }
    assert!(traces.len() > 4, "{traces:?} of {} spans", spans.len());
    assert!(
        statuses.contains("200") && statuses.len() > 1,
        "what failed too: {statuses:?}"
    );

    let export: Value = serde_json::from_str(&script.read("export.json")).unwrap();
    let count = export["metrics"]["http_reqs"]["count"].as_u64().unwrap();
    let query = "sum(last_over_time(loadgen_http_requests_total[5m]))";
    let counted = prometheus.api("query", &[("query", query)]).unwrap();
    assert_eq!(counted["result"][0]["value"][1], count.to_string());
    if native {
        // It is one series, not one for each bucket, and its quantiles are there while the load is.
        let query = format!("histogram_quantile(0.95, sum(rate({DURATION}[5s])))");
        let range = [begin.to_string(), end.to_string()];
        let range = [
            ("query", query.as_str()),
            ("start", &range[0]),
            ("end", &range[1]),
            ("step", "1"),
        ];
        let answer = prometheus.api("query_range", &range).unwrap();
        let points = list(&answer["result"][0]["values"]).iter();
        let mut seconds = points.filter_map(|point| point[1].as_str()?.parse::<f64>().ok());
        assert!(
            seconds.any(|quantile| (1e-6..60.0).contains(&quantile)),
            "{answer}"
        );
    }
    let requests = spans.iter().filter(|span| span.is_request()).count() as u64;
    assert!(
        requests < count,
        "not every request was kept: {requests} of {count}"
    );
    let query = "sum(last_over_time(loadgen_otlp_spans_exported_total[5m]))";
    let counted = prometheus.api("query", &[("query", query)]).unwrap();
    assert_eq!(counted["result"][0]["value"][1], spans.len().to_string());
}

/// Whether the span is of the request that the series and the exemplar tell of.
fn matches(span: &Span, labels: &Value, exemplar: &Value) {
    assert!(span.is_request(), "{span:?}");
    assert_eq!(
        span.get("http.request.method"),
        text(labels, "method"),
        "{span:?}"
    );
    // A request without an answer has no status at all.
    let status = span.get("http.response.status_code");
    let told = text(labels, "status");
    assert!(
        status == told || (status.is_empty() && told == "0"),
        "{labels} {span:?}"
    );
    assert_eq!(span.get("loadgen.scenario"), text(labels, "scenario"));
    let value: f64 = text(exemplar, "value").parse().unwrap();
    let phases = ["sending", "waiting", "receiving"].map(|phase| {
        let phase = span.get(&format!("loadgen.phase.{phase}"));
        phase.parse::<f64>().unwrap_or(0.0)
    });
    let sum: f64 = phases.iter().sum();
    assert!((value - sum).abs() < 1e-4, "{value} is not {sum}: {span:?}");
    // A native histogram has its buckets within.
    let bound = match text(labels, "le") {
        "+Inf" | "" => f64::INFINITY,
        bound => bound.parse().unwrap(),
    };
    assert!(value <= bound, "{value} in the bucket up to {bound}");
    let at = exemplar["timestamp"].as_f64().unwrap();
    assert!(
        (at - span.end as f64 / 1e9).abs() < 0.01,
        "{at} is not {}",
        span.end
    );
}
