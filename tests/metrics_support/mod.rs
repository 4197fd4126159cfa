//! What the tests of metrics, outputs and reports share: a registry, a recorder and a collector with a few words for
//! making samples.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use loadgen::metrics::{
    Batch, Collector, Contains, Epoch, HostSample, HttpKey, HttpRecord, Kind, MethodTag, ProcessSample,
    Proto, Recorder, Registry, Snapshot, SystemTags, TagSet, TagsId, ThresholdSpec, TlsTag, builtin,
};

pub struct Rig {
    pub registry: Arc<Registry>,
    pub recorder: Recorder,
    pub collector: Collector,
    pub epoch: Epoch,
    /// Everything absorbed so far, for the file outputs.
    pub batches: Vec<Arc<Batch>>,
}

pub fn threshold(filter: &str, expression: &str) -> ThresholdSpec {
    ThresholdSpec {
        filter: filter.parse().unwrap(),
        expression: expression.parse().unwrap(),
        abort_on_fail: false,
        delay_abort_eval: Duration::ZERO,
        on_empty_pass: false,
        over: None,
    }
}

impl Rig {
    pub fn new(thresholds: Vec<ThresholdSpec>) -> Rig {
        let registry = Registry::new(SystemTags::default());
        // 2026-11-21T03:15:06Z
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_230_906);
        let epoch = Epoch {
            instant: Instant::now(),
            wall,
        };
        Rig {
            recorder: Recorder::new(registry.clone(), 0),
            collector: Collector::new(registry.clone(), epoch, thresholds),
            registry,
            epoch,
            batches: Vec::new(),
        }
    }

    pub fn context(&self, scenario: &str, group: &str) -> TagsId {
        self.registry
            .intern(&TagSet::from_pairs([("scenario", scenario), ("group", group)]))
    }

    /// A GET that was answered with `status` after `ms`, nine tenths of them waiting.
    pub fn request(&self, context: TagsId, name: &str, at_ms: u64, ms: f32, status: u16) {
        let key = HttpKey {
            context,
            name: self.recorder.name(name),
            method: MethodTag::Get,
            status,
            proto: if status == 0 { Proto::None } else { Proto::Http11 },
            tls: TlsTag::None,
            error_code: match status {
                0 => 1212,
                400.. => 1000 + status,
                _ => 0,
            },
            expected: Some((200..400).contains(&status)),
        };
        let record = HttpRecord {
            at: at_ms * 1_000_000,
            duration: ms,
            blocked: 0.25,
            sending: ms * 0.05,
            waiting: ms * 0.9,
            receiving: ms * 0.05,
            ..HttpRecord::default()
        };
        self.recorder.http(key, record);
    }

    pub fn check(&self, context: TagsId, name: &str, at_ms: u64, ok: bool) {
        let tags = self.recorder.context(context, &[("check", name)]);
        self.recorder
            .add(builtin::CHECKS, tags, at_ms * 1_000_000, f64::from(u8::from(ok)));
    }

    pub fn custom(
        &self,
        name: &str,
        kind: Kind,
        contains: Contains,
        context: TagsId,
        at_ms: u64,
        value: f64,
    ) {
        let id = self.registry.define(name, kind, contains).unwrap();
        self.recorder.add(id, context, at_ms * 1_000_000, value);
    }

    pub fn flush(&mut self) {
        let batch = Arc::new(self.recorder.drain());
        self.collector.absorb(&batch);
        self.batches.push(batch);
    }

    pub fn finish(&mut self, at_ms: u64) -> Arc<Snapshot> {
        self.flush();
        let elapsed = Duration::from_millis(at_ms);
        self.collector.judge(elapsed);
        self.collector.finish(elapsed)
    }
}

/// A run like that of the reference: 20 iterations of one request, two checks and a sample of each kind, in a group.
pub fn reference_run() -> Rig {
    let rig = Rig::new(vec![
        threshold("http_req_duration", "p(95)<500"),
        threshold("http_req_duration", "p(99)<0.001"),
        threshold("http_req_duration{name:x}", "max<100"),
        threshold("checks", "rate>0.9"),
    ]);
    let (root, group) = (rig.context("default", ""), rig.context("default", "::g1"));
    for index in 0..20_u16 {
        let at = 100 + u64::from(index) * 90;
        let ms = 0.25 + f32::from(index) * 0.125;
        rig.request(group, "x", at, ms, 200);
        rig.check(group, "is 200", at, true);
        rig.check(group, "is 201", at, false);
        rig.custom("my_counter", Kind::Counter, Contains::Default, group, at, 1.0);
        rig.custom("my_trend", Kind::Trend, Contains::Time, group, at, f64::from(ms));
        rig.custom("my_rate", Kind::Rate, Contains::Default, group, at, 1.0);
        rig.custom("my_gauge", Kind::Gauge, Contains::Default, group, at, 3.0);
        let at = at * 1_000_000;
        rig.recorder
            .add(builtin::GROUP_DURATION, group, at, f64::from(ms) + 1.0);
        rig.recorder.add(builtin::ITERATIONS, root, at, 1.0);
        rig.recorder.add(
            builtin::ITERATION_DURATION,
            root,
            at,
            200.5 + f64::from(index) * 0.25,
        );
        rig.recorder.add(builtin::DATA_SENT, root, at, 70.0);
        rig.recorder.add(builtin::DATA_RECEIVED, root, at, 190.0);
    }
    for at in [1, 2] {
        rig.recorder.add(builtin::VUS, TagsId::EMPTY, at, 2.0);
        rig.recorder.add(builtin::VUS_MAX, TagsId::EMPTY, at, 2.0);
    }
    rig
}

/// A reading of a machine with one process.
pub fn host(at_s: u64, cpu_busy: f64, cpu_cores: f64, rss: u64) -> HostSample {
    HostSample {
        at: at_s * 1_000_000_000,
        host: "localhost".into(),
        cpu_busy,
        cores: 2,
        mem_total: 4_000_000_000,
        mem_available: 3_000_000_000,
        processes: vec![ProcessSample {
            name: "demo".into(),
            pid: 7,
            cpu_cores,
            rss,
            threads: 2,
            ..ProcessSample::default()
        }],
        ..HostSample::default()
    }
}
