//! A step: from one second to the next latency is another one, under the same load, and stays so.
//!
//! What is fitted is a straight line that is lifted at one time, by least squares for each time that it may be (the shift of
//! level in Perron, *The great crash, the oil price shock, and the unit root hypothesis*, Econometrica 1989; the greatest F over
//! all times as in Andrews, Econometrica 1993). So a step is found on top of what creeps up, and what only creeps up is none.
//! Neighbours resemble each other, so F is divided by the same factor that a slope's variance is multiplied with. Curves may look like
//! steps to least squares; a step also takes most of its height within a few values, and leaves nearly all others on their side of
//! its middle. What creeps up faster and faster does not do the first, what passes again not the second.

use super::joined::{Joined, Point};
use super::knee::milliseconds;
use super::stats::{blocks, lag_one, median};
use super::{Confidence, Finding};

/// So many blocks there have to be, and so many on either side.
const LEAST: usize = 16;
const SIDE: usize = 5;
/// The lifted line must be better than the straight one by this F statistic. A time that is sought is worth more than one that is
/// given, for which 7 would be reached by chance once in 100 times.
const GAIN: f64 = 16.0;
/// From this F on there is little doubt.
const SURE: f64 = 40.0;
/// And two levels without any slope are taken for enough unless a slope is better by this F statistic.
const SLOPE: f64 = 10.0;
/// This part of its height lies within [`SIDE`] values before and after it.
const ABRUPT: f64 = 0.6;
/// This part of the values lies on its side of the middle.
const APART: f64 = 0.8;
/// A step of latency that is worth a line, as a share of the level before it.
const WORTH: f64 = 0.2;

/// Values that are lifted at some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// The last time before it.
    pub(super) at: f64,
    /// The level just before it, and by how much that is lifted.
    pub(super) before: f64,
    pub(super) height: f64,
    /// How much better it is than a straight line: an F statistic.
    pub(super) gain: f64,
}

/// The step upwards in these values, if they have one.
pub(super) fn step(values: &[(f64, f64)]) -> Option<Step> {
    let (blocks, size) = blocks(values);
    let levels: Vec<f64> = blocks.iter().map(|(_, value)| *value).collect();
    let n = levels.len();
    if n < LEAST {
        return None;
    }
    let lifted = lift(&levels)?;
    let split = lifted.split;
    let rho = lag_one(&lifted.rest).clamp(0.0, 0.95);
    let unit = square(&lifted.rest) / (n as f64 - 3.0) * (1.0 + rho) / (1.0 - rho);
    let gain = (lifted.without - square(&lifted.rest)) / unit.max(f64::MIN_POSITIVE);
    if gain < GAIN || lifted.height <= 0.0 {
        return None;
    }
    let (left, right) = levels.split_at(split);
    let before = median(&left[split - SIDE..]);
    let near = median(&right[..SIDE]) - before - lifted.slope * SIDE as f64;
    let flat: Vec<f64> = levels
        .iter()
        .enumerate()
        .map(|(at, value)| value - lifted.slope * at as f64)
        .collect();
    if near < ABRUPT * lifted.height || !apart(&flat, split) || !apart(&levels, split) {
        return None;
    }
    // Where two levels explain as much, a slope would be made of noise.
    let around = |side: &[f64]| {
        let mean = side.iter().sum::<f64>() / side.len() as f64;
        side.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
    };
    let sloped = (around(left) + around(right) - square(&lifted.rest)) / unit.max(f64::MIN_POSITIVE);
    let height = if sloped < SLOPE {
        median(right) - median(left)
    } else {
        lifted.height
    };
    let edges = ((split - 1) * size, ((split + 1) * size).min(values.len()));
    Some(Step {
        at: when(&values[edges.0..edges.1], (before, before + height)),
        before,
        height,
        gain,
    })
}

/// Values as they would be without their step, if they have one.
pub(super) fn without(values: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = step(values);
    let flat = |(at, value): &(f64, f64)| {
        let lifted = step.filter(|step| *at > step.at);
        (*at, value - lifted.map_or(0.0, |step| step.height))
    };
    values.iter().map(flat).collect()
}

/// The straight line that is lifted from one value on.
struct Lifted {
    /// So many values are before it.
    split: usize,
    slope: f64,
    height: f64,
    /// What it leaves of each value.
    rest: Vec<f64>,
    /// The sum of squares that a line without a lift leaves.
    without: f64,
}

/// The best of them, where each side has [`SIDE`] values. A lift is a column of zeros and ones; what a straight line leaves of it
/// is at right angles to any line, so one product tells how much it explains (Frisch and Waugh 1933).
fn lift(values: &[f64]) -> Option<Lifted> {
    let n = values.len();
    let centre = (n as f64 - 1.0) / 2.0;
    let time = |at: usize| at as f64 - centre;
    let times: f64 = (0..n).map(|at| time(at).powi(2)).sum();
    let mean = values.iter().sum::<f64>() / n as f64;
    let line = values
        .iter()
        .enumerate()
        .map(|(at, value)| time(at) * (value - mean))
        .sum::<f64>()
        / times;
    let rest: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(at, value)| value - mean - line * time(at))
        .collect();
    let mut best: Option<(f64, usize, f64, f64)> = None;
    for split in SIDE..=n - SIDE {
        let ones = (n - split) as f64;
        let slope = (split..n).map(time).sum::<f64>() / times;
        let own = ones - ones * ones / n as f64 - slope * slope * times;
        let both: f64 = rest[split..].iter().sum();
        let explained = both * both / own;
        if best.is_none_or(|(most, ..)| explained > most) {
            best = Some((explained, split, both / own, slope));
        }
    }
    let (_, split, height, slope) = best?;
    let share = (n - split) as f64 / n as f64;
    let of_lift = |at: usize| f64::from(u8::from(at >= split)) - share - slope * time(at);
    Some(Lifted {
        split,
        slope: line - height * slope,
        height,
        without: square(&rest),
        rest: rest
            .iter()
            .enumerate()
            .map(|(at, left)| left - height * of_lift(at))
            .collect(),
    })
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

/// Whether nearly all values before the split are below the middle of both sides' medians, and those after it above.
fn apart(values: &[f64], split: usize) -> bool {
    let (left, right) = values.split_at(split);
    let middle = f64::midpoint(median(left), median(right));
    let low = left.iter().filter(|value| **value < middle).count();
    let high = right.iter().filter(|value| **value > middle).count();
    low as f64 >= APART * left.len() as f64 && high as f64 >= APART * right.len() as f64
}

/// The last time before the step, among the single values of two blocks: where both levels leave least.
fn when(values: &[(f64, f64)], (before, after): (f64, f64)) -> f64 {
    let left = |split: usize| {
        let (left, right) = values.split_at(split);
        let sum = |side: &[(f64, f64)], level: f64| {
            let distances = side.iter().map(|(_, value)| (value - level).abs());
            distances.sum::<f64>()
        };
        sum(left, before) + sum(right, after)
    };
    let best = (1..=values.len()).min_by(|a, b| left(*a).total_cmp(&left(*b)));
    best.map_or(0.0, |split| values[split - 1].0)
}

/// "The median latency stepped from 20 ms to 30 ms": of latency, under constant load, and upwards: nobody is harmed by the
/// other way.
pub(super) fn stepped(joined: &Joined) -> Option<Finding> {
    let (from, to) = super::drift::steady(&joined.points)?;
    let latency = |of: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        let points = joined
            .points
            .iter()
            .filter(|point| point.at > from && point.at <= to);
        let answered = points.filter(|point| point.window.requests > 0);
        answered.map(|point| (point.at, of(point))).collect()
    };
    let lists = [
        ("the median latency", latency(|point| point.window.p50)),
        ("p95", latency(|point| point.window.p95)),
    ];
    let worth = |step: &Step| step.height >= step.before * WORTH;
    let found = lists
        .into_iter()
        .find_map(|(what, values)| step(&values).filter(worth).map(|step| (what, step)));
    let (what, step) = found?;
    let after = step.before + step.height;
    let text = format!(
        "{what} stepped from {} to {}, {:.0} s into the load, which was the same before and after, and stayed there",
        milliseconds(step.before),
        milliseconds(after),
        step.at,
    );
    let sure = if step.gain >= SURE {
        Confidence::High
    } else {
        Confidence::Medium
    };
    Some(Finding::new("step", text).at(step.at).sure(sure).with([
        ("from", step.before),
        ("to", after),
        ("gain", step.gain),
    ]))
}
