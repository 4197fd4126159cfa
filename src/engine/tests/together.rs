//! Several scenarios, several instances, and what goes wrong.

use proptest::prelude::*;

use super::*;

fn at(start: u64, name: &str, plan: Plan) -> Scenario {
    Scenario {
        start: ms(start),
        ..scenario(name, plan)
    }
}

#[tokio::test(start_paused = true)]
async fn scenarios_start_at_their_times_and_share_numbers() {
    for workers in [1, 2] {
        let mut rig = Rig::new(constant_vus(1, 1_000), 100).workers(workers);
        rig.scenarios = vec![
            at(0, "a", constant_vus(2, 500)),
            at(500, "b", constant_rate(10, 500, 2, 2)),
            at(250, "c", closed(1, 10_000, Budget::PerVu(3))),
        ];
        let played = rig.graceful_stop(0).play().await;
        let of = |name: &str| -> Vec<(u64, u64)> {
            let mut runs: Vec<_> = played
                .done
                .iter()
                .filter(|done| done.scenario == name)
                .map(|done| (done.start, done.vu))
                .collect();
            runs.sort_unstable();
            runs
        };
        assert_eq!(of("a").first(), Some(&(0, 1)));
        assert_eq!(of("a").len(), 10);
        assert_eq!(of("c"), [(250, 3), (350, 3), (450, 3)]);
        let b = of("b");
        assert_eq!(
            b.iter().map(|(start, _)| *start).collect::<Vec<_>>(),
            [500, 600, 700, 800, 900]
        );
        assert!(
            b.iter().all(|(_, vu)| [1, 2].contains(vu)),
            "b uses a's numbers: {b:?}"
        );
        assert_eq!(played.live.vus_max(), 3);
        // A scenario's virtual users go when it ends, not when the test does.
        let gone: Vec<u64> = played
            .homes
            .iter()
            .filter(|(seat, ..)| seat.scenario.name == "a")
            .map(|(.., at)| *at)
            .collect();
        assert_eq!(gone, [500, 500]);
    }
}

#[tokio::test(start_paused = true)]
async fn all_are_initialised_before_the_start() {
    let mut rig = Rig::new(constant_vus(4, 1_000), 100)
        .workers(2)
        .hiring(|_| Ok(ms(100)));
    rig.scenarios.push(at(5_000, "late", constant_vus(2, 1_000)));
    let played = rig.play().await;
    assert_eq!((played.homes.len(), played.took), (6, 6_000));
    assert!(
        played.homes.iter().all(|(_, hired, _)| *hired == 0),
        "before the load: that is at 0"
    );
    assert_eq!(
        played
            .live
            .scenarios()
            .map(|(_, progress)| progress.hired)
            .collect::<Vec<_>>(),
        [4, 2]
    );
}

#[tokio::test(start_paused = true)]
async fn stopping_gracefully_and_then_at_once() {
    let rig = || {
        let mut rig = Rig::new(constant_vus(2, 60_000), 1_000).workers(2);
        rig.scenarios
            .push(at(30_000, "later", constant_rate(1, 10_000, 1, 1)));
        rig
    };
    let played = rig().stop(2_500, Level::Graceful).play().await;
    assert_eq!(
        (played.counts(), played.took, played.done.len()),
        ((6, 0, 0), 3_000, 6)
    );
    let played = rig().graceful_stop(200).stop(2_500, Level::Graceful).play().await;
    assert_eq!((played.counts(), played.took), ((4, 2, 0), 2_700));
    let played = rig()
        .stop(2_500, Level::Graceful)
        .stop(2_600, Level::Now)
        .play()
        .await;
    assert_eq!((played.counts(), played.took), ((4, 2, 0), 2_600));
    // In the very moment of the start, some scenarios and workers have begun and others have not.
    let mut rig = rig().stop(0, Level::Graceful);
    rig.scenarios[1].start = Duration::ZERO;
    assert!(rig.play().await.took <= 1_000);
    // What a stopped test has not done was not dropped by it.
    let rig = Rig::new(closed(1, 60_000, Budget::Shared(100)), 100).stop(250, Level::Graceful);
    assert_eq!(rig.play().await.counts(), (3, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_script_can_end_the_test() {
    let abort = || Outcome::Abort {
        code: AbortKind::Abort,
        message: "enough".to_owned(),
    };
    for workers in [1, 2] {
        let played = Rig::new(constant_vus(3, 60_000), 0)
            .workers(workers)
            .act(move |seat, it| {
                (
                    ms(100),
                    if seat.id == 2 && it.in_vu == 2 {
                        abort()
                    } else {
                        Outcome::Complete
                    },
                )
            })
            .play()
            .await;
        assert_eq!(
            played.reason,
            Some(Reason::Script {
                kind: AbortKind::Abort,
                message: "enough".to_owned()
            })
        );
        assert_eq!(played.took, 300);
        assert_eq!(
            played.starts_of(2),
            [0, 100, 200],
            "none after the one that asked"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn someone_who_cannot_be_initialised_ends_the_test_before_it_begins() {
    let error = || HireError {
        message: "ReferenceError: x is not defined".to_owned(),
    };
    let rig = Rig::new(constant_vus(9, 60_000), 100).workers(3);
    let played = rig
        .hiring(move |seat| if seat.id == 5 { Err(error()) } else { Ok(ms(10)) })
        .play()
        .await;
    assert_eq!(played.reason, Some(Reason::Hire(error())));
    assert!(played.done.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_reported_and_ends_the_test() {
    for plan in [constant_vus(3, 60_000), constant_rate(10, 60_000, 3, 3)] {
        let played = Rig::new(plan, 0)
            .workers(2)
            .act(|_, it| {
                assert!(it.in_scenario != 5, "number five is wrong");
                (ms(100), Outcome::Complete)
            })
            .play()
            .await;
        assert_eq!(
            played.reason,
            Some(Reason::Panic("number five is wrong".to_owned()))
        );
        assert!(played.took <= 500, "{}", played.took);
        assert_eq!((played.live.vus(), played.progress().busy), (0, 0));
    }
}

/// The starts and numbers of all instances of a test.
async fn instances(plan: &Plan, iteration: u64, segments: &[&str], workers: u16) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    for segment in segments {
        let mut rig = Rig::new(plan.clone(), iteration).workers(workers);
        rig.share = Share::new(&segment.parse().unwrap(), None).unwrap();
        all.extend(
            rig.play()
                .await
                .done
                .iter()
                .map(|done| (done.start, done.in_scenario)),
        );
    }
    all.sort_unstable();
    all
}

#[tokio::test(start_paused = true)]
async fn instances_do_together_what_one_does_alone() {
    let ramp = ramping_vus(0, &[(1_000, 7), (500, 7), (1_000, 0)], 30_000);
    let rate = constant_rate(50, 2_000, 30, 30);
    for (plan, iteration, numbered) in [
        (&rate, 100, true),
        (&ramp, 40, false),
        (&closed(6, 60_000, Budget::Shared(60)), 100, true),
        (&closed(6, 60_000, Budget::PerVu(7)), 100, false),
    ] {
        let strip = |runs: Vec<(u64, u64)>| -> Vec<(u64, u64)> {
            runs.into_iter()
                .map(|(start, n)| (start, if numbered { n } else { 0 }))
                .collect()
        };
        let alone = strip(instances(plan, iteration, &["0:1"], 1).await);
        let starts = |runs: &[(u64, u64)]| runs.iter().map(|(start, _)| *start).collect::<Vec<_>>();
        for segments in [&["0:1/3", "1/3:2/3", "2/3:1"][..], &["0:1/2", "1/2:1"]] {
            let together = strip(instances(plan, iteration, segments, 2).await);
            assert_eq!(starts(&together), starts(&alone));
            let mut numbers: [Vec<u64>; 2] =
                [&together, &alone].map(|runs| runs.iter().map(|(_, n)| *n).collect());
            for numbers in &mut numbers {
                numbers.sort_unstable();
            }
            assert_eq!(numbers[0], numbers[1]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn iterations_are_numbered_without_gaps_whoever_is_fast() {
    let external = Plan::Closed {
        staffing: Staffing::External {
            start: 9,
            max: 9,
            duration: Some(Duration::from_secs(1)),
        },
        budget: Budget::Unlimited,
    };
    let ramping = Plan::Open {
        arrivals: Arrivals::ramping(10, Duration::from_secs(1), stages(&[(1_000, 90)])),
        pre_allocated: 9,
        max_vus: 12,
    };
    for plan in [
        constant_vus(9, 1_000),
        ramping_vus(3, &[(500, 9), (500, 3)], 30_000),
        closed(9, 60_000, Budget::Shared(70)),
        closed(9, 60_000, Budget::PerVu(8)),
        external,
        // Some are dropped.
        constant_rate(90, 1_000, 9, 9),
        ramping,
    ] {
        for segment in ["0:1", "0:1/3", "1/3:2/3", "2/3:1"] {
            let mut rig = Rig::new(plan.clone(), 0).workers(3).act(|seat, _| {
                (
                    ms(if seat.id_in_instance == 1 { 7 } else { 130 }),
                    Outcome::Complete,
                )
            });
            rig.share = Share::new(&segment.parse().unwrap(), None).unwrap();
            let mine = rig.share.staffed(u64::from(plan.max_vus())).unwrap();
            let played = rig.play().await;
            let count = played.done.len() as u64;
            assert!(count > 10, "{plan:?} {segment}: {count}");
            let expected: Vec<u64> = (0..count).map(|k| mine.nth(k)).collect();
            assert_eq!(played.numbers(), expected, "{plan:?} {segment}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Every iteration that is due begins or is dropped, on any number of workers, and the number of workers changes neither.
    #[test]
    fn an_open_model_accounts_for_every_iteration(
        rate in 1u64..300, duration in 1_000u64..3_000, vus in 1u32..20, iteration in 1u64..400, workers in 1u16..5, graceful in 0u64..500,
    ) {
        let plan = constant_rate(rate, duration, vus, vus);
        let total = match &plan {
            Plan::Open { arrivals, .. } => arrivals.total(),
            Plan::Closed { .. } => 0,
        };
        let play = |workers| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            runtime.block_on(Rig::new(plan.clone(), iteration).workers(workers).graceful_stop(graceful).play())
        };
        let (many, one) = (play(workers), play(1));
        let (complete, interrupted, dropped) = many.counts();
        prop_assert_eq!(complete + interrupted + dropped, total);
        prop_assert_eq!(many.counts(), one.counts());
        prop_assert_eq!(many.starts(), one.starts());
    }

    /// A ramp never has more virtual users busy than it says, but for those in their grace.
    #[test]
    fn a_ramp_keeps_to_its_numbers(
        legs in proptest::collection::vec((0u64..400, 0u64..12), 1..5), start in 0u32..6, iteration in 1u64..120, workers in 1u16..4,
    ) {
        let plan = ramping_vus(start, &legs, 0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let played = runtime.block_on(Rig::new(plan.clone(), iteration).workers(workers).play());
        let Plan::Closed { staffing, .. } = &plan else { unreachable!() };
        for probe in 0..played.took {
            // Just before the end of the millisecond: whatever changes within it has changed.
            let busy = played
                .done
                .iter()
                .filter(|done| done.start <= probe && done.end.is_some_and(|end| end > probe))
                .count();
            let allowed = staffing.vus_at(ms(probe)).max(staffing.vus_at(ms(probe.saturating_sub(1))));
            let ended = ms(probe) >= staffing.duration();
            prop_assert!(ended || busy <= allowed as usize, "{busy} of {allowed} at {probe} ms");
        }
    }
}
