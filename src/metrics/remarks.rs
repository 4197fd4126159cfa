//! Metadata: what a script says about single samples and no aggregate keeps, such as the id of a trace.
//!
//! It has as many values as there are iterations, so it is no part of a series and uses up none of the tag sets: it goes along
//! with a batch to those who write single samples. A run whose script sets none pays a look at two empty lists.

use super::tags::TagSet;

/// The metadata of a batch's samples, from one change of it to the next.
#[derive(Debug, Clone, Default)]
pub struct Remarks(Vec<Remark>);

#[derive(Debug, Clone)]
struct Remark {
    /// The first sample that it is about.
    from: usize,
    metadata: Option<TagSet>,
}

impl Remarks {
    /// The sample at `at`, the last one so far, has this metadata.
    pub(super) fn note(&mut self, at: usize, metadata: Option<&TagSet>) {
        let said = self.0.last().and_then(|remark| remark.metadata.as_ref());
        if said != metadata {
            self.0.push(Remark {
                from: at,
                metadata: metadata.cloned(),
            });
        }
    }

    /// The samples, each with its metadata.
    pub fn of<'a, T>(&'a self, samples: &'a [T]) -> impl Iterator<Item = (&'a T, Option<&'a TagSet>)> {
        let (mut now, mut ahead) = (None, self.0.iter().peekable());
        samples.iter().enumerate().map(move |(at, sample)| {
            while let Some(remark) = ahead.next_if(|remark| remark.from <= at) {
                now = remark.metadata.as_ref();
            }
            (sample, now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_has_what_was_said_when_it_was_taken() {
        let (a, b) = (TagSet::from_pairs([("k", "a")]), TagSet::from_pairs([("k", "b")]));
        let said = [None, Some(&a), Some(&a), None, Some(&b), Some(&a)];
        let mut remarks = Remarks::default();
        for (at, metadata) in said.iter().enumerate() {
            remarks.note(at, *metadata);
        }
        assert_eq!(remarks.0.len(), 4);
        let numbers = [0, 1, 2, 3, 4, 5];
        let seen: Vec<_> = remarks.of(&numbers).collect();
        let expected: Vec<_> = numbers.iter().zip(said).collect();
        assert_eq!(seen, expected);
        let none = Remarks::default();
        assert!(none.of(&numbers).all(|(_, metadata)| metadata.is_none()));
    }
}
