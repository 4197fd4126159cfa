//! From which load on requests fail.

use super::Finding;
use super::joined::Joined;
use super::stats::wilson;
use crate::report::limits::ERRORS;

/// A second alone may be an accident: this one and the next two must show it together.
const TOGETHER: usize = 3;
/// The share of those is above the limit with this many standard deviations to spare: 99.5 %.
const Z: f64 = 2.576;

/// "Errors exceeded 1 % at 143 VUs": the first second with more errors than that, if it and the next two leave no doubt.
pub(super) fn exceeded(joined: &Joined) -> Option<Finding> {
    let points = &joined.points;
    let over = |at: usize| {
        let window = &points[at].window;
        if window.failure_ratio() <= ERRORS {
            return false;
        }
        let some = &points[at..(at + TOGETHER).min(points.len())];
        let (failed, all) = some.iter().fold((0, 0), |(failed, all), point| {
            (failed + point.window.failed, all + point.window.requests)
        });
        wilson(failed as f64, all as f64, Z).0 > ERRORS
    };
    let at = (0..points.len()).find(|at| over(*at))?;
    let point = &points[at];
    let share = point.window.failure_ratio();
    let before = points[..at].iter().map(|point| point.load).fold(0.0, f64::max);
    let when = point.at - point.length;
    let text = if at == 0 {
        format!(
            "more than 1 % of the requests failed from the start, with {}",
            joined.load(point.load)
        )
    } else {
        format!(
            "errors exceeded 1 % at {} ({:.0} requests/s), {when:.0} s into the load",
            joined.load(point.load),
            point.rate()
        )
    };
    let failed: u64 = points.iter().map(|point| point.window.failed).sum();
    let all: u64 = points.iter().map(|point| point.window.requests).sum();
    Some(Finding::new("errors", text).at(when).with([
        ("load", point.load),
        ("load_before", before),
        ("share", share),
        ("requests_per_second", point.rate()),
        ("share_of_all", failed as f64 / all.max(1) as f64),
    ]))
}
