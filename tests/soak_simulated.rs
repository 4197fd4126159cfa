//! Seven hours of a run in some seconds: the collector, its time axis and its thresholds, the `/metrics` page with its exemplars,
//! and the queue of spans to a collector that never takes one, hold no more at its end than after some hours. The queue of pages
//! that are pushed has a test of its own beside it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod metrics_support;

use std::sync::Arc;
use std::time::Duration;

use loadgen::metrics::{
    Exemplar, Exemplars, IterationEnd, IterationSpan, SpanDrop, TagSet, TagsId, ThresholdSpec, TracePlan,
    Tracer, Tracing, Trail,
};
use loadgen::output::{Format, LivePage, RunInfo, render};
use metrics_support::{Rig, host, threshold};

/// This process's memory, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn a_run_of_hours_holds_no_more_than_one_of_some() {
    let sliding = ThresholdSpec {
        over: Some(Duration::from_mins(10)),
        ..threshold("http_req_duration", "p(95)<500")
    };
    let mut rig = Rig::new(vec![threshold("http_req_failed", "rate<0.01"), sliding]);
    let context = rig.context("soak", "");
    let mut leaving = Leaving::new(&rig);
    let hours = |count: u64| count * 3600;
    let mut after = Vec::new();
    for second in 0..hours(7) {
        // Latencies of all sizes, so that histograms are as full as they get.
        let ms = ((second * 7919) % 60_000) as f32 / 10.0;
        if second % 4 == 0 {
            rig.request(context, "GET /", second * 1000, ms, 200);
            leaving.request(second, ms);
        }
        let batch = rig.recorder.drain();
        rig.collector.absorb(&batch);
        rig.collector.host(host(second, 0.5, 1.0, 1 << 20));
        let elapsed = Duration::from_secs(second + 1);
        if second % 2 == 0 {
            rig.collector.judge(elapsed);
        }
        leaving.page.publish(rig.collector.close_window(elapsed));
        leaving.page.publish_host(host(second, 0.5, 1.0, 1 << 20));
        if second % 30 == 29 {
            leaving.scrape();
        }
        if [hours(4) + 1800, hours(7) - 1].contains(&second) {
            after.push((resident(), leaving.scrape()));
        }
    }
    let timeline = rig.collector.timeline();
    assert!(timeline.windows.len() <= 3600, "{}", timeline.windows.len());
    assert!(timeline.hosts.len() <= 4 * 3600, "{}", timeline.hosts.len());
    assert!(timeline.strands.iter().all(|strand| strand.slices.len() <= 3600));
    // Nothing is forgotten for it.
    let requests: u64 = timeline.windows.iter().map(|window| window.requests).sum();
    assert_eq!(requests, hours(7) / 4);
    let length: Duration = timeline.windows.iter().map(|window| window.length).sum();
    assert_eq!(length, Duration::from_secs(hours(7)));
    let [(memory, page), (memory_later, page_later)] = after[..] else {
        panic!("{after:?}");
    };
    assert!(
        memory_later < memory + (8 << 20),
        "{memory} bytes grew to {memory_later} in 2.5 more hours"
    );
    assert!(
        page > 5000 && page_later < page + page / 10,
        "a page of {page} bytes grew to {page_later}"
    );
    leaving.check();
}

/// What leaves the run: its page, which is scraped, with exemplars; and spans, for a collector that hangs.
struct Leaving {
    page: Arc<LivePage>,
    exemplars: Arc<Exemplars>,
    tags: TagsId,
    tracing: Arc<Tracing>,
    trail: Trail,
    spans: loadgen::metrics::Spans,
    iterations: u64,
}

/// Spans that wait for the collector.
const ROOM: usize = 1000;

impl Leaving {
    fn new(rig: &Rig) -> Leaving {
        let (tracing, spans) = Tracing::exported(TracePlan::default(), ROOM);
        let page = LivePage::new(RunInfo {
            scenarios: vec!["soak".to_owned()],
            ..RunInfo::default()
        });
        let exemplars = Arc::<Exemplars>::default();
        page.set_exemplars(exemplars.clone());
        page.set_spans(tracing.stats());
        let of_request = [
            ("scenario", "soak"),
            ("name", "GET /"),
            ("method", "GET"),
            ("status", "200"),
        ];
        Leaving {
            page,
            exemplars,
            tags: rig.registry.intern(&TagSet::from_pairs(of_request)),
            trail: Trail::new(Tracer::new(tracing.clone())),
            tracing,
            spans,
            iterations: 0,
        }
    }

    /// One iteration with one request, whose span a collector has taken; the iteration's own goes to the one that hangs.
    fn request(&mut self, second: u64, ms: f32) {
        let at = second * 1_000_000_000;
        let opened = self.trail.begin(at);
        self.trail.end(at + 1, || IterationSpan {
            what: "iteration",
            tags: self.tags,
            vu: 1,
            number: self.iterations,
            ended: IterationEnd::Complete,
        });
        self.iterations += 1;
        self.exemplars.offer([Exemplar {
            tags: self.tags,
            duration: f64::from(ms),
            at,
            trace: opened.trace,
            span: opened.root,
        }]);
    }

    /// The size of the page, as a Prometheus with native histograms asks for it.
    fn scrape(&self) -> usize {
        render(&self.page.read(), Format::Protobuf).len()
    }

    /// At the end: what there was no room for is counted, and what there was room for is there.
    fn check(&self) {
        let waiting = self.spans.try_iter().count();
        assert_eq!(waiting, ROOM);
        let lost = self.tracing.stats().dropped(SpanDrop::QueueFull);
        assert_eq!(lost, self.iterations - ROOM as u64);
        // One of each size, however many there were.
        assert!((5..=20).contains(&self.exemplars.list().len()));
        let page = String::from_utf8(render(&self.page.read(), Format::OpenMetrics)).unwrap();
        assert!(page.contains(" # {trace_id=\""), "{page}");
    }
}
