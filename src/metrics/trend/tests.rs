//! Tests of distributions: against the exact values, merged, subtracted, and as buckets.
#![allow(clippy::float_cmp, reason = "what is exact is compared exactly")]

use super::*;
use proptest::prelude::*;

fn of(contains: Contains, values: &[f64]) -> Trend {
    let mut trend = Trend::new(contains);
    for value in values {
        trend.record(*value);
    }
    trend
}

/// The dialect's percentile on the values themselves.
fn exact(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = p / 100.0 * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    low + (high - low) * (rank - rank.floor())
}

#[test]
fn an_empty_trend_is_all_zero() {
    let trend = Trend::new(Contains::Time);
    assert_eq!(
        (trend.count(), trend.min(), trend.max(), trend.avg(), trend.med()),
        (0, 0.0, 0.0, 0.0, 0.0)
    );
    assert_eq!(trend.buckets(&[1.0]), [0]);
}

#[test]
fn few_values_are_exact() {
    let trend = of(Contains::Time, &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(trend.med(), 2.5);
    assert_eq!(trend.percentile(90.0), 3.7);
    assert_eq!((trend.percentile(0.0), trend.percentile(100.0)), (1.0, 4.0));
}

#[test]
fn values_beyond_a_minute_are_kept_and_what_is_no_number_is_not() {
    let mut trend = of(Contains::Time, &[600_000.0; 300]);
    trend.record(f64::NAN);
    trend.record(f64::INFINITY);
    assert_eq!((trend.count(), trend.max()), (300, 600_000.0));
    assert_eq!(trend.percentile(99.0), 600_000.0);
    assert_eq!(trend.buckets(&[60_000.0, 1e9]), [0, 300]);
}

#[test]
fn huge_and_negative_values_of_custom_trends_do_not_break_it() {
    let mut values = vec![1e300, -1e300, 0.0];
    values.extend((0..500).map(|i| f64::from(i) - 250.0));
    let trend = of(Contains::Default, &values);
    assert_eq!((trend.min(), trend.max(), trend.count()), (-1e300, 1e300, 503));
    assert!(
        (trend.med() - exact(&values, 50.0)).abs() < 1.0,
        "{}",
        trend.med()
    );
}

#[test]
fn representatives_are_those_of_the_histogram() {
    let reference = histogram();
    for units in [
        1,
        2,
        100,
        2047,
        2048,
        2049,
        4095,
        4096,
        50_000,
        123_456_789,
        1 << 40,
        (1 << 40) + 12345,
    ] {
        assert_eq!(
            representative(units),
            reference.median_equivalent(units) as f64,
            "{units}"
        );
    }
}

#[test]
fn the_later_part_is_the_difference() {
    let (early, late): (Vec<f64>, Vec<f64>) = ((0..400).map(f64::from).collect(), vec![7.0; 300]);
    let before = of(Contains::Time, &early);
    let after = of(Contains::Time, &[early, late].concat());
    let part = after.minus(&before);
    assert_eq!((part.count(), part.sum()), (300, 2100.0));
    assert!((part.percentile(99.0) - 7.0).abs() < 0.01);
    let small = of(Contains::Time, &[1.0, 2.0]).minus(&of(Contains::Time, &[1.0]));
    assert_eq!((small.count(), small.med()), (1, 2.0));
}

fn times() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(
        prop_oneof![Just(0.0), 0.0001f64..0.01, 0.01f64..100.0, 100.0f64..90_000.0],
        1..600,
    )
}

proptest! {
    #[test]
    fn percentiles_are_within_the_stated_error(values in times(), p in 0.0f64..=100.0) {
        let (trend, truth) = (of(Contains::Time, &values), exact(&values, p));
        let allowed = if values.len() <= EXACT { 1e-9 } else { truth / 2000.0 + 0.000_1 };
        prop_assert!((trend.percentile(p) - truth).abs() <= allowed, "{} for {truth}", trend.percentile(p));
    }

    #[test]
    fn percentiles_of_negatives_too(values in prop::collection::vec(-1e4f64..1e4, 200..400), p in 0.0f64..=100.0) {
        let (trend, truth) = (of(Contains::Default, &values), exact(&values, p));
        // Linear between two neighbours, each off by at most 1/2048 of itself.
        let reach = exact(&values, (p + 1.0).min(100.0)).abs().max(exact(&values, (p - 1.0).max(0.0)).abs());
        prop_assert!((trend.percentile(p) - truth).abs() <= reach / 2000.0 + 1e-5);
    }

    #[test]
    fn merged_shards_are_the_whole(values in times(), cut in 0usize..600, p in 0.0f64..=100.0) {
        let cut = cut.min(values.len());
        let mut merged = of(Contains::Time, &values[..cut]);
        merged.merge(&of(Contains::Time, &values[cut..]));
        let whole = of(Contains::Time, &values);
        prop_assert_eq!(merged.count(), whole.count());
        prop_assert_eq!(merged.min(), whole.min());
        prop_assert_eq!(merged.max(), whole.max());
        prop_assert!((merged.sum() - whole.sum()).abs() <= 1e-9 * whole.sum().abs() + 1e-12);
        prop_assert!((merged.percentile(p) - whole.percentile(p)).abs() < 1e-9);
        let bounds = [0.0, 0.001, 1.0, 10.0, 5000.0];
        prop_assert_eq!(merged.buckets(&bounds), whole.buckets(&bounds));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn bucket_counts_never_go_down(values in times()) {
        let bounds = [0.0, 0.005, 1.0, 25.0, 1000.0];
        let (mut trend, mut before) = (Trend::new(Contains::Time), vec![0; bounds.len()]);
        for value in values {
            trend.record(value);
            let now = trend.buckets(&bounds);
            prop_assert!(now.iter().zip(&before).all(|(now, before)| now >= before));
            before = now;
        }
    }
}
