//! Saved runs as tests want them: a few numbers in, a whole run out.

use serde_json::{Value, json};

use super::SavedRun;

/// Tags, durations in milliseconds, how many failed.
pub(in crate::report) type Part = (Value, Vec<f64>, u64);

/// A saved run of these parts, with a time axis that has no slices yet.
pub(in crate::report) fn saved_run(name: &str, duration: f64, parts: &[Part]) -> SavedRun {
    let tags: Vec<Value> = parts.iter().map(|(tags, ..)| tags.clone()).collect();
    let place = |at: usize, more: Value| {
        let mut object = more;
        object["tags"] = at.into();
        object
    };
    let each = |of: &dyn Fn(&Part) -> Value| -> Vec<Value> {
        parts
            .iter()
            .enumerate()
            .map(|(at, part)| place(at, of(part)))
            .collect()
    };
    let counters = each(&|(_, durations, _)| json!({"total": durations.len()}));
    let rates = each(&|(_, durations, failed)| json!({"passes": failed, "total": durations.len()}));
    let trends = each(&|(_, durations, _)| {
        json!({
            "count": durations.len(), "sum": durations.iter().sum::<f64>(), "values": durations,
            "min": durations.iter().copied().reduce(f64::min).unwrap_or(0.0),
            "max": durations.iter().copied().fold(0.0, f64::max),
        })
    });
    let metric = |name: &str, contains: &str, series: Vec<Value>| json!([{"name": name, "contains": contains, "series": series}]);
    let none: [u8; 0] = [];
    let value = json!({
        "format": "loadgen-run", "version": 1,
        "run": {"id": "0123456789abcdef", "loadgen": "0.1.0", "name": name, "kind": "script", "command": ["loadgen"],
            "started": "2026-11-21T03:15:06.000Z", "duration": duration},
        "ending": {"name": "passed", "exit_code": 0},
        "target": {"kind": "external"},
        "environment": {"host": "h", "os": "o", "kernel": "k", "architecture": "a", "cores": 2, "cpu_model": null,
            "memory": null, "limits": null},
        "variables": {}, "options": {"scenarios": {"default": {"vus": 5, "env": {}}}, "thresholds": {}},
        "thresholds": none, "checks": none, "groups": none, "tags": tags,
        "metrics": {
            "counters": metric("http_reqs", "default", counters), "gauges": none,
            "rates": metric("http_req_failed", "default", rates), "trends": metric("http_req_duration", "time", trends),
        },
        "timeline": {"zero": "2026-11-21T03:15:06.000Z", "load_start": 0, "resolution": 1, "start": none, "length": none,
            "requests": none, "failed": none, "iterations": none, "dropped": none, "sent": none, "received": none,
            "vus": none, "vus_max": none, "in_flight": none, "p50": none, "p95": none, "p99": none, "lag_max": none,
            "strands": none},
        "hosts": none,
        "generator": {"workers": 2, "cpu_seconds": 1, "peak_memory": 1, "scheduling_lag": null, "timer_lag": null,
            "dropped_iterations": 0, "collapsed_names": 0, "collapsed_series": 0, "lost_samples": {}},
        "findings": none,
    });
    serde_json::from_value(value).unwrap()
}

/// `count` durations spread evenly from `from` to twice that.
pub(in crate::report) fn spread(count: usize, from: f64) -> Vec<f64> {
    (0..count)
        .map(|at| from * (1.0 + at as f64 / count as f64))
        .collect()
}
