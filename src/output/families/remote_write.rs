//! Prometheus remote write 1.0 (<https://prometheus.io/docs/specs/prw/remote_write_spec/>): the page's series with a time,
//! compressed with snappy. Histograms go twice: with classic buckets, which every receiver takes, and as native ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::proto::{LabelPair, Metric, MetricType};
use prost::Message;

use super::buckets::{Exemplar, SCHEMA};
use super::openmetrics::Number;
use super::protobuf::{WireSpan, ZERO, spans};
use super::{Family, More};

/// What tells Prometheus that a series has ended: a NaN with these bits (`value.StaleNaN` in its source).
const STALE: u64 = 0x7ff0_0000_0000_0002;

#[derive(Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) series: Vec<Series>,
    #[prost(message, repeated, tag = "3")]
    pub(super) metadata: Vec<Metadata>,
}

#[derive(Message)]
pub(super) struct Series {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(super) exemplars: Vec<WireExemplar>,
    #[prost(message, repeated, tag = "4")]
    pub(super) histograms: Vec<WireHistogram>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub(super) at: i64,
}

#[derive(Message)]
pub(super) struct WireExemplar {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(int64, tag = "3")]
    at: i64,
}

/// With whole counts; the fields for others are left out.
#[derive(Message)]
pub(super) struct WireHistogram {
    #[prost(uint64, optional, tag = "1")]
    pub(super) count: Option<u64>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(uint64, optional, tag = "6")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "8")]
    negative_spans: Vec<WireSpan>,
    #[prost(sint64, repeated, tag = "9")]
    negative_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<WireSpan>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(int64, tag = "15")]
    at: i64,
}

#[derive(Message)]
pub(super) struct Metadata {
    /// 1 a counter, 2 a gauge, 3 a histogram.
    #[prost(int32, tag = "1")]
    pub(super) kind: i32,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    help: String,
}

/// When a page was made, who made it, and whether it is the last one: its series then end.
#[derive(Debug, Clone)]
pub struct Stamp<'a> {
    pub at: SystemTime,
    /// Labels of every series.
    pub labels: &'a [(String, String)],
    pub last: bool,
}

/// The body of a request: compressed, and the number of samples in it.
pub(super) fn encode(families: impl Iterator<Item = Family>, stamp: &Stamp) -> (Vec<u8>, usize) {
    let request = request(families, stamp);
    let samples = request
        .series
        .iter()
        .map(|series| series.samples.len() + series.histograms.len())
        .sum();
    let plain = request.encode_to_vec();
    // Refused is only what is larger than 4 GiB.
    let body = snap::raw::Encoder::new().compress_vec(&plain).unwrap_or_default();
    (body, samples)
}

pub(super) fn request(families: impl Iterator<Item = Family>, stamp: &Stamp) -> WriteRequest {
    let mut request = WriteRequest::default();
    let at = milliseconds(stamp.at);
    for family in families {
        let plain = &family.plain;
        request.metadata.push(Metadata {
            kind: match plain.get_field_type() {
                MetricType::COUNTER => 1,
                MetricType::HISTOGRAM => 3,
                _ => 2,
            },
            name: plain.name().to_owned(),
            help: plain.help().to_owned(),
        });
        let none = More::default();
        for (index, metric) in plain.get_metric().iter().enumerate() {
            let mut put = Put {
                stamp,
                at,
                labels: metric.get_label(),
                into: &mut request.series,
            };
            match plain.get_field_type() {
                MetricType::COUNTER => put.sample(plain.name(), None, metric.get_counter().get_value()),
                MetricType::HISTOGRAM => {
                    put.histogram(plain.name(), metric, family.more.get(index).unwrap_or(&none));
                }
                _ => put.sample(plain.name(), None, metric.get_gauge().get_value()),
            }
        }
    }
    request
}

/// Puts the series of one metric into a request.
struct Put<'a> {
    stamp: &'a Stamp<'a>,
    at: i64,
    labels: &'a [LabelPair],
    into: &'a mut Vec<Series>,
}

impl Put<'_> {
    /// Labels in their order, as receivers want them; what the page says wins over what is said of every series.
    fn named(&self, name: &str, bound: Option<f64>) -> Vec<Label> {
        let label = |name: &str, value: &str| Label {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let own = self.labels.iter();
        // An empty value is no label.
        let mut labels: Vec<Label> = own
            .filter(|pair| !pair.value().is_empty())
            .map(|pair| label(pair.name(), pair.value()))
            .collect();
        labels.push(label("__name__", name));
        if let Some(bound) = bound {
            labels.push(label("le", &Number(bound).to_string()));
        }
        for (name, value) in self.stamp.labels {
            if !labels.iter().any(|known| known.name == *name) {
                labels.push(label(name, value));
            }
        }
        labels.sort_unstable();
        labels
    }

    fn sample(&mut self, name: &str, bound: Option<f64>, value: f64) {
        let labels = self.named(name, bound);
        let value = if self.stamp.last {
            f64::from_bits(STALE)
        } else {
            value
        };
        self.into.push(Series {
            labels,
            samples: vec![Sample { value, at: self.at }],
            ..Series::default()
        });
    }

    fn histogram(&mut self, name: &str, metric: &Metric, more: &More) {
        let histogram = metric.get_histogram();
        let count = histogram.get_sample_count();
        let bucket = format!("{name}_bucket");
        let mut exemplars = more.exemplars.iter().peekable();
        let bounded = histogram
            .get_bucket()
            .iter()
            .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        for (bound, count) in bounded.chain([(f64::INFINITY, count)]) {
            self.sample(&bucket, Some(bound), count as f64);
            let exemplar = exemplars.next_if(|it| it.value <= bound).map(wire);
            if let Some(series) = self.into.last_mut() {
                series.exemplars.extend(exemplar);
            }
        }
        self.sample(&format!("{name}_count"), None, count as f64);
        self.sample(&format!("{name}_sum"), None, histogram.get_sample_sum());
        let (positive_spans, positive_deltas) = spans(&more.native.positive);
        let (negative_spans, negative_deltas) = spans(&more.native.negative);
        let sum = if self.stamp.last {
            f64::from_bits(STALE)
        } else {
            histogram.get_sample_sum()
        };
        let labels = self.named(name, None);
        self.into.push(Series {
            labels,
            histograms: vec![WireHistogram {
                count: Some(count),
                sum,
                schema: SCHEMA,
                zero_threshold: ZERO,
                zero_count: Some(more.native.zeros),
                negative_spans,
                negative_deltas,
                positive_spans,
                positive_deltas,
                at: self.at,
            }],
            ..Series::default()
        });
    }
}

fn wire(exemplar: &Exemplar) -> WireExemplar {
    let label = |name: &str, value: &str| Label {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    WireExemplar {
        labels: vec![
            label("span_id", &exemplar.span_id),
            label("trace_id", &exemplar.trace_id),
        ],
        value: exemplar.value,
        at: milliseconds(exemplar.at),
    }
}

fn milliseconds(at: SystemTime) -> i64 {
    let since: Duration = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
