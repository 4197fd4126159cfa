//! How far a number of some runs lies from that of others, and how certain that is.
//!
//! A percentile, a share or a rate is first brought on a scale on which differences add up (logarithms; shares as they are). What
//! each stretch of a run contributes to it says how much it varies. `docs/compare.md` has the method and its sources.

use crate::metrics::{Cell, Trend, course_place};
use crate::report::saved::{SavedCourse, SavedRun};

use super::spread::Spread;
use super::student::{critical, two_sided};

/// A course of fewer stretches does not tell how a run varies.
pub(super) const STRETCHES: usize = 20;
/// So many blocks it has to be worth.
const PIECES: f64 = 6.0;
/// Without a course, latencies are taken to vary so many times as much as those of requests that do not depend on each
/// other, in variance.
const DEPENDENT: f64 = 25.0;
/// The same for how many requests there were.
const BURSTS: f64 = 4.0;
/// And the degrees of freedom of such a guess.
const GUESSED: f64 = 30.0;
/// Runs have to be so many, beyond one a side, to tell how much runs differ from each other.
pub(super) const RUNS: usize = 4;
/// The variance that hides in a range of a course, which is 2 % wide.
const HIDDEN: f64 = 0.02 * 0.02 / 12.0;

/// A number of one run.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// On the scale on which differences add up.
    pub(super) value: f64,
    /// What each stretch contributes to it, in the order of time; `None` where too little is known.
    stretches: Option<Vec<f64>>,
    /// The least variance that it can have: that of chance alone.
    chance: f64,
    /// The variance to go by where the stretches do not tell.
    guess: f64,
}

/// What the certainty rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Basis {
    /// How much runs differ from each other.
    Runs,
    /// How much stretches within runs do.
    Stretches,
    /// How many requests there were, and a guess.
    Requests,
}

/// A difference, on the scale of its readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    pub(super) change: f64,
    /// The standard deviation of it.
    pub(super) error: f64,
    /// Degrees of freedom.
    pub(super) degrees: f64,
    pub(super) basis: Basis,
}

impl Difference {
    /// Half the width of an interval that holds the truth with 95 %.
    pub(super) fn half(&self) -> f64 {
        critical(0.05, self.degrees) * self.error
    }

    /// How likely a difference of at least this size is by chance.
    pub(super) fn chance(&self) -> f64 {
        if self.error > 0.0 {
            two_sided(self.change / self.error, self.degrees)
        } else if self.change == 0.0 {
            1.0
        } else {
            0.0
        }
    }
}

/// The stretches of a run in which there was load, all of them whole, and one entry for each.
pub(super) fn dense(run: &SavedRun, course: &SavedCourse) -> Vec<Cell> {
    let t = &run.timeline;
    let span = t.course_span.max(1) as f64;
    // The one in which the load begins is none of its own, nor is the last.
    let first = (t.load_start.unwrap_or(0.0) / span).floor() as u64 + 1;
    let last = t.courses.iter().filter_map(|course| course.at.last()).max();
    let Some(&last) = last else { return Vec::new() };
    let mut cells: Vec<Cell> = (first..last.max(first))
        .map(|at| Cell {
            at,
            ..Cell::default()
        })
        .collect();
    for cell in course.cells() {
        let place = cell.at.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        if let Some(entry) = place.and_then(|at| cells.get_mut(at)) {
            *entry = cell;
        }
    }
    cells
}

/// The sums of a list over its stretches, each value less its share of the counts: what each adds to `sum(of) / sum(count)`.
fn contributions(cells: &[Cell], of: impl Fn(&Cell) -> f64) -> Option<Vec<f64>> {
    let count: f64 = cells.iter().map(|cell| cell.count as f64).sum();
    if cells.len() < STRETCHES || count <= 0.0 {
        return None;
    }
    let share = cells.iter().map(&of).sum::<f64>() / count;
    let each = count / cells.len() as f64;
    let adds = |cell: &Cell| (of(cell) - share * cell.count as f64) / each;
    Some(cells.iter().map(adds).collect())
}

/// How many values of a stretch are at most this.
fn below(value: f64) -> impl Fn(&Cell) -> f64 {
    let (range, part) = course_place(value);
    move |cell| {
        let counts = cell.ranges.iter().take_while(|(at, _)| *at <= range);
        counts
            .map(|(at, count)| *count as f64 * if *at < range { 1.0 } else { part })
            .sum()
    }
}

/// Which share of the values is at most this.
pub(super) fn share_below(trend: &Trend, cells: Option<&[Cell]>, value: f64) -> Reading {
    let hits = trend.buckets(&[value]).first().copied().unwrap_or(0);
    let counted = share((hits, trend.count()), None);
    Reading {
        stretches: cells.and_then(|cells| contributions(cells, below(value))),
        ..counted
    }
}

/// A percentile, as its logarithm; `None` where that is not a number.
pub(super) fn percentile(trend: &Trend, cells: Option<&[Cell]>, p: f64) -> Option<Reading> {
    let value = trend.percentile(p);
    if value <= 0.0 {
        return None;
    }
    let share = p / 100.0;
    let chance = share * (1.0 - share) / trend.count().max(1) as f64;
    let stretches = cells.and_then(|cells| contributions(cells, below(value)));
    let spread = stretches.as_deref().map(Spread::of);
    let guess = chance * DEPENDENT;
    let error = spread.map_or(guess, |spread| spread.variance.max(chance)).sqrt();
    // Woodruff 1952: how far the percentile moves when the share below it does.
    let tail = share.min(1.0 - share);
    let step = (2.0 * error).clamp(0.1 * tail, 0.8 * tail);
    let at = |share: f64| trend.percentile(share * 100.0).max(value * 1e-6).ln();
    let slope = ((at(share + step) - at(share - step)) / (2.0 * step)).max(1e-6);
    let square = slope * slope;
    Some(Reading {
        value: value.ln(),
        // More below it is a smaller percentile.
        stretches: stretches.map(|list| list.into_iter().map(|add| -add * slope).collect()),
        chance: chance * square + HIDDEN,
        guess: guess * square + HIDDEN,
    })
}

/// A share of so many.
pub(super) fn share((hits, total): (u64, u64), cells: Option<&[Cell]>) -> Reading {
    let (hits, total) = (hits as f64, total as f64);
    // Agresti and Caffo 2000: with one more of each, so that no failure at all is not certainty.
    let shifted = (hits + 1.0) / (total + 2.0);
    let chance = shifted * (1.0 - shifted) / (total + 2.0);
    Reading {
        value: if total > 0.0 { hits / total } else { 0.0 },
        stretches: cells.and_then(|cells| contributions(cells, |cell| cell.hits as f64)),
        chance,
        guess: chance,
    }
}

/// How often something happened a second, as its logarithm; `None` if it never did.
pub(super) fn pace(total: f64, seconds: f64, cells: Option<&[Cell]>) -> Option<Reading> {
    if total <= 0.0 || seconds <= 0.0 {
        return None;
    }
    let stretches = cells.filter(|cells| cells.len() >= STRETCHES).and_then(|cells| {
        let mean = cells.iter().map(|cell| cell.count as f64).sum::<f64>() / cells.len() as f64;
        let adds = |cell: &Cell| cell.count as f64 / mean - 1.0;
        (mean > 0.0).then(|| cells.iter().map(adds).collect())
    });
    Some(Reading {
        value: (total / seconds).ln(),
        stretches,
        chance: 0.0,
        guess: BURSTS / total,
    })
}

/// How far the readings of some runs lie from those of others. `alike` says that the loads were the same, so that stretches of
/// two runs can be laid side by side.
pub(super) fn difference(base: &[Reading], new: &[Reading], alike: bool) -> Difference {
    let change = mean(new) - mean(base);
    if let Some((error, degrees)) = between(base, new) {
        return Difference {
            change,
            error,
            degrees,
            basis: Basis::Runs,
        };
    }
    if let (true, [one], [other]) = (alike, base, new)
        && let Some((error, degrees)) = paired(one, other)
    {
        return Difference {
            change,
            error,
            degrees,
            basis: Basis::Stretches,
        };
    }
    let sides = [within(base), within(new)];
    let error = sides.iter().map(|side| side.variance).sum::<f64>().sqrt();
    // Satterthwaite 1946.
    let weak: f64 = sides
        .iter()
        .map(|side| side.variance.powi(2) / side.degrees)
        .sum();
    Difference {
        change,
        error,
        degrees: if weak > 0.0 { error.powi(4) / weak } else { GUESSED },
        basis: sides[0].basis.max(sides[1].basis),
    }
}

fn mean(readings: &[Reading]) -> f64 {
    readings.iter().map(|reading| reading.value).sum::<f64>() / readings.len().max(1) as f64
}

/// From how much runs of a side differ: Student's t with the variance of both sides together.
fn between(base: &[Reading], new: &[Reading]) -> Option<(f64, f64)> {
    let (b, n) = (base.len(), new.len());
    if b < 2 || n < 2 || b + n < RUNS + 2 {
        return None;
    }
    let squares = |side: &[Reading]| -> f64 {
        let mean = mean(side);
        side.iter().map(|reading| (reading.value - mean).powi(2)).sum()
    };
    let degrees = (b + n - 2) as f64;
    let variance = (squares(base) + squares(new)) / degrees * (1.0 / b as f64 + 1.0 / n as f64);
    // Runs that happen to be equal are no proof that runs always are.
    let chance = [base, new].into_iter().map(|side| {
        let sum: f64 = side.iter().map(|reading| reading.chance).sum();
        sum / (side.len() as f64).powi(2)
    });
    Some((variance.max(chance.sum()).sqrt(), degrees))
}

/// From stretches at the same time since the load began: what a ramp does to both falls away.
fn paired(base: &Reading, new: &Reading) -> Option<(f64, f64)> {
    let (one, other) = (base.stretches.as_ref()?, new.stretches.as_ref()?);
    let (short, long) = (one.len().min(other.len()), one.len().max(other.len()));
    if short < STRETCHES || (long - short) as f64 > 0.1 * long as f64 {
        return None;
    }
    let gaps: Vec<f64> = one.iter().zip(other).map(|(one, other)| other - one).collect();
    let spread = Spread::of(&gaps);
    let error = spread.variance.max(base.chance + new.chance).sqrt();
    (spread.pieces >= PIECES).then_some((error, spread.pieces - 1.0))
}

/// What a side's mean is worth by the stretches of its runs.
struct Within {
    variance: f64,
    degrees: f64,
    basis: Basis,
}

fn within(side: &[Reading]) -> Within {
    let runs = (side.len().max(1) as f64).powi(2);
    let spreads: Option<Vec<(f64, f64)>> = side
        .iter()
        .map(|reading| {
            let spread = Spread::of(reading.stretches.as_ref()?);
            (spread.pieces >= PIECES).then_some((spread.variance.max(reading.chance), spread.pieces - 1.0))
        })
        .collect();
    match spreads {
        Some(spreads) => Within {
            variance: spreads.iter().map(|(variance, _)| variance).sum::<f64>() / runs,
            degrees: spreads.iter().map(|(_, degrees)| degrees).sum(),
            basis: Basis::Stretches,
        },
        None => Within {
            variance: side.iter().map(|reading| reading.guess).sum::<f64>() / runs,
            degrees: GUESSED,
            basis: Basis::Requests,
        },
    }
}

/// Chances after Holm 1979: each is what it is worth among all of these, so that of many rows without any difference one is
/// taken for a difference no more often than of one.
pub(super) fn among_many(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*a].total_cmp(&chances[*b]));
    let mut adjusted = vec![1.0; chances.len()];
    let mut least = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        least = least.max(chances[at] * (chances.len() - rank) as f64).min(1.0);
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "what is exact is compared exactly")]

    use super::*;

    #[test]
    fn holm_adjusts_as_in_his_paper() {
        let adjusted = among_many(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
        }
        assert!(among_many(&[]).is_empty());
    }

    #[test]
    fn few_hits_are_not_certain() {
        let none = [share((0, 1000), None)];
        let some = |hits| difference(&none, &[share((hits, 1000), None)], true).chance();
        assert!(some(3) > 0.05 && some(12) < 0.005, "{} {}", some(3), some(12));
    }

    #[test]
    fn equal_runs_are_not_certain_either() {
        let five = vec![share((0, 1000), None); 5];
        let found = difference(&five, &five, true);
        assert_eq!((found.basis, found.degrees), (Basis::Runs, 8.0));
        assert!(found.error > 0.0 && (found.chance() - 1.0).abs() < 1e-9);
    }
}
