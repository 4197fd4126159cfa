//! How many virtual users a closed model has at each moment, and how much they may do.

use std::time::Duration;

use super::stage::{self, Stage};
use super::{from_nanos, nanos};

/// The number of virtual users over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staffing {
    /// The same number all the time.
    Constant {
        /// How many.
        vus: u32,
        /// How long; for executors with a budget the longest it may take.
        duration: Duration,
    },
    /// A number that follows stages.
    Ramping {
        /// How many there are at the beginning.
        start: u32,
        /// The legs of the ramp.
        stages: Vec<Stage>,
        /// How long a virtual user that has to go may take to finish its iteration.
        graceful_ramp_down: Duration,
    },
    /// A number that somebody outside changes while the test runs.
    External {
        /// How many there are until somebody does.
        start: u32,
        /// How many there may be.
        max: u32,
        /// How long; `None` is until somebody stops it.
        duration: Option<Duration>,
    },
}

/// How long a load goes on that has no end: longer than any test, and short enough to count with.
pub const FOREVER: Duration = Duration::from_hours(24 * 365 * 100);

/// How many iterations a closed model may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// As many as fit the time.
    Unlimited,
    /// So many together; who is faster takes more.
    Shared(u64),
    /// So many each.
    PerVu(u64),
}

impl Staffing {
    /// How many virtual users there are at `t` from the start; none from the end on.
    ///
    /// A stage that goes from `a` to `b` in time `d` has made `⌊|b−a|·x/d⌋` whole steps at time `x` into it, upwards and
    /// downwards alike: a step is made when the straight line reaches it.
    pub fn vus_at(&self, t: Duration) -> u32 {
        match self {
            Staffing::Constant { vus, duration } => {
                if t < *duration {
                    *vus
                } else {
                    0
                }
            }
            Staffing::External { start, .. } => {
                if t < self.duration() {
                    *start
                } else {
                    0
                }
            }
            Staffing::Ramping { start, stages, .. } => {
                let mut vus = u64::from(*start);
                let mut begun = Duration::ZERO;
                for stage in stages {
                    let end = begun.saturating_add(stage.duration);
                    if t < end {
                        let steps = u128::from(vus.abs_diff(stage.target))
                            * u128::from(nanos(t.saturating_sub(begun)))
                            / u128::from(nanos(stage.duration).max(1));
                        let steps = steps as u64;
                        return saturate(if stage.target >= vus {
                            vus + steps
                        } else {
                            vus - steps
                        });
                    }
                    vus = stage.target;
                    begun = end;
                }
                0
            }
        }
    }

    /// Each change of that number with its time: from none before the start, to the last at the end, when it falls to none.
    /// Times rise strictly, and neighbouring numbers differ.
    pub fn changes(&self) -> impl Iterator<Item = (Duration, u32)> + '_ {
        let (start, stages): (u32, &[Stage]) = match self {
            Staffing::Constant { vus, .. } | Staffing::External { start: vus, .. } => (*vus, &[]),
            Staffing::Ramping { start, stages, .. } => (*start, stages),
        };
        let mut from = u64::from(start);
        let mut begun = Duration::ZERO;
        let ramp = stages.iter().flat_map(move |stage| {
            let (vus, at, length) = (from, begun, u128::from(nanos(stage.duration)));
            let (target, steps) = (stage.target, from.abs_diff(stage.target));
            from = target;
            begun = begun.saturating_add(stage.duration);
            // A jump has only one step. Others reach step i at ⌈d·i/n⌉, the first nanosecond at which ⌊n·x/d⌋ is i.
            let first = if length == 0 { steps.max(1) } else { 1 };
            (first..=steps).map(move |i| {
                let after = (length * u128::from(i)).div_ceil(u128::from(steps));
                let now = if target >= vus { vus + i } else { vus - i };
                (at.saturating_add(from_nanos(after)), saturate(now))
            })
        });
        let steps = std::iter::once((Duration::ZERO, start))
            .chain(ramp)
            .chain(std::iter::once((self.duration(), 0)));
        Changes {
            steps: steps.peekable(),
            last: 0,
        }
    }

    /// The legs of the ramp, if it is one.
    pub(super) fn stages(&self) -> &[Stage] {
        match self {
            Staffing::Constant { .. } | Staffing::External { .. } => &[],
            Staffing::Ramping { stages, .. } => stages,
        }
    }

    /// From the start to the end, without graceful periods.
    pub fn duration(&self) -> Duration {
        match self {
            Staffing::Constant { duration, .. } => *duration,
            Staffing::External { duration, .. } => duration.unwrap_or(FOREVER),
            Staffing::Ramping { stages, .. } => stage::total(stages),
        }
    }

    /// The most virtual users there are at any moment.
    pub fn max_vus(&self) -> u32 {
        match self {
            Staffing::Constant { vus, .. } | Staffing::External { max: vus, .. } => *vus,
            Staffing::Ramping { start, stages, .. } => {
                stages.iter().map(|s| saturate(s.target)).fold(*start, u32::max)
            }
        }
    }
}

fn saturate(vus: u64) -> u32 {
    u32::try_from(vus).unwrap_or(u32::MAX)
}

/// Of steps at the same time only the last counts, and a step to the number there is already is none.
struct Changes<I: Iterator<Item = (Duration, u32)>> {
    steps: std::iter::Peekable<I>,
    last: u32,
}

impl<I: Iterator<Item = (Duration, u32)>> Iterator for Changes<I> {
    type Item = (Duration, u32);

    fn next(&mut self) -> Option<(Duration, u32)> {
        loop {
            let (at, vus) = self.steps.next()?;
            let overtaken = self.steps.peek().is_some_and(|(next, _)| *next == at);
            if !overtaken && vus != self.last {
                self.last = vus;
                return Some((at, vus));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn ramp(start: u32, stages: &[(u64, u64)]) -> Staffing {
        Staffing::Ramping {
            start,
            stages: stages
                .iter()
                .map(|&(at, target)| Stage {
                    duration: ms(at),
                    target,
                })
                .collect(),
            graceful_ramp_down: Duration::from_secs(30),
        }
    }

    #[test]
    fn constant() {
        let staffing = Staffing::Constant {
            vus: 3,
            duration: ms(500),
        };
        assert_eq!(staffing.changes().collect::<Vec<_>>(), [(ms(0), 3), (ms(500), 0)]);
        assert_eq!(
            (
                staffing.vus_at(ms(499)),
                staffing.vus_at(ms(500)),
                staffing.max_vus()
            ),
            (3, 0, 3)
        );
    }

    #[test]
    fn a_ramp_steps_when_the_line_reaches_a_whole_number() {
        let staffing = ramp(1, &[(400, 5), (100, 5), (200, 3), (0, 4), (100, 4)]);
        assert_eq!(
            staffing.changes().collect::<Vec<_>>(),
            [
                (ms(0), 1),
                (ms(100), 2),
                (ms(200), 3),
                (ms(300), 4),
                (ms(400), 5),
                (ms(600), 4),
                (ms(800), 0)
            ]
        );
        assert_eq!(staffing.max_vus(), 5);
        assert_eq!(staffing.duration(), ms(800));
        for (at, vus) in [
            (0, 1),
            (99, 1),
            (100, 2),
            (500, 5),
            (599, 5),
            (600, 4),
            (699, 4),
            (700, 4),
            (799, 4),
            (800, 0),
        ] {
            assert_eq!(staffing.vus_at(ms(at)), vus, "{at} ms");
        }
    }

    #[test]
    fn jumps_and_empty_ramps() {
        assert_eq!(
            ramp(0, &[(0, 10), (100, 10), (0, 2), (100, 2)])
                .changes()
                .collect::<Vec<_>>(),
            [(ms(0), 10), (ms(100), 2), (ms(200), 0)]
        );
        assert_eq!(ramp(0, &[(100, 0)]).changes().count(), 0);
        assert_eq!(ramp(5, &[]).changes().count(), 0);
        // A million users in ten nanoseconds: ten steps.
        let steep = Staffing::Ramping {
            start: 0,
            stages: vec![
                Stage {
                    duration: Duration::from_nanos(10),
                    target: 1_000_000,
                },
                Stage {
                    duration: ms(1),
                    target: 1_000_000,
                },
            ],
            graceful_ramp_down: Duration::ZERO,
        };
        assert_eq!(steep.changes().count(), 11);
    }
}
