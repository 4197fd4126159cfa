//! What a script can learn of the run around it through `k6/execution`. The engine, which knows, is above this room; it
//! hands each virtual user something that answers.

use std::{fmt, time::Duration};

/// The whole of this process's part of the run, right now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Instance {
    /// Iterations that ran to their end.
    pub completed: u64,
    /// Iterations that were cut short.
    pub interrupted: u64,
    /// Virtual users at work.
    pub active: u32,
    /// Virtual users made so far.
    pub initialized: u32,
    /// How long the test has been running.
    pub elapsed: Duration,
}

/// The scenario of the virtual user that asks, right now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScenarioNow {
    /// Its name.
    pub name: String,
    /// Its executor's name.
    pub executor: &'static str,
    /// When it began, in milliseconds of Unix time.
    pub started: f64,
    /// How far it is, from 0 to 1.
    pub progress: f64,
}

/// A stage of a ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageNow {
    /// Its number, from 0.
    pub index: usize,
    /// Whether its target is above, at or below where it began.
    pub trend: std::cmp::Ordering,
}

/// Answers for one virtual user.
pub trait Around: fmt::Debug + Send + Sync {
    /// This process's part of the run.
    fn instance(&self) -> Instance;

    /// Whether it works for a scenario.
    fn works(&self) -> bool;

    /// The scenario; `None` for `setup()`, `teardown()` and the like.
    fn scenario(&self) -> Option<ScenarioNow>;

    /// The stage that the scenario is in; `None` if it has no stages.
    fn stage(&self) -> Option<StageNow>;

    /// The number in this process of an iteration, from its number in the whole test.
    fn in_instance(&self, in_test: u64) -> u64;
}
