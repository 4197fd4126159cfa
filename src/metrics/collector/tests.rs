//! Tests of the collector: totals, snapshots that share, and how thresholds are judged.
#![allow(clippy::float_cmp, reason = "what is exact is compared exactly")]

use std::time::{Instant, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::metrics::{
    Aggregation, HttpKey, HttpRecord, MethodTag, Proto, Recorder, SystemTags, TagSet, TlsTag,
};

const SECOND: Duration = Duration::from_secs(1);

fn epoch() -> Epoch {
    Epoch {
        instant: Instant::now(),
        wall: SystemTime::UNIX_EPOCH,
    }
}

fn spec(filter: &str, expression: &str) -> ThresholdSpec {
    ThresholdSpec {
        filter: filter.parse().unwrap(),
        expression: expression.parse().unwrap(),
        abort_on_fail: false,
        delay_abort_eval: Duration::ZERO,
        on_empty_pass: false,
        over: None,
    }
}

struct Rig {
    recorder: Recorder,
    collector: Collector,
}

impl Rig {
    fn new(thresholds: Vec<ThresholdSpec>) -> Rig {
        let registry = Registry::new(SystemTags::default());
        for (name, kind) in [
            ("errors", Kind::Counter),
            ("level", Kind::Gauge),
            ("good", Kind::Rate),
            ("size", Kind::Trend),
        ] {
            registry.define(name, kind, Contains::Default).unwrap();
        }
        Rig {
            recorder: Recorder::new(registry.clone(), 0),
            collector: Collector::new(registry, epoch(), thresholds),
        }
    }

    fn request(&self, name: &str, at_ms: u64, duration: f32, status: u16) {
        let key = HttpKey {
            context: TagsId::EMPTY,
            name: self.recorder.name(name),
            method: MethodTag::Get,
            status,
            proto: Proto::Http11,
            tls: TlsTag::None,
            error_code: if status >= 400 { 1000 + status } else { 0 },
            expected: Some(status < 400),
        };
        self.recorder.http(
            key,
            HttpRecord {
                at: at_ms * 1_000_000,
                duration,
                ..HttpRecord::default()
            },
        );
    }

    fn add(&self, metric: &str, value: f64) {
        let id = self.recorder.registry().lookup(metric).unwrap();
        self.recorder.add(id, TagsId::EMPTY, 0, value);
    }

    fn flush(&mut self) {
        let batch = self.recorder.drain();
        self.collector.absorb(&batch);
    }

    fn states(&mut self, elapsed: Duration) -> Vec<(Option<f64>, bool, bool)> {
        self.flush();
        self.collector.judge(elapsed);
        let snapshot = self.collector.finish(elapsed);
        snapshot
            .thresholds
            .iter()
            .map(|state| (state.value, state.ok, state.empty))
            .collect()
    }
}

#[test]
fn totals_add_over_names_and_filters_pick_one() {
    let mut rig = Rig::new(Vec::new());
    rig.request("a", 100, 1.0, 200);
    rig.request("a", 200, 3.0, 200);
    rig.request("b", 300, 5.0, 500);
    rig.flush();
    let snapshot = rig.collector.close_window(SECOND);
    assert_eq!(snapshot.count(builtin::HTTP_REQS), 3.0);
    assert_eq!(snapshot.trend(builtin::HTTP_REQ_DURATION).unwrap().avg(), 3.0);
    let only_a = snapshot
        .matching(&"http_req_duration{name:a}".parse().unwrap())
        .unwrap();
    assert_eq!(only_a.aggregate(Aggregation::Max, SECOND), Some(3.0));
    let failed = snapshot.total(builtin::HTTP_REQ_FAILED).unwrap();
    assert_eq!(failed.aggregate(Aggregation::Rate, SECOND), Some(1.0 / 3.0));
    assert_eq!(
        snapshot
            .by_tag(builtin::HTTP_REQS, "status")
            .into_keys()
            .collect::<Vec<_>>(),
        ["200", "500"]
    );
    assert_eq!((snapshot.window.requests, snapshot.window.failed), (3, 1));
    assert_eq!(snapshot.wall, SystemTime::UNIX_EPOCH + SECOND);
}

#[test]
fn counters_are_there_with_zero_before_anything_happened() {
    let mut rig = Rig::new(Vec::new());
    let snapshot = rig.collector.close_window(Duration::ZERO);
    for metric in [builtin::HTTP_REQS, builtin::DROPPED_ITERATIONS] {
        assert!(matches!(
            snapshot.total(metric),
            Some(Value::Counter { total: 0.0 })
        ));
    }
    assert!(snapshot.total(builtin::HTTP_REQ_DURATION).is_none());
}

#[test]
fn a_snapshot_does_not_change_and_shares_what_did_not_change() {
    let mut rig = Rig::new(Vec::new());
    rig.request("a", 1, 1.0, 200);
    rig.request("b", 1, 1.0, 200);
    rig.flush();
    let first = rig.collector.close_window(SECOND);
    rig.request("a", 1100, 9.0, 200);
    rig.flush();
    let second = rig.collector.close_window(SECOND * 2);
    assert_eq!(first.trend(builtin::HTTP_REQ_DURATION).unwrap().count(), 2);
    assert_eq!(second.trend(builtin::HTTP_REQ_DURATION).unwrap().count(), 3);
    let shared = |name: &str| {
        let find = |snapshot: &Snapshot| {
            let mut rows = snapshot.rows_of(builtin::HTTP_REQ_DURATION);
            match rows
                .find(|row| snapshot.tags(row).get("name") == Some(name))
                .map(|row| &row.value)
            {
                Some(Value::Trend(trend)) => trend.clone(),
                other => panic!("no trend of {name}: {other:?}"),
            }
        };
        Arc::ptr_eq(&find(&first), &find(&second))
    };
    assert!(shared("b") && !shared("a"));
}

#[test]
fn every_kind_is_judged_by_its_own_aggregations() {
    let mut rig = Rig::new(vec![
        spec("http_req_duration", "p(50)<=2"),
        spec("http_req_duration{name:b}", "max<5"),
        spec("http_reqs", "rate>=1.5"),
        spec("http_req_failed", "rate<0.5"),
        spec("errors", "count==0"),
        spec("level", "value>1"),
        spec("good", "rate>0.9"),
        spec("size", "avg<0"),
    ]);
    for (name, duration, status) in [("a", 1.0, 200), ("a", 2.0, 200), ("b", 5.0, 500)] {
        rig.request(name, 1, duration, status);
    }
    rig.add("level", 7.0);
    rig.add("level", 1.0);
    rig.add("good", 1.0);
    rig.add("size", -3.0);
    assert_eq!(
        rig.states(SECOND * 2),
        [
            (Some(2.0), true, false),
            (Some(5.0), false, false),
            (Some(1.5), true, false),
            (Some(1.0 / 3.0), true, false),
            (Some(0.0), true, true),
            (Some(1.0), false, false),
            (Some(1.0), true, false),
            (Some(-3.0), true, false),
        ]
    );
}

#[test]
fn what_is_left_out_is_counted_and_not_judged() {
    let specs = vec![spec("http_reqs", "count<2"), spec("errors", "count<1")];
    for left_out in [false, true] {
        let mut rig = Rig::new(specs.clone());
        if left_out {
            rig.collector.leave_out("outage");
        }
        rig.request("a", 100, 1.0, 200);
        rig.request("a", 200, 1.0, 500);
        let registry = rig.collector.registry.clone();
        let marked = |tags: TagsId| registry.intern(&registry.tags(tags).with("outage", "true"));
        rig.add("errors", 1.0);
        let mut batch = rig.recorder.drain();
        batch.http[1].tags = marked(batch.http[1].tags);
        batch.samples[0].tags = marked(batch.samples[0].tags);
        rig.collector.absorb(&batch);
        rig.collector.judge(SECOND);
        let snapshot = rig.collector.finish(SECOND);
        assert_eq!(snapshot.count(builtin::HTTP_REQS), 2.0);
        assert!(
            snapshot
                .thresholds
                .iter()
                .all(|threshold| threshold.ok == left_out)
        );
    }
}

#[test]
fn a_threshold_without_samples_is_empty_and_fails_unless_it_may_be() {
    let may_be = ThresholdSpec {
        on_empty_pass: true,
        ..spec("good", "rate>0.9")
    };
    let abort = ThresholdSpec {
        abort_on_fail: true,
        ..spec("http_req_duration{name:typo}", "p(95)<1")
    };
    let mut rig = Rig::new(vec![spec("good", "rate>0.9"), may_be, abort]);
    rig.request("a", 1, 1.0, 200);
    assert_eq!(
        rig.states(SECOND),
        [(None, false, true), (None, true, true), (None, false, true)]
    );
    assert!(
        rig.collector.judge(SECOND).is_none(),
        "nothing measured, nothing to abort on"
    );
}

#[test]
fn abort_waits_for_its_delay() {
    let strict = ThresholdSpec {
        abort_on_fail: true,
        delay_abort_eval: SECOND * 5,
        ..spec("http_req_failed", "rate<0.01")
    };
    let mut rig = Rig::new(vec![strict]);
    rig.request("a", 1, 1.0, 500);
    rig.flush();
    assert!(rig.collector.judge(SECOND * 4).is_none());
    let stopped_by = rig.collector.judge(SECOND * 5).unwrap();
    assert_eq!(stopped_by.expression.source, "rate<0.01");
}

#[test]
fn a_sliding_window_forgets() {
    let recent = ThresholdSpec {
        over: Some(SECOND * 10),
        ..spec("http_req_duration", "max<100")
    };
    let rate = ThresholdSpec {
        over: Some(SECOND * 10),
        ..spec("http_reqs", "rate<2")
    };
    let mut rig = Rig::new(vec![recent, rate]);
    rig.request("a", 1, 500.0, 200);
    let mut held = Vec::new();
    for second in (2..=20).step_by(2) {
        rig.request("a", second * 1000 - 500, 1.0, 200);
        rig.flush();
        rig.collector.judge(Duration::from_secs(second));
        held.push(rig.collector.snapshot(Duration::from_secs(second)).thresholds);
    }
    assert!(!held[0][0].ok, "the slow one counts at first");
    assert!(held[9][0].ok, "ten seconds later it does not");
    assert_eq!(held[9][0].value, Some(1.0));
    assert_eq!(held[9][1].value, Some(0.5), "five requests in ten seconds");
    assert!(rig.collector.thresholds[0].past.len() <= crate::metrics::judge::PAST as usize + 2);
}

#[test]
fn late_batches_do_not_turn_a_gauge_back() {
    let mut rig = Rig::new(Vec::new());
    let level = rig.recorder.registry().lookup("level").unwrap();
    rig.collector.gauge(level, TagsId::EMPTY, 20, 5.0);
    rig.collector.gauge(level, TagsId::EMPTY, 10, 9.0);
    match rig.collector.close_window(SECOND).total(level) {
        Some(Value::Gauge { value, min, max, .. }) => assert_eq!((value, min, max), (5.0, 5.0, 9.0)),
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// What several workers recorded is, added up in any order, what one would have recorded.
    #[test]
    fn shards_add_up_to_the_whole(
        requests in prop::collection::vec((0usize..3, 0u64..3000, 0.01f32..2000.0, any::<bool>()), 1..300),
        workers in 1u16..5,
    ) {
        let registry = Registry::new(SystemTags::default());
        let recorders: Vec<_> = (0..workers).map(|worker| Recorder::new(registry.clone(), worker)).collect();
        let alone = Recorder::new(registry.clone(), 9);
        let context = registry.intern(&TagSet::from_pairs([("scenario", "s")]));
        for (index, (name, at, duration, ok)) in requests.iter().enumerate() {
            for recorder in [&recorders[index % usize::from(workers)], &alone] {
                let key = HttpKey {
                    context,
                    name: recorder.name(["x", "y", "z"][*name]),
                    method: MethodTag::Get,
                    status: if *ok { 200 } else { 500 },
                    proto: Proto::Http11,
                    tls: TlsTag::None,
                    error_code: 0,
                    expected: Some(*ok),
                };
                recorder.http(key, HttpRecord { at: at * 1_000_000, duration: *duration, ..HttpRecord::default() });
            }
        }
        let mut many = Collector::new(registry.clone(), epoch(), Vec::new());
        recorders.iter().rev().for_each(|recorder| many.absorb(&recorder.drain()));
        let mut one = Collector::new(registry, epoch(), Vec::new());
        one.absorb(&alone.drain());
        let (many_snapshot, one_snapshot) = (many.finish(SECOND * 3), one.finish(SECOND * 3));
        prop_assert_eq!(&many.timeline().windows, &one.timeline().windows);
        prop_assert_eq!(many_snapshot.rows.len(), one_snapshot.rows.len());
        for (a, b) in many_snapshot.rows.iter().zip(one_snapshot.rows.iter()) {
            prop_assert_eq!((a.metric, a.tags), (b.metric, b.tags));
            for aggregation in [Aggregation::Count, Aggregation::Rate, Aggregation::P(95.0), Aggregation::Max] {
                prop_assert_eq!(a.value.aggregate(aggregation, SECOND), b.value.aggregate(aggregation, SECOND));
            }
        }
    }
}
