//! Prometheus' protobuf (<https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>): each
//! family a message with its length before it. The only format with native histograms; the classic buckets are there too.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use prometheus::proto::{LabelPair, MetricType};
use prost::Message;

use super::buckets::SCHEMA;
use super::{Exemplar, Family, More};

/// The least number that is not counted as zero: the field's default, 2^-128.
pub(super) const ZERO: f64 = 2.938_735_877_055_719e-39;

// The messages, as far as the page has them; numbers are those of metrics.proto.

#[derive(Message)]
pub(super) struct WireFamily {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    help: String,
    /// 0 a counter, 1 a gauge, 4 a histogram.
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub(super) metrics: Vec<WireMetric>,
}

#[derive(Message)]
pub(super) struct WireMetric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<WireLabel>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<WireValue>,
    #[prost(message, optional, tag = "3")]
    counter: Option<WireValue>,
    #[prost(message, optional, tag = "7")]
    pub(super) histogram: Option<WireHistogram>,
}

#[derive(Clone, Message)]
struct WireLabel {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Message)]
struct WireValue {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Message)]
pub(super) struct WireHistogram {
    #[prost(uint64, optional, tag = "1")]
    pub(super) count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    buckets: Vec<WireBucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    pub(super) zero_count: Option<u64>,
    #[prost(message, repeated, tag = "9")]
    pub(super) negative_spans: Vec<WireSpan>,
    #[prost(sint64, repeated, tag = "10")]
    pub(super) negative_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    pub(super) positive_spans: Vec<WireSpan>,
    #[prost(sint64, repeated, tag = "13")]
    pub(super) positive_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<WireExemplar>,
}

#[derive(Message)]
struct WireBucket {
    #[prost(uint64, optional, tag = "1")]
    count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<WireExemplar>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct WireSpan {
    /// To the end of the span before, or the first index.
    #[prost(sint32, optional, tag = "1")]
    pub(super) offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    pub(super) length: Option<u32>,
}

#[derive(Clone, Message)]
struct WireExemplar {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<WireLabel>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    at: Option<WireTime>,
}

#[derive(Clone, Message)]
struct WireTime {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

pub(super) fn encode(families: impl Iterator<Item = Family>) -> Vec<u8> {
    let mut page = Vec::with_capacity(32 << 10);
    for family in families {
        if let Err(error) = wire(&family).encode_length_delimited(&mut page) {
            // A vector grows as it is needed.
            tracing::error!("cannot encode the metrics page: {error}");
        }
    }
    page
}

fn wire(family: &Family) -> WireFamily {
    let plain = &family.plain;
    let kind = plain.get_field_type();
    let none = More::default();
    let metric = |(at, metric): (usize, &prometheus::proto::Metric)| {
        let mut wire = WireMetric {
            labels: metric.get_label().iter().map(label).collect(),
            ..WireMetric::default()
        };
        match kind {
            MetricType::COUNTER => wire.counter = Some(value(metric.get_counter().get_value())),
            MetricType::HISTOGRAM => {
                wire.histogram = Some(histogram(
                    metric.get_histogram(),
                    family.more.get(at).unwrap_or(&none),
                ));
            }
            _ => wire.gauge = Some(value(metric.get_gauge().get_value())),
        }
        wire
    };
    WireFamily {
        name: plain.name().to_owned(),
        help: plain.help().to_owned(),
        kind: Some(match kind {
            MetricType::COUNTER => 0,
            MetricType::HISTOGRAM => 4,
            _ => 1,
        }),
        metrics: plain.get_metric().iter().enumerate().map(metric).collect(),
    }
}

fn value(value: f64) -> WireValue {
    WireValue { value: Some(value) }
}

fn label(pair: &LabelPair) -> WireLabel {
    named(pair.name(), pair.value())
}

fn named(name: &str, value: &str) -> WireLabel {
    WireLabel {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn histogram(plain: &prometheus::proto::Histogram, more: &More) -> WireHistogram {
    let mut exemplars = more.exemplars.iter().peekable();
    let mut bucket = |bound: f64, count: u64| WireBucket {
        count: Some(count),
        bound: Some(bound),
        exemplar: exemplars.next_if(|it| it.value <= bound).map(exemplar),
    };
    let mut buckets: Vec<WireBucket> = plain
        .get_bucket()
        .iter()
        .map(|it| bucket(it.upper_bound(), it.cumulative_count()))
        .collect();
    // Readers add it where it is missing; it is here for its exemplar.
    buckets.push(bucket(f64::INFINITY, plain.get_sample_count()));
    let native = &more.native;
    let (positive_spans, positive_deltas) = spans(&native.positive);
    let (negative_spans, negative_deltas) = spans(&native.negative);
    // A histogram without values is told from a classic one by a span, be it empty.
    let empty = positive_spans.is_empty() && negative_spans.is_empty() && native.zeros == 0;
    WireHistogram {
        count: Some(plain.get_sample_count()),
        sum: Some(plain.get_sample_sum()),
        buckets,
        schema: Some(SCHEMA),
        zero_threshold: Some(ZERO),
        zero_count: Some(native.zeros),
        negative_spans,
        negative_deltas,
        positive_spans: if empty {
            vec![WireSpan {
                offset: Some(0),
                length: Some(0),
            }]
        } else {
            positive_spans
        },
        positive_deltas,
        exemplars: more.exemplars.iter().map(exemplar).collect(),
    }
}

/// Runs of neighbouring buckets, and each bucket's count less the one before it.
pub(super) fn spans(buckets: &BTreeMap<i32, u64>) -> (Vec<WireSpan>, Vec<i64>) {
    let mut spans: Vec<WireSpan> = Vec::new();
    let mut deltas = Vec::with_capacity(buckets.len());
    let (mut next, mut before) = (0, 0i64);
    for (index, count) in buckets {
        match spans.last_mut() {
            Some(span) if *index == next => span.length = span.length.map(|length| length + 1),
            _ => spans.push(WireSpan {
                offset: Some(index - next),
                length: Some(1),
            }),
        }
        next = index + 1;
        deltas.push(count.cast_signed() - before);
        before = count.cast_signed();
    }
    (spans, deltas)
}

fn exemplar(exemplar: &Exemplar) -> WireExemplar {
    let at = exemplar.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    WireExemplar {
        labels: vec![
            named("trace_id", &exemplar.trace_id),
            named("span_id", &exemplar.span_id),
        ],
        value: Some(exemplar.value),
        at: Some(WireTime {
            seconds: i64::try_from(at.as_secs()).unwrap_or(i64::MAX),
            nanos: at.subsec_nanos().cast_signed(),
        }),
    }
}
