//! The page as OTLP: what each family becomes, decoded.

use prost::Message;

use super::super::{Buckets, Families, labels};
use super::*;
use crate::metrics::{Contains, Trend};

const RESOURCE: &[(&str, &str)] = &[("service.name", "loadgen")];

fn told(families: Families, explicit: bool, last: bool) -> Vec<Request> {
    let resource: Vec<(String, String)> = RESOURCE
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let stamp = OtlpStamp {
        at: UNIX_EPOCH + Duration::from_secs(9),
        start: UNIX_EPOCH + Duration::from_secs(2),
        resource: &resource,
        explicit,
        last,
    };
    let bodies = families.otlp(&stamp);
    let decoded = bodies.iter().map(|(body, points)| {
        let request = Request::decode(&body[..]).unwrap();
        let metrics = &request.resources[0].scopes[0].metrics;
        assert_eq!(metrics.iter().map(OtlpMetric::points).sum::<usize>(), *points);
        request
    });
    decoded.collect()
}

fn only(mut requests: Vec<Request>) -> Vec<OtlpMetric> {
    assert_eq!(requests.len(), 1);
    let resource = requests[0].resources.remove(0);
    assert_eq!(
        resource.resource.unwrap().attributes,
        [text("service.name", "loadgen")]
    );
    resource.scopes.into_iter().next().unwrap().metrics
}

fn durations(values: &[f64]) -> Buckets {
    let mut buckets = Buckets::new(&[0.1, 1.0], 1e-3);
    let mut trend = Trend::new(Contains::Time);
    for value in values {
        trend.record(*value);
    }
    buckets.add(&trend);
    buckets
}

fn page() -> Families {
    let mut families = Families::default();
    families.counter("a_total", "How many.", labels([("x", "y"), ("z", "")]), 3.0);
    families.gauge("b_ratio", "Half.", Vec::new(), 0.5);
    let mut buckets = durations(&[0.0, 50.0, 60.0, 2000.0]);
    buckets.exemplify(Exemplar {
        trace_id: format!("{:032x}", 5),
        span_id: format!("{:016x}", 6),
        value: 2.0,
        at: UNIX_EPOCH + Duration::from_secs(8),
    });
    families.histogram("c_seconds", "Times.", Vec::new(), &buckets);
    families
}

#[test]
fn counters_are_cumulative_sums_and_histograms_exponential() {
    let metrics = only(told(page(), false, false));
    let names: Vec<(&str, &str)> = metrics.iter().map(|it| (&*it.name, &*it.unit)).collect();
    assert_eq!(names, [("a_total", ""), ("b_ratio", "1"), ("c_seconds", "s")]);
    let sum = metrics[0].sum.as_ref().unwrap();
    assert_eq!((sum.temporality, sum.monotonic), (2, true));
    let point = &sum.points[0];
    assert_eq!((point.value, point.flags), (Some(3.0), 0));
    assert_eq!((point.start, point.at), (2_000_000_000, 9_000_000_000));
    assert_eq!(point.attributes, [text("x", "y")], "an empty value is no label");
    assert_eq!(metrics[1].gauge.as_ref().unwrap().points[0].value, Some(0.5));
    let histogram = metrics[2].exponential.as_ref().unwrap();
    assert_eq!(histogram.temporality, 2);
    let point = &histogram.points[0];
    assert_eq!((point.count, point.zeros, point.scale), (4, 1, 4));
    assert_eq!(point.sum, Some(2.11));
    // 2^(i/16) < 0.05, 0.06, 2 ≤ 2^((i+1)/16): i = -70, -65, 15.
    let side = point.positive.as_ref().unwrap();
    assert_eq!((side.offset, side.counts.len()), (-70, 86));
    let filled = side.counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let filled: Vec<(usize, u64)> = filled.map(|(at, count)| (at, *count)).collect();
    assert_eq!(filled, [(0, 1), (5, 1), (85, 1)]);
    assert!(point.negative.is_none());
    let exemplar = &point.exemplars[0];
    assert_eq!((exemplar.value, exemplar.at), (Some(2.0), 8_000_000_000));
    assert_eq!((exemplar.trace[15], exemplar.span[7]), (5, 6));
}

#[test]
fn histograms_with_bounds() {
    let metrics = only(told(page(), true, false));
    assert!(metrics[2].exponential.is_none());
    let point = &metrics[2].explicit.as_ref().unwrap().points[0];
    assert_eq!(point.bounds, [0.1, 1.0]);
    assert_eq!((&point.counts[..], point.count), (&[3, 0, 1][..], 4));
    assert_eq!((point.sum, point.exemplars.len()), (Some(2.11), 1));
}

#[test]
fn the_last_page_ends_all_series() {
    for explicit in [false, true] {
        let metrics = only(told(page(), explicit, true));
        let sum = &metrics[0].sum.as_ref().unwrap().points[0];
        assert_eq!((sum.value, sum.flags), (None, 1));
        assert_eq!(metrics[1].gauge.as_ref().unwrap().points[0].flags, 1);
        let flags = match (&metrics[2].explicit, &metrics[2].exponential) {
            (Some(histogram), _) => (histogram.points[0].flags, histogram.points[0].count),
            (_, histogram) => {
                let point = &histogram.as_ref().unwrap().points[0];
                (point.flags, point.count)
            }
        };
        assert_eq!(flags, (1, 0));
    }
}

#[test]
fn negative_numbers_have_a_side_of_their_own_and_no_sum() {
    let mut families = Families::default();
    families.histogram("h", "", Vec::new(), &durations(&[-1000.0, 1000.0]));
    let metrics = only(told(families, false, false));
    let point = &metrics[0].exponential.as_ref().unwrap().points[0];
    let one = Some(Side {
        offset: -1,
        counts: vec![1],
    });
    assert_eq!((&point.negative, &point.positive, point.sum), (&one, &one, None));
}

#[test]
fn numbers_far_apart_make_buckets_wider() {
    let mut families = Families::default();
    families.histogram("h", "", Vec::new(), &durations(&[1e-2, 1e3, 1e9]));
    let metrics = only(told(families, false, false));
    let point = &metrics[0].exponential.as_ref().unwrap().points[0];
    let side = point.positive.as_ref().unwrap();
    assert!(point.scale < 4 && side.counts.len() <= 320, "{point:?}");
    assert_eq!(side.counts.iter().sum::<u64>(), 3);
    // One second is the end of the bucket below 2^0, at any scale.
    assert!(side.counts[usize::try_from(-1 - side.offset).unwrap()] > 0);
}

#[test]
fn requests_are_told_by_the_conventions_too() {
    let mut families = Families::default();
    let name = "loadgen_http_request_duration_seconds";
    for (of, status) in [("http://h:81/items/:id", "404"), ("login", "0")] {
        let pairs = [
            ("scenario", "s"),
            ("name", of),
            ("method", "GET"),
            ("status", status),
        ];
        families.histogram(name, "", labels(pairs), &durations(&[1.0]));
    }
    let metrics = only(told(families, false, false));
    assert_eq!(
        (&*metrics[0].name, &*metrics[1].name),
        (name, "http.client.request.duration")
    );
    assert_eq!(metrics[1].unit, "s");
    let points = &metrics[1].exponential.as_ref().unwrap().points;
    assert_eq!(points.len(), 2, "one was no request yet");
    assert_eq!(
        points[0].attributes,
        [
            text("loadgen.scenario", "s"),
            text("server.address", "h"),
            whole("server.port", 81),
            text("url.template", "/items/:id"),
            text("url.scheme", "http"),
            text("http.request.method", "GET"),
            whole("http.response.status_code", 404),
            text("error.type", "404"),
        ]
    );
    assert_eq!(
        points[1].attributes[1..],
        [
            text("loadgen.name", "login"),
            text("http.request.method", "GET"),
            text("error.type", "no_answer"),
        ]
    );
}

#[test]
fn a_request_is_never_larger_than_a_collector_takes() {
    let mut families = Families::default();
    let long = "x".repeat(900);
    for n in 0..10_000 {
        families.counter(
            "a_total",
            "",
            labels([("n", &*n.to_string()), ("long", &*long)]),
            1.0,
        );
    }
    let requests = told(families, false, false);
    assert!(requests.len() > 2);
    assert!(requests.iter().all(|request| request.encoded_len() < 4 << 20));
    let metrics = requests
        .iter()
        .flat_map(|request| &request.resources[0].scopes[0].metrics);
    assert_eq!(metrics.map(OtlpMetric::points).sum::<usize>(), 10_000);
}
