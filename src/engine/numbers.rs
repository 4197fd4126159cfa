//! The numbers of a scenario's iterations, which scripts use to go through a table or to give out accounts.
//!
//! One counter for all workers of this instance says which comes next when an iteration begins, so the numbers have no gaps,
//! whoever is fast or slow, and what is dropped has none. It costs an atomic addition for each iteration.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::pace::Share;

/// What the workers of a scenario take their numbers from.
#[derive(Debug)]
pub(super) struct Numbers {
    next: Counter,
    /// This instance's part of them: instances share no number.
    mine: Share,
}

/// Apart from what the workers only read.
#[derive(Debug)]
#[repr(align(128))]
struct Counter(AtomicU64);

impl Numbers {
    /// From this instance's first one on.
    pub(super) fn new(mine: Share) -> Numbers {
        Numbers {
            next: Counter(AtomicU64::new(0)),
            mine,
        }
    }

    /// The number, in the whole test, of the iteration that begins now.
    pub(super) fn next(&self) -> u64 {
        self.mine.nth(self.next.0.fetch_add(1, Ordering::Relaxed))
    }

    /// The same, for an instance that may begin so many; `None` when it has.
    pub(super) fn next_of(&self, total: u64) -> Option<u64> {
        // Looked at first, so that those who ask in vain do not count on.
        if self.given() >= total {
            return None;
        }
        let k = self.next.0.fetch_add(1, Ordering::Relaxed);
        (k < total).then(|| self.mine.nth(k))
    }

    /// How many were asked for.
    pub(super) fn given(&self) -> u64 {
        self.next.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other_in_stripes() {
        let half = Share::new(&"1/2:1".parse().unwrap(), None).unwrap();
        let numbers = Numbers::new(half);
        assert_eq!((numbers.next(), numbers.next()), (1, 3));
        assert_eq!(
            (numbers.next_of(3), numbers.next_of(3), numbers.given()),
            (Some(5), None, 3)
        );
    }
}
