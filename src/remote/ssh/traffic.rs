//! Where streams lead to, and what is counted of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::connect::lock;

/// So many round trips are kept for who asks.
const RECENT: usize = 600;

/// Where streams lead to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host, as the server sees it.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What a loop counts, for others to read.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Streams that were begun.
    pub opened: AtomicU64,
    /// Streams that are there, begun or not.
    pub active: AtomicU64,
    /// Streams that the server refused to begin.
    pub refused: AtomicU64,
    /// Streams that were cut when the session was lost.
    pub cut: AtomicU64,
    /// Streams that wait for a channel.
    pub waiting: AtomicU64,
    /// Channels that are open ahead.
    pub warm: AtomicU64,
    /// The number of channels to keep open ahead that the loop knows of.
    pub warm_known: AtomicUsize,
    /// Whether a channel is being opened.
    pub opening: AtomicBool,
    /// Bytes to the server.
    pub up: AtomicU64,
    /// Bytes from the server.
    pub down: AtomicU64,
    /// The last round trip in nanoseconds; 0 before the first.
    pub round_trip: AtomicU64,
    /// The shortest round trip in nanoseconds; 0 before the first.
    pub round_trip_min: AtomicU64,
    /// The sum of all round trips in nanoseconds.
    pub round_trip_sum: AtomicU64,
    /// The number of round trips.
    pub round_trips: AtomicU64,
    /// Round trips that nobody has asked for yet, and when each ended; not more than a few.
    pub recent: Mutex<Vec<(Instant, Duration)>>,
}

impl Traffic {
    /// Whether a session has counted anything here.
    pub fn has_run(&self) -> bool {
        self.round_trips.load(Ordering::Relaxed) > 0
    }

    /// The shortest round trip so far.
    pub fn shortest(&self) -> Option<Duration> {
        let nanos = self.round_trip_min.load(Ordering::Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    /// Counts.
    pub fn add(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Takes a round trip in.
    pub fn measured(&self, round_trip: Duration) {
        let nanos = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.round_trip.store(nanos, Ordering::Relaxed);
        // Only this thread writes.
        let least = self.round_trip_min.load(Ordering::Relaxed);
        if least == 0 || nanos < least {
            self.round_trip_min.store(nanos, Ordering::Relaxed);
        }
        Traffic::add(&self.round_trip_sum, nanos);
        Traffic::add(&self.round_trips, 1);
        let mut recent = lock(&self.recent);
        if recent.len() < RECENT {
            recent.push((Instant::now(), round_trip));
        }
    }
}
