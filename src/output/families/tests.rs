//! Tests of the formats: what a page is in each, byte for byte where people read it, decoded where they do not.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use prost::Message;

use super::protobuf::{WireFamily, WireSpan, spans};
use super::*;
use crate::metrics::{Contains, Trend};

fn example(value: f64, seconds: u64) -> Exemplar {
    Exemplar {
        trace_id: format!("{seconds:032x}"),
        span_id: format!("{seconds:016x}"),
        value,
        at: UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 250),
    }
}

fn page() -> Families {
    let mut families = Families::default();
    families.counter(
        "a_total",
        "Says \"a\\b\".\nTwice.",
        labels([("x", "q\"\\\n")]),
        3.0,
    );
    families.gauge("b_ratio", "Half.", Vec::new(), 0.5);
    let mut buckets = Buckets::new(&[0.1, 1.0], 1e-3);
    let mut trend = Trend::new(Contains::Time);
    for value in [0.0, 50.0, 60.0, 2000.0] {
        trend.record(value);
    }
    buckets.add(&trend);
    buckets.exemplify(example(2.0, 9));
    buckets.exemplify(example(0.05, 7));
    // An older one does not take a newer one's place.
    buckets.exemplify(example(0.06, 6));
    families.histogram("c_seconds", "Times.", labels([("x", "y")]), &buckets);
    families
}

#[test]
fn openmetrics_text() {
    let page = String::from_utf8(page().encode(Format::OpenMetrics)).unwrap();
    let expected = r#"# TYPE a counter
# HELP a Says \"a\\b\".\nTwice.
a_total{x="q\"\\\n"} 3.0
# TYPE b_ratio gauge
# UNIT b_ratio ratio
# HELP b_ratio Half.
b_ratio 0.5
# TYPE c_seconds histogram
# UNIT c_seconds seconds
# HELP c_seconds Times.
c_seconds_bucket{x="y",le="0.1"} 3.0 # {trace_id="00000000000000000000000000000007",span_id="0000000000000007"} 0.05 7.250
c_seconds_bucket{x="y",le="1.0"} 3.0
c_seconds_bucket{x="y",le="+Inf"} 4.0 # {trace_id="00000000000000000000000000000009",span_id="0000000000000009"} 2.0 9.250
c_seconds_count{x="y"} 4.0
c_seconds_sum{x="y"} 2.11
# EOF
"#;
    assert_eq!(page, expected);
}

#[test]
fn text() {
    let page = String::from_utf8(page().encode(Format::Text)).unwrap();
    assert!(
        page.contains("\nc_seconds_bucket{x=\"y\",le=\"+Inf\"} 4\n"),
        "{page}"
    );
    assert!(!page.contains("trace_id") && !page.contains("EOF"), "{page}");
}

#[test]
fn protobuf() {
    let page = page().encode(Format::Protobuf);
    let mut rest = &page[..];
    let mut families = Vec::new();
    while !rest.is_empty() {
        families.push(WireFamily::decode_length_delimited(&mut rest).unwrap());
    }
    let names: Vec<&str> = families.iter().map(|family| &*family.name).collect();
    assert_eq!(names, ["a_total", "b_ratio", "c_seconds"]);
    let histogram = families[2].metrics[0].histogram.as_ref().unwrap();
    assert_eq!((histogram.count, histogram.zero_count), (Some(4), Some(1)));
    // 2^(i/16) ≥ 0.05, 0.06, 2: i = -69, -64, 16.
    let span = |offset, length| WireSpan {
        offset: Some(offset),
        length: Some(length),
    };
    assert_eq!(histogram.positive_spans, [span(-69, 1), span(4, 1), span(79, 1)]);
    assert_eq!(histogram.positive_deltas, [1, 0, 0]);
    assert!(histogram.negative_spans.is_empty());
}

#[test]
fn an_empty_histogram_is_native_too() {
    let mut families = Families::default();
    families.histogram("h", "", Vec::new(), &Buckets::seconds());
    let family = WireFamily::decode_length_delimited(&families.encode(Format::Protobuf)[..]).unwrap();
    let histogram = family.metrics[0].histogram.as_ref().unwrap();
    assert_eq!(histogram.positive_spans.len(), 1);
    assert_eq!(histogram.positive_spans[0].length, Some(0));
}

#[test]
fn spans_are_runs_and_counts_are_differences() {
    let buckets = BTreeMap::from([(-3, 5), (-2, 7), (0, 1), (1, 1), (9, 4)]);
    let (spans, deltas) = spans(&buckets);
    let plain: Vec<(i32, u32)> = spans
        .iter()
        .map(|span| (span.offset.unwrap(), span.length.unwrap()))
        .collect();
    assert_eq!(plain, [(-3, 2), (1, 2), (7, 1)]);
    assert_eq!(deltas, [5, 2, -6, 0, 3]);
}

#[test]
fn native_buckets_hold_what_was_recorded_within_their_width() {
    let mut trend = Trend::new(Contains::Time);
    for n in 1..=1000 {
        trend.record(f64::from(n));
    }
    let mut buckets = Buckets::seconds();
    buckets.add(&trend);
    let native = buckets.native();
    assert_eq!(native.positive.values().sum::<u64>(), 1000);
    let mut seen = 0;
    let median = native.positive.iter().find(|(_, count)| {
        seen += **count;
        seen >= 500
    });
    let (index, _) = median.unwrap();
    let upper = 2f64.powf(f64::from(*index) / 16.0);
    assert!((0.5..0.5 * 1.045).contains(&upper), "{upper}");
}
