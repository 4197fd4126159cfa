//! A page under construction: families that are built for each scrape from a snapshot, instead of living as atomics in a
//! registry, so that all numbers of a page are of one moment and the hot path knows nothing of them.
//!
//! The model and the text format 0.0.4 are the `prometheus` crate's. It knows neither exemplars nor native histograms, so
//! these are kept beside it, and the two formats that have them are written here: [`openmetrics`] and [`protobuf`].

mod buckets;
mod format;
mod openmetrics;
mod otlp;
mod protobuf;
mod remote_write;

use std::collections::BTreeMap;

use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

pub(super) use buckets::{BYTES, Buckets, Exemplar, NUMBERS, SECONDS};
pub use format::Format;
pub use otlp::OtlpStamp;
pub use remote_write::Stamp;

use buckets::Native;

/// Label values of one series, in the order of its family's label names.
pub(super) type Labels = Vec<String>;

/// Families by name, so that the page is in the same order every time.
#[derive(Default)]
pub(super) struct Families(BTreeMap<String, Family>);

/// A family, and what of its histograms the crate's model has no room for: one for each of its series, in their order.
#[derive(Default)]
struct Family {
    plain: MetricFamily,
    more: Vec<More>,
}

#[derive(Default)]
struct More {
    native: Native,
    /// At most one for each classic bucket, in their order.
    exemplars: Vec<Exemplar>,
}

impl Families {
    /// Whether there is a family of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> &mut Family {
        self.0.entry(name.to_owned()).or_insert_with(|| {
            let mut family = Family::default();
            family.plain.set_name(name.to_owned());
            family.plain.set_help(help.to_owned());
            family.plain.set_field_type(kind);
            family
        })
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, labels: Vec<LabelPair>, value: f64) {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = Metric::from_label(labels);
        metric.set_counter(counter);
        let family = self.family(name, help, MetricType::COUNTER);
        family.plain.mut_metric().push(metric);
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, labels: Vec<LabelPair>, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_label(labels);
        metric.set_gauge(gauge);
        let family = self.family(name, help, MetricType::GAUGE);
        family.plain.mut_metric().push(metric);
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, labels: Vec<LabelPair>, value: &Buckets) {
        let mut histogram = Histogram::default();
        histogram.set_sample_count(value.count());
        histogram.set_sample_sum(value.sum());
        let buckets = value.classic().map(|(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        let mut metric = Metric::from_label(labels);
        metric.set_histogram(histogram);
        let family = self.family(name, help, MetricType::HISTOGRAM);
        family.plain.mut_metric().push(metric);
        family.more.push(More {
            native: value.native().clone(),
            exemplars: value.exemplars().cloned().collect(),
        });
    }

    /// The page in a format.
    pub(super) fn encode(self, format: Format) -> Vec<u8> {
        let families = self.0.into_values();
        match format {
            Format::Text => text(&families.map(|family| family.plain).collect::<Vec<_>>()).into_bytes(),
            Format::OpenMetrics => openmetrics::encode(families).into_bytes(),
            Format::Protobuf => protobuf::encode(families),
        }
    }
}

impl Families {
    /// The page as a body of remote write, compressed, and the number of samples in it.
    pub(super) fn push(self, stamp: &Stamp) -> (Vec<u8>, usize) {
        remote_write::encode(self.0.into_values(), stamp)
    }

    /// The page as bodies of OTLP, and the number of points in each.
    pub(super) fn otlp(self, stamp: &OtlpStamp) -> Vec<(Vec<u8>, usize)> {
        otlp::encode(self.0.into_values(), stamp)
    }
}

fn text(families: &[MetricFamily]) -> String {
    let mut page = String::with_capacity(16 << 10);
    if let Err(error) = TextEncoder::new().encode_utf8(families, &mut page) {
        // The crate refuses only families without a name or without series, and none is built so.
        tracing::error!("cannot encode the metrics page: {error}");
    }
    page
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

#[cfg(test)]
mod tests;
