//! Drives virtual users: one worker thread per core, executors, dropped iterations, graceful stop.
//!
//! A worker is an execution segment: it knows from `pace` alone which virtual users and which iterations of each scenario
//! are its own and when they are due, so workers share no tick and no queue. What little they do share is per scenario: the
//! budget of iterations where there is one, and, for an open model, which workers have a virtual user to spare.
//!
//! * [`run`] starts the workers and gives a [`Handle`]; [`Control`] stops them; [`Live`] counts while they run.
//! * [`Staff`] makes [`VirtualUser`]s, of which the engine knows nothing but how to start and to interrupt an iteration.
//! * `closed` and `open` are the executors: functions on one worker's `LocalSet`, driven by tokio's clock, which is why
//!   tests can run them on a paused one. The threads around them, in `launch`, are thin.

mod closed;
mod control;
mod lanes;
mod launch;
mod ledger;
mod live;
mod numbers;
mod open;
mod place;
mod roster;
mod signal;
mod staff;
mod users;
mod watchdog;
mod worker;

pub use control::{AbortKind, Control, Level, Reason};
pub use launch::{BATCHES_PER_WORKER, EngineError, Handle, Spec, batches, cores, run, solo};
pub use ledger::scenario_tags;
pub use live::{Live, Progress};
pub use place::Place;
pub use staff::{HireError, Iteration, Outcome, Staff, VirtualUser, VuSeat};
pub use users::{Complaints, Repeater, ScriptStaff, Scripted, UrlPlan, UrlStaff};
pub use watchdog::SILENCE;
pub use worker::FLUSH_EVERY;

#[cfg(test)]
mod tests;
