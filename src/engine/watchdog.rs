//! Threads that do not come back. Nearly everything that a script does can be interrupted; a few functions of the engine
//! cannot, such as `sort()` of a list of billions. Who calls one keeps a worker's thread for hours, and with it what ends
//! virtual users there. Once the test is to be over, nobody waits for that.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::control::{AbortKind, Control, Level, Reason};
use super::live::Live;
use crate::metrics::Epoch;

/// How often it is looked.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// A thread that was silent for so long, past the end of the test, is taken to be lost.
pub const SILENCE: Duration = Duration::from_secs(10);

/// When a test is to be over.
#[derive(Debug)]
pub(super) struct Watchdog {
    pub(super) epoch: Epoch,
    /// The latest moment at which an iteration may still run, from the load's beginning.
    pub(super) planned: Duration,
    /// The longest graceful stop.
    pub(super) grace: Duration,
    /// Since when it has been known that the test was stopped.
    pub(super) stopped: Option<Instant>,
}

impl Watchdog {
    /// A worker that does not come back though the test is to be over, if all others have ended.
    pub(super) fn stuck(
        &mut self,
        threads: &[JoinHandle<()>],
        live: &Live,
        control: &Control,
    ) -> Option<usize> {
        let now = Instant::now();
        if !self.over(now, live, control) {
            return None;
        }
        let nanos = self.epoch.nanos(now);
        let silence = u64::try_from(SILENCE.as_nanos()).unwrap_or(u64::MAX);
        let silent = |worker: usize| nanos.saturating_sub(live.last_beat(worker)) > silence;
        let mut left = (0..threads.len()).filter(|worker| !threads[*worker].is_finished());
        let first = left.next()?;
        (silent(first) && left.all(silent)).then_some(first)
    }

    fn over(&mut self, now: Instant, live: &Live, control: &Control) -> bool {
        let planned = live
            .load_began()
            .and_then(|began| began.checked_add(self.planned))
            .and_then(|end| end.checked_add(live.lost()))
            .is_some_and(|end| end <= now);
        match control.level() {
            Level::Run => planned,
            Level::Now => true,
            Level::Graceful => planned || now.duration_since(*self.stopped.get_or_insert(now)) > self.grace,
        }
    }
}

/// Why a test ends that leaves a worker behind.
pub(super) fn stuck(worker: usize) -> Reason {
    Reason::Script {
        kind: AbortKind::Exception,
        message: format!(
            "a virtual user of worker {worker} called something that cannot be interrupted, such as sort() of a list of billions, and does not come back: what was under way there is lost"
        ),
    }
}
