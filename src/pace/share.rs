//! Which items of the whole are mine: the arithmetic that splits iterations and virtual users over instances and threads.
//!
//! The items `0, 1, 2, …` of the whole are dealt in rounds of `L`, the least common denominator of the sequence's segment
//! lengths: in each round a segment of length `a/L` gets `a` of the `L` places, spread as evenly as the others allow. So
//! that a set of instances starts exactly the iterations that one alone would start, each place belongs to one segment.

use std::sync::Arc;

use super::segment::{Segment, SegmentError, SegmentSequence, gcd};

/// The largest round that is dealt; bounds the table and the time to make it.
pub(super) const FINEST: u64 = 100_000;

/// A subset of the natural numbers. The shares of a sequence's segments, and the splits of a share, partition the whole
/// exactly. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// My places in a round, ascending.
    places: Arc<[u64]>,
    /// The length of a round.
    round: u64,
    /// Of the items at those places only each `stride`-th is mine, beginning at `offset`.
    offset: u64,
    stride: u64,
}

impl Share {
    /// Everything.
    pub fn whole() -> Share {
        Share {
            places: Arc::new([0]),
            round: 1,
            offset: 0,
            stride: 1,
        }
    }

    /// The share of `segment`, one of `sequence`; without a sequence, the one that the segment's form suggests: `n` equal
    /// tiles, or the segment with its gaps filled.
    pub fn new(segment: &Segment, sequence: Option<&SegmentSequence>) -> Result<Share, SegmentError> {
        let guessed;
        let sequence = if let Some(sequence) = sequence {
            sequence
        } else {
            guessed = SegmentSequence::around(segment);
            &guessed
        };
        let segments = sequence.segments();
        let mine = segments
            .iter()
            .position(|s| s == segment)
            .ok_or_else(|| SegmentError::NotInSequence {
                segment: segment.to_string(),
                sequence: sequence.to_string(),
            })?;
        let too_fine = || SegmentError::TooFine(sequence.to_string());
        let mut round = 1u64;
        for segment in segments {
            let den = segment.length().den;
            round = (den / gcd(round, den))
                .checked_mul(round)
                .filter(|r| *r <= FINEST)
                .ok_or_else(too_fine)?;
        }
        let sizes: Vec<u64> = segments
            .iter()
            .map(|segment| {
                let length = segment.length();
                length.num * (round / length.den)
            })
            .collect();
        Ok(Share {
            places: deal(round, &sizes, mine).into(),
            round,
            offset: 0,
            stride: 1,
        })
    }

    /// The global index of my `k`-th item (both from 0).
    pub fn nth(&self, k: u64) -> u64 {
        let item = k * self.stride + self.offset;
        if self.round == 1 {
            return item;
        }
        let per_round = self.places.len() as u64;
        (item / per_round) * self.round + self.places[(item % per_round) as usize]
    }

    /// How many of the first `n` items of the whole are mine.
    pub fn count(&self, n: u64) -> u64 {
        let items = if self.round == 1 {
            n
        } else {
            let within = self.places.partition_point(|place| *place < n % self.round) as u64;
            (n / self.round) * self.places.len() as u64 + within
        };
        // Items offset, offset + stride, … below `items`.
        items.saturating_sub(self.offset).div_ceil(self.stride)
    }

    /// The part of this share that one of `workers` threads takes: item `k` goes to worker `k % workers`.
    #[must_use]
    pub fn split(&self, worker: u32, workers: u32) -> Share {
        let workers = u64::from(workers.max(1));
        Share {
            places: Arc::clone(&self.places),
            round: self.round,
            offset: self.offset + self.stride * (u64::from(worker) % workers),
            stride: self.stride * workers,
        }
    }
}

/// Deals `round` places to segments that are to get `sizes` of them and returns those of segment `mine`: k6's striping.
///
/// A segment that is to get `a` places may take its `c`-th from place `c·L/a` on; of those that may, the longest takes it.
/// No place is left over: at place `i`, `Σ (⌊i·a/L⌋ + 1) > Σ i·a/L = i` are due to be taken, and only `i` have been. None is
/// given twice its due: the `a`-th (from 0) may be taken from place `L` on, which is in the next round.
fn deal(round: u64, sizes: &[u64], mine: usize) -> Vec<u64> {
    let mut longest_first: Vec<usize> = (0..sizes.len()).collect();
    longest_first.sort_by_key(|&i| std::cmp::Reverse(sizes[i]));
    let mut taken = vec![0u64; sizes.len()];
    let mut places = Vec::with_capacity(sizes[mine] as usize);
    for place in 0..round {
        let next = longest_first
            .iter()
            .copied()
            .find(|&i| place * sizes[i] >= taken[i] * round);
        if let Some(i) = next {
            taken[i] += 1;
            if i == mine {
                places.push(place);
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(segment: &str, sequence: Option<&str>) -> Result<Share, SegmentError> {
        let sequence = sequence.map(|s| s.parse().unwrap());
        Share::new(&segment.parse().unwrap(), sequence.as_ref())
    }

    fn first(share: &Share, n: u64) -> Vec<u64> {
        (0..n).map(|k| share.nth(k)).collect()
    }

    #[test]
    fn striped_as_k6_does() {
        let sequence = Some("0,1/4,1/2,1");
        assert_eq!(first(&share("0:1/4", sequence).unwrap(), 3), [1, 5, 9]);
        assert_eq!(first(&share("1/4:1/2", sequence).unwrap(), 3), [3, 7, 11]);
        assert_eq!(first(&share("1/2:1", sequence).unwrap(), 4), [0, 2, 4, 6]);
        // One of three equal tiles without a sequence.
        assert_eq!(first(&share("1/3:2/3", None).unwrap(), 3), [1, 4, 7]);
        assert_eq!(first(&share("2/3", None).unwrap(), 4), [0, 2, 3, 5]);
        assert_eq!(first(&Share::whole(), 3), [0, 1, 2]);
    }

    #[test]
    fn threads_are_segments_of_a_segment() {
        let half = share("1/2:1", None).unwrap();
        assert_eq!(first(&half, 4), [1, 3, 5, 7]);
        assert_eq!(first(&half.split(0, 3), 2), [1, 7]);
        assert_eq!(first(&half.split(2, 3).split(1, 2), 2), [11, 23]);
        assert_eq!(half.split(1, 3).count(9), 1);
        assert_eq!(
            (0..4)
                .map(|w| Share::whole().split(w, 4).count(10))
                .collect::<Vec<_>>(),
            [3, 3, 2, 2]
        );
    }

    #[test]
    fn what_it_refuses() {
        assert!(matches!(
            share("0:1/3", Some("0,1/2,1")),
            Err(SegmentError::NotInSequence { .. })
        ));
        assert!(matches!(
            share("0:0.1234567", None),
            Err(SegmentError::TooFine(_))
        ));
        assert!(matches!(share("0:1/100003", None), Err(SegmentError::TooFine(_))));
    }
}
