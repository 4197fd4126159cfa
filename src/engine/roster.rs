//! The numbers of virtual users (`__VU`).
//!
//! A test counts its virtual users from 1. Scenarios that run one after the other use the same numbers, so that `vus_max` is
//! the most there can be at once and scripts that pick their data by number need no more of it than that.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::pace::Share;

/// When a scenario has its virtual users, and how many are initialised for it before the test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: Duration,
    /// When the last one is home, at the latest.
    pub(super) end: Duration,
    pub(super) vus: u32,
}

/// Gives each planned virtual user its number, and the others theirs as they come.
#[derive(Debug)]
pub(super) struct Roster {
    planned: u64,
    next: AtomicU64,
}

impl Roster {
    /// The numbers of each scenario's virtual users: the lowest that are free when it starts.
    pub(super) fn new(spans: &[Span]) -> (Roster, Vec<Vec<u64>>) {
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|&i| spans[i].start);
        let mut numbers = vec![Vec::new(); spans.len()];
        let (mut highest, mut free) = (0, BTreeSet::new());
        let mut taken: Vec<usize> = Vec::new();
        for i in order {
            taken.retain(|&earlier| {
                let over = spans[earlier].end <= spans[i].start;
                if over {
                    free.extend(numbers[earlier].iter().copied());
                }
                !over
            });
            numbers[i] = (0..spans[i].vus)
                .map(|_| {
                    free.pop_first().unwrap_or_else(|| {
                        highest += 1;
                        highest
                    })
                })
                .collect();
            taken.push(i);
        }
        (
            Roster {
                planned: highest,
                next: AtomicU64::new(highest + 1),
            },
            numbers,
        )
    }

    /// How many numbers planned virtual users have.
    pub(super) fn planned(&self) -> u64 {
        self.planned
    }

    /// A number for one more.
    pub(super) fn another(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// The number in the whole test of the virtual user with number `id` in this instance.
pub(super) fn in_test(share: &Share, id: u64) -> u64 {
    share.nth(id - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u64, end: u64, vus: u32) -> Span {
        Span {
            start: Duration::from_secs(start),
            end: Duration::from_secs(end),
            vus,
        }
    }

    #[test]
    fn scenarios_that_do_not_overlap_share_numbers() {
        let (roster, numbers) =
            Roster::new(&[span(10, 20, 3), span(0, 10, 2), span(5, 15, 1), span(15, 30, 2)]);
        assert_eq!(numbers, [vec![1, 2, 4], vec![1, 2], vec![3], vec![3, 5]]);
        assert_eq!((roster.planned(), roster.another(), roster.another()), (5, 6, 7));
    }

    #[test]
    fn instances_count_through() {
        let quarter = Share::new(&"1/4:1/2".parse().unwrap(), None).unwrap();
        assert_eq!((in_test(&quarter, 1), in_test(&quarter, 2)), (2, 6));
    }
}
