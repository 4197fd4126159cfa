//! The same slices of a run for a part of its requests: those of one phase, those of one service.
//!
//! The whole's windows cannot tell them apart: what a spike left unanswered ends among the requests that come after it.
//! So requests that carry one of a few tags are counted a second time, under that tag's value.

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::http::HttpRecord;
use crate::metrics::model::Contains;
use crate::metrics::tags::TagSet;
use crate::metrics::trend::Trend;

/// The tags whose values get a time axis of their own. Scripts set them; they have few values each.
pub(crate) const STRAND_TAGS: [&str; 2] = ["phase", "service"];
/// So many strands a run has at the most; later values have totals only.
const MOST: usize = 16;

/// The strands that a request belongs to, one for each of [`STRAND_TAGS`].
pub(crate) type Strands = [Option<u8>; STRAND_TAGS.len()];

/// Requests with one value of a tag, second by second. Seconds without any are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Strand {
    /// The tag.
    pub tag: &'static str,
    /// Its value.
    pub value: Arc<str>,
    /// Oldest first.
    pub slices: Vec<Slice>,
}

/// What happened to a strand's requests in one slice of the run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slice {
    /// Since the epoch.
    pub start: Duration,
    /// One second, but for the last of a run and for coarsened ones.
    pub length: Duration,
    pub requests: u64,
    pub failed: u64,
    /// `http_req_duration` in milliseconds.
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

impl Slice {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        super::per_second(self.requests, self.length)
    }

    /// Share of requests that failed, 0–1.
    pub fn failure_ratio(&self) -> f64 {
        super::share(self.failed, self.requests)
    }

    /// As [`Window::join`](super::Window): a spike stays visible.
    fn join(self, next: Slice, length: Duration) -> Slice {
        Slice {
            start: self.start,
            length,
            requests: self.requests + next.requests,
            failed: self.failed + next.failed,
            p50: super::weighted((self.requests, self.p50), (next.requests, next.p50)),
            p95: self.p95.max(next.p95),
            p99: self.p99.max(next.p99),
        }
    }
}

/// The index of a run's strand for each of a tag set's values, made where it is new.
pub(crate) fn strands_of(strands: &mut Vec<Strand>, tags: &TagSet) -> Strands {
    STRAND_TAGS.map(|tag| {
        let value = tags.get(tag).filter(|value| !value.is_empty())?;
        let known = strands
            .iter()
            .position(|strand| strand.tag == tag && *strand.value == *value);
        let at = known.or_else(|| {
            (strands.len() < MOST).then(|| {
                strands.push(Strand {
                    tag,
                    value: value.into(),
                    slices: Vec::new(),
                });
                strands.len() - 1
            })
        });
        at.and_then(|at| u8::try_from(at).ok())
    })
}

impl Strand {
    /// Adds a slice; those that lie in the same `span` are one.
    pub(crate) fn push(&mut self, slice: Slice, span: Duration) {
        match self.slices.last_mut() {
            Some(last) if round(last.start, span) == round(slice.start, span) => {
                *last = last.join(slice, (slice.start + slice.length).saturating_sub(last.start));
            }
            _ => self.slices.push(slice),
        }
    }

    /// Slices as long as `span`.
    pub(crate) fn coarsen(&mut self, span: Duration) {
        for mut slice in std::mem::take(&mut self.slices) {
            let end = slice.start + slice.length;
            slice.start = round(slice.start, span);
            slice.length = end.saturating_sub(slice.start);
            self.push(slice, span);
        }
    }
}

fn round(at: Duration, span: Duration) -> Duration {
    let nanos = span.as_nanos().max(1);
    Duration::from_nanos(u64::try_from(at.as_nanos() / nanos * nanos).unwrap_or(u64::MAX))
}

/// A strand in a second that is still open.
#[derive(Debug)]
pub(super) struct OpenSlice {
    requests: u64,
    failed: u64,
    duration: Trend,
}

impl OpenSlice {
    pub(super) fn new() -> OpenSlice {
        OpenSlice {
            requests: 0,
            failed: 0,
            duration: Trend::new(Contains::Time),
        }
    }

    pub(super) fn add(&mut self, record: &HttpRecord, duration: f64) {
        self.requests += 1;
        self.failed += u64::from(record.failed == Some(true));
        self.duration.record(duration);
    }

    pub(super) fn close(&self, start: Duration, length: Duration) -> Slice {
        Slice {
            start,
            length,
            requests: self.requests,
            failed: self.failed,
            p50: self.duration.percentile(50.0),
            p95: self.duration.percentile(95.0),
            p99: self.duration.percentile(99.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_get_strands_until_there_are_too_many() {
        let mut strands = Vec::new();
        let tags = TagSet::from_pairs([("phase", "a"), ("service", "b"), ("other", "c")]);
        assert_eq!(strands_of(&mut strands, &tags), [Some(0), Some(1)]);
        assert_eq!(strands_of(&mut strands, &tags), [Some(0), Some(1)]);
        assert_eq!(strands_of(&mut strands, &TagSet::default()), [None, None]);
        for service in 0..100 {
            strands_of(
                &mut strands,
                &TagSet::from_pairs([("service", service.to_string())]),
            );
        }
        assert_eq!(strands.len(), MOST);
    }

    #[test]
    fn coarsening_keeps_sums_and_gaps() {
        let mut strand = Strand {
            tag: "phase",
            value: "x".into(),
            slices: Vec::new(),
        };
        let slice = |second: u64| Slice {
            start: Duration::from_secs(second),
            length: Duration::from_secs(1),
            requests: 10,
            failed: 1,
            p95: second as f64,
            ..Slice::default()
        };
        [1, 2, 3, 8]
            .map(slice)
            .into_iter()
            .for_each(|slice| strand.push(slice, Duration::from_secs(1)));
        assert_eq!(strand.slices.len(), 4);
        strand.coarsen(Duration::from_secs(2));
        strand.push(slice(9), Duration::from_secs(2));
        let seen: Vec<_> = strand
            .slices
            .iter()
            .map(|slice| {
                (
                    slice.start.as_secs(),
                    slice.length.as_secs(),
                    slice.requests,
                    slice.p95 as u64,
                )
            })
            .collect();
        assert_eq!(seen, [(0, 2, 10, 1), (2, 2, 20, 3), (8, 2, 20, 9)]);
    }
}
