//! What drives an executor: a closed or an open model of load.

use std::time::Duration;

use super::arrivals::Arrivals;
use super::staffing::{Budget, Staffing};
use super::stage;

/// The load of one scenario, for the whole test; a [`Share`](super::Share) says which part of it is mine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Virtual users that loop: the next iteration begins when the previous one is over.
    Closed {
        /// How many loop.
        staffing: Staffing,
        /// How many iterations they may start.
        budget: Budget,
    },
    /// Iterations that begin when they are due, whatever the others do.
    Open {
        /// When they are due.
        arrivals: Arrivals,
        /// How many virtual users are ready from the start.
        pre_allocated: u32,
        /// How many there may be.
        max_vus: u32,
    },
}

/// What a plan asks for at a moment: the load that is offered, whatever becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Offered {
    /// Virtual users that loop; `None` where iterations begin at a rate.
    pub vus: Option<u32>,
    /// Iterations that begin per second; `None` where virtual users loop.
    pub rate: Option<f64>,
    /// Which stage it is, from 1; 0 before the first, after the last and where there are none.
    pub stage: u32,
}

impl Plan {
    /// The load at `t` from the scenario's start; nothing from its end on.
    pub fn offered_at(&self, t: Duration) -> Offered {
        let (vus, rate, stages) = match self {
            Plan::Closed { staffing, .. } => (Some(staffing.vus_at(t)), None, staffing.stages()),
            Plan::Open { arrivals, .. } => (None, Some(arrivals.rate_at(t)), arrivals.stages()),
        };
        Offered {
            vus,
            rate,
            stage: stage::number_at(stages, t),
        }
    }

    /// Whether the number of its virtual users comes from outside.
    pub fn is_external(&self) -> bool {
        matches!(
            self,
            Plan::Closed {
                staffing: Staffing::External { .. },
                ..
            }
        )
    }

    /// From the start of the scenario to where no iteration begins any more; without graceful periods.
    pub fn duration(&self) -> Duration {
        match self {
            Plan::Closed { staffing, .. } => staffing.duration(),
            Plan::Open { arrivals, .. } => arrivals.duration(),
        }
    }

    /// The most virtual users there can be.
    pub fn max_vus(&self) -> u32 {
        match self {
            Plan::Closed { staffing, .. } => staffing.max_vus(),
            Plan::Open {
                max_vus,
                pre_allocated,
                ..
            } => *max_vus.max(pre_allocated),
        }
    }

    /// The virtual users to initialise before the test starts.
    pub fn initial_vus(&self) -> u32 {
        match self {
            Plan::Closed { staffing, .. } => staffing.max_vus(),
            Plan::Open { pre_allocated, .. } => *pre_allocated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Stage;

    fn ramp() -> Vec<Stage> {
        ["2s:10", "0s:20", "4s:0"]
            .map(|text| text.parse().unwrap())
            .to_vec()
    }

    #[test]
    fn what_is_offered_follows_the_stages() {
        let closed = Plan::Closed {
            staffing: Staffing::Ramping {
                start: 0,
                stages: ramp(),
                graceful_ramp_down: Duration::ZERO,
            },
            budget: Budget::Unlimited,
        };
        let open = Plan::Open {
            arrivals: Arrivals::ramping(0, Duration::from_secs(1), ramp()),
            pre_allocated: 1,
            max_vus: 5,
        };
        for (seconds, value, stage) in [(0, 0, 1), (1, 5, 1), (2, 20, 3), (4, 10, 3), (6, 0, 0), (9, 0, 0)] {
            let t = Duration::from_secs(seconds);
            let (vus, rate) = (Some(value), Some(f64::from(value)));
            assert_eq!(
                closed.offered_at(t),
                Offered {
                    vus,
                    rate: None,
                    stage
                },
                "at {seconds} s"
            );
            assert_eq!(
                open.offered_at(t),
                Offered {
                    vus: None,
                    rate,
                    stage
                },
                "at {seconds} s"
            );
        }
    }

    #[test]
    fn without_stages_there_is_no_number() {
        let plan = Plan::Closed {
            staffing: Staffing::Constant {
                vus: 3,
                duration: Duration::from_secs(1),
            },
            budget: Budget::Unlimited,
        };
        let offered = plan.offered_at(Duration::ZERO);
        assert_eq!((offered.vus, offered.rate, offered.stage), (Some(3), None, 0));
    }
}
