//! The wire bytes of a virtual user until they are samples: of an order when it ends, and of a long one every ten seconds, so that
//! who looks at the run sees that something comes in.

use std::cell::Cell;

use crate::metrics::{MetricId, builtin};

/// How long bytes of a long order wait for their sample, in nanoseconds.
const EVERY: u64 = 10_000_000_000;

/// Bytes that are not recorded yet.
#[derive(Default)]
pub struct Traffic {
    sent: Cell<u64>,
    received: Cell<u64>,
    /// When the order's first bytes were counted, or the last ones recorded.
    since: Cell<Option<u64>>,
}

impl Traffic {
    /// Counts bytes (sent, received) at a moment of the run. Whether they have waited long enough.
    pub fn add(&self, (sent, received): (u64, u64), now: u64) -> bool {
        self.count((sent, received));
        let since = self.since.get().unwrap_or(now);
        let due = now >= since.saturating_add(EVERY);
        self.since.set(Some(if due { now } else { since }));
        due
    }

    /// Counts the last bytes (sent, received) of an order, which ends.
    pub fn end(&self, bytes: (u64, u64)) {
        self.count(bytes);
        self.since.set(None);
    }

    fn count(&self, (sent, received): (u64, u64)) {
        self.sent.set(self.sent.get() + sent);
        self.received.set(self.received.get() + received);
    }

    /// What there is to record.
    pub fn take(&self) -> impl Iterator<Item = (MetricId, f64)> + use<> {
        let all = [
            (builtin::DATA_SENT, self.sent.take()),
            (builtin::DATA_RECEIVED, self.received.take()),
        ];
        let some = all.into_iter().filter(|(_, bytes)| *bytes > 0);
        some.map(|(metric, bytes)| (metric, bytes as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_wait_for_the_end_but_not_for_long() {
        let traffic = Traffic::default();
        let s = 1_000_000_000;
        let sums = |traffic: &Traffic| traffic.take().collect::<Vec<_>>();
        // A user that was idle for a minute has no long order yet.
        assert!(!traffic.add((1, 10), 60 * s));
        assert!(!traffic.add((1, 10), 69 * s));
        assert!(traffic.add((1, 0), 70 * s));
        assert_eq!(
            sums(&traffic),
            [(builtin::DATA_SENT, 3.0), (builtin::DATA_RECEIVED, 20.0)]
        );
        assert!(!traffic.add((1, 0), 79 * s));
        traffic.end((1, 0));
        assert_eq!(sums(&traffic), [(builtin::DATA_SENT, 2.0)]);
        assert!(sums(&traffic).is_empty());
        // The next order's ten seconds begin with its own first bytes.
        assert!(!traffic.add((1, 1), 200 * s));
        assert!(traffic.add((1, 1), 210 * s));
    }
}
