//! Spans: what became of an iteration and of each of its requests, for those who follow a single one through a system.
//!
//! The decision falls when a request ends, on the worker's thread, and costs it a few comparisons. Kept are: the traces that
//! the ratio picks, up to so many spans a second; every request that failed; every request that was slower than all before it
//! in its second, and so the slowest. An iteration is kept with its requests. What is kept goes into a bounded queue. If there
//! is no room it is counted and gone: nothing here ever waits.

mod tracer;
mod trail;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use http::Method;

use super::http::Proto;
use super::model::TagsId;

pub use tracer::Tracer;
pub use trail::{Opened, Trail};

/// What tells a span from all others, and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanIds {
    pub trace: u128,
    pub id: u64,
    /// Zero for a root.
    pub parent: u64,
    /// Whether the trace is one that the script named, and not the iteration's.
    pub foreign: bool,
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub ids: SpanIds,
    /// Nanoseconds since the epoch.
    pub start: u64,
    pub end: u64,
    /// Whether the target was asked to record its part.
    pub sampled: bool,
    /// The iteration's span, where it is not the parent: its trace and id.
    pub link: Option<Box<(u128, u64)>>,
    pub work: Work,
}

/// What a span was about.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    Request(RequestSpan),
    Iteration(IterationSpan),
}

/// One HTTP transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestSpan {
    /// The tags of its samples.
    pub tags: TagsId,
    /// Credentials masked.
    pub url: Arc<str>,
    pub method: Method,
    /// 0 when no answer came.
    pub status: u16,
    /// As in the samples' tag.
    pub error_code: u16,
    pub failed: bool,
    pub proto: Proto,
    pub remote: Option<SocketAddr>,
    /// Redirects and challenges that led here.
    pub resends: u32,
    /// As [`HttpRecord::phases`](super::HttpRecord::phases); `None` for what is in no sample of `http_req_duration`.
    pub times: Option<[f32; 7]>,
}

/// One iteration, or a call of `setup` or `teardown`.
#[derive(Debug, Clone, PartialEq)]
pub struct IterationSpan {
    /// `iteration`, `setup`, `teardown`.
    pub what: &'static str,
    pub tags: TagsId,
    /// The virtual user's number in the test.
    pub vu: u64,
    /// The iteration's number in its scenario.
    pub number: u64,
    pub ended: IterationEnd,
}

/// How an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IterationEnd {
    Complete,
    Threw,
    Interrupted,
}

/// Why a span was not exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanDrop {
    /// The ratio had picked it, and there were too many in this second.
    RateLimit,
    /// The exporter did not come after.
    QueueFull,
    /// The collector could not be reached.
    Unreachable,
    /// It did not answer in time.
    Timeout,
    /// It answered with an error.
    Refused,
    /// It took the batch, but not this span.
    Rejected,
    /// The run was over before the span was out.
    Shutdown,
}

impl SpanDrop {
    /// Every reason.
    pub const ALL: [SpanDrop; 7] = [
        SpanDrop::RateLimit,
        SpanDrop::QueueFull,
        SpanDrop::Unreachable,
        SpanDrop::Timeout,
        SpanDrop::Refused,
        SpanDrop::Rejected,
        SpanDrop::Shutdown,
    ];

    /// The reason's label.
    pub fn as_str(self) -> &'static str {
        match self {
            SpanDrop::RateLimit => "rate_limit",
            SpanDrop::QueueFull => "queue_full",
            SpanDrop::Unreachable => "unreachable",
            SpanDrop::Timeout => "timeout",
            SpanDrop::Refused => "refused",
            SpanDrop::Rejected => "rejected",
            SpanDrop::Shutdown => "shutdown",
        }
    }
}

/// How many spans were exported, and how many were not, by reason.
#[derive(Debug, Default)]
pub struct SpanStats {
    exported: AtomicU64,
    dropped: [AtomicU64; SpanDrop::ALL.len()],
}

impl SpanStats {
    /// The collector has taken so many.
    pub fn add_exported(&self, count: u64) {
        self.exported.fetch_add(count, Relaxed);
    }

    /// So many will not be exported.
    pub fn add_dropped(&self, reason: SpanDrop, count: u64) {
        self.dropped[reason as usize].fetch_add(count, Relaxed);
    }

    /// How many the collector has taken.
    pub fn exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    /// How many it has not, for this reason.
    pub fn dropped(&self, reason: SpanDrop) -> u64 {
        self.dropped[reason as usize].load(Relaxed)
    }

    /// How many were kept, and then lost. What the limit leaves out was never kept.
    pub fn lost(&self) -> u64 {
        let lost = SpanDrop::ALL
            .iter()
            .filter(|reason| **reason != SpanDrop::RateLimit);
        lost.map(|reason| self.dropped(*reason)).sum()
    }
}

/// Which spans are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TracePlan {
    /// Of all traces, from 0 to 1.
    pub ratio: f64,
    /// Spans a second that the ratio may keep; 0 for no limit.
    pub limit: u32,
}

impl Default for TracePlan {
    fn default() -> TracePlan {
        TracePlan {
            ratio: 1.0,
            limit: 10_000,
        }
    }
}

/// The bits of a trace id that the ratio looks at: those that the W3C wants to be random, so that others who follow the same
/// rule pick the same traces.
const RANDOM: u32 = 56;

/// What all threads of a run share of tracing.
#[derive(Debug)]
pub struct Tracing {
    /// Traces from this number on are picked.
    threshold: u64,
    limit: u32,
    /// A second, and how many spans the ratio has kept in it.
    used: Moment,
    /// A second, and how long the slowest request of it took.
    slowest: Moment,
    /// `None`: requests are given their header, and nothing is exported.
    queue: Option<SyncSender<Span>>,
    stats: Arc<SpanStats>,
}

/// The exporter's end of the queue.
pub type Spans = Receiver<Span>;

impl Tracing {
    /// Only the header.
    pub fn headers_only(plan: TracePlan) -> Arc<Tracing> {
        Arc::new(Tracing::new(plan, None))
    }

    /// Spans, of which at most `room` wait for the exporter.
    pub fn exported(plan: TracePlan, room: usize) -> (Arc<Tracing>, Spans) {
        let (queue, spans) = sync_channel(room);
        (Arc::new(Tracing::new(plan, Some(queue))), spans)
    }

    fn new(plan: TracePlan, queue: Option<SyncSender<Span>>) -> Tracing {
        let all = (1u64 << RANDOM) as f64;
        Tracing {
            threshold: ((1.0 - plan.ratio.clamp(0.0, 1.0)) * all) as u64,
            limit: plan.limit,
            used: Moment::default(),
            slowest: Moment::default(),
            queue,
            stats: Arc::default(),
        }
    }

    /// What became of the spans.
    pub fn stats(&self) -> Arc<SpanStats> {
        self.stats.clone()
    }

    /// Whether the ratio picks a trace.
    fn picks(&self, trace: u128) -> bool {
        trace as u64 & ((1 << RANDOM) - 1) >= self.threshold
    }
}

/// A number that belongs to a second, in one word: the later second wins, and within it the larger number.
#[derive(Debug, Default)]
struct Moment(AtomicU64);

impl Moment {
    /// Whether `number` is the largest of its second so far.
    fn raise(&self, second: u32, number: u32) -> bool {
        let word = u64::from(second) << 32 | u64::from(number);
        // Mostly it is not, and then the word stays in every core's cache.
        self.0.load(Relaxed) < word && self.0.fetch_max(word, Relaxed) < word
    }

    /// Takes up to `count` of what `most` leaves of this second; how many there were.
    fn take(&self, second: u32, count: u32, most: u32) -> u32 {
        let mut taken = 0;
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| {
            let (known, used) = ((word >> 32) as u32, word as u32);
            let used = if known < second { 0 } else { used };
            taken = count.min(most.saturating_sub(used));
            (taken > 0).then_some(u64::from(second.max(known)) << 32 | u64::from(used + taken))
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_picks_its_share() {
        let mut random = fastrand::Rng::with_seed(7);
        for ratio in [0.0, 0.01, 0.5, 1.0] {
            let plan = TracePlan { ratio, limit: 0 };
            let tracing = Tracing::headers_only(plan);
            let picked = (0..100_000).filter(|_| tracing.picks(random.u128(..))).count();
            let share = picked as f64 / 100_000.0;
            // Exactly, at both ends.
            let margin = if (0.001..0.999).contains(&ratio) {
                0.01
            } else {
                f64::EPSILON
            };
            assert!((share - ratio).abs() < margin, "{ratio}: {share}");
        }
    }

    #[test]
    fn the_slowest_of_each_second() {
        let slowest = Moment::default();
        let seen = [(1, 5), (1, 3), (1, 5), (1, 9), (2, 1), (1, 99), (2, 2)];
        let raised: Vec<bool> = seen
            .into_iter()
            .map(|(second, took)| slowest.raise(second, took))
            .collect();
        assert_eq!(raised, [true, false, false, true, true, false, true]);
    }

    #[test]
    fn a_second_has_so_many_and_the_next_one_as_many_again() {
        let used = Moment::default();
        assert_eq!(used.take(1, 8, 20), 8);
        assert_eq!(used.take(1, 8, 20), 8);
        assert_eq!(used.take(1, 8, 20), 4);
        assert_eq!(used.take(1, 8, 20), 0);
        assert_eq!(used.take(2, 8, 20), 8);
    }

    #[test]
    fn a_span_is_small_enough_for_a_queue_of_many() {
        assert!(size_of::<Span>() <= 232, "{}", size_of::<Span>());
    }
}
