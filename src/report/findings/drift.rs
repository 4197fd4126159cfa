//! Whether it gets worse while the load stays the same: latency that creeps up, memory that is not given back.
//!
//! Theil's and Sen's slope over blocks of the longest time of constant load, with an interval of 99 % that allows for
//! neighbours resembling each other. It counts if the interval has one sign and the whole change is large enough to matter.
//! A step is no drift: what is looked at is what is left without it.

use crate::report::humanize_bytes;
use crate::report::saved::SavedRun;

use super::joined::{Joined, Point};
use super::knee::milliseconds;
use super::stats::{Slope, blocks, theil_sen};
use super::step;
use super::{Confidence, Finding};

/// The load may vary this much and be constant.
const SAME: f64 = 0.05;
/// A shorter time tells nothing of a drift, in seconds.
const SHORTEST: f64 = 60.0;
/// The first part is the target warming up.
const WARM: f64 = 0.1;
/// 99 %.
const Z: f64 = 2.576;

/// What drifts under constant load.
pub(super) fn drifts(run: &SavedRun, joined: &Joined) -> Vec<Finding> {
    let Some((from, to)) = steady(&joined.points) else {
        return Vec::new();
    };
    let inside = |at: f64| at > from && at <= to;
    let mut found = Vec::new();
    let points = || joined.points.iter().filter(|point| inside(point.at));
    let latency = |of: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        let answered = points().filter(|point| point.window.requests > 0);
        answered.map(|point| (point.at, of(point))).collect()
    };
    for (what, values) in [
        ("the median latency", latency(|point| point.window.p50)),
        ("p95", latency(|point| point.window.p95)),
    ] {
        found.extend(drift("drift", what, &values, 0.1, 0.0, &milliseconds));
        if !found.is_empty() {
            break;
        }
    }
    for host in &run.hosts {
        let mut leaked = false;
        for process in &host.processes {
            let of = |column| -> Vec<(f64, f64)> {
                let readings = joined.process(process, column);
                readings.into_iter().filter(|(at, _)| inside(*at)).collect()
            };
            let name = &process.name;
            let what = format!("memory of {name}");
            let memory = drift("leak", &what, &of("memory"), 0.05, 8e6, &humanize_bytes);
            leaked |= memory.is_some();
            found.extend(memory);
            let count = |value: f64| format!("{value:.0}");
            let what = format!("open files of {name}");
            found.extend(drift("leak", &what, &of("open_files"), 0.2, 20.0, &count));
            let what = format!("threads of {name}");
            found.extend(drift("leak", &what, &of("threads"), 0.2, 5.0, &count));
        }
        if !leaked {
            let readings = joined.host(host, "memory_used");
            let readings: Vec<_> = readings.into_iter().filter(|(at, _)| inside(*at)).collect();
            let what = format!("memory in use on {}", host.host);
            let share = |value: f64| format!("{:.1} %", value * 100.0);
            found.extend(drift("leak", &what, &readings, 0.05, 0.02, &share));
        }
    }
    found
}

/// The longest time of constant load, without its beginning; `None` if there is none that is long enough.
pub(super) fn steady(points: &[Point]) -> Option<(f64, f64)> {
    let mut best: Option<(usize, usize)> = None;
    let mut from = 0;
    while from < points.len() {
        let level = points[from].load;
        let same = |point: &Point| level > 0.0 && (point.load - level).abs() <= (SAME * level).max(0.5);
        let count = points[from..].iter().take_while(|point| same(point)).count();
        if best.is_none_or(|(start, end)| count > end - start) {
            best = Some((from, from + count));
        }
        from += count.max(1);
    }
    let (from, to) = best?;
    let some = points.get(from..to)?;
    let (first, last) = (some.first()?, some.last()?);
    let start = first.at - first.length;
    let length = last.at - start;
    (length >= SHORTEST).then_some((start + WARM * length, last.at))
}

/// A slope that is certain and whose whole change is at least `share` of the level and at least `least`. Only what grows
/// is told: nobody is harmed by the other way.
fn drift(
    name: &'static str,
    what: &str,
    values: &[(f64, f64)],
    share: f64,
    least: f64,
    unit: &dyn Fn(f64) -> String,
) -> Option<Finding> {
    let (blocks, _) = blocks(&step::without(values));
    let (first, last) = (blocks.first()?.0, blocks.last()?.0);
    let Slope {
        each: slope,
        low,
        high,
        start,
    } = theil_sen(&blocks, Z).filter(Slope::is_certain)?;
    let span = last - first;
    let (from, to) = (start + slope * first, start + slope * last);
    let change = slope * span;
    let level = from.abs().max(f64::MIN_POSITIVE);
    if slope <= 0.0 || change < share * level || change < least {
        return None;
    }
    // Where even the low end of the interval is a change that matters there is little doubt.
    let sure = if low * span >= 0.5 * change {
        Confidence::High
    } else {
        Confidence::Medium
    };
    let text = format!(
        "{what} grows under constant load: from {} to {} in {span:.0} s, {} an hour ({} to {})",
        unit(from),
        unit(to),
        unit(slope * 3600.0),
        unit(low * 3600.0),
        unit(high * 3600.0),
    );
    Some(Finding::new(name, text).at(first).sure(sure).with([
        ("slope_per_second", slope),
        ("slope_low", low),
        ("slope_high", high),
        ("from", from),
        ("to", to),
    ]))
}
