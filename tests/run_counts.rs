//! One run, five accounts of it: summary, JSON, CSV, summary export and `/metrics` tell the same counts.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use run_support::{Running, Scripted, Server, eventually, free_port, get, sum};

const ITERATIONS: u64 = 60;

fn script(server: &Server) -> Scripted {
    Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ check, group }} from 'k6';
        import {{ Counter, Gauge, Rate, Trend }} from 'k6/metrics';
        export const options = {{ scenarios: {{ main: {{
            executor: 'shared-iterations', vus: 4, iterations: {ITERATIONS}, maxDuration: '30s' }} }} }};
        const counter = new Counter('my_counter'), gauge = new Gauge('my_gauge');
        const rate = new Rate('my_rate'), trend = new Trend('my_trend', true);
        export default function () {{
            group('outer', () => {{
                const ok = http.get('{ok}');
                check(ok, {{ 'is 200': (r) => r.status === 200, 'is 201': (r) => r.status === 201 }});
            }});
            http.get('{missing}', {{ tags: {{ name: 'missing' }} }});
            counter.add(2);
            gauge.add(7);
            rate.add(__ITER % 2 === 0);
            trend.add(12.5);
        }}",
        ok = server.url("/"),
        missing = server.url("/status/404"),
    ))
}

/// Metric name to the number of samples and their sum.
type Samples = BTreeMap<String, (u64, f64)>;

fn json_samples(text: &str) -> Samples {
    let mut samples = Samples::new();
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        if value["type"] == "Point" {
            let entry = samples
                .entry(value["metric"].as_str().unwrap().to_owned())
                .or_default();
            *entry = (entry.0 + 1, entry.1 + value["data"]["value"].as_f64().unwrap());
        }
    }
    samples
}

fn csv_samples(text: &str) -> Samples {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut samples = Samples::new();
    for record in reader.records() {
        let record = record.unwrap();
        let entry = samples.entry(record[0].to_owned()).or_default();
        *entry = (entry.0 + 1, entry.1 + record[2].parse::<f64>().unwrap());
    }
    samples
}

fn gunzip(path: &str) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::MultiGzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
fn the_same_counts_everywhere() {
    let server = Server::start();
    let script = script(&server);
    let address = format!("127.0.0.1:{}", free_port());
    let outs = ["samples.json", "samples.csv", "samples.json.gz", "samples.csv.gz"];
    let outs: Vec<String> = outs
        .iter()
        .map(|name| {
            let kind = if name.contains("json") { "json" } else { "csv" };
            format!("{kind}={}", script.file(name))
        })
        .collect();
    let export = script.file("export.json");
    let mut arguments = vec![
        "run",
        script.path(),
        "-q",
        "--workers",
        "2",
        "--metrics-addr",
        &address,
        "--linger=20s",
    ];
    arguments.extend(["--summary-export", &export]);
    for out in &outs {
        arguments.extend(["-o", out]);
    }
    let mut running = Running::start(&arguments);

    // A first scrape lets it start, the last page is read while it lingers.
    let page = {
        eventually(Duration::from_secs(15), "a first page", || {
            get(&address, "/metrics").ok()
        });
        running.until_said("waiting up to 20 s for a last scrape");
        eventually(Duration::from_secs(15), "the last page", || {
            let page = get(&address, "/metrics").ok()?;
            page.contains("state=\"finished\"} 1").then_some(page)
        })
    };
    let ended = running.wait().expect(0);
    assert_eq!(server.count(), 2 * ITERATIONS);

    let json = json_samples(&script.read("samples.json"));
    let csv = csv_samples(&script.read("samples.csv"));
    assert_eq!(json_samples(&gunzip(&script.file("samples.json.gz"))), json);
    assert_eq!(
        csv_samples(&gunzip(&script.file("samples.csv.gz"))).len(),
        csv.len()
    );
    let export: serde_json::Value = serde_json::from_str(&script.read("export.json")).unwrap();
    let exported = |metric: &str, key: &str| export["metrics"][metric][key].as_f64().unwrap();

    let n = ITERATIONS as f64;
    for (metric, samples, total, page_value) in [
        (
            "http_reqs",
            2.0 * n,
            2.0 * n,
            sum(&page, "loadgen_http_requests_total", &[]),
        ),
        ("iterations", n, n, sum(&page, "loadgen_iterations_total", &[])),
        (
            "my_counter",
            n,
            2.0 * n,
            sum(&page, "loadgen_custom_my_counter_total", &[]),
        ),
    ] {
        assert_eq!(json[metric].0 as f64, samples, "{metric} in JSON");
        assert_eq!(csv[metric], json[metric], "{metric} in CSV");
        assert_eq!(json[metric].1, total, "{metric} in JSON");
        assert_eq!(exported(metric, "count"), total, "{metric} in the export");
        assert_eq!(page_value, total, "{metric} on /metrics\n{page}");
        assert_eq!(
            ended.shown(metric).parse::<f64>().unwrap(),
            total,
            "{metric} in the summary"
        );
    }
    // Rates: how many samples, and how many of them were true.
    let rates = [
        (
            "checks",
            2.0 * n,
            n,
            sum(&page, "loadgen_checks_total", &["result=\"pass\""]),
        ),
        (
            "http_req_failed",
            2.0 * n,
            n,
            sum(&page, "loadgen_http_requests_failed_total", &[]),
        ),
    ];
    for (metric, samples, passes, page_value) in rates {
        assert_eq!(json[metric], (samples as u64, passes), "{metric} in JSON");
        assert_eq!(csv[metric], json[metric], "{metric} in CSV");
        assert_eq!(exported(metric, "passes"), passes, "{metric} in the export");
        assert_eq!(
            exported(metric, "fails"),
            samples - passes,
            "{metric} in the export"
        );
        assert_eq!(page_value, passes, "{metric} on /metrics");
    }
    assert!(ended.stdout.contains("50.00% 60 out of 120"), "{}", ended.stdout);
    for trend in [
        "http_req_duration",
        "http_req_waiting",
        "my_trend",
        "iteration_duration",
        "group_duration",
    ] {
        assert_eq!(json[trend].0, csv[trend].0, "{trend}");
    }
    assert_eq!(json["my_trend"], (ITERATIONS, 12.5 * n));
    assert_eq!(exported("my_trend", "max"), 12.5);
    assert_eq!(
        sum(&page, "loadgen_http_request_duration_seconds_count", &[]),
        2.0 * n
    );
    assert_eq!(sum(&page, "loadgen_custom_my_trend_seconds_count", &[]), n);
    assert_eq!(sum(&page, "loadgen_custom_my_gauge", &[]), 7.0);
}
