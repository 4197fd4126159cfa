//! A virtual user's part of tracing: the trace of the iteration under way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{IterationEnd, IterationSpan, RequestSpan, Span, SpanIds, Tracer, Work};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// One virtual user's traces: each iteration is one.
#[derive(Debug)]
pub struct Trail {
    tracer: Rc<Tracer>,
    random: RefCell<fastrand::Rng>,
    open: Cell<Option<Open>>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    trace: u128,
    root: u64,
    start: u64,
    /// Whether the ratio picks it.
    picked: bool,
    /// Whether it is sampled too: the limit had room for it.
    sampled: bool,
    /// Whether one of its spans is kept.
    kept: bool,
}

/// A trace that has begun, as requests need to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    pub trace: u128,
    pub root: u64,
    pub sampled: bool,
}

impl Trail {
    /// For one virtual user of the tracer's worker.
    pub fn new(tracer: Rc<Tracer>) -> Trail {
        Trail {
            tracer,
            random: RefCell::new(fastrand::Rng::new()),
            open: Cell::new(None),
        }
    }

    /// An iteration begins, `at` nanoseconds since the epoch.
    pub fn begin(&self, at: u64) -> Opened {
        let mut random = self.random.borrow_mut();
        let trace = u128::from(random.u64(1..)) << 64 | u128::from(random.u64(..));
        let root = random.u64(1..);
        let picked = self.tracer.tracing.picks(trace);
        let sampled = picked && (!self.tracer.exports() || self.tracer.has_room(second(at)));
        self.open.set(Some(Open {
            trace,
            root,
            start: at,
            picked,
            sampled,
            kept: false,
        }));
        Opened { trace, root, sampled }
    }

    /// One of its requests has ended; `span` is only asked for if it is kept. Times are nanoseconds since the epoch.
    pub fn request(
        &self,
        ids: SpanIds,
        (start, end): (u64, u64),
        failed: bool,
        span: impl FnOnce() -> RequestSpan,
    ) {
        let Some(mut open) = self.open.get().filter(|_| self.tracer.exports()) else {
            return;
        };
        let second = second(end);
        let took = u32::try_from(end.saturating_sub(start) / 1000).unwrap_or(u32::MAX);
        // Asked in any case: a failure may be the slowest, too.
        let slowest = self.tracer.tracing.slowest.raise(second, took);
        if !(failed || slowest || self.granted(&open, second)) {
            return;
        }
        open.kept = true;
        self.open.set(Some(open));
        self.tracer.push(Span {
            ids,
            start,
            end,
            sampled: open.sampled,
            link: ids.foreign.then(|| Box::new((open.trace, open.root))),
            work: Work::Request(span()),
        });
    }

    /// The iteration has ended. It is kept if it was picked, or failed, or if one of its requests was kept.
    pub fn end(&self, at: u64, span: impl FnOnce() -> IterationSpan) {
        let Some(open) = self.open.take().filter(|_| self.tracer.exports()) else {
            return;
        };
        let span = span();
        let failed = span.ended == IterationEnd::Threw;
        // It takes of the limit in any case: a trace of one request is two spans.
        let granted = open.sampled && self.tracer.spend(second(at));
        if !(open.kept || failed || granted) {
            if open.picked {
                self.tracer.leave_out();
            }
            return;
        }
        self.tracer.push(Span {
            ids: SpanIds {
                trace: open.trace,
                id: open.root,
                parent: 0,
                foreign: false,
            },
            start: open.start,
            end: at,
            sampled: open.sampled,
            link: None,
            work: Work::Iteration(span),
        });
    }

    /// Whether a span is kept because its trace was picked.
    fn granted(&self, open: &Open, second: u32) -> bool {
        if open.sampled {
            return self.tracer.take(second);
        }
        if open.picked {
            self.tracer.leave_out();
        }
        false
    }
}

fn second(at: u64) -> u32 {
    u32::try_from(at / SECOND).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{SpanDrop, Spans, TracePlan, Tracing};
    use super::*;
    use crate::metrics::{Proto, TagsId};

    const MS: u64 = 1_000_000;

    struct Bench {
        trail: Trail,
        spans: Spans,
        stats: std::sync::Arc<super::super::SpanStats>,
        next: Cell<u64>,
    }

    impl Bench {
        fn new(ratio: f64, limit: u32, room: usize) -> Bench {
            let (tracing, spans) = Tracing::exported(TracePlan { ratio, limit }, room);
            let stats = tracing.stats();
            Bench {
                trail: Trail::new(Tracer::new(tracing)),
                spans,
                stats,
                next: Cell::new(1),
            }
        }

        fn request(&self, opened: Opened, start: u64, took: u64, failed: bool) {
            let id = self.next.get();
            self.next.set(id + 1);
            let ids = SpanIds {
                trace: opened.trace,
                id,
                parent: opened.root,
                foreign: false,
            };
            self.trail
                .request(ids, (start, start + took), failed, || RequestSpan {
                    tags: TagsId::EMPTY,
                    url: "http://h/".into(),
                    method: http::Method::GET,
                    status: 200,
                    error_code: 0,
                    failed,
                    proto: Proto::Http11,
                    remote: None,
                    resends: 0,
                    times: None,
                });
        }

        fn end(&self, at: u64, ended: IterationEnd) {
            self.trail.end(at, || IterationSpan {
                what: "iteration",
                tags: TagsId::EMPTY,
                vu: 1,
                number: 0,
                ended,
            });
        }

        /// One iteration with one request; how many spans were kept of it.
        fn iterate(&self, at: u64, took: u64, failed: bool) -> usize {
            let opened = self.trail.begin(at);
            self.request(opened, at, took, failed);
            self.end(at + took, IterationEnd::Complete);
            self.spans.try_iter().count()
        }
    }

    #[test]
    fn a_picked_trace_is_whole() {
        let bench = Bench::new(1.0, 0, 100);
        let opened = bench.trail.begin(5);
        assert!(opened.sampled);
        bench.request(opened, 6, 10, false);
        bench.request(opened, 20, 5, false);
        bench.end(30, IterationEnd::Complete);
        let spans: Vec<Span> = bench.spans.try_iter().collect();
        assert_eq!(spans.len(), 3);
        let root = &spans[2];
        assert_eq!((root.ids.parent, root.start, root.end), (0, 5, 30));
        for span in &spans[..2] {
            assert_eq!((span.ids.trace, span.ids.parent), (root.ids.trace, root.ids.id));
        }
    }

    #[test]
    fn at_ratio_zero_failures_and_the_slowest_are_kept_with_their_iterations() {
        let bench = Bench::new(0.0, 0, 100);
        let opened = bench.trail.begin(0);
        assert!(!opened.sampled);
        bench.end(1, IterationEnd::Complete);
        assert_eq!(bench.spans.try_iter().count(), 0);
        assert_eq!(bench.iterate(MS, 10 * MS, false), 2, "the slowest so far");
        assert_eq!(bench.iterate(20 * MS, 5 * MS, false), 0);
        assert_eq!(bench.iterate(30 * MS, 5 * MS, true), 2, "a failure");
        assert_eq!(bench.iterate(40 * MS, 50 * MS, false), 2, "slower");
        assert_eq!(bench.iterate(1000 * MS, 1, false), 2, "another second");
        bench.trail.begin(1001 * MS);
        bench.end(1002 * MS, IterationEnd::Threw);
        assert_eq!(bench.spans.try_iter().count(), 1, "an exception");
        // What nobody asked for is no loss.
        assert!(
            SpanDrop::ALL
                .iter()
                .all(|reason| bench.stats.dropped(*reason) == 0)
        );
    }

    #[test]
    fn the_limit_holds_for_a_second_and_spares_failures() {
        let bench = Bench::new(1.0, 10, 1000);
        bench.iterate(MS, 100 * MS, false);
        let kept: usize = (0..20).map(|_| bench.iterate(500 * MS, 1, false)).sum();
        // The first iteration's request was the slowest and took nothing of the limit.
        assert!((9..=10).contains(&kept), "{kept}");
        assert_eq!(bench.iterate(600 * MS, 1, true), 2, "a failure");
        assert!(bench.iterate(1500 * MS, 1, false) > 0, "another second");
        let limited = bench.stats.dropped(SpanDrop::RateLimit);
        assert_eq!(limited + kept as u64, 40, "each is kept or counted");
        assert_eq!(bench.stats.lost(), 0);
    }

    #[test]
    fn traces_that_begin_past_the_limit_are_told_as_not_sampled() {
        let bench = Bench::new(1.0, 4, 100);
        while bench.trail.begin(0).sampled {
            assert!(bench.tracer().take(0));
        }
        assert!(!bench.trail.begin(1).sampled);
        assert!(bench.trail.begin(SECOND).sampled);
    }

    impl Bench {
        fn tracer(&self) -> &Tracer {
            &self.trail.tracer
        }
    }

    #[test]
    fn a_full_queue_costs_spans_and_nothing_else() {
        let bench = Bench::new(1.0, 0, 3);
        for _ in 0..5 {
            let opened = bench.trail.begin(0);
            bench.request(opened, 0, 1, false);
            bench.end(1, IterationEnd::Complete);
        }
        assert_eq!(bench.spans.try_iter().count(), 3);
        assert_eq!(bench.stats.dropped(SpanDrop::QueueFull), 7);
    }

    #[test]
    fn a_trace_of_the_script_s_is_linked_to_its_iteration() {
        let bench = Bench::new(1.0, 0, 10);
        let opened = bench.trail.begin(0);
        let ids = SpanIds {
            trace: 5,
            id: 6,
            parent: 7,
            foreign: true,
        };
        bench.trail.request(ids, (0, 1), false, || RequestSpan {
            tags: TagsId::EMPTY,
            url: "http://h/".into(),
            method: http::Method::GET,
            status: 200,
            error_code: 0,
            failed: false,
            proto: Proto::Http11,
            remote: None,
            resends: 0,
            times: None,
        });
        let span = bench.spans.try_recv().unwrap();
        assert_eq!(span.ids, ids);
        assert_eq!(span.link.as_deref(), Some(&(opened.trace, opened.root)));
    }

    #[test]
    fn headers_alone_keep_nothing() {
        let trail = Trail::new(Tracer::new(Tracing::headers_only(TracePlan {
            ratio: 1.0,
            limit: 1,
        })));
        for _ in 0..5 {
            assert!(trail.begin(0).sampled, "the limit is on what is exported");
        }
        trail.end(1, || unreachable!());
    }
}
