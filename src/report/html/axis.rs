//! What the charts of a page have in common: the time axis, and what is shaded on it.

use crate::report::saved::SavedRun;

/// A time during which something was full, in seconds on the file's axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) what: String,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// From which share on a column counts as full, and what it is. The same limits as for findings.
const FULL: [(&str, f64, &str); 6] = [
    ("cpu_utilization", 0.95, "CPU"),
    ("cpu_throttled", 0.25, "CPU quota"),
    ("memory_utilization", 0.95, "memory"),
    ("swap_used", 0.9, "swap"),
    ("disk_busy", 0.95, "disk"),
    ("conntrack_utilization", 0.9, "tracked connections"),
];

/// When machines were full: two readings in a row at the least.
pub(super) fn saturated(run: &SavedRun) -> Vec<Span> {
    let mut spans = Vec::new();
    for host in &run.hosts {
        for (column, limit, what) in FULL {
            let Some(values) = host.series.get(column) else {
                continue;
            };
            let full: Vec<bool> = values
                .iter()
                .map(|value| value.is_some_and(|value| value >= limit))
                .collect();
            let mut at = 0;
            while at < full.len() {
                let row = full[at..].iter().take_while(|full| **full).count();
                if row >= 2 {
                    // A reading speaks of the time since the one before it.
                    let from = at
                        .checked_sub(1)
                        .map_or(host.at[at] - 1.0, |before| host.at[before]);
                    spans.push(Span {
                        what: format!("{what} of {}", host.host),
                        from: from.max(0.0),
                        to: host.at[at + row - 1],
                    });
                }
                at += row.max(1);
            }
        }
    }
    spans
}

/// Where the axis begins and ends: with the load and the last window. Times are shown from the load's start on.
pub(super) fn bounds(run: &SavedRun) -> Option<(f64, f64)> {
    let t = &run.timeline;
    let end = t.start.last()? + t.length.last()?;
    let start = t.load_start.unwrap_or(0.0);
    (end - start > 0.5).then_some((start, end))
}

/// At most so many values of a column: neighbours become one, the greatest of them if `most`, else their mean.
pub(super) fn thinned(values: &[(f64, f64)], count: usize, most: bool) -> Vec<(f64, f64)> {
    let size = values.len().div_ceil(count.max(1)).max(1);
    values
        .chunks(size)
        .map(|chunk| {
            let at = chunk.iter().map(|(at, _)| at).sum::<f64>() / chunk.len() as f64;
            let greatest = chunk
                .iter()
                .map(|(_, value)| *value)
                .fold(f64::NEG_INFINITY, f64::max);
            let mean = chunk.iter().map(|(_, value)| value).sum::<f64>() / chunk.len() as f64;
            (at, if most { greatest } else { mean })
        })
        .collect()
}
