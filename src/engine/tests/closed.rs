//! constant-vus, ramping-vus, shared-iterations, per-vu-iterations.

use super::*;

#[tokio::test(start_paused = true)]
async fn constant_vus_loop_until_the_end_and_finish_gracefully() {
    for workers in [1, 2, 5] {
        let played = Rig::new(constant_vus(3, 1_000), 300)
            .workers(workers)
            .play()
            .await;
        assert_eq!(played.counts(), (12, 0, 0));
        for vu in 1..=3 {
            assert_eq!(played.starts_of(vu), [0, 300, 600, 900]);
        }
        assert_eq!(played.took, 1_200);
        let in_vu: Vec<u64> = played
            .done
            .iter()
            .filter(|done| done.vu == 2)
            .map(|done| done.in_vu)
            .collect();
        assert_eq!(in_vu, [0, 1, 2, 3]);
        assert_eq!(played.metric(builtin::ITERATIONS), (12, 12));
        assert_eq!(played.metric(builtin::ITERATION_DURATION), (3_600, 12));
        assert_eq!(played.metric(builtin::DROPPED_ITERATIONS).1, 0);
        assert_eq!((played.live.vus(), played.live.vus_max()), (0, 3));
        assert_eq!(played.reason, None);
        assert_eq!(played.numbers(), (0..12).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn the_graceful_stop_ends_in_an_interrupt() {
    for (graceful_stop, took) in [(100, 1_100), (0, 1_000), (799, 1_799)] {
        let played = Rig::new(constant_vus(2, 1_000), 900)
            .graceful_stop(graceful_stop)
            .play()
            .await;
        assert_eq!(played.counts(), (2, 2, 0), "{graceful_stop}");
        assert_eq!((played.took, played.interrupts), (took, 2));
        // What was interrupted is not in the figures.
        assert_eq!(played.metric(builtin::ITERATIONS), (2, 2));
        assert_eq!(played.metric(builtin::ITERATION_DURATION), (1_800, 2));
    }
    let played = Rig::new(constant_vus(2, 1_000), 900)
        .graceful_stop(801)
        .play()
        .await;
    assert_eq!((played.counts(), played.took), ((4, 0, 0), 1_800));
}

#[tokio::test(start_paused = true)]
async fn shared_iterations_go_to_whoever_is_free() {
    for workers in [1, 2, 3] {
        let played = Rig::new(closed(3, 60_000, Budget::Shared(10)), 0)
            .workers(workers)
            .act(|seat, _| (ms(if seat.id == 1 { 1_000 } else { 90 }), Outcome::Complete))
            .play()
            .await;
        assert_eq!(played.counts(), (10, 0, 0));
        assert_eq!(played.numbers(), (0..10).collect::<Vec<_>>());
        assert_eq!(played.starts_of(1), [0]);
        assert_eq!(played.took, 1_000);
    }
}

#[tokio::test(start_paused = true)]
async fn shared_iterations_left_over_are_dropped() {
    for workers in [1, 2] {
        let rig = Rig::new(closed(2, 1_000, Budget::Shared(100)), 300).workers(workers);
        let played = rig.graceful_stop(150).play().await;
        assert_eq!(played.counts(), (6, 2, 92));
        assert_eq!(played.metric(builtin::DROPPED_ITERATIONS).0, 92);
        assert_eq!(played.took, 1_150);
    }
}

#[tokio::test(start_paused = true)]
async fn per_vu_iterations_are_each_ones_own() {
    for workers in [1, 2, 4] {
        let played = Rig::new(closed(3, 60_000, Budget::PerVu(4)), 0)
            .workers(workers)
            .act(|seat, _| (ms(seat.id * 100), Outcome::Complete))
            .play()
            .await;
        assert_eq!(played.counts(), (12, 0, 0));
        assert_eq!(played.numbers(), (0..12).collect::<Vec<_>>());
        assert_eq!(played.starts_of(3), [0, 300, 600, 900]);
        assert_eq!(played.took, 1_200);
    }
    let played = Rig::new(closed(3, 1_000, Budget::PerVu(4)), 400)
        .workers(2)
        .play()
        .await;
    assert_eq!((played.counts(), played.took), ((9, 0, 3), 1_200));
}

#[tokio::test(start_paused = true)]
async fn ramping_vus_follow_the_line() {
    for workers in [1, 2, 3] {
        // Up to 4 in 400 ms, level for 200 ms, down to 0 in 400 ms; iterations of 50 ms.
        let plan = ramping_vus(0, &[(400, 4), (200, 4), (400, 0)], 30_000);
        let played = Rig::new(plan, 50).workers(workers).play().await;
        // The first comes at 100 ms and is the last to go, at 1000 ms.
        for (vu, from, to) in [(1, 100, 1_000), (2, 200, 900), (3, 300, 800), (4, 400, 700)] {
            assert_eq!(
                played.starts_of(vu),
                (from..to).step_by(50).collect::<Vec<_>>(),
                "{vu}"
            );
        }
        assert_eq!((played.counts().1, played.took), (0, 1_000));
    }
}

#[tokio::test(start_paused = true)]
async fn who_must_go_may_finish_within_graceful_ramp_down() {
    // Two users; one has to go at 500 ms. Its second iteration would end at 800 ms.
    let plan = |grace| ramping_vus(2, &[(500, 2), (0, 1), (1_500, 1)], grace);
    let played = Rig::new(plan(300), 400).play().await;
    assert_eq!((played.starts_of(2), played.interrupts), (vec![0, 400], 0));
    assert_eq!((played.starts_of(1).len(), played.took), (5, 2_000));
    let played = Rig::new(plan(299), 400).play().await;
    assert_eq!((played.starts_of(2), played.interrupts), (vec![0, 400], 1));
    assert_eq!(played.counts(), (6, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_left_comes_back() {
    // User 2 leaves at 100 ms, comes back at 200 ms while its iteration still runs, leaves at 300 ms for good.
    let legs = [(100, 2), (0, 1), (100, 1), (0, 2), (100, 2), (0, 1), (1_200, 1)];
    let played = Rig::new(ramping_vus(2, &legs, 150), 250).play().await;
    assert_eq!(played.starts_of(2), [0, 250]);
    // Not interrupted at 250 ms, when the grace of its first leave was over, but at 450 ms.
    assert_eq!(
        played
            .done
            .iter()
            .find(|done| done.vu == 2)
            .and_then(|done| done.end),
        Some(250)
    );
    assert_eq!(played.interrupts, 1);
    // Interrupted and back again: the same user goes on with its count.
    let legs = [(100, 1), (0, 0), (200, 0), (0, 1), (100, 1)];
    let played = Rig::new(ramping_vus(1, &legs, 50), 80).play().await;
    let runs: Vec<_> = played
        .done
        .iter()
        .map(|done| (done.start, done.end, done.in_vu))
        .collect();
    assert_eq!(
        runs,
        [
            (0, Some(80), 0),
            (80, None, 1),
            (300, Some(380), 2),
            (380, Some(460), 3)
        ]
    );
    assert_eq!(played.homes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_ramp_is_a_graceful_stop() {
    let rig = Rig::new(ramping_vus(3, &[(1_000, 3)], 0), 700)
        .graceful_stop(350)
        .workers(2);
    let played = rig.play().await;
    assert_eq!((played.counts(), played.took), ((3, 3, 0), 1_350));
}

#[tokio::test(start_paused = true)]
async fn iterations_keep_to_the_least_duration() {
    let mut rig = Rig::new(constant_vus(1, 1_000), 100);
    rig.min_iteration = ms(400);
    let played = rig.play().await;
    assert_eq!(played.starts(), [0, 400, 800]);
    assert_eq!(
        played.metric(builtin::ITERATION_DURATION),
        (300, 3),
        "the pause is not part of it"
    );
    assert_eq!(played.took, 1_000, "nobody sits out a pause after the end");
}

#[tokio::test(start_paused = true)]
async fn failed_iterations_are_complete_and_counted_apart() {
    let played = Rig::new(closed(1, 10_000, Budget::Shared(4)), 0)
        .act(|_, it| {
            let outcomes = [
                Outcome::Complete,
                Outcome::Failed,
                Outcome::Interrupted,
                Outcome::Complete,
            ];
            (ms(10), outcomes[it.in_vu as usize].clone())
        })
        .play()
        .await;
    assert_eq!(played.counts(), (3, 1, 0));
    assert_eq!(played.progress().failed, 1);
    assert_eq!(played.metric(builtin::ITERATIONS).0, 3);
}

#[tokio::test(start_paused = true)]
async fn iterations_carry_the_tags_of_their_scenario() {
    let mut rig = Rig::new(constant_vus(1, 1_000), 600);
    rig.scenarios[0].tags.insert("team".to_owned(), "blue".to_owned());
    let played = rig.play().await;
    assert_eq!(played.done.len(), 2);
    let tags: std::collections::BTreeSet<_> = played
        .samples
        .samples
        .iter()
        .filter(|sample| sample.metric == builtin::ITERATIONS)
        .map(|sample| sample.tags)
        .collect();
    assert_eq!(tags.len(), 1);
}
