//! `rps`: an upper bound on the requests per second of a whole process, whatever the number of virtual users.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Deals out turns that are evenly spaced. Turns that nobody took are lost: there is no burst after a pause.
#[derive(Debug)]
pub struct Throttle {
    zero: Instant,
    /// Nanoseconds from one turn to the next.
    gap: u64,
    /// When the next turn is, in nanoseconds since `zero`.
    next: AtomicU64,
}

impl Throttle {
    /// A throttle of `rate` requests per second; 0 is taken for 1.
    pub fn new(rate: u32) -> Throttle {
        Throttle {
            zero: Instant::now(),
            gap: 1_000_000_000 / u64::from(rate.max(1)),
            next: AtomicU64::new(0),
        }
    }

    /// Waits for this caller's turn.
    pub async fn turn(&self) {
        let now = u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let take = |next: u64| Some(next.max(now).saturating_add(self.gap));
        let turn = match self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(next) | Err(next) => next.max(now),
        };
        if turn > now {
            sleep_until(self.zero + Duration::from_nanos(turn)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_evenly_spaced_and_a_pause_earns_no_burst() {
        let throttle = Throttle::new(10);
        let begin = Instant::now();
        for _ in 0..11 {
            throttle.turn().await;
        }
        assert_eq!(begin.elapsed().as_millis(), 1000);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let begin = Instant::now();
        for _ in 0..3 {
            throttle.turn().await;
        }
        assert_eq!(begin.elapsed().as_millis(), 200);
    }
}
