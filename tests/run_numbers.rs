//! The numbers of a summary are those that anybody can compute from the samples of the same run: counts, sums, rates and
//! extremes exactly, percentiles within what the histogram says of itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::collections::BTreeMap;

use run_support::{Scripted, Server, run};
use serde_json::Value;

/// A histogram of three digits is off by half a bucket of 2048 at the most; a time is rounded to a tenth of a microsecond.
const OFF: f64 = 1.0 / 2048.0;
const ROUNDED: f64 = 0.0001;

const SCRIPT: &str = "
import http from 'k6/http';
import { check, group } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const few = new Trend('few');
const many = new Trend('many', true);
const wide = new Trend('wide');
const signed = new Trend('signed');
const share = new Rate('share');
const total = new Counter('total');
const level = new Gauge('level');

export const options = {
  scenarios: { s: { executor: 'shared-iterations', vus: 4, iterations: 400 } },
  summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(1)', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'count'],
};

export default function () {
  const status = __ITER % 4 === 0 ? 404 : 200;
  const answer = http.get(`${__ENV.BASE}/status/${status}`, { tags: { name: 'page' } });
  group('g', () => check(answer, { 'it is there': (r) => r.status === 200 }));
  if (__ITER % 8 === 0) few.add(Math.random());
  for (let i = 0; i < 20; i++) many.add(Math.exp(Math.random() * 8));
  wide.add(10 ** (Math.random() * 12 - 4));
  signed.add((Math.random() - 0.5) * 1000);
  share.add(Math.random() < 0.3);
  total.add(Math.floor(Math.random() * 10));
  level.add(__ITER);
}
";

/// The samples of each metric, in the order of the file.
fn samples(path: &str) -> BTreeMap<String, Vec<f64>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["type"] == "Point" {
            let metric = line["metric"].as_str().unwrap().to_owned();
            found
                .entry(metric)
                .or_default()
                .push(line["data"]["value"].as_f64().unwrap());
        }
    }
    found
}

#[track_caller]
fn same(what: &str, shown: f64, computed: f64) {
    // Samples of requests are kept, and written, with seven digits; sums are added up in another order.
    let off = (shown - computed).abs();
    assert!(
        off <= computed.abs() * f64::from(f32::EPSILON) + 1e-9,
        "{what}: {shown}, not {computed}"
    );
}

/// Fails unless what is shown is a percentile of the sorted samples, as close as a histogram can say it.
fn percentile(what: &str, shown: f64, sorted: &[f64], p: f64) {
    // Between which samples it is depends on how one counts: by the nearest, or with a part of the way to the next.
    let rank = p / 100.0 * (sorted.len() - 1) as f64;
    let near = |rank: f64| sorted[(rank.max(0.0) as usize).min(sorted.len() - 1)];
    let (low, high) = (near(rank.floor() - 1.0), near(rank.ceil() + 1.0));
    let slack = |value: f64| value.abs() * OFF + ROUNDED;
    assert!(
        shown >= low - slack(low) && shown <= high + slack(high),
        "{what}: {shown} is not within {low} and {high}"
    );
}

#[test]
fn the_summary_is_what_the_samples_say() {
    let server = Server::start();
    let script = Scripted::new(SCRIPT);
    let (json, export) = (script.file("samples.json"), script.file("summary.json"));
    let base = format!("BASE={}", server.url(""));
    let ended = run(&[
        "run",
        "--quiet",
        "--metrics-addr",
        "off",
        "-e",
        &base,
        "--out",
        &format!("json={json}"),
        "--summary-export",
        &export,
        script.path(),
    ]);
    ended.expect(0);
    let samples = samples(&json);
    let summary: Value = serde_json::from_str(&script.read("summary.json")).unwrap();
    let metrics = summary["metrics"].as_object().unwrap();
    let (mut trends, mut percentiles) = (0, 0);
    for (name, values) in &samples {
        let shown = &metrics[name];
        let number = |field: &str| {
            shown[field]
                .as_f64()
                .unwrap_or_else(|| panic!("{name} has no {field}: {shown}"))
        };
        let sum: f64 = values.iter().sum();
        match name.as_str() {
            "share" | "checks" | "http_req_failed" => {
                let yes = values.iter().filter(|value| **value != 0.0).count();
                same(
                    &format!("{name} rate"),
                    number("value"),
                    yes as f64 / values.len() as f64,
                );
                same(&format!("{name} passes"), number("passes"), yes as f64);
                same(
                    &format!("{name} fails"),
                    number("fails"),
                    (values.len() - yes) as f64,
                );
            }
            "total" | "iterations" | "http_reqs" | "data_sent" | "data_received" | "dropped_iterations" => {
                same(&format!("{name} count"), number("count"), sum);
            }
            "level" | "vus" | "vus_max" | "http_reqs_in_flight" => {
                let most = values.iter().copied().fold(f64::MIN, f64::max);
                let least = values.iter().copied().fold(f64::MAX, f64::min);
                same(&format!("{name} max"), number("max"), most);
                same(&format!("{name} min"), number("min"), least);
            }
            _ => {
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                trends += 1;
                same(&format!("{name} count"), number("count"), sorted.len() as f64);
                same(&format!("{name} avg"), number("avg"), sum / sorted.len() as f64);
                same(&format!("{name} min"), number("min"), sorted[0]);
                same(&format!("{name} max"), number("max"), sorted[sorted.len() - 1]);
                for (field, p) in [
                    ("med", 50.0),
                    ("p(1)", 1.0),
                    ("p(90)", 90.0),
                    ("p(95)", 95.0),
                    ("p(99)", 99.0),
                    ("p(99.9)", 99.9),
                ] {
                    percentile(&format!("{name} {field}"), number(field), &sorted, p);
                    percentiles += 1;
                }
            }
        }
    }
    assert!(
        trends >= 12 && percentiles >= 72,
        "{trends} trends, {percentiles} percentiles"
    );
    same("iterations", samples["iterations"].len() as f64, 400.0);
    same(
        "requests",
        samples["http_reqs"].iter().sum(),
        server.count() as f64,
    );
    assert_eq!(samples["many"].len(), 8000);
    let failed = samples["http_req_failed"].iter().sum::<f64>();
    let unchecked = samples["checks"].iter().filter(|value| **value == 0.0).count();
    same("what failed was not as expected", failed, unchecked as f64);
}
