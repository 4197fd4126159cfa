//! Numbers of a saved run as text, in the unit of their metric.

use super::format::{humanize_bytes, humanize_duration, number};
use super::saved::{SavedRun, SavedThreshold};

/// The number that a threshold was judged on; a dash where there was none.
pub(super) fn threshold_value(run: &SavedRun, threshold: &SavedThreshold) -> String {
    let Some(value) = threshold.value else {
        return "-".to_owned();
    };
    let metric = threshold.metric.split('{').next().unwrap_or_default();
    let metrics = &run.metrics;
    if metrics.rates.iter().any(|rate| rate.name == metric) {
        return format!("{:.2} %", value * 100.0);
    }
    let counted = threshold.threshold.trim_start().starts_with("count");
    let contains = metrics
        .trends
        .iter()
        .find(|trend| trend.name == metric)
        .map(|trend| trend.contains.as_str());
    match contains {
        Some("time") if !counted => humanize_duration(value, None),
        Some("data") if !counted => humanize_bytes(value),
        _ => number(value, 3),
    }
}
