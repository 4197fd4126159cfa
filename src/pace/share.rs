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
    /// How many places each segment of the sequence gets in a round, and which of them I am.
    sizes: Arc<[u64]>,
    mine: usize,
    /// The length of a round.
    round: u64,
    /// Of the items at those places only each `stride`-th is mine, beginning at `offset`.
    offset: u64,
    stride: u64,
}

impl Share {
    /// Everything.
    pub fn whole() -> Share {
        Share::of(Arc::new([1]), 0)
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
        let sizes: Arc<[u64]> = segments
            .iter()
            .map(|segment| {
                let length = segment.length();
                length.num * (round / length.den)
            })
            .collect();
        Ok(Share::of(sizes, mine))
    }

    fn of(sizes: Arc<[u64]>, mine: usize) -> Share {
        let round = sizes.iter().sum();
        let mut places = Vec::with_capacity(sizes[mine] as usize);
        places.extend(
            owners(&sizes)
                .zip(0..)
                .filter(|(owner, _)| *owner == mine)
                .map(|(_, place)| place),
        );
        Share {
            places: places.into(),
            sizes,
            mine,
            round,
            offset: 0,
            stride: 1,
        }
    }

    /// The iterations that go with my part of `vus` virtual users: as many in relation as I have of these, `None` if I have
    /// none. Where the virtual users do not divide evenly, those who have more get more to do, as in k6. Not for splits.
    pub fn staffed(&self, vus: u64) -> Option<Share> {
        if self.count(vus) == 0 {
            return None;
        }
        if vus.is_multiple_of(self.round) || vus > FINEST {
            return Some(self.clone());
        }
        let mut sizes: Vec<u64> = self.sizes.iter().map(|size| size * (vus / self.round)).collect();
        for owner in owners(&self.sizes).take((vus % self.round) as usize) {
            sizes[owner] += 1;
        }
        let mine = sizes[..self.mine].iter().filter(|size| **size > 0).count();
        sizes.retain(|size| *size > 0);
        let divisor = sizes.iter().copied().fold(0, gcd);
        Some(Share::of(
            sizes.into_iter().map(|size| size / divisor).collect(),
            mine,
        ))
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
            sizes: Arc::clone(&self.sizes),
            mine: self.mine,
            round: self.round,
            offset: self.offset + self.stride * (u64::from(worker) % workers),
            stride: self.stride * workers,
        }
    }
}

/// Deals a round's places to segments that are to get `sizes` of them, and says whose each is: k6's striping.
///
/// A segment that is to get `a` of `L` places may take its `c`-th from place `c·L/a` on; of those that may, the longest takes
/// it. No place is left over: at place `i`, `Σ (⌊i·a/L⌋ + 1) > Σ i·a/L = i` are due to be taken, and only `i` have been. None
/// is given more than its due: the `a`-th (from 0) may be taken from place `L` on, which is in the next round.
fn owners(sizes: &[u64]) -> impl Iterator<Item = usize> {
    let round: u64 = sizes.iter().sum();
    let mut longest_first: Vec<usize> = (0..sizes.len()).collect();
    longest_first.sort_by_key(|&i| std::cmp::Reverse(sizes[i]));
    let mut taken = vec![0u64; sizes.len()];
    (0..round).filter_map(move |place| {
        let next = longest_first
            .iter()
            .copied()
            .find(|&i| place * sizes[i] >= taken[i] * round)?;
        taken[next] += 1;
        Some(next)
    })
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
    fn iterations_go_where_virtual_users_are() {
        let thirds: Vec<Share> = ["0:1/3", "1/3:2/3", "2/3:1"]
            .iter()
            .map(|s| share(s, None).unwrap())
            .collect();
        // Two virtual users for three instances: the third has nothing to do.
        let staffed: Vec<_> = thirds
            .iter()
            .map(|share| share.staffed(2).map(|s| first(&s, 3)))
            .collect();
        assert_eq!(staffed, [Some(vec![0, 2, 4]), Some(vec![1, 3, 5]), None]);
        // Four: the first has two of them.
        let staffed: Vec<_> = thirds
            .iter()
            .map(|share| share.staffed(4).map(|s| s.count(100)))
            .collect();
        assert_eq!(staffed, [Some(50), Some(25), Some(25)]);
        assert_eq!(thirds[1].staffed(6).as_ref(), Some(&thirds[1]));
        assert_eq!(Share::whole().staffed(7), Some(Share::whole()));
        assert_eq!(Share::whole().staffed(0), None);
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
