//! What flags and variables come to, and what is said of those that make no sense.

use super::*;

fn spec(endpoint: Option<&str>, variables: &[(&str, &str)]) -> Result<OtlpSpec, String> {
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    OtlpSpec::new(endpoint, &variables).map_err(|error| error.to_string())
}

#[test]
fn endpoints_and_protocols() {
    const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
    let grpc = |url: &str| (Protocol::Grpc, url.to_owned());
    let http = |url: &str| (Protocol::Http, url.to_owned());
    for (flag, variables, expected) in [
        (None, vec![], grpc("http://127.0.0.1:4317")),
        (
            None,
            vec![(PROTOCOL, "http/protobuf")],
            http("http://127.0.0.1:4318/v1/traces"),
        ),
        (Some("http://c:4318"), vec![], http("http://c:4318/v1/traces")),
        (
            Some("http://c:4318/v1/traces"),
            vec![],
            http("http://c:4318/v1/traces"),
        ),
        (Some("c:4317"), vec![], grpc("http://c:4317")),
        (Some(":4318"), vec![], http("http://127.0.0.1:4318/v1/traces")),
        (Some("https://c"), vec![], http("https://c/v1/traces")),
        (Some("https://c"), vec![(PROTOCOL, "grpc")], grpc("https://c")),
        (
            Some("http://c:4317"),
            vec![(PROTOCOL, "http/protobuf")],
            http("http://c:4317/v1/traces"),
        ),
        (
            None,
            vec![(ALL, "http://c:4318/base/")],
            http("http://c:4318/base/v1/traces"),
        ),
        (
            None,
            vec![
                (ALL, "http://c:4318"),
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:4318/own"),
            ],
            http("http://t:4318/own"),
        ),
        (
            Some("http://flag:4317"),
            vec![(ALL, "http://c:4318")],
            grpc("http://flag:4317"),
        ),
        (
            None,
            vec![
                (PROTOCOL, "grpc"),
                ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ],
            http("http://127.0.0.1:4318/v1/traces"),
        ),
        (None, vec![(ALL, "  ")], grpc("http://127.0.0.1:4317")),
    ] {
        let spec = spec(flag, &variables).unwrap();
        assert_eq!((spec.protocol, spec.shown()), expected, "{flag:?} {variables:?}");
    }
}

#[test]
fn headers_time_compression_and_the_resource() {
    let spec = spec(
        None,
        &[
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,team=b%2Cc"),
            ("OTEL_SERVICE_NAME", "mine"),
        ],
    )
    .unwrap();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(spec.headers, [pair("api-key", "a b"), pair("x", "1")]);
    assert_eq!(spec.timeout, Duration::from_millis(250));
    assert!(spec.gzip);
    assert_eq!(
        spec.attributes,
        [pair("service.name", "mine"), pair("team", "b,c")]
    );
    assert!(!format!("{spec:?}").contains("a b"), "headers are secrets");
}

#[test]
fn what_is_wrong_is_named_with_the_mend() {
    for (flag, variable, said) in [
        (Some("ftp://c"), ("", ""), "over http or https"),
        (Some("http://"), ("", ""), "--otlp: http://"),
        (Some("http://u:secret@c"), ("", ""), "OTEL_EXPORTER_OTLP_HEADERS"),
        (
            None,
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            "grpc and http/protobuf",
        ),
        (None, ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "milliseconds"),
        (None, ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"), "gzip and none"),
        (None, ("OTEL_EXPORTER_OTLP_HEADERS", "secret"), "key=value"),
        (None, ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"), "as a header"),
    ] {
        let error = spec(flag, &[variable]).unwrap_err();
        assert!(error.contains(said) && !error.contains("secret"), "{error}");
    }
}

fn metrics(
    endpoint: Option<&str>,
    traces: Option<&str>,
    variables: &[(&str, &str)],
) -> Result<OtlpMetrics, String> {
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    OtlpMetrics::new(endpoint, traces, &variables).map_err(|error| error.to_string())
}

#[test]
fn metrics_go_to_their_own_place_or_where_spans_go() {
    const ALL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318");
    const OWN: (&str, &str) = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://own:4318/here");
    for (flag, traces, variables, expected) in [
        (None, None, vec![], "http://127.0.0.1:4317"),
        (
            Some("http://m:4318"),
            Some("http://t:4318"),
            vec![OWN, ALL],
            "http://m:4318/v1/metrics",
        ),
        (
            None,
            Some("http://t:4318"),
            vec![OWN, ALL],
            "http://own:4318/here",
        ),
        (
            None,
            Some("http://t:4318/v1/traces"),
            vec![ALL],
            "http://t:4318/v1/metrics",
        ),
        (None, Some("http://t:4317"), vec![ALL], "http://t:4317"),
        (None, None, vec![ALL], "http://all:4318/v1/metrics"),
        (
            None,
            None,
            vec![ALL, ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc")],
            "http://all:4318",
        ),
    ] {
        let found = metrics(flag, traces, &variables).unwrap();
        assert_eq!(found.spec.shown(), expected, "{flag:?} {traces:?} {variables:?}");
        assert_eq!((found.interval, found.explicit), (Duration::from_secs(5), false));
    }
}

#[test]
fn how_metrics_are_pushed() {
    let found = metrics(
        None,
        None,
        &[
            ("OTEL_METRIC_EXPORT_INTERVAL", "2500"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                "explicit_bucket_histogram",
            ),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Cumulative"),
        ],
    )
    .unwrap();
    assert_eq!(
        (found.interval, found.explicit),
        (Duration::from_millis(2500), true)
    );
    for (name, text, said) in [
        ("OTEL_METRIC_EXPORT_INTERVAL", "999", "at least 1000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "5s", "milliseconds"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "summary",
            "explicit_bucket_histogram",
        ),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "delta",
            "there is cumulative",
        ),
    ] {
        let error = metrics(None, None, &[(name, text)]).unwrap_err();
        assert!(error.contains(name) && error.contains(said), "{error}");
    }
    let error = metrics(Some("ftp://c"), None, &[]).unwrap_err();
    assert!(error.starts_with("--otlp-metrics: "), "{error}");
}
