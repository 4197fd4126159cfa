//! The statistics that findings use. Each function names its source.

/// The middle value; 0 of none.
pub(in crate::report) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of all lie, between neighbours by straight lines; 0 of none.
pub(in crate::report) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if sorted.is_empty() {
        return 0.0;
    }
    sorted.sort_by(f64::total_cmp);
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

/// The median distance from the median, scaled to a normal distribution's standard deviation.
pub(super) fn spread(values: &[f64]) -> f64 {
    let middle = median(values);
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    1.4826 * median(&distances)
}

/// So many medians of neighbouring values are looked at, at the most.
const BLOCKS: usize = 60;

/// Medians of neighbouring values with their mean times, so that neither the cost nor the resemblance of neighbours grows with the
/// run; and of how many values each is.
pub(super) fn blocks(values: &[(f64, f64)]) -> (Vec<(f64, f64)>, usize) {
    let size = values.len().div_ceil(BLOCKS).max(1);
    let block = |chunk: &[(f64, f64)]| {
        let at = chunk.iter().map(|(at, _)| at).sum::<f64>() / chunk.len() as f64;
        let values: Vec<f64> = chunk.iter().map(|(_, value)| *value).collect();
        (at, median(&values))
    };
    (values.chunks(size).map(block).collect(), size)
}

/// The bounds of a share of which `hits` of `total` were seen, `z` standard deviations wide (Wilson 1927): unlike the plain
/// interval it holds for few hits.
pub(in crate::report) fn wilson(hits: f64, total: f64, z: f64) -> (f64, f64) {
    if total <= 0.0 {
        return (0.0, 1.0);
    }
    let share = hits / total;
    let z2 = z * z;
    let middle = share + z2 / (2.0 * total);
    let half = z * (share * (1.0 - share) / total + z2 / (4.0 * total * total)).sqrt();
    let scale = 1.0 + z2 / total;
    (
        ((middle - half) / scale).max(0.0),
        ((middle + half) / scale).min(1.0),
    )
}

/// A slope and the interval that holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slope {
    /// Of y for each x.
    pub(super) each: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// The line's value at x = 0.
    pub(super) start: f64,
}

impl Slope {
    /// Whether the interval says which way it goes.
    pub(super) fn is_certain(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The median of all slopes between two points (Theil 1950, Sen 1968), with Sen's interval from the variance of Kendall's
/// S, `z` standard deviations wide. Neighbours in time resemble each other, so that variance is enlarged by
/// (1 + ρ)/(1 − ρ), ρ being the lag-1 correlation of what the line leaves (after Hamed and Rao 1998).
pub(super) fn theil_sen(points: &[(f64, f64)], z: f64) -> Option<Slope> {
    let n = points.len();
    if n < 8 {
        return None;
    }
    let mut slopes: Vec<f64> = Vec::with_capacity(n * (n - 1) / 2);
    for (index, (x, y)) in points.iter().enumerate() {
        for (later, value) in &points[index + 1..] {
            if later > x {
                slopes.push((value - y) / (later - x));
            }
        }
    }
    if slopes.is_empty() {
        return None;
    }
    slopes.sort_by(f64::total_cmp);
    let slope = median(&slopes);
    let rest: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
    let start = median(&rest);
    let rest: Vec<f64> = rest.into_iter().map(|value| value - start).collect();
    let rho = lag_one(&rest).clamp(0.0, 0.95);
    let count = n as f64;
    let variance = count * (count - 1.0) * (2.0 * count + 5.0) / 18.0 * (1.0 + rho) / (1.0 - rho);
    let pairs = slopes.len() as f64;
    let wide = z * variance.sqrt();
    let at = |place: f64| slopes[(place.round().clamp(0.0, pairs - 1.0)) as usize];
    let (low, high) = ((pairs - wide) / 2.0, f64::midpoint(pairs, wide));
    // An interval wider than all slopes there are knows no bound.
    let (low, high) = if low < 0.0 {
        (f64::NEG_INFINITY, f64::INFINITY)
    } else {
        (at(low), at(high))
    };
    Some(Slope {
        each: slope,
        low,
        high,
        start,
    })
}

/// How much each value resembles the one before it.
pub(in crate::report) fn lag_one(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if square <= 0.0 {
        return 0.0;
    }
    let product: f64 = values
        .windows(2)
        .map(|pair| (pair[0] - mean) * (pair[1] - mean))
        .sum();
    product / square
}

/// Two straight lines that meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BrokenStick {
    /// Where they meet, and the places that fit about as well.
    pub(super) at: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// The slope before and after it.
    pub(super) before: f64,
    pub(super) after: f64,
    /// The value where they meet.
    pub(super) level: f64,
    /// How much better than one line, as an F statistic.
    pub(super) gain: f64,
}

/// The continuous line of two straight pieces that fits best by least squares (Hudson 1966), its joint sought among the
/// points between the 10th and the 90th percentile. Points are x, y and weight. The interval has the joints whose fit is not much worse (a profile
/// of the sum of squares, at 95 %).
pub(super) fn broken_stick(points: &[(f64, f64, f64)]) -> Option<BrokenStick> {
    let n = points.len();
    if n < 8 {
        return None;
    }
    let xs: Vec<f64> = points.iter().map(|(x, ..)| *x).collect();
    let (from, to) = (quantile(&xs, 0.1), quantile(&xs, 0.9));
    let mut joints: Vec<f64> = xs.into_iter().filter(|x| (from..=to).contains(x)).collect();
    joints.sort_by(f64::total_cmp);
    joints.dedup();
    let some = joints.len().div_ceil(JOINTS).max(1);
    let joints = joints.into_iter().step_by(some);
    let one = fit(points, None)?;
    let fits: Vec<(f64, Fit)> = joints
        .filter_map(|joint| Some((joint, fit(points, Some(joint))?)))
        .collect();
    let (at, best) = *fits.iter().min_by(|a, b| a.1.square.total_cmp(&b.1.square))?;
    let free = (n as f64 - 4.0).max(1.0);
    // 3.84 is the 95 % point of chi-squared with one degree of freedom.
    let near = best.square * (1.0 + 3.84 / free);
    let close = || {
        fits.iter()
            .filter(|(_, fit)| fit.square <= near)
            .map(|(at, _)| *at)
    };
    let noise = (best.square / free).max(1e-12);
    Some(BrokenStick {
        at,
        low: close().fold(at, f64::min),
        high: close().fold(at, f64::max),
        before: best.slope,
        after: best.slope + best.more,
        level: best.level,
        gain: (one.square - best.square) / noise,
    })
}

/// So many joints are tried.
const JOINTS: usize = 60;

/// A least-squares fit of a + b·x, or of a + b·x + c·max(0, x − joint).
#[derive(Debug, Clone, Copy)]
struct Fit {
    slope: f64,
    more: f64,
    /// The value at the joint.
    level: f64,
    /// The sum of squares that is left.
    square: f64,
}

fn fit(points: &[(f64, f64, f64)], joint: Option<f64>) -> Option<Fit> {
    let mean = points.iter().map(|(x, ..)| x).sum::<f64>() / points.len() as f64;
    let row = |x: f64| [1.0, x - mean, joint.map_or(0.0, |joint| (x - joint).max(0.0))];
    let columns = if joint.is_some() { 3 } else { 2 };
    // The normal equations, with the right side as a fourth column.
    let mut system = [[0.0_f64; 4]; 3];
    for (x, y, weight) in points {
        let row = row(*x);
        for i in 0..columns {
            for j in 0..columns {
                system[i][j] += weight * row[i] * row[j];
            }
            system[i][3] += weight * row[i] * y;
        }
    }
    let solved = solve(&mut system, columns)?;
    let square = points
        .iter()
        .map(|(x, y, weight)| {
            let row = row(*x);
            let value: f64 = (0..columns).map(|i| row[i] * solved[i]).sum();
            weight * (y - value).powi(2)
        })
        .sum();
    Some(Fit {
        slope: solved[1],
        more: solved[2],
        level: solved[0] + solved[1] * (joint.unwrap_or(mean) - mean),
        square,
    })
}

/// Gauss's elimination; `None` where the columns are not independent.
fn solve(system: &mut [[f64; 4]; 3], n: usize) -> Option<[f64; 3]> {
    for column in 0..n {
        let best =
            (column..n).max_by(|a, b| system[*a][column].abs().total_cmp(&system[*b][column].abs()))?;
        system.swap(column, best);
        let pivot = system[column][column];
        if pivot.abs() < 1e-9 {
            return None;
        }
        for other in 0..n {
            if other == column {
                continue;
            }
            let factor = system[other][column] / pivot;
            let from = system[column];
            for (value, from) in system[other].iter_mut().zip(from) {
                *value -= factor * from;
            }
        }
    }
    let mut solved = [0.0; 3];
    for (at, value) in solved.iter_mut().enumerate().take(n) {
        *value = system[at][3] / system[at][at];
    }
    Some(solved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_bounds_that_hold_for_few_hits() {
        let (low, high) = wilson(0.0, 10.0, 1.96);
        assert!(low.abs() < 1e-9 && (0.25..0.3).contains(&high), "{low} {high}");
        // Wilson's interval for 5 of 50 is 4.35 % to 21.36 %.
        let (low, high) = wilson(5.0, 50.0, 1.96);
        assert!(
            (low - 0.0435).abs() < 1e-3 && (high - 0.2136).abs() < 1e-3,
            "{low} {high}"
        );
    }

    #[test]
    fn a_slope_is_not_moved_by_outliers() {
        let mut points: Vec<(f64, f64)> = (0..40)
            .map(|x| (f64::from(x), 3.0 + 0.5 * f64::from(x)))
            .collect();
        points[7].1 = 900.0;
        points[20].1 = -900.0;
        let slope = theil_sen(&points, 2.576).unwrap();
        assert!((slope.each - 0.5).abs() < 1e-9 && (slope.start - 3.0).abs() < 1e-9);
        assert!(slope.is_certain() && slope.low <= 0.5 && slope.high >= 0.5);
        let flat: Vec<(f64, f64)> = (0..40)
            .map(|x| (f64::from(x), f64::from(x * 7919 % 13)))
            .collect();
        assert!(!theil_sen(&flat, 2.576).unwrap().is_certain());
        assert_eq!(theil_sen(&points[..5], 2.576), None);
    }

    #[test]
    fn two_lines_are_told_from_one() {
        let bent: Vec<(f64, f64, f64)> = (0..50)
            .map(|x| {
                let x = f64::from(x);
                (
                    x,
                    1.0 + 0.01 * x + 0.3 * (x - 30.0).max(0.0) + 0.01 * (x * 37.0).sin(),
                    1.0,
                )
            })
            .collect();
        let found = broken_stick(&bent).unwrap();
        assert!((found.at - 30.0).abs() < 1.5, "{found:?}");
        assert!(
            (found.before - 0.01).abs() < 0.01 && (found.after - 0.31).abs() < 0.01,
            "{found:?}"
        );
        assert!(
            found.low <= found.at && found.at <= found.high && found.gain > 1000.0,
            "{found:?}"
        );
        let straight: Vec<(f64, f64, f64)> = (0..50)
            .map(|x| (f64::from(x), f64::from(x) + 0.1 * f64::from(x * 37).sin(), 1.0))
            .collect();
        assert!(broken_stick(&straight).unwrap().gain < 20.0);
    }

    #[test]
    fn quantiles_of_nothing_are_nothing() {
        assert!(median(&[]).abs() < 1e-12 && spread(&[]).abs() < 1e-12);
        assert!((quantile(&[4.0, 1.0, 3.0, 2.0], 0.5) - 2.5).abs() < 1e-12);
    }
}
