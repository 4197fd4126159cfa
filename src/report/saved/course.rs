//! How a run's numbers went up and down, in a saved run: coarse distributions of stretches. Comparing rests on them.

use serde::{Deserialize, Serialize};

use crate::metrics::{Cell, Snapshot, Timeline};

use super::scrub::Scrubber;
use super::{SavedRun, SavedTimeline};

/// A metric as a whole, or the requests with one value of a tag, in stretches. Stretches without values are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SavedCourse {
    pub metric: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Which stretches these are, from 0 on the time axis.
    pub at: Vec<u64>,
    /// How many values each has; of a counter the sum.
    pub count: Vec<u64>,
    /// How many passed, of a rate; how many requests failed, of durations. Left out where none did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hits: Vec<u64>,
    /// Of a trend: of each stretch, step and count by turns. Steps add up to ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Vec<u64>>,
}

impl SavedCourse {
    /// A course of these stretches.
    pub fn new(metric: String, part: Option<(String, String)>, cells: &[Cell]) -> SavedCourse {
        let (tag, value) = part.unzip();
        let list = |of: &dyn Fn(&Cell) -> u64| cells.iter().map(of).collect();
        SavedCourse {
            metric,
            tag,
            value,
            at: list(&|cell| cell.at),
            count: list(&|cell| cell.count),
            hits: if cells.iter().any(|cell| cell.hits > 0) {
                list(&|cell| cell.hits)
            } else {
                Vec::new()
            },
            ranges: if cells.iter().any(|cell| !cell.ranges.is_empty()) {
                cells.iter().map(steps).collect()
            } else {
                Vec::new()
            },
        }
    }

    /// Its stretches.
    pub fn cells(&self) -> Vec<Cell> {
        let stretch = |index: usize| {
            let mut range = 0;
            let pairs = self.ranges.get(index).map_or(&[][..], Vec::as_slice);
            let ranges = pairs.chunks_exact(2).map(|pair| {
                range += pair[0];
                // Reading has found every range to be one.
                (u16::try_from(range).unwrap_or(u16::MAX), pair[1])
            });
            Cell {
                at: self.at[index],
                count: self.count.get(index).copied().unwrap_or(0),
                hits: self.hits.get(index).copied().unwrap_or(0),
                ranges: ranges.collect(),
            }
        };
        (0..self.at.len()).map(stretch).collect()
    }

    /// Of this metric, and of this part of it.
    pub fn is_of(&self, metric: &str, part: Option<(&str, &str)>) -> bool {
        self.metric == metric && self.tag.as_deref().zip(self.value.as_deref()) == part
    }

    /// What its types do not say.
    pub(super) fn consistent(&self) -> Result<(), String> {
        let odd = |what: &str| Err(format!("the course of `{}` {what}", self.metric));
        let even = |length: usize| length == self.at.len() || length == 0;
        if self.count.len() != self.at.len() || !even(self.hits.len()) || !even(self.ranges.len()) {
            return odd("has lists that are not of one length");
        }
        if !self.at.windows(2).all(|pair| pair[0] < pair[1]) {
            return odd("is not in order");
        }
        for pairs in &self.ranges {
            let (steps, _) = pairs.as_chunks::<2>();
            let known = steps
                .iter()
                .try_fold(0_u64, |sum, [step, _]| sum.checked_add(*step));
            if !pairs.len().is_multiple_of(2) || known.is_none_or(|last| last > u64::from(u16::MAX)) {
                return odd("has ranges that are none");
            }
        }
        Ok(())
    }
}

fn steps(cell: &Cell) -> Vec<u64> {
    let (mut pairs, mut before) = (Vec::with_capacity(cell.ranges.len() * 2), 0);
    for (range, count) in &cell.ranges {
        pairs.extend([u64::from(range - before), *count]);
        before = *range;
    }
    pairs
}

/// The courses of a run. A part that is all there is would say the same as the whole.
pub(super) fn courses(snapshot: &Snapshot, timeline: &Timeline, scrubber: &Scrubber) -> Vec<SavedCourse> {
    let list = &timeline.courses.list;
    let whole = |metric| {
        list.iter()
            .find(|course| course.metric == metric && course.part.is_none())
    };
    let worth = list.iter().filter(|course| {
        let same = whole(course.metric).is_some_and(|whole| whole.cells == course.cells);
        !course.cells.is_empty() && (course.part.is_none() || !same)
    });
    worth
        .map(|course| {
            let name = snapshot.registry().definition(course.metric).name.to_string();
            let part = course.part.as_ref();
            let part = part.map(|(tag, value)| ((*tag).to_owned(), scrubber.value(tag, value)));
            SavedCourse::new(name, part, &course.cells)
        })
        .collect()
}

impl SavedTimeline {
    /// The stretches of a metric, or of the requests with one value of a tag.
    pub fn course(&self, metric: &str, part: Option<(&str, &str)>) -> Option<&SavedCourse> {
        self.courses.iter().find(|course| course.is_of(metric, part))
    }
}

impl SavedRun {
    /// The stretches of `http_req_duration` of a part; those of the whole where there is no other part.
    pub fn course(&self, metric: &str, part: Option<(&str, &str)>) -> Option<&SavedCourse> {
        let found = self.timeline.course(metric, part);
        let (tag, value) = part.unzip();
        let alone = || {
            let (tag, value) = tag.zip(value)?;
            let whole = self.timeline.course(metric, None)?;
            let others = self.values_of(tag);
            (others.len() == 1 && others.contains(value)).then_some(whole)
        };
        found.or_else(alone)
    }
}
