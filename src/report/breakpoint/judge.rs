//! What a step says: which part of it is warm-up, between which bounds each criterion lies, and whether that is enough.
//!
//! `docs/breakpoint.md` has the method and its sources. Pure functions over what was counted second by second.

use std::time::Duration;

use crate::metrics::threshold::{Aggregation, ThresholdSpec};
use crate::metrics::{Value, Window};
use crate::report::findings::stats::{lag_one, wilson};

/// One second of a step.
#[derive(Debug, Clone)]
pub struct Second {
    /// How long it was, in seconds.
    pub length: f64,
    /// What happened in it.
    pub window: Window,
    /// Requests that ended in it.
    pub requests: f64,
    /// Those of them that got no answer at all.
    pub lost: f64,
    /// What each measure had come to at its end, since the run began.
    pub totals: Vec<Option<Value>>,
    /// The target: share of its CPU that was busy, and the cores that watched processes used.
    pub target: Option<(f64, Option<f64>)>,
}

/// The seconds of a step.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    /// What each measure had come to before the first of them.
    pub before: Vec<Option<Value>>,
    pub seconds: Vec<Second>,
}

/// When a step says enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Standard deviations to either side that a criterion's interval has.
    pub z: f64,
    /// The least time that is measured before a load holds.
    pub least: f64,
    /// After so long the numbers as they stand decide.
    pub most: f64,
}

/// What a step that lasted this long so far says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Every criterion holds, beyond doubt.
    Holds,
    /// One of them does not, beyond doubt.
    Breaks,
    /// It takes longer to tell.
    Open,
}

/// A number and the bounds it lies between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// A step, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub call: Call,
    /// Seconds at its beginning that are left out.
    pub warm_up: usize,
    /// The criterion that decided against it, by its place, and what it came to; `None` if it had no samples.
    pub against: Option<(usize, Option<Interval>)>,
    /// Whether the numbers as they stand hold.
    pub stands: bool,
}

/// Fewer seconds than this have no spread, so nothing breaks in less.
const FEWEST: usize = 3;
/// Batch means: at most so many batches, for more of them makes each too short to be by itself (Schmeiser 1982).
const BATCHES: usize = 20;
/// No neighbours are believed to be more alike than this.
const MOST_ALIKE: f64 = 0.9;

impl Tape {
    /// From which second on it is measured.
    ///
    /// The truncation point that makes the standard error of the rest least (MSER; White 1997), of the latency or of the rate,
    /// whichever is later; at least one second, and at most half.
    pub fn warm_up(&self) -> usize {
        let n = self.seconds.len();
        if n < 2 {
            return n;
        }
        let of = |value: &dyn Fn(&Second) -> f64| {
            let series: Vec<f64> = self.seconds.iter().map(value).collect();
            mser(&series)
        };
        let latency = of(&|second| second.window.p50);
        let rate = of(&|second| second.window.requests.max(second.window.iterations) as f64 / second.length);
        latency.max(rate).clamp(1, n / 2)
    }

    /// Seconds that are measured.
    pub fn measured(&self, warm_up: usize) -> f64 {
        self.seconds[warm_up.min(self.seconds.len())..]
            .iter()
            .map(|second| second.length)
            .sum()
    }

    /// What a measure had come to before second `at`.
    fn total(&self, measure: usize, at: usize) -> Option<&Value> {
        let totals = match at.checked_sub(1) {
            None => &self.before,
            Some(last) => &self.seconds.get(last)?.totals,
        };
        totals.get(measure)?.as_ref()
    }

    /// What a measure gained in these seconds.
    pub fn gained(&self, measure: usize, from: usize, to: usize) -> Option<Value> {
        let now = self.total(measure, to)?;
        Some(match self.total(measure, from) {
            Some(before) => now.minus(before),
            None => now.clone(),
        })
    }

    fn over(&self, from: usize, to: usize) -> Duration {
        let seconds: f64 = self.seconds[from..to].iter().map(|second| second.length).sum();
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }

    /// A measure from second `from` on, with its bounds: the value is that of all samples together, and its variance comes
    /// from batches of seconds around it (sectioning, Asmussen and Glynn 2007), enlarged where neighbours are alike. A share
    /// has at least the width of Wilson's interval, for a few batches without a failure say little.
    pub fn interval(
        &self,
        measure: usize,
        aggregation: Aggregation,
        from: usize,
        z: f64,
    ) -> Option<Interval> {
        let n = self.seconds.len();
        let all = self.gained(measure, from, n)?;
        let value = all.aggregate(aggregation, self.over(from, n))?;
        let size = (n - from).div_ceil(BATCHES).max(1);
        let batches: Vec<f64> = (from..n)
            .step_by(size)
            .filter(|start| start + size <= n)
            .filter_map(|start| {
                let gained = self.gained(measure, start, start + size)?;
                gained.aggregate(aggregation, self.over(start, start + size))
            })
            .collect();
        let half = half_width(&batches, value, z);
        let (mut low, mut high) = (value - half, value + half);
        if let Value::Rate { passes, total } = all {
            let (least, most) = wilson(passes as f64, total as f64, z);
            (low, high) = (low.min(least).max(0.0), high.max(most).min(1.0));
        }
        Some(Interval { value, low, high })
    }

    /// Whether not one of the requests of the last second got an answer; `None` if it had none.
    pub fn silent(&self) -> Option<bool> {
        let last = self.seconds.last().filter(|second| second.requests > 0.0)?;
        Some(last.lost >= last.requests)
    }
}

/// Half the width of the interval around `value`: Student's t, from batches that may resemble their neighbours.
fn half_width(batches: &[f64], value: f64, z: f64) -> f64 {
    let count = batches.len();
    if count < FEWEST {
        return f64::INFINITY;
    }
    let freedom = (count - 1) as f64;
    let variance = batches.iter().map(|batch| (batch - value).powi(2)).sum::<f64>() / freedom;
    let alike = lag_one(batches).clamp(0.0, MOST_ALIKE);
    let variance = variance / count as f64 * (1.0 + alike) / (1.0 - alike);
    student(z, freedom) * variance.sqrt()
}

/// The quantile of Student's t that is as far out as `z` is for a normal distribution (the expansion of Cornish and Fisher,
/// Abramowitz and Stegun 26.7.5).
fn student(z: f64, freedom: f64) -> f64 {
    let power = |n: i32| z.powi(n);
    let first = (power(3) + z) / 4.0;
    let second = (5.0 * power(5) + 16.0 * power(3) + 3.0 * z) / 96.0;
    let third = (3.0 * power(7) + 19.0 * power(5) + 17.0 * power(3) - 15.0 * z) / 384.0;
    z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

/// How many values at the beginning to leave out.
fn mser(series: &[f64]) -> usize {
    let n = series.len();
    let error = |from: usize| {
        let rest = &series[from..];
        let count = rest.len() as f64;
        let mean = rest.iter().sum::<f64>() / count;
        rest.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count * count)
    };
    (0..=n / 2)
        .min_by(|a, b| error(*a).total_cmp(&error(*b)))
        .unwrap_or(0)
}

/// Judges what there is of a step by criteria, whose totals are the first measures of the tape.
pub fn judge(tape: &Tape, criteria: &[ThresholdSpec], rule: &Rule) -> Judgement {
    let warm_up = tape.warm_up();
    let measured = tape.seconds.len() - warm_up;
    let seconds = tape.measured(warm_up);
    let mut judgement = Judgement {
        call: Call::Holds,
        warm_up,
        against: None,
        stands: true,
    };
    for (place, spec) in criteria.iter().enumerate() {
        let expression = &spec.expression;
        let interval = tape.interval(place, expression.aggregation, warm_up, rule.z);
        let (stands, call) = match interval {
            None if spec.on_empty_pass => (true, Call::Holds),
            None => (false, Call::Open),
            Some(Interval { value, low, high }) => {
                let stands = expression.holds(value);
                let sure = expression.holds(low) == stands && expression.holds(high) == stands;
                let call = match (sure, stands) {
                    (false, _) => Call::Open,
                    (true, true) => Call::Holds,
                    (true, false) => Call::Breaks,
                };
                (stands, call)
            }
        };
        judgement.stands &= stands;
        let worse = match (call, judgement.call) {
            (Call::Breaks, Call::Holds | Call::Open) | (Call::Open, Call::Holds) => true,
            (Call::Holds | Call::Open | Call::Breaks, _) => false,
        };
        if !stands && (judgement.against.is_none() || (worse && call == Call::Breaks)) {
            judgement.against = Some((place, interval));
        }
        if worse {
            judgement.call = call;
        }
    }
    let enough = match judgement.call {
        Call::Breaks => measured >= FEWEST,
        Call::Holds | Call::Open => seconds >= rule.least,
    };
    if !enough {
        judgement.call = Call::Open;
    }
    judgement
}

#[cfg(test)]
#[path = "judge/tests.rs"]
mod tests;
