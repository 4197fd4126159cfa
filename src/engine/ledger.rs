//! Runs one iteration and books it: the samples of the dialect, the lag, the live counters.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::control::{Control, Reason};
use super::live::Tally;
use super::signal::{Order, Signal};
use super::staff::{Iteration, Outcome, VirtualUser};
use crate::config::Scenario;
use crate::metrics::{Epoch, Recorder, Registry, SystemTag, TagSet, TagsId, builtin};

/// The tags that every sample of a scenario carries: the run's, the scenario's own, and its name.
pub fn scenario_tags(registry: &Registry, run: &BTreeMap<String, String>, scenario: &Scenario) -> TagSet {
    let tags = TagSet::from_pairs(run).with_all(pairs(&scenario.tags));
    if registry.system_tags().contains(SystemTag::Scenario) {
        tags.with(SystemTag::Scenario.as_str(), &scenario.name)
    } else {
        tags
    }
}

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// One worker's book for one scenario.
pub(super) struct Ledger {
    pub(super) tally: Arc<Tally>,
    pub(super) control: Control,
    recorder: Recorder,
    epoch: Epoch,
    /// Of samples that belong to no iteration.
    tags: TagsId,
    /// Of samples of iterations: they are in the root group, as far as the dialect is concerned.
    iteration_tags: TagsId,
    min_iteration: Duration,
}

impl Ledger {
    pub(super) fn new(
        tally: Arc<Tally>,
        control: Control,
        recorder: Recorder,
        epoch: Epoch,
        tags: &TagSet,
        min_iteration: Duration,
    ) -> Ledger {
        let registry = recorder.registry();
        let base = registry.intern(tags);
        let iteration_tags = if registry.system_tags().contains(SystemTag::Group) {
            registry.intern(&tags.with(SystemTag::Group.as_str(), ""))
        } else {
            base
        };
        Ledger {
            tally,
            control,
            recorder,
            epoch,
            tags: base,
            iteration_tags,
            min_iteration,
        }
    }

    /// Runs an iteration to its end or until `signal` interrupts it, books it, and keeps to the least duration. Returns when
    /// the virtual user is free again, and whether it gave others a chance to run meanwhile.
    pub(super) async fn perform<U: VirtualUser>(
        &self,
        signal: &Signal,
        user: &mut U,
        iteration: Iteration,
    ) -> (Instant, bool) {
        let (outcome, mut waited) = {
            let _busy = self.tally.begin();
            // Pinned here, not handed over: an iteration's future is some kilobytes.
            signal.guard(pin!(user.iterate(iteration))).await
        };
        let ended = Instant::now();
        match outcome {
            Some(outcome @ (Outcome::Complete | Outcome::Failed)) => {
                if outcome == Outcome::Failed {
                    self.tally.failed();
                }
                let tags = user.iteration_tags().unwrap_or(self.iteration_tags);
                let metadata = user.metadata();
                let remarked = metadata.is_some();
                if remarked {
                    self.recorder.remark(metadata);
                }
                self.complete(&iteration, ended, tags);
                if remarked {
                    self.recorder.remark(None);
                }
            }
            Some(Outcome::Interrupted) => self.tally.interrupted(),
            Some(Outcome::Abort { code, message }) => {
                self.tally.interrupted();
                // The order to all reaches this one too late: it would begin another iteration first.
                signal.give(Order::Leave);
                self.control.stop_now(Reason::Script { kind: code, message });
            }
            None => {
                self.tally.interrupted();
                user.interrupt().await;
            }
        }
        let free = iteration.started + self.min_iteration;
        if free > ended {
            signal.sleep_until(free).await;
            waited = true;
            return (Instant::now(), waited);
        }
        (ended, waited)
    }

    fn complete(&self, iteration: &Iteration, ended: Instant, tags: TagsId) {
        self.tally.complete();
        let at = self.nanos(ended);
        self.recorder.add(builtin::ITERATIONS, tags, at, 1.0);
        self.recorder.add(
            builtin::ITERATION_DURATION,
            tags,
            at,
            millis(ended.saturating_duration_since(iteration.started)),
        );
        if let Some(due) = iteration.due {
            let since_due = millis(ended.saturating_duration_since(due));
            self.recorder
                .add(builtin::ITERATION_DURATION_SCHEDULED, tags, at, since_due);
        }
    }

    /// Books how late an iteration begins.
    pub(super) fn lag(&self, due: Instant, started: Instant) {
        let lag = started.saturating_duration_since(due);
        self.tally.lag(lag);
        self.recorder.add(
            builtin::SCHEDULING_LAG,
            self.tags,
            self.nanos(started),
            millis(lag),
        );
    }

    /// Books how late a timer went off.
    pub(super) fn timer(&self, deadline: Instant, now: Instant) {
        let late = millis(now.saturating_duration_since(deadline));
        self.recorder
            .add(builtin::TIMER_LAG, self.tags, self.nanos(now), late);
    }

    /// Books iterations that were due and could not begin.
    pub(super) fn dropped(&self, count: u64) {
        if count > 0 {
            self.tally.dropped(count);
            let now = self.nanos(Instant::now());
            self.recorder
                .add(builtin::DROPPED_ITERATIONS, self.tags, now, count as f64);
        }
    }

    fn nanos(&self, instant: Instant) -> u64 {
        self.epoch.nanos(instant.into_std())
    }
}

/// A duration as the dialect records it.
fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Ends the test if a task panicked; the text of the panic is all there is to say about it.
pub(super) fn report_panic(control: &Control, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && let Ok(payload) = error.try_into_panic()
    {
        control.stop_now(Reason::Panic(panic_text(&*payload)));
    }
}

/// What a panic said.
pub(super) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".to_owned())
}
