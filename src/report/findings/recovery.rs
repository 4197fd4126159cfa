//! How long the target takes to be itself again after a spike of load.

use crate::report::baseline::recovery;
use crate::report::limits::ERRORS;
use crate::report::saved::SavedRun;

use super::joined::{Joined, Point};
use super::knee::milliseconds;
use super::stats::{median, spread};
use super::{Confidence, Finding};

/// Before a spike and after it the load is at most this share of its height.
const LOW: f64 = 0.5;
/// The level before it is known from so many seconds.
const KNOWN: usize = 3;
/// A spike did something if this many seconds in a row are not like those before it.
const MOVED: usize = 3;
/// It is back when this many seconds in a row are like those before.
const IN_A_ROW: usize = 2;

/// The time from the end of a spike to latencies and errors as before it, if the spike moved them.
pub(super) fn recovered(run: &SavedRun, joined: &Joined) -> Option<Finding> {
    // A script that names its phases tells apart what was asked before and after the end of the spike.
    if let Some(found) = recovery(run) {
        let text = match found.after {
            Some(_) => format!(
                "back to normal {found} after the spike (p95 at most {})",
                milliseconds(found.p95)
            ),
            None => format!(
                "not back to normal: {found} (p95 never at most {})",
                milliseconds(found.p95)
            ),
        };
        return Some(Finding::new("recovery", text).sure(Confidence::High).with([
            ("seconds", found.after.unwrap_or(f64::NAN)),
            ("watched_seconds", found.watched),
            ("p95_before", found.before.0),
        ]));
    }
    let (before, spike, after) = parts(&joined.points)?;
    let p95 = |points: &[Point]| -> Vec<f64> {
        let answered = points.iter().filter(|point| point.window.requests > 0);
        answered.map(|point| point.window.p95).collect()
    };
    let usual = p95(before);
    let level = median(&usual);
    let most = usual.iter().copied().fold(0.0, f64::max);
    let limit = most.max(level * 1.1).max(level + 3.0 * spread(&usual));
    let errors = before
        .iter()
        .map(|point| point.window.failure_ratio())
        .fold(ERRORS, f64::max);
    let back = |point: &Point| {
        point.window.requests > 0 && point.window.p95 <= limit && point.window.failure_ratio() <= errors
    };
    let hurt: Vec<&Point> = spike.iter().chain(after).collect();
    if !hurt
        .windows(MOVED)
        .any(|row| row.iter().all(|point| !back(point)))
    {
        return None;
    }
    let end = spike.last()?.at;
    let watched = after.last()?.at - end;
    let first = after.windows(IN_A_ROW).position(|row| row.iter().all(back));
    let seconds = first.map(|first| after[first].at - after[first].length - end);
    let text = match seconds {
        Some(seconds) if seconds < 1.0 => format!(
            "back to normal within a second of the end of the spike (p95 at most {})",
            milliseconds(limit)
        ),
        Some(seconds) => format!(
            "back to normal {seconds:.0} s after the end of the spike (p95 at most {})",
            milliseconds(limit)
        ),
        None => format!(
            "not back to normal within {watched:.0} s of the end of the spike (p95 at most {} before it)",
            milliseconds(limit)
        ),
    };
    Some(
        Finding::new("recovery", text)
            .at(end)
            .sure(Confidence::Medium)
            .with([
                ("seconds", seconds.unwrap_or(f64::NAN)),
                ("watched_seconds", watched),
                ("p95_before", level),
                ("p95_limit", limit),
            ]),
    )
}

/// Before the spike, the spike, and after it; `None` if the load has no such shape.
fn parts(points: &[Point]) -> Option<(&[Point], &[Point], &[Point])> {
    let most = points.iter().map(|point| point.load).fold(0.0, f64::max);
    let top = points.iter().position(|point| point.load >= most * 0.999)?;
    let low = |point: &Point| point.load <= most * LOW;
    let start = points[..top].iter().rposition(low)? + 1;
    let end = top + points[top..].iter().position(low)?;
    let (before, after) = (&points[..start], &points[end..]);
    // A ramp from nothing, or to nothing, has no level to compare with.
    let steady = |part: &[Point]| {
        let loads: Vec<f64> = part.iter().map(|point| point.load).collect();
        let level = median(&loads);
        level > 0.0
            && loads
                .iter()
                .filter(|load| (**load - level).abs() <= 0.2 * level)
                .count()
                >= KNOWN
    };
    (steady(before) && steady(after)).then_some((before, &points[start..end], after))
}
