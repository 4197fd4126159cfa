//! What drives an executor: a closed or an open model of load.

use std::time::Duration;

use super::arrivals::Arrivals;
use super::staffing::{Budget, Staffing};

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

impl Plan {
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
