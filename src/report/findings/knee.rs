//! The knee: the load from which on latency grows with load.
//!
//! A closed system whose bottleneck is full makes its users wait in proportion to how many they are beyond a point
//! (Denning and Buzen 1978: the asymptotes cross there); an open one's latency leaves its floor near its capacity. Both are
//! two straight pieces of latency against load, which are sought by least squares (Hudson 1966). The noise of a latency is
//! in proportion to it, so each second's median weighs by the inverse of its square.

use super::joined::{Joined, Point};
use super::stats::{broken_stick, median};
use super::{Confidence, Finding};

/// A load that takes fewer different values is no ramp.
const LEVELS: usize = 6;
/// The broken line must be better than a straight one by this F statistic. For independent points 12 would be reached
/// by chance once in 100 times (Andrews 1993); seconds of a run resemble their neighbours, so it takes more.
const GAIN: f64 = 30.0;
/// Past the knee latency must grow at least to this multiple.
const GROWTH: f64 = 1.5;
/// And so many times as fast as before it.
const STEEPER: f64 = 3.0;

/// Where latency begins to grow with load.
pub(super) fn knee(joined: &Joined) -> Option<Finding> {
    let rising = rising(&joined.points);
    let latencies: Vec<f64> = rising.iter().map(|point| point.window.p50).collect();
    let points: Vec<(f64, f64, f64)> = rising
        .iter()
        .enumerate()
        .map(|(at, point)| {
            // The weight is the neighbourhood's, or an outlier would choose its own.
            let around = &latencies[at.saturating_sub(3)..(at + 4).min(latencies.len())];
            (point.load, point.window.p50, median(around).powi(-2))
        })
        .collect();
    let mut levels: Vec<u64> = points.iter().map(|(load, ..)| load.round() as u64).collect();
    levels.sort_unstable();
    levels.dedup();
    if levels.len() < LEVELS {
        return None;
    }
    let found = broken_stick(&points)?;
    let most = points.iter().map(|(load, ..)| *load).fold(0.0, f64::max);
    let growth = 1.0 + found.after * (most - found.at) / found.level.max(f64::MIN_POSITIVE);
    let bends = found.after > 0.0 && found.after > STEEPER * found.before.max(0.0);
    if found.gain < GAIN || growth < GROWTH || !bends {
        return None;
    }
    let of = |keep: &dyn Fn(f64) -> bool| {
        let some = rising.iter().filter(|point| keep(point.load));
        median(&some.map(|point| point.window.p50).collect::<Vec<_>>())
    };
    let before = of(&|load| load <= found.at);
    let after = of(&|load| load >= found.at + (most - found.at) * 0.8);
    let when = rising.iter().find(|point| point.load >= found.at)?;
    let near = |bound: f64| (bound - found.at).abs() <= 0.15 * found.at.max(1.0);
    let sure = if found.gain > 4.0 * GAIN && near(found.low) && near(found.high) {
        Confidence::High
    } else {
        Confidence::Medium
    };
    let range = if (found.high - found.low).round() >= 1.0 {
        format!(" ({} to {})", found.low.round(), found.high.round())
    } else {
        String::new()
    };
    let text = format!(
        "latency grows with load from {}{range} on: median {} before, {} at {}",
        joined.load(found.at),
        milliseconds(before),
        milliseconds(after),
        joined.load(most),
    );
    Some(
        Finding::new("knee", text)
            .at(when.at - when.length)
            .sure(sure)
            .with([
                ("load", found.at),
                ("load_low", found.low),
                ("load_high", found.high),
                ("p50_before", before),
                ("p50_after", after),
                ("requests_per_second", when.rate()),
            ]),
    )
}

/// The seconds with answers until the load is at its greatest, and while it stays there.
fn rising(points: &[Point]) -> Vec<&Point> {
    let most = points.iter().map(|point| point.load).fold(0.0, f64::max);
    let first = points.iter().position(|point| point.load >= most * 0.999);
    let first = first.unwrap_or(0);
    let stays = points[first..]
        .iter()
        .take_while(|point| point.load >= most * 0.95)
        .count();
    // What waited long is answered late: a plateau shows the level, but it must not outweigh the ramp.
    let end = first + stays.min(first.max(3));
    points[..end.min(points.len())]
        .iter()
        .filter(|point| point.window.requests > 0 && point.window.p50 > 0.0 && point.load > 0.0)
        .collect()
}

/// Milliseconds in words.
pub(super) fn milliseconds(ms: f64) -> String {
    crate::report::humanize_duration(ms, None)
}
