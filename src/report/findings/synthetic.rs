//! Runs that never were, with a truth that is known: what findings are tested on. Latency follows from the load as in a
//! closed system with one bottleneck; everything has noise in proportion to it that resembles its neighbours.

use fastrand::Rng;
use serde_json::json;

use crate::report::saved::fixture::{saved_run, spread};
use crate::report::saved::{SavedHost, SavedProcess, SavedRun, Stats};

/// How much each second's noise keeps of the one before.
const KEPT: f64 = 0.5;

/// Noise that resembles its neighbours.
pub(in crate::report) struct Noise {
    rng: Rng,
    last: f64,
    size: f64,
}

impl Noise {
    pub(in crate::report) fn new(seed: u64, size: f64) -> Noise {
        Noise {
            rng: Rng::with_seed(seed),
            last: 0.0,
            size,
        }
    }

    fn normal(&mut self) -> f64 {
        let (a, b) = (self.rng.f64().max(1e-12), self.rng.f64());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// A factor near 1.
    pub(in crate::report) fn factor(&mut self) -> f64 {
        self.last = KEPT * self.last + (1.0 - KEPT * KEPT).sqrt() * self.normal();
        (self.size * self.last).exp()
    }

    /// How many of `count` happen that have this probability, nearly.
    pub(in crate::report) fn hits(&mut self, count: f64, share: f64) -> f64 {
        let spread = (count * share * (1.0 - share)).sqrt();
        (count * share + spread * self.normal()).round().clamp(0.0, count)
    }
}

/// One second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Second {
    pub(super) vus: f64,
    pub(super) offered: f64,
    pub(super) rate: f64,
    pub(super) p50: f64,
    pub(super) failed: f64,
    pub(super) dropped: f64,
    pub(super) generator: f64,
}

/// A closed system: requests per second that it serves at most, and the time of one, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) capacity: f64,
    pub(super) service: f64,
    /// Between two requests of a user, in milliseconds.
    pub(super) think: f64,
}

impl Target {
    /// The load from which on users wait for each other.
    pub(super) fn knee(&self) -> f64 {
        self.capacity * (self.service + self.think) / 1e3
    }

    /// A second with so many users.
    pub(super) fn second(&self, vus: f64) -> Second {
        let latency = self.service.max(vus / self.capacity * 1e3 - self.think);
        Second {
            vus,
            rate: vus / (latency + self.think) * 1e3,
            p50: latency,
            generator: 0.3,
            ..Second::default()
        }
    }

    /// How busy it is, 0–1.
    pub(super) fn busy(&self, second: &Second) -> f64 {
        (second.rate / self.capacity).min(1.0)
    }
}

/// A run of these seconds, with noise.
pub(super) fn run(seconds: &[Second], noise: &mut Noise) -> SavedRun {
    let parts = [(json!({"status": "503"}), spread(100, 5.0), 40)];
    let mut run = saved_run("synthetic", seconds.len() as f64, &parts);
    run.generator.cores = 2.0;
    run.environment.cores = 4;
    run.generator.timer_lag = Some(Stats {
        p99: 1.5,
        ..Stats::default()
    });
    let t = &mut run.timeline;
    for (at, second) in seconds.iter().enumerate() {
        let factor = noise.factor();
        let requests = (second.rate / factor).round().max(0.0);
        let failed = noise.hits(requests, second.failed);
        t.start.push(at as f64);
        t.length.push(1.0);
        t.requests.push(requests as u64);
        t.failed.push(failed as u64);
        t.iterations.push(requests as u64);
        t.dropped.push(second.dropped as u64);
        t.sent.push(0);
        t.received.push(0);
        t.vus.push(second.vus as u32);
        t.vus_max.push(second.vus as u32);
        t.in_flight.push(0);
        t.p50.push(second.p50 * factor);
        t.p95.push(second.p50 * factor * 1.8);
        t.p99.push(second.p50 * factor * 2.5);
        t.lag_max.push(0.0);
        t.timer_lag_max.push(1.5);
        t.offered.push(second.offered);
        t.generator_cpu.push(second.generator);
    }
    run
}

/// A machine of four cores that was read once a second; its columns are given as values a second.
pub(super) fn host(columns: &[(&str, Vec<f64>)], processes: &[(&str, &str, Vec<f64>)]) -> SavedHost {
    let count = columns.first().map_or(0, |(_, values)| values.len());
    let at: Vec<f64> = (1..=count).map(|at| at as f64).collect();
    let known = |values: &[f64]| values.iter().copied().map(Some).collect();
    SavedHost {
        host: "target".to_owned(),
        cores: 4,
        memory: 8_000_000_000,
        readings: 1,
        at: at.clone(),
        series: columns
            .iter()
            .map(|(name, values)| ((*name).to_owned(), known(values)))
            .collect(),
        processes: processes
            .iter()
            .map(|(name, column, values)| SavedProcess {
                name: (*name).to_owned(),
                at: at.clone(),
                series: [((*column).to_owned(), known(values))].into(),
            })
            .collect(),
    }
}

/// Users that become more, evenly, up to `most`.
pub(super) fn ramp(seconds: usize, most: f64) -> Vec<f64> {
    (1..=seconds)
        .map(|at| (most * at as f64 / seconds as f64).ceil())
        .collect()
}
