//! A request's deadline, made cheap for the many that are never reached.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// A timeout that no request will see, for those that are too large to be added to a clock.
pub(super) const FAR_FUTURE: Duration = Duration::from_hours(365 * 24);

/// A deadline that costs nothing to move into the future.
///
/// Putting a timer into tokio's wheel and taking it out takes a lock each time; nearly all timeouts never fire. So
/// a client keeps one timer in the wheel across requests, which rings at the earliest deadline it was ever given
/// and is only then put where the present deadline is. And while the same task waits for it, it is not even asked.
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Whom the wheel wakes, if it was told since the timer was last put into it.
    told: Option<Waker>,
}

impl Timer {
    pub(super) fn armed(kept: Option<Timer>, deadline: Instant) -> Timer {
        let deadline = tokio::time::Instant::from_std(deadline);
        match kept {
            Some(mut timer) => {
                if timer.sleep.deadline() > deadline || timer.sleep.is_elapsed() {
                    timer.put(deadline);
                }
                timer
            }
            None => Timer {
                sleep: Box::pin(tokio::time::sleep_until(deadline)),
                told: None,
            },
        }
    }

    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let told = self.told.as_ref().is_some_and(|told| told.will_wake(cx.waker()));
        if told && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        let deadline = tokio::time::Instant::from_std(deadline);
        while self.sleep.as_mut().poll(cx).is_ready() {
            if tokio::time::Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.put(deadline);
        }
        self.told = Some(cx.waker().clone());
        Poll::Pending
    }

    fn put(&mut self, deadline: tokio::time::Instant) {
        self.sleep.as_mut().reset(deadline);
        self.told = None;
    }
}
