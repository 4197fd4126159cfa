//! A run's answers as JSON, for programs that want neither the whole file nor its version.

use serde_json::{Value, json};

use super::baseline::line_of;
use super::saved::SavedRun;

/// The verdict, the findings and the few numbers that everybody asks for.
pub(super) fn json(run: &SavedRun) -> String {
    let whole = line_of(run, &|_| true);
    let at = |p| whole.percentile(p);
    let value: Value = json!({
        "name": run.run.name,
        "run": run.run.id,
        "started": run.run.started,
        "seconds": run.run.duration,
        "loadgen": run.run.loadgen,
        "ending": run.ending,
        "validity": run.validity,
        "findings": run.findings,
        "requests": whole.requests,
        "error_ratio": whole.error_ratio(),
        "latency_ms": { "p50": at(50.0), "p95": at(95.0), "p99": at(99.0) },
        "thresholds": run.thresholds,
        "checks": run.checks,
        "verification": run.verification,
    });
    format!("{value:#}\n")
}
