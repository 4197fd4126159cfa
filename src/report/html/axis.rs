//! What the charts of a page have in common: the time axis, and what is shaded on it.

use crate::report::findings::full_spans;
use crate::report::saved::SavedRun;

/// A time on the axis, in seconds since it begins.
pub(in crate::report) type Span = (f64, f64);

/// What is shaded.
pub(in crate::report) struct Shade {
    /// What was full, by what findings call it, in the order in which it came.
    pub(in crate::report) names: Vec<String>,
    /// When anything was.
    pub(in crate::report) full: Vec<Span>,
    /// When a connection of the tunnel was missing.
    pub(in crate::report) outages: Vec<Span>,
}

/// What is shaded between the ends of the axis: whatever findings call full, by their own limits.
pub(in crate::report) fn shade(run: &SavedRun) -> Shade {
    let Some((start, end)) = bounds(run) else {
        return Shade {
            names: Vec::new(),
            full: Vec::new(),
            outages: Vec::new(),
        };
    };
    let mut found = full_spans(run);
    found.retain(|span| span.to > start && span.from < end);
    found.sort_by(|a, b| a.from.total_cmp(&b.from));
    let mut names: Vec<String> = Vec::new();
    for span in &found {
        if !names.contains(&span.what) {
            names.push(span.what.clone());
        }
    }
    let full = found.iter().map(|span| (span.from, span.to));
    let outages = run.target.outages.iter();
    let outages = outages.map(|outage| (outage.from, outage.until.unwrap_or(end)));
    Shade {
        names,
        full: joined(full.collect(), (start, end)),
        outages: joined(outages.collect(), (start, end)),
    }
}

/// Spans within the ends of the axis, those that overlap as one: a shade over a shade would be another colour.
fn joined(mut spans: Vec<Span>, (start, end): (f64, f64)) -> Vec<Span> {
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut all: Vec<Span> = Vec::new();
    for (from, to) in spans {
        let (from, to) = (from.max(start) - start, to.min(end) - start);
        match all.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ if to > from => all.push((from, to)),
            _ => {}
        }
    }
    all
}

/// Where the axis begins and ends: with the load and the last window. Times are shown from the load's start on.
pub(in crate::report) fn bounds(run: &SavedRun) -> Option<(f64, f64)> {
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
