//! What the engine drives and who provides it: virtual users, their seats and their iterations.

use std::sync::Arc;

use tokio::time::Instant;

use super::control::AbortKind;
use super::place::Place;
use crate::config::Scenario;
use crate::metrics::{TagSet, TagsId};

/// A virtual user's place in the test.
#[derive(Debug, Clone)]
pub struct VuSeat {
    /// Its number in the whole test, from 1; unique over all instances.
    pub id: u64,
    /// Its number in this instance, from 1 (`__VU`). Scenarios that do not overlap in time use the same numbers.
    pub id_in_instance: u64,
    /// The scenario it works for.
    pub scenario: Arc<Scenario>,
    /// The worker thread it lives on.
    pub worker: u16,
    /// What it can learn of the run around it.
    pub place: Arc<Place>,
}

/// One run of a scenario's function.
#[derive(Debug, Clone, Copy)]
pub struct Iteration {
    /// Its number in the scenario, from 0, in the order in which iterations begin; without gaps, and unique over all virtual
    /// users, workers and instances.
    pub in_scenario: u64,
    /// How many the virtual user has begun before (`__ITER`).
    pub in_vu: u64,
    /// When it should have begun; only open models know.
    pub due: Option<Instant>,
    /// When it began.
    pub started: Instant,
}

/// How an iteration ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end. A script's exception ends an iteration too: the dialect counts it as complete.
    Complete,
    /// It ran to its end and did not do what it was for. Counts as complete, and apart.
    Failed,
    /// It was cut short.
    Interrupted,
    /// It asks to end the whole test.
    Abort {
        /// Who asks.
        code: AbortKind,
        /// What it says.
        message: String,
    },
}

/// Runs iterations, one at a time.
#[allow(
    async_fn_in_trait,
    reason = "virtual users live and die on one thread; their futures need not be Send"
)]
pub trait VirtualUser {
    /// Runs one iteration. The future is dropped when the iteration must end at once; [`interrupt`](Self::interrupt)
    /// follows.
    async fn iterate(&mut self, it: Iteration) -> Outcome;

    /// Ends what a dropped [`iterate`](Self::iterate) has left under way, and makes ready for another one. Must return
    /// quickly: nobody waits for the target any more.
    async fn interrupt(&mut self);

    /// The tags of the samples of the iteration that has just ended, where they are not the scenario's.
    fn iteration_tags(&self) -> Option<TagsId> {
        None
    }

    /// The metadata of the same samples.
    fn metadata(&self) -> Option<TagSet> {
        None
    }
}

/// Makes virtual users; one per worker thread, and never leaves it.
#[allow(async_fn_in_trait, reason = "see VirtualUser")]
pub trait Staff: 'static {
    /// What it makes.
    type User: VirtualUser + 'static;

    /// Initialises a virtual user. An error ends the test.
    async fn hire(&self, seat: VuSeat) -> Result<Self::User, HireError>;
}

/// Why a virtual user could not be initialised, in the words of who tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HireError {
    /// What went wrong, for the one who wrote the script.
    pub message: String,
}
