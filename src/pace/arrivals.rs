//! When the iterations of an open model are due.
//!
//! In integers throughout: a floating-point estimate only tells where to look, so that every thread and every machine gets
//! the same nanosecond for the same iteration.

use std::time::Duration;

use super::stage::{self, Stage};
use super::{from_nanos, nanos};

/// The due times of an open model's iterations, as a function of their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrivals {
    unit: Duration,
    start_rate: u64,
    stages: Vec<Stage>,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Constant,
    Ramping(Vec<Leg>),
}

/// A stage with what is before it. Areas are in units of `1 / (2·time unit)` iterations, in which they are whole numbers:
/// a leg from rate `a` to rate `b` (per time unit `u`) in time `d` holds `(a+b)/2 · d/u` iterations, that is `(a+b)·d`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leg {
    from: u64,
    to: u64,
    /// Nanoseconds.
    begun: u64,
    length: u64,
    /// The area under the rate up to the end of this leg.
    area: u128,
}

impl Arrivals {
    /// `rate` iterations per `unit`: iteration `n` is due at `n·unit/rate`, the first at once, all before `duration`.
    pub fn constant(rate: u64, unit: Duration, duration: Duration) -> Arrivals {
        Arrivals {
            unit: unit.max(Duration::from_nanos(1)),
            start_rate: rate,
            stages: vec![Stage {
                duration,
                target: rate,
            }],
            shape: Shape::Constant,
        }
    }

    /// A rate that goes from `start` (iterations per `unit`) through `stages`: iteration `n` is due when the area under the
    /// rate reaches `n + 1`, as in k6; one that is due at the very end belongs to it.
    pub fn ramping(start: u64, unit: Duration, stages: Vec<Stage>) -> Arrivals {
        let (mut from, mut begun, mut area) = (start, 0u64, 0u128);
        let legs = stages
            .iter()
            .map(|stage| {
                let length = nanos(stage.duration);
                area =
                    area.saturating_add((u128::from(from) + u128::from(stage.target)) * u128::from(length));
                let leg = Leg {
                    from,
                    to: stage.target,
                    begun,
                    length,
                    area,
                };
                from = stage.target;
                begun = begun.saturating_add(length);
                leg
            })
            .collect();
        Arrivals {
            unit: unit.max(Duration::from_nanos(1)),
            start_rate: start,
            stages,
            shape: Shape::Ramping(legs),
        }
    }

    /// When iteration `n` (from 0) is due, from the start of the scenario; `None` when there are not so many.
    pub fn due(&self, n: u64) -> Option<Duration> {
        match &self.shape {
            Shape::Constant => {
                let nanos_after = u128::from(n) * self.unit.as_nanos() / u128::from(self.start_rate.max(1));
                (n < self.total()).then(|| from_nanos(nanos_after))
            }
            Shape::Ramping(legs) => {
                let wanted = (u128::from(n) + 1) * 2 * self.unit.as_nanos();
                let at = legs.partition_point(|leg| leg.area < wanted);
                let leg = legs.get(at)?;
                let before = at.checked_sub(1).map_or(0, |i| legs[i].area);
                let within = leg.reach(wanted - before);
                Some(from_nanos(u128::from(leg.begun) + u128::from(within)))
            }
        }
    }

    /// The rate at `t`, in iterations per second; 0 after the end.
    pub fn rate_at(&self, t: Duration) -> f64 {
        let per_second = 1.0 / self.unit.as_secs_f64();
        let (mut from, mut begun) = (self.start_rate as f64, Duration::ZERO);
        for stage in &self.stages {
            let end = begun.saturating_add(stage.duration);
            if t < end {
                let into = t.saturating_sub(begun).as_secs_f64() / stage.duration.as_secs_f64();
                return (from + (stage.target as f64 - from) * into) * per_second;
            }
            from = stage.target as f64;
            begun = end;
        }
        0.0
    }

    /// The legs of the ramp, if it is one.
    pub(super) fn stages(&self) -> &[Stage] {
        match self.shape {
            Shape::Constant => &[],
            Shape::Ramping(_) => &self.stages,
        }
    }

    /// The highest rate there is, in iterations per second.
    pub fn peak_rate(&self) -> f64 {
        let peak = self
            .stages
            .iter()
            .map(|stage| stage.target)
            .fold(self.start_rate, u64::max);
        peak as f64 / self.unit.as_secs_f64()
    }

    /// From the start to the end, without the graceful stop.
    pub fn duration(&self) -> Duration {
        stage::total(&self.stages)
    }

    /// How many iterations are due altogether.
    pub fn total(&self) -> u64 {
        let total = match &self.shape {
            // n·unit/rate < duration
            Shape::Constant => (self
                .duration()
                .as_nanos()
                .saturating_mul(u128::from(self.start_rate)))
            .div_ceil(self.unit.as_nanos()),
            Shape::Ramping(legs) => legs.last().map_or(0, |leg| leg.area) / (2 * self.unit.as_nanos()),
        };
        u64::try_from(total).unwrap_or(u64::MAX)
    }
}

impl Leg {
    /// The first nanosecond of the leg at which it holds `area`, which must be positive and no more than it holds.
    ///
    /// After `x` the leg holds `2·a·x + (b−a)·x²/d`. The estimate is the root of that in the form `2q / (p + √(p² + …))`,
    /// which does not cancel for a small slope. Where the rate nears zero the root is ill-conditioned and the estimate
    /// can be microseconds off, so the search doubles its distance before it bisects.
    fn reach(&self, area: u128) -> u64 {
        let (a, b, d) = (self.from as f64, self.to as f64, self.length as f64);
        let q = area as f64;
        let root = (a * a + (b - a) / d * q).max(0.0).sqrt();
        let estimate = (q / (a + root)).clamp(0.0, d) as u64;
        let (mut low, mut high) = (
            estimate.saturating_sub(1),
            (estimate.saturating_add(1)).min(self.length),
        );
        // Widen to: not reached at `low` (or low is 0), reached at `high`.
        let mut distance = 1;
        while low > 0 && self.holds(low, area) {
            high = low;
            low = low.saturating_sub(distance);
            distance = distance.saturating_mul(2);
        }
        distance = 1;
        while high < self.length && !self.holds(high, area) {
            low = high;
            high = high.saturating_add(distance).min(self.length);
            distance = distance.saturating_mul(2);
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.holds(middle, area) {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }

    /// Whether the leg holds `area` after `x` nanoseconds: `x·(2·a·d + (b−a)·x) >= area·d`. The products stay below 2^128
    /// for a million iterations per nanosecond-unit over months; beyond, they saturate.
    fn holds(&self, x: u64, area: u128) -> bool {
        let (x, length) = (u128::from(x), u128::from(self.length));
        let level = 2 * u128::from(self.from) * length;
        let slope = u128::from(self.to.abs_diff(self.from)) * x;
        let mean = if self.to >= self.from {
            level.saturating_add(slope)
        } else {
            level.saturating_sub(slope)
        };
        x.saturating_mul(mean) >= area.saturating_mul(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ramping(start: u64, unit: Duration, stages: &[(u64, u64)]) -> Arrivals {
        Arrivals::ramping(
            start,
            unit,
            stages
                .iter()
                .map(|&(s, target)| Stage {
                    duration: Duration::from_secs(s),
                    target,
                })
                .collect(),
        )
    }

    fn due(arrivals: &Arrivals) -> Vec<u128> {
        (0..)
            .map_while(|n| arrivals.due(n))
            .map(|d| d.as_millis())
            .collect()
    }

    #[test]
    fn constant() {
        let arrivals = Arrivals::constant(3, SECOND, Duration::from_millis(1500));
        assert_eq!(due(&arrivals), [0, 333, 666, 1000, 1333]);
        assert_eq!(arrivals.total(), 5);
        assert_eq!(arrivals.due(1), Some(Duration::from_nanos(333_333_333)));
        assert_eq!(
            due(&Arrivals::constant(
                30,
                Duration::from_mins(1),
                Duration::from_secs(6)
            )),
            [0, 2000, 4000]
        );
        // An arrival at the very end is none.
        assert_eq!(Arrivals::constant(10, SECOND, SECOND).total(), 10);
        assert_eq!(Arrivals::constant(0, SECOND, SECOND).due(0), None);
        assert_eq!(
            Arrivals::constant(1, Duration::ZERO, Duration::from_nanos(3)).total(),
            3
        );
    }

    #[test]
    fn a_level_ramp_is_one_period_late_as_in_k6() {
        assert_eq!(due(&ramping(2, SECOND, &[(2, 2)])), [500, 1000, 1500, 2000]);
    }

    #[test]
    fn ramps_invert_the_area_under_the_rate() {
        // From 0 to 10/s in 2 s: R(t) = 2.5 t², so n+1 is reached at √((n+1)/2.5).
        let arrivals = ramping(0, SECOND, &[(2, 10)]);
        assert_eq!(
            due(&arrivals),
            [632, 894, 1095, 1264, 1414, 1549, 1673, 1788, 1897, 2000]
        );
        assert_eq!(arrivals.total(), 10);
        // And down again: the mirror, shifted by one.
        assert_eq!(
            due(&ramping(10, SECOND, &[(2, 0)])),
            [102, 211, 326, 450, 585, 735, 904, 1105, 1367, 2000]
        );
        // A rest that a stage leaves is carried over: 0.9 iterations, then 2/s.
        let carried = Arrivals::ramping(
            1,
            SECOND,
            vec![
                Stage {
                    duration: Duration::from_millis(900),
                    target: 1,
                },
                Stage {
                    duration: Duration::ZERO,
                    target: 2,
                },
                Stage {
                    duration: SECOND,
                    target: 2,
                },
            ],
        );
        assert_eq!(due(&carried), [950, 1450]);
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(ramping(0, SECOND, &[(5, 0)]).due(0), None);
        assert_eq!(ramping(5, SECOND, &[]).total(), 0);
        assert_eq!(
            ramping(0, SECOND, &[(3, 0), (1, 2)]).due(0),
            Some(Duration::from_secs(4))
        );
        // A million a second for a day, down to nothing: the worst conditioned place is the last.
        let long = ramping(1_000_000, SECOND, &[(86_400, 0)]);
        assert_eq!(long.total(), 43_200_000_000);
        assert_eq!(long.due(43_200_000_000 - 1), Some(Duration::from_hours(24)));
        assert_eq!(long.due(43_200_000_000), None);
        // One left over is reached when the triangle to the end, 2·10⁶/86400·t²/4, is one.
        let last = Duration::from_hours(24)
            .checked_sub(long.due(43_200_000_000 - 2).unwrap())
            .unwrap();
        assert!(
            (last.as_secs_f64() - (2.0 * 86_400.0 / 1e6_f64).sqrt()).abs() < 1e-6,
            "{last:?}"
        );
    }

    #[test]
    fn rates() {
        let arrivals = ramping(60, Duration::from_mins(1), &[(10, 180), (0, 30), (10, 30)]);
        assert!((arrivals.rate_at(Duration::ZERO) - 1.0).abs() < 1e-12);
        assert!((arrivals.rate_at(Duration::from_secs(5)) - 2.0).abs() < 1e-12);
        assert!((arrivals.rate_at(Duration::from_secs(10)) - 0.5).abs() < 1e-12);
        assert!(arrivals.rate_at(Duration::from_secs(20)).abs() < 1e-12);
        assert!((arrivals.peak_rate() - 3.0).abs() < 1e-12);
    }
}
