//! Properties of the room as a whole, over random loads and random splits.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Bounds of a sequence over a common denominator, as the command line would give them.
fn sequences() -> impl Strategy<Value = SegmentSequence> {
    (2u64..60)
        .prop_flat_map(|den| {
            (
                Just(den),
                proptest::collection::btree_set(1..den, 0..(den as usize).min(6)),
            )
        })
        .prop_map(|(den, inner)| {
            let bounds: Vec<String> = inner.iter().map(|i| format!("{i}/{den}")).collect();
            let text = std::iter::once("0".to_owned())
                .chain(bounds)
                .chain(["1".to_owned()])
                .collect::<Vec<_>>();
            text.join(",").parse().unwrap()
        })
}

fn shares(sequence: &SegmentSequence) -> Vec<Share> {
    sequence
        .segments()
        .iter()
        .map(|s| Share::new(s, Some(sequence)).unwrap())
        .collect()
}

fn stages(longest: u64, highest: u64) -> impl Strategy<Value = Vec<Stage>> {
    let stage = (prop_oneof![1 => Just(0), 4 => 1..longest], 0..highest).prop_map(|(nanos, target)| Stage {
        duration: Duration::from_nanos(nanos),
        target,
    });
    proptest::collection::vec(stage, 0..5)
}

fn arrivals() -> impl Strategy<Value = Arrivals> {
    let units = prop_oneof![
        Just(Duration::from_millis(7)),
        Just(Duration::from_secs(1)),
        Just(Duration::from_mins(1))
    ];
    prop_oneof![
        (0u64..2_000, units.clone(), 1u64..2_000_000_000).prop_map(|(rate, unit, nanos)| Arrivals::constant(
            rate,
            unit,
            Duration::from_nanos(nanos)
        )),
        (0u64..2_000, units, stages(2_000_000_000, 2_000))
            .prop_map(|(start, unit, stages)| Arrivals::ramping(start, unit, stages)),
    ]
}

/// The area under the rate up to `t`, in iterations, by the trapezium of each stage.
fn area(start: u64, unit: Duration, stages: &[Stage], t: Duration) -> f64 {
    let (mut from, mut begun, mut sum) = (start as f64, 0.0, 0.0);
    for stage in stages {
        let d = stage.duration.as_secs_f64();
        let x = (t.as_secs_f64() - begun).clamp(0.0, d);
        let to = stage.target as f64;
        if d > 0.0 {
            sum += x * (from + (to - from) * x / d / 2.0);
        }
        (from, begun) = (to, begun + d);
    }
    sum / unit.as_secs_f64()
}

proptest! {
    /// The iterations that k segments start, on any number of threads, are together exactly those of the whole, at the
    /// same due times.
    #[test]
    fn segments_start_exactly_the_iterations_of_the_whole(arrivals in arrivals(), sequence in sequences(), workers in 1u32..5) {
        let total = arrivals.total().min(5_000);
        let whole: Vec<_> = (0..total).map(|n| (n, arrivals.due(n))).collect();
        let mut parts = Vec::new();
        for share in shares(&sequence) {
            for worker in 0..workers {
                let mine = share.split(worker, workers);
                let indices = (0..).map(|k| mine.nth(k)).take_while(|n| *n < total);
                let before = parts.len();
                parts.extend(indices.map(|n| (n, arrivals.due(n))));
                prop_assert_eq!((parts.len() - before) as u64, mine.count(total));
            }
        }
        parts.sort_unstable();
        prop_assert_eq!(parts, whole);
    }

    /// Virtual users and budgets split without loss, at every moment.
    #[test]
    fn segments_staff_exactly_the_whole(n in 0u64..10_000, sequence in sequences(), workers in 1u32..9) {
        let parts: u64 = shares(&sequence)
            .iter()
            .flat_map(|share| (0..workers).map(|w| share.split(w, workers).count(n)))
            .sum();
        prop_assert_eq!(parts, n);
    }

    /// However many virtual users there are to go with them, no iteration is lost or done twice.
    #[test]
    fn staffed_shares_partition_the_iterations(vus in 1u64..200, n in 0u64..2_000, sequence in sequences()) {
        let staffed: Vec<_> = shares(&sequence).iter().filter_map(|share| share.staffed(vus)).collect();
        let mut all: Vec<u64> = staffed.iter().flat_map(|s| (0..s.count(n)).map(|k| s.nth(k))).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
    }

    /// A share is as even as its length says: never more than one segment count away from its fraction.
    #[test]
    fn shares_are_even(n in 0u64..10_000, sequence in sequences()) {
        for (segment, share) in sequence.segments().iter().zip(shares(&sequence)) {
            let ideal = segment.fraction() * n as f64;
            let distance = (share.count(n) as f64 - ideal).abs();
            prop_assert!(distance <= sequence.segments().len() as f64, "{} of {}: {}", segment, sequence, distance);
        }
    }

    /// `count` is the inverse of `nth`.
    #[test]
    fn count_inverts_nth(k in 0u64..100_000, sequence in sequences(), workers in 1u32..9, worker in 0u32..9) {
        for share in shares(&sequence) {
            let share = share.split(worker, workers);
            prop_assert_eq!(share.count(share.nth(k)), k);
            prop_assert_eq!(share.count(share.nth(k) + 1), k + 1);
        }
    }

    #[test]
    fn due_times_never_fall_back_and_end_with_the_total(arrivals in arrivals()) {
        let total = arrivals.total();
        let mut last = Duration::ZERO;
        for n in 0..total.min(3_000) {
            let due = arrivals.due(n);
            prop_assert!(due.is_some_and(|due| due >= last && due <= arrivals.duration()), "{n}: {due:?} after {last:?}");
            last = due.unwrap_or_default();
        }
        prop_assert_eq!(arrivals.due(total), None);
        if total > 0 {
            prop_assert!(arrivals.due(total - 1).is_some());
        }
    }

    /// A ramp's n-th iteration is due where the area under the rate is n + 1, to the nanosecond.
    #[test]
    fn due_times_invert_the_integral_of_the_rate(
        start in 0u64..2_000, unit_ms in 1u64..2_000, stages in stages(2_000_000_000, 2_000),
    ) {
        let unit = Duration::from_millis(unit_ms);
        let arrivals = Arrivals::ramping(start, unit, stages.clone());
        for n in (0..arrivals.total()).step_by(97).take(200) {
            let due = arrivals.due(n).unwrap_or_default();
            let earlier = due.saturating_sub(Duration::from_nanos(1));
            let wanted = (n + 1) as f64;
            prop_assert!(area(start, unit, &stages, due) >= wanted - 1e-6, "{n} at {due:?} too early");
            prop_assert!(area(start, unit, &stages, earlier) <= wanted + 1e-6, "{n} at {due:?} too late");
        }
    }

    /// Between two changes the number is what the first says, and no change is missed.
    #[test]
    fn staffing_changes_agree_with_vus_at(start in 0u32..50, stages in stages(1_000, 50), probes in proptest::collection::vec(0u64..6_000, 1..50)) {
        let staffing = Staffing::Ramping { start, stages, graceful_ramp_down: Duration::ZERO };
        let changes: Vec<_> = staffing.changes().collect();
        prop_assert!(changes.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 != w[1].1), "{changes:?}");
        let around = changes.iter().flat_map(|(at, _)| {
            let at = u64::try_from(at.as_nanos()).unwrap_or_default();
            [at.saturating_sub(1), at, at + 1]
        });
        for t in probes.into_iter().chain(around).map(Duration::from_nanos) {
            let current = changes.iter().take_while(|(at, _)| *at <= t).last().map_or(0, |(_, vus)| *vus);
            prop_assert_eq!(staffing.vus_at(t), current, "at {:?} of {:?}", t, changes);
        }
        prop_assert!(changes.iter().all(|(_, vus)| *vus <= staffing.max_vus()));
    }

    /// What is written can be read again.
    #[test]
    fn durations_round_trip(nanos in 0u64..u64::MAX / 2) {
        let duration = Duration::from_nanos(nanos);
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }

    #[test]
    fn parsing_never_panics(text in ".{0,20}", words in "[0-9./:%,+nusmhd -]{0,20}") {
        for text in [&text, &words] {
            let _ = (parse_duration(text), text.parse::<Stage>(), text.parse::<Segment>(), text.parse::<SegmentSequence>());
        }
    }
}
