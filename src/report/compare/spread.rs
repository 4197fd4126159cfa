//! How certain the mean of a series is whose values resemble their neighbours.
//!
//! The stationary bootstrap (Politis and Romano 1994) puts such a series together again from blocks of random length. The
//! variance that its means have is known as a formula, so nothing is drawn here, and the result is the same every time. The mean
//! length of a block follows from the series (Politis and White 2004, as corrected by Patton, Politis and White 2009).
//!
//! That length makes the error of the variance least, but leaves it too small by a fifth or more where a series is short, and a gate
//! would cry wolf. So blocks are twice as long, and the variance is no less than the one of a flat-top window (Politis and
//! Romano 1995), which has less of that bias.

/// What is known of a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// The variance of the mean.
    pub(super) variance: f64,
    /// How many blocks the series has: so many values that do not depend on each other it is worth.
    pub(super) pieces: f64,
}

impl Spread {
    /// Of the mean of these; they are in the order of time.
    pub(super) fn of(values: &[f64]) -> Spread {
        let n = values.len();
        let count = n as f64;
        if n < 2 {
            return Spread {
                variance: f64::INFINITY,
                pieces: count,
            };
        }
        let mean = values.iter().sum::<f64>() / count;
        let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let covariance = |lag: usize| -> f64 {
            let pairs = centred.iter().zip(&centred[lag..]);
            pairs.map(|(one, other)| one * other).sum::<f64>() / count
        };
        let own = covariance(0);
        if own <= f64::MIN_POSITIVE {
            return Spread {
                variance: 0.0,
                pieces: count,
            };
        }
        let (length, long) = block(n, own, &covariance);
        let stay = 1.0 - 1.0 / length;
        let mut sum = own;
        for lag in 1..n {
            let k = lag as f64;
            let weight = (1.0 - k / count) * stay.powf(k) + k / count * stay.powf(count - k);
            // What is left of a block after so many values no longer counts.
            if weight > 1e-9 {
                sum += 2.0 * weight * covariance(lag);
            }
        }
        // Never less than if the values did not depend on each other. The last factor is the usual n/(n - 1), of blocks.
        let variance = sum.max(long).max(own) / count / (1.0 - length / count);
        Spread {
            variance,
            pieces: count / length,
        }
    }
}

/// How much longer blocks are than the rule says.
const LONGER: f64 = 2.0;

/// The mean length of a block, by the rule of Politis and White for the stationary bootstrap; and `n` times the variance of the
/// mean by the flat-top window that the rule is made with.
fn block(n: usize, own: f64, covariance: &dyn Fn(usize) -> f64) -> (f64, f64) {
    let count = n as f64;
    let near = (count.log10().sqrt().ceil() as usize).max(5);
    let most = (count.sqrt().ceil() as usize + near).min(n - 1);
    let negligible = 2.0 * (count.log10() / count).sqrt();
    let covariances: Vec<f64> = (0..=most).map(covariance).collect();
    let matters = |lag: usize| {
        covariances
            .get(lag)
            .is_some_and(|found| found.abs() / own >= negligible)
    };
    // The last lag before `near` ones in a row that do not matter.
    let last = (0..=most).find(|lag| !(lag + 1..=lag + near).any(matters));
    let window = (2 * last.unwrap_or(most).max(1)).min(most);
    let (mut long, mut moment) = (0.0, 0.0);
    for (lag, found) in covariances.iter().enumerate().take(window + 1) {
        let share = lag as f64 / window as f64;
        let weight = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
        let twice = if lag == 0 { 1.0 } else { 2.0 };
        long += twice * weight * found;
        moment += twice * weight * lag as f64 * found;
    }
    let longest = (3.0 * count.sqrt()).min(count / 3.0).max(1.0);
    let best = (moment * moment / (long * long) * count).cbrt();
    let length = if best.is_finite() {
        (LONGER * best).clamp(1.0, longest)
    } else {
        longest
    };
    (length, long)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "what is exact is compared exactly")]

    use super::*;
    use fastrand::Rng;

    /// A series in which each value keeps `kept` of the one before it, with variance 1.
    fn series(rng: &mut Rng, n: usize, kept: f64) -> Vec<f64> {
        let mut last = 0.0;
        let mut next = || {
            let (a, b) = (rng.f64().max(1e-12), rng.f64());
            let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
            last = kept * last + (1.0 - kept * kept).sqrt() * normal;
            last
        };
        (0..50).for_each(|_| _ = next());
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn a_mean_of_neighbours_that_resemble_each_other_is_less_certain() {
        let mut rng = Rng::with_seed(7);
        for (kept, n) in [(0.0, 120), (0.5, 120), (0.5, 600), (0.8, 600)] {
            // The variance of the mean of such a series, for large n.
            let truth = (1.0 + kept) / (1.0 - kept) / n as f64;
            let runs = 200;
            let mean: f64 = (0..runs)
                .map(|_| Spread::of(&series(&mut rng, n, kept)).variance)
                .sum::<f64>()
                / f64::from(runs);
            let ratio = mean / truth;
            assert!((0.75..1.25).contains(&ratio), "{kept} {n}: {ratio}");
        }
    }

    #[test]
    fn blocks_are_longer_where_the_past_matters_longer() {
        let mut rng = Rng::with_seed(11);
        let mut length = |kept| 600.0 / Spread::of(&series(&mut rng, 600, kept)).pieces;
        let (none, some, much) = (length(0.0), length(0.5), length(0.9));
        assert!(none < some && some < much && none < 4.0, "{none} {some} {much}");
    }

    #[test]
    fn what_does_not_vary_is_certain_and_what_is_alone_is_not() {
        assert_eq!(
            Spread::of(&[3.0; 40]),
            Spread {
                variance: 0.0,
                pieces: 40.0
            }
        );
        assert!(Spread::of(&[3.0]).variance.is_infinite());
    }
}
