//! How many requests are under way, over all threads: what a stalled server shows while it stalls.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};

/// Counters that threads share out among themselves, each in cache lines of its own: a single one would travel
/// between the cores with every request.
const LANES: usize = 16;

/// Requests under way.
#[derive(Debug, Default)]
pub(super) struct Flight([Lane; LANES]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane(AtomicI64);

/// One request under way, until it is dropped.
pub(super) struct Airborne<'a>(&'a Lane);

impl Flight {
    /// Counts a request of this thread.
    pub(super) fn begin(&self) -> Airborne<'_> {
        let lane = &self.0[lane()];
        lane.0.fetch_add(1, Relaxed);
        Airborne(lane)
    }

    /// Requests under way now.
    pub(super) fn count(&self) -> u32 {
        let sum: i64 = self.0.iter().map(|lane| lane.0.load(Relaxed)).sum();
        u32::try_from(sum.max(0)).unwrap_or(u32::MAX)
    }
}

impl Drop for Airborne<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// This thread's lane.
fn lane() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: usize = THREADS.fetch_add(1, Relaxed) % LANES;
    }
    LANE.with(|lane| *lane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_count_while_they_are_under_way_on_any_thread() {
        let flight = Flight::default();
        let first = flight.begin();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _second = flight.begin();
                assert_eq!(flight.count(), 2);
            });
        });
        assert_eq!(flight.count(), 1);
        drop(first);
        assert_eq!(flight.count(), 0);
    }
}
