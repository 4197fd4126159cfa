//! A request's deadline, made cheap for the many that are never reached.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// A timeout that no request will see, for those that are too large to be added to a clock.
pub(super) const FAR_FUTURE: Duration = Duration::from_hours(365 * 24);

/// A deadline that costs nothing to move into the future.
///
/// Putting a timer into tokio's wheel and taking it out takes a lock each time; nearly all timeouts never fire. So
/// a client keeps one timer in the wheel across requests, which rings at the earliest deadline it was ever given
/// and is only then put where the present deadline is.
pub(super) struct Timer(Pin<Box<Sleep>>);

impl Timer {
    pub(super) fn armed(kept: Option<Timer>, deadline: Instant) -> Timer {
        let deadline = tokio::time::Instant::from_std(deadline);
        match kept {
            Some(mut timer) => {
                if timer.0.deadline() > deadline || timer.0.is_elapsed() {
                    timer.0.as_mut().reset(deadline);
                }
                timer
            }
            None => Timer(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let deadline = tokio::time::Instant::from_std(deadline);
        while self.0.as_mut().poll(cx).is_ready() {
            if tokio::time::Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
