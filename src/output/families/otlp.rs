//! OTLP metrics (<https://opentelemetry.io/docs/specs/otel/metrics/data-model/>): the page's series under the names that they
//! have on the page, so that what reads a scrape reads these too. Counters are cumulative sums, histograms go with exponential
//! buckets, or with the page's bounds for a collector that knows no others. Requests are told once more as the semantic
//! conventions call them.

mod wire;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::proto::{Histogram, LabelPair, Metric, MetricType};
use prost::Message as _;

use super::buckets::{Exemplar, Native, SCHEMA};
use super::protobuf::ZERO;
use super::{Family, More};
use wire::{
    Any, AnyValue, Explicit, ExplicitPoint, Exponential, ExponentialPoint, Gauge, KeyValue, NumberPoint,
    OtlpExemplar, OtlpMetric, Request, Resource, ResourceMetrics, Scope, ScopeMetrics, Side, Sum,
};

/// `AggregationTemporality`.
const CUMULATIVE: i32 = 2;
/// In a point's flags: that its series has ended.
const NO_VALUE: u32 = 1;
/// The most points of one metric in one message.
const POINTS: usize = 1000;
/// The most buckets of a histogram, which are told with the empty ones in between: 20 doublings at the finest. Past that they
/// are made wider.
const BUCKETS: i32 = 320;
/// The most bytes of a request: gRPC servers take 4 MiB unless told otherwise.
const REQUEST_BYTES: usize = 3 << 20;
/// The histogram of requests, here and in the conventions for HTTP
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>).
const DURATION: &str = "loadgen_http_request_duration_seconds";
const CONVENTION: &str = "http.client.request.duration";

/// When a page was made, who made it, and whether it is the last one: its series then end.
#[derive(Debug, Clone)]
pub struct OtlpStamp<'a> {
    pub at: SystemTime,
    /// When sums began to count.
    pub start: SystemTime,
    /// Attributes of the resource.
    pub resource: &'a [(String, String)],
    /// Whether histograms go with fixed bounds.
    pub explicit: bool,
    pub last: bool,
}

/// Bodies of requests, each small enough for a collector, and the number of points in each.
pub(super) fn encode(families: impl Iterator<Item = Family>, stamp: &OtlpStamp) -> Vec<(Vec<u8>, usize)> {
    let mut requests = Vec::new();
    let (mut metrics, mut bytes, mut points) = (Vec::new(), 0, 0);
    for metric in families.flat_map(|family| metrics_of(&family, stamp)) {
        let size = metric.encoded_len();
        if bytes + size > REQUEST_BYTES && !metrics.is_empty() {
            requests.push((body(std::mem::take(&mut metrics), stamp), points));
            (bytes, points) = (0, 0);
        }
        bytes += size;
        points += metric.points();
        metrics.push(metric);
    }
    if !metrics.is_empty() {
        requests.push((body(metrics, stamp), points));
    }
    requests
}

fn body(metrics: Vec<OtlpMetric>, stamp: &OtlpStamp) -> Vec<u8> {
    let scope = Scope {
        name: "loadgen".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let attributes = stamp.resource.iter().map(|(key, value)| text(key, value));
    let request = Request {
        resources: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: attributes.collect(),
            }),
            scopes: vec![ScopeMetrics {
                scope: Some(scope),
                metrics,
            }],
        }],
    };
    request.encode_to_vec()
}

impl OtlpMetric {
    fn points(&self) -> usize {
        self.gauge.as_ref().map_or(0, |gauge| gauge.points.len())
            + self.sum.as_ref().map_or(0, |sum| sum.points.len())
            + self.explicit.as_ref().map_or(0, |it| it.points.len())
            + self.exponential.as_ref().map_or(0, |it| it.points.len())
    }
}

/// Makes attributes of labels; `None` for a series that is not to be told.
type Attributes<'a> = &'a dyn Fn(&[LabelPair]) -> Option<Vec<KeyValue>>;

/// A series: its numbers, what of its histogram these have no room for, its attributes.
type Each<'a> = (&'a Metric, &'a More, Vec<KeyValue>);

/// A family as metrics: one, or several where it has very many series.
fn metrics_of(family: &Family, stamp: &OtlpStamp) -> Vec<OtlpMetric> {
    let plain = &family.plain;
    let kind = plain.get_field_type();
    let none = More::default();
    let mut found = Vec::new();
    for (part, metrics) in plain.get_metric().chunks(POINTS).enumerate() {
        let mut named = |name: &str, attributes: Attributes| {
            let mut metric = OtlpMetric {
                name: name.to_owned(),
                description: plain.help().to_owned(),
                unit: unit(plain.name()).to_owned(),
                ..OtlpMetric::default()
            };
            let each = || {
                metrics.iter().enumerate().filter_map(|(at, it)| {
                    let more = family.more.get(part * POINTS + at).unwrap_or(&none);
                    Some((it, more, attributes(it.get_label())?))
                })
            };
            match kind {
                MetricType::COUNTER => {
                    let number =
                        |(it, _, attributes): Each| number(it.get_counter().get_value(), attributes, stamp);
                    metric.sum = Some(Sum {
                        points: each().map(number).collect(),
                        temporality: CUMULATIVE,
                        monotonic: true,
                    });
                }
                MetricType::HISTOGRAM if stamp.explicit => {
                    metric.explicit = Some(Explicit {
                        points: each().map(|it| explicit(it, stamp)).collect(),
                        temporality: CUMULATIVE,
                    });
                }
                MetricType::HISTOGRAM => {
                    metric.exponential = Some(Exponential {
                        points: each().map(|it| exponential(it, stamp)).collect(),
                        temporality: CUMULATIVE,
                    });
                }
                _ => {
                    let number =
                        |(it, _, attributes): Each| number(it.get_gauge().get_value(), attributes, stamp);
                    metric.gauge = Some(Gauge {
                        points: each().map(number).collect(),
                    });
                }
            }
            if metric.points() > 0 {
                found.push(metric);
            }
        };
        named(plain.name(), &|labels| Some(attributes(labels)));
        if plain.name() == DURATION {
            named(CONVENTION, &conventional);
        }
    }
    found
}

fn number(value: f64, attributes: Vec<KeyValue>, stamp: &OtlpStamp) -> NumberPoint {
    NumberPoint {
        attributes,
        start: nanos(stamp.start),
        at: nanos(stamp.at),
        value: (!stamp.last).then_some(value),
        flags: flags(stamp),
    }
}

/// The unit that a name ends with, as UCUM writes it.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    for (end, unit) in [("_seconds", "s"), ("_bytes", "By"), ("_ratio", "1")] {
        if name.ends_with(end) {
            return unit;
        }
    }
    ""
}

fn flags(stamp: &OtlpStamp) -> u32 {
    if stamp.last { NO_VALUE } else { 0 }
}

fn explicit((metric, more, attributes): Each, stamp: &OtlpStamp) -> ExplicitPoint {
    let histogram = metric.get_histogram();
    let mut point = ExplicitPoint {
        attributes,
        start: nanos(stamp.start),
        at: nanos(stamp.at),
        flags: flags(stamp),
        ..ExplicitPoint::default()
    };
    if stamp.last {
        return point;
    }
    // Here each bucket has only its own.
    let mut below = 0;
    for bucket in histogram.get_bucket() {
        point.bounds.push(bucket.upper_bound());
        point.counts.push(bucket.cumulative_count() - below);
        below = bucket.cumulative_count();
    }
    point.counts.push(histogram.get_sample_count() - below);
    point.count = histogram.get_sample_count();
    point.sum = sum(histogram, more);
    point.exemplars = more.exemplars.iter().filter_map(exemplar).collect();
    point
}

fn exponential((metric, more, attributes): Each, stamp: &OtlpStamp) -> ExponentialPoint {
    let histogram = metric.get_histogram();
    let mut point = ExponentialPoint {
        attributes,
        start: nanos(stamp.start),
        at: nanos(stamp.at),
        flags: flags(stamp),
        ..ExponentialPoint::default()
    };
    if stamp.last {
        return point;
    }
    point.count = histogram.get_sample_count();
    point.sum = sum(histogram, more);
    point.zeros = more.native.zeros;
    point.zero_threshold = ZERO;
    let merges = merges(&more.native);
    point.scale = SCHEMA - merges.cast_signed();
    point.positive = side(&more.native.positive, merges);
    point.negative = side(&more.native.negative, merges);
    point.exemplars = more.exemplars.iter().filter_map(exemplar).collect();
    point
}

/// A sum of numbers that may be negative is not told: readers take it for a counter.
fn sum(histogram: &Histogram, more: &More) -> Option<f64> {
    more.native
        .negative
        .is_empty()
        .then(|| histogram.get_sample_sum())
}

/// How often two neighbouring buckets have to become one, so that neither side has too many.
fn merges(native: &Native) -> u32 {
    let too_many = |buckets: &BTreeMap<i32, u64>, merges: u32| {
        let (Some(first), Some(last)) = (buckets.first_key_value(), buckets.last_key_value()) else {
            return false;
        };
        ((*last.0 - 1) >> merges) - ((*first.0 - 1) >> merges) >= BUCKETS
    };
    let fits = |merges: &u32| {
        ![&native.positive, &native.negative]
            .iter()
            .any(|side| too_many(side, *merges))
    };
    // At the last there are two for all numbers.
    (0..16).find(fits).unwrap_or(16)
}

/// Bucket `i` of Prometheus, which ends at `base^i`, is bucket `i - 1` here, which begins at `base^(i - 1)`.
fn side(buckets: &BTreeMap<i32, u64>, merges: u32) -> Option<Side> {
    let place = |index: &i32| (index - 1) >> merges;
    let (first, last) = (
        place(buckets.first_key_value()?.0),
        place(buckets.last_key_value()?.0),
    );
    let mut counts = vec![0; usize::try_from(last - first).unwrap_or(0) + 1];
    for (index, count) in buckets {
        counts[usize::try_from(place(index) - first).unwrap_or(0)] += count;
    }
    Some(Side {
        offset: first,
        counts,
    })
}

fn exemplar(exemplar: &Exemplar) -> Option<OtlpExemplar> {
    let trace = u128::from_str_radix(&exemplar.trace_id, 16).ok()?;
    let span = u64::from_str_radix(&exemplar.span_id, 16).ok()?;
    Some(OtlpExemplar {
        at: nanos(exemplar.at),
        value: Some(exemplar.value),
        span: span.to_be_bytes().into(),
        trace: trace.to_be_bytes().into(),
    })
}

/// An empty value is no label.
fn told(labels: &[LabelPair]) -> impl Iterator<Item = &LabelPair> {
    labels.iter().filter(|pair| !pair.value().is_empty())
}

fn attributes(labels: &[LabelPair]) -> Vec<KeyValue> {
    told(labels).map(|pair| text(pair.name(), pair.value())).collect()
}

/// The labels of a request as the conventions call them. A series that was there before the first request has no method.
fn conventional(labels: &[LabelPair]) -> Option<Vec<KeyValue>> {
    told(labels).find(|pair| pair.name() == "method")?;
    let mut found = Vec::new();
    for pair in told(labels) {
        let value = pair.value();
        match pair.name() {
            "method" => found.push(text("http.request.method", value)),
            "status" => match value.parse::<i64>() {
                Ok(0) => found.push(text("error.type", "no_answer")),
                Ok(status) => {
                    found.push(whole("http.response.status_code", status));
                    if status >= 400 {
                        found.push(text("error.type", value));
                    }
                }
                Err(_) => {}
            },
            "name" => match url::Url::parse(value) {
                Ok(url) => {
                    found.extend(url.host_str().map(|host| text("server.address", host)));
                    let port = url.port_or_known_default();
                    found.extend(port.map(|port| whole("server.port", port.into())));
                    found.push(text("url.template", url.path()));
                    found.push(text("url.scheme", url.scheme()));
                }
                // The script's own name for it.
                Err(_) => found.push(text("loadgen.name", value)),
            },
            name => found.push(text(&format!("loadgen.{name}"), value)),
        }
    }
    Some(found)
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Any::Text(value.to_owned()))
}

fn whole(key: &str, value: i64) -> KeyValue {
    pair(key, Any::Whole(value))
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn nanos(at: SystemTime) -> u64 {
    let since: Duration = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
