//! What there is of a run, saved while it goes on: a run of hours that is killed loses a minute.
//!
//! The collector hands over its numbers when it is asked for them; a thread of its own writes them. A disk that is full or slow
//! is said once, counted, and costs the run nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval_at};

use super::Run;
use super::save::{Told, saved};
use crate::metrics::{Snapshot, Timeline};
use crate::output::{LivePage, SaveCounts};
use crate::report::saved::{Checkpoint, Destination, SaveError, SavedEnding, SavedRun};

/// What the collector has by now.
pub type SoFar = (Arc<Snapshot>, Timeline);
/// How the collector is asked for it.
pub type Ask = oneshot::Sender<SoFar>;

/// The run as it is by now, and how long it took to work that out, the wait for the collector aside; `None` when there is no
/// collector any more.
pub async fn unfinished(run: &Run, ask: &mpsc::Sender<Ask>) -> Option<(SavedRun, Duration)> {
    let (answer, so_far) = oneshot::channel();
    ask.send(answer).await.ok()?;
    let (snapshot, timeline) = so_far.await.ok()?;
    let began = Instant::now();
    let (told, ending) = (Told::default(), SavedEnding::unfinished());
    let saved = saved(run, &snapshot, &timeline, told, ending);
    Some((saved, began.elapsed()))
}

/// The checkpoints of a run.
#[derive(Debug)]
pub struct Checkpoints {
    place: Checkpoint,
    every: Duration,
    counts: Arc<SaveCounts>,
    /// The one that is being written.
    writing: Option<JoinHandle<Result<(), SaveError>>>,
    said: bool,
}

impl Checkpoints {
    /// For a run that is saved there. What a run that was killed has left is put aside.
    ///
    /// # Errors
    /// It cannot be put aside.
    pub fn open(destination: &Destination, every: Duration) -> Result<Option<Checkpoints>, SaveError> {
        let Some((place, left)) = destination.checkpoint()? else {
            return Ok(None);
        };
        if let Some(left) = left {
            tracing::warn!(
                "an earlier run was killed before it was saved; what there is of it is now in {}. This run begins anew",
                left.display()
            );
        }
        Ok(Some(Checkpoints {
            place,
            every,
            counts: Arc::default(),
            writing: None,
            said: false,
        }))
    }

    /// Writes one again and again, for as long as it is polled.
    pub async fn keep(&mut self, run: &Run, page: &LivePage, ask: &mpsc::Sender<Ask>) {
        page.set_checkpoints(self.counts.clone());
        let begin = tokio::time::Instant::now() + self.every;
        let mut ticks = interval_at(begin, self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // A disk that takes longer than that is waited for.
            self.settle().await;
            // Before the test has begun there is nothing to lose.
            if run.begun.at().is_zero() {
                continue;
            }
            let Some((saved, _)) = unfinished(run, ask).await else {
                return;
            };
            let place = self.place.clone();
            self.writing = Some(tokio::task::spawn_blocking(move || place.write(&saved)));
        }
    }

    /// Waits for the one that is being written.
    async fn settle(&mut self) {
        let Some(writing) = self.writing.take() else {
            return;
        };
        match writing.await {
            Ok(Ok(())) => {
                self.counts.count(true);
                if std::mem::take(&mut self.said) {
                    tracing::info!("{} is written again", self.place.path().display());
                }
            }
            Ok(Err(error)) => {
                self.counts.count(false);
                if !std::mem::replace(&mut self.said, true) {
                    tracing::warn!("no checkpoint: {error}; the run goes on, and the next one is tried");
                }
            }
            // A thread that panicked has said so.
            Err(_) => self.counts.count(false),
        }
    }

    /// The run has ended. If all of it is saved, checkpoints go.
    pub async fn end(mut self, whole: bool) {
        self.settle().await;
        if whole {
            self.place.remove();
        }
    }
}
