//! A thin layer over the `prometheus` crate's own model: families are built for each scrape from a snapshot, instead
//! of living as atomics in a registry, so that all numbers of a page are of one moment and the hot path knows
//! nothing of them. The crate checks and encodes them.

use std::collections::BTreeMap;

use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::metrics::Trend;

/// Label values of one series, in the order of its family's label names.
pub(super) type Labels = Vec<String>;

/// A page under construction: families by name, so that the page is in the same order every time.
#[derive(Default)]
pub(super) struct Families(BTreeMap<String, MetricFamily>);

impl Families {
    /// Whether there is a family of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> &mut MetricFamily {
        self.0.entry(name.to_owned()).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family
        })
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, labels: Vec<LabelPair>, value: f64) {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = Metric::from_label(labels);
        metric.set_counter(counter);
        self.family(name, help, MetricType::COUNTER)
            .mut_metric()
            .push(metric);
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, labels: Vec<LabelPair>, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_label(labels);
        metric.set_gauge(gauge);
        self.family(name, help, MetricType::GAUGE)
            .mut_metric()
            .push(metric);
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, labels: Vec<LabelPair>, value: &Buckets) {
        let mut histogram = Histogram::default();
        histogram.set_sample_count(value.count);
        histogram.set_sample_sum(value.sum);
        let buckets = value.bounds.iter().zip(&value.counts).map(|(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(*count);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        let mut metric = Metric::from_label(labels);
        metric.set_histogram(histogram);
        self.family(name, help, MetricType::HISTOGRAM)
            .mut_metric()
            .push(metric);
    }

    /// The page in the text format 0.0.4.
    pub(super) fn encode(self) -> String {
        let families: Vec<MetricFamily> = self.0.into_values().collect();
        let mut page = String::with_capacity(16 << 10);
        if let Err(error) = TextEncoder::new().encode_utf8(&families, &mut page) {
            // The crate refuses only families without a name or without series, and none is built so.
            tracing::error!("cannot encode the metrics page: {error}");
        }
        page
    }
}

/// Pairs of label names and values, in the crate's type.
pub(super) fn labels<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<LabelPair> {
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    pairs.into_iter().map(pair).collect()
}

/// Bounds of duration histograms, in seconds: a sub-millisecond service and a timeout of a minute both show.
pub(super) const SECONDS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// Bounds of sizes, in bytes.
pub(super) const BYTES: &[f64] = &[
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    16_777_216.0,
];
/// Bounds of plain numbers.
pub(super) const NUMBERS: &[f64] = &[
    0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 1e4, 1e5, 1e6,
];

/// A histogram with fixed bounds: several distributions' values counted into buckets.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    bounds: &'static [f64],
    /// What a trend's values are multiplied with to become the bounds' unit.
    unit: f64,
    counts: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Buckets {
    pub(super) fn new(bounds: &'static [f64], unit: f64) -> Buckets {
        Buckets {
            bounds,
            unit,
            counts: vec![0; bounds.len()],
            sum: 0.0,
            count: 0,
        }
    }

    /// For trends in milliseconds.
    pub(super) fn seconds() -> Buckets {
        Buckets::new(SECONDS, 1e-3)
    }

    pub(super) fn add(&mut self, trend: &Trend) {
        let bounds: Vec<f64> = self.bounds.iter().map(|bound| bound / self.unit).collect();
        for (count, more) in self.counts.iter_mut().zip(trend.buckets(&bounds)) {
            *count += more;
        }
        self.sum += trend.sum() * self.unit;
        self.count += trend.count();
    }
}
