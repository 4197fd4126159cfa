//! How a run's numbers go up and down in time: of each part of it, coarse distributions of some hundred stretches.
//!
//! Whoever compares two runs has to know how much a number varies by itself. The windows' percentiles cannot tell: those of
//! few requests mean little, and percentiles do not add up. So each stretch keeps how many values fell in which range.

use std::sync::Arc;

use crate::metrics::model::{Kind, MetricId, builtin};
use crate::metrics::tags::TagSet;

/// Requests are told apart by these tags.
pub(crate) const COURSE_TAGS: [&str; 4] = ["name", "group", "service", "scenario"];
/// So many courses a run has at the most; what comes later has totals only.
const MOST: usize = 48;
/// So many stretches a course has at the most; past that they become twice as long.
const CELLS: u64 = 240;

/// Values from here on are told apart: a microsecond of a time.
const LEAST: f64 = 1e-3;
/// The logarithm of how much a range is greater than the one before it: 2 %.
const STEP: f64 = 0.019_802_627_296_179_73;
/// The last range; what is greater than all others is in it.
const LAST: u16 = 4000;

/// The range that a value falls in. Range 0 has what is less than a thousandth.
pub fn course_range(value: f64) -> u16 {
    if value < LEAST || value.is_nan() {
        return 0;
    }
    // From 0 up, and bounded: nothing is cut off.
    (1.0 + (value / LEAST).ln() / STEP).min(f64::from(LAST)) as u16
}

/// How far into the ranges a value is: its range, and the share of that which lies below it.
pub fn course_place(value: f64) -> (u16, f64) {
    let range = course_range(value);
    if range == 0 || range == LAST {
        return (range, 1.0);
    }
    let place = 1.0 + (value / LEAST).ln() / STEP;
    (range, (place - f64::from(range)).clamp(0.0, 1.0))
}

/// The numbers of a request's courses: that of the whole, and one for each of [`COURSE_TAGS`].
pub(crate) type RequestCourses = [Option<u8>; 1 + COURSE_TAGS.len()];

/// A metric, or the requests with one value of a tag, in time.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    pub metric: MetricId,
    /// A tag and its value; `None` for the whole.
    pub part: Option<(&'static str, Arc<str>)>,
    /// Oldest first. Stretches without values are left out.
    pub cells: Vec<Cell>,
}

/// What happened in one stretch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// Which stretch of the run it is, from 0.
    pub at: u64,
    /// How many values; of a counter the sum.
    pub count: u64,
    /// How many of them were not zero, of a rate; how many requests failed, of durations.
    pub hits: u64,
    /// Range and count, ascending. Only of trends.
    pub ranges: Vec<(u16, u64)>,
}

impl Cell {
    fn join(&mut self, other: &Cell) {
        self.count += other.count;
        self.hits += other.hits;
        self.ranges = add_ranges(&self.ranges, &other.ranges);
    }
}

/// The counts of two lists of ascending ranges together.
pub fn add_ranges(one: &[(u16, u64)], other: &[(u16, u64)]) -> Vec<(u16, u64)> {
    let (mut sum, mut rest) = (Vec::with_capacity(one.len().max(other.len())), other);
    for &(range, count) in one {
        let before = rest.partition_point(|(other, _)| *other < range);
        sum.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        match rest.first() {
            Some((same, more)) if *same == range => {
                sum.push((range, count + more));
                rest = &rest[1..];
            }
            _ => sum.push((range, count)),
        }
    }
    sum.extend_from_slice(rest);
    sum
}

/// All courses of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Courses {
    pub list: Vec<Course>,
    /// How long a stretch is, in seconds.
    pub span: u64,
    /// By metric: whether it has a course, once that is known.
    places: Vec<Option<Place>>,
}

/// The course of a metric: its number and how values count; `None` if it has none.
type Place = Option<(u8, Kind)>;

impl Default for Courses {
    fn default() -> Courses {
        Courses {
            list: Vec::new(),
            span: 1,
            places: Vec::new(),
        }
    }
}

impl Courses {
    /// The courses of requests with these tags, made where they are new.
    pub(crate) fn of_request(&mut self, tags: &TagSet) -> RequestCourses {
        let mut courses = [None; 1 + COURSE_TAGS.len()];
        courses[0] = self.number(builtin::HTTP_REQ_DURATION, None);
        for (course, tag) in courses[1..].iter_mut().zip(COURSE_TAGS) {
            let value = tags.get(tag).filter(|value| !value.is_empty());
            *course = value.and_then(|value| self.number(builtin::HTTP_REQ_DURATION, Some((tag, value))));
        }
        courses
    }

    /// The course of another metric, if it is one of the target's or of the script's.
    pub(crate) fn of_metric(&mut self, metric: MetricId, kind: impl FnOnce() -> Option<Kind>) -> Place {
        let at = usize::from(metric.0);
        if self.places.len() <= at {
            self.places.resize(at + 1, None);
        }
        if let Some(known) = self.places[at] {
            return known;
        }
        let kind = kind().filter(|kind| *kind != Kind::Gauge && !OWN.contains(&metric));
        let place = kind.and_then(|kind| Some((self.number(metric, None)?, kind)));
        self.places[at] = Some(place);
        place
    }

    fn number(&mut self, metric: MetricId, part: Option<(&'static str, &str)>) -> Option<u8> {
        let same = |course: &Course| {
            course.metric == metric && course.part.as_ref().map(|(tag, value)| (*tag, &**value)) == part
        };
        let known = self.list.iter().position(same);
        let at = known.or_else(|| {
            (self.list.len() < MOST).then(|| {
                self.list.push(Course {
                    metric,
                    part: part.map(|(tag, value)| (tag, value.into())),
                    cells: Vec::new(),
                });
                self.list.len() - 1
            })
        });
        at.and_then(|at| u8::try_from(at).ok())
    }

    /// Adds what happened in a second since the epoch.
    pub(super) fn push(&mut self, second: u64, open: &[Option<OpenCell>]) {
        while second / self.span >= CELLS {
            self.span *= 2;
            self.list.iter_mut().for_each(Course::halve);
        }
        let at = second / self.span;
        for (course, cell) in self.list.iter_mut().zip(open) {
            if let Some(cell) = cell {
                course.push(cell.close(at));
            }
        }
    }
}

/// Metrics of the generator itself, or that are counted elsewhere.
const OWN: [MetricId; 6] = [
    builtin::DATA_SENT,
    builtin::DATA_RECEIVED,
    builtin::DROPPED_ITERATIONS,
    builtin::GROUP_DURATION,
    builtin::SCHEDULING_LAG,
    builtin::TIMER_LAG,
];

impl Course {
    fn push(&mut self, cell: Cell) {
        match self.cells.last_mut() {
            Some(last) if last.at == cell.at => last.join(&cell),
            _ => self.cells.push(cell),
        }
    }

    /// Two neighbours become one.
    fn halve(&mut self) {
        for mut cell in std::mem::take(&mut self.cells) {
            cell.at /= 2;
            self.push(cell);
        }
    }
}

/// A stretch in a second that is still open.
#[derive(Debug, Default)]
pub(super) struct OpenCell {
    count: u64,
    hits: u64,
    /// By range.
    counts: Vec<u32>,
}

impl OpenCell {
    /// A request of a duration in this range.
    pub(super) fn request(&mut self, range: u16, failed: bool) {
        self.value(range);
        self.hits += u64::from(failed);
    }

    /// A sample of a metric of this kind.
    pub(super) fn sample(&mut self, kind: Kind, value: f64) {
        match kind {
            Kind::Trend => self.value(course_range(value)),
            Kind::Rate => {
                self.count += 1;
                self.hits += u64::from(value != 0.0);
            }
            // What a counter counts are whole things, or it is none that is compared.
            Kind::Counter => self.count += value.max(0.0).round() as u64,
            Kind::Gauge => {}
        }
    }

    fn value(&mut self, range: u16) {
        let at = usize::from(range);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] = self.counts[at].saturating_add(1);
        self.count += 1;
    }

    fn close(&self, at: u64) -> Cell {
        let ranges = (0..).zip(&self.counts).filter(|(_, count)| **count > 0);
        Cell {
            at,
            count: self.count,
            hits: self.hits,
            ranges: ranges.map(|(range, count)| (range, u64::from(*count))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_two_percent_wide_and_hold_every_number() {
        for value in [0.001, 0.37, 1.0, 20.0, 59_999.0] {
            let range = course_range(value);
            assert!(
                course_range(value * 1.0201) == range + 1 || course_range(value * 1.0201) == range + 2,
                "{value}"
            );
            assert!(course_range(value / 1.0201) < range, "{value}");
            let (place, share) = course_place(value);
            assert!(place == range && (0.0..=1.0).contains(&share), "{value}: {share}");
        }
        for (value, range) in [
            (f64::NAN, 0),
            (-5.0, 0),
            (0.0, 0),
            (f64::INFINITY, LAST),
            (f64::MAX, LAST),
        ] {
            assert_eq!(course_range(value), range, "{value}");
        }
    }

    #[test]
    fn parts_get_courses_until_there_are_too_many() {
        let mut courses = Courses::default();
        let tags = TagSet::from_pairs([("name", "a"), ("scenario", "b"), ("other", "c")]);
        assert_eq!(courses.of_request(&tags), [Some(0), Some(1), None, None, Some(2)]);
        assert_eq!(courses.of_request(&tags), [Some(0), Some(1), None, None, Some(2)]);
        let checks = courses.of_metric(builtin::CHECKS, || Some(Kind::Rate));
        assert_eq!(checks, Some((3, Kind::Rate)));
        assert_eq!(courses.of_metric(builtin::CHECKS, || None), checks);
        assert_eq!(courses.of_metric(builtin::VUS, || Some(Kind::Gauge)), None);
        assert_eq!(courses.of_metric(builtin::TIMER_LAG, || Some(Kind::Trend)), None);
        for name in 0..100 {
            courses.of_request(&TagSet::from_pairs([("name", name.to_string())]));
        }
        assert_eq!(courses.list.len(), MOST);
    }

    proptest! {
        #[test]
        fn coarsening_keeps_sums_and_order(seconds in prop::collection::vec((0u64..3, 0.0..1e4), 1..700)) {
            let mut courses = Courses::default();
            let tags = TagSet::from_pairs([("name", "a")]);
            courses.of_request(&tags);
            let mut sent = 0;
            for (second, (many, value)) in (0..).zip(&seconds) {
                let mut cell = OpenCell::default();
                for _ in 0..*many {
                    cell.request(course_range(*value), *value > 5e3);
                }
                sent += many;
                courses.push(second, &[(*many > 0).then_some(cell), None]);
            }
            let cells = &courses.list[0].cells;
            prop_assert!(cells.len() as u64 <= CELLS && cells.iter().all(|cell| cell.at < CELLS));
            prop_assert!(cells.windows(2).all(|pair| pair[0].at < pair[1].at));
            prop_assert_eq!(cells.iter().map(|cell| cell.count).sum::<u64>(), sent);
            for cell in cells {
                prop_assert_eq!(cell.ranges.iter().map(|(_, count)| count).sum::<u64>(), cell.count);
                prop_assert!(cell.ranges.windows(2).all(|pair| pair[0].0 < pair[1].0));
            }
        }
    }
}
