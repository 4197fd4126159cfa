//! constant-arrival-rate and ramping-arrival-rate.

use super::*;

#[tokio::test(start_paused = true)]
async fn iterations_begin_when_they_are_due() {
    for workers in [1, 2, 3] {
        let played = Rig::new(constant_rate(10, 1_000, 4, 4), 150)
            .workers(workers)
            .play()
            .await;
        assert_eq!(played.counts(), (10, 0, 0));
        assert_eq!(played.starts(), (0..10).map(|n| n * 100).collect::<Vec<_>>());
        assert_eq!(played.numbers(), (0..10).collect::<Vec<_>>());
        assert!(played.done.iter().all(|done| done.due == Some(done.start)));
        assert_eq!(played.metric(builtin::SCHEDULING_LAG), (0, 10));
        assert_eq!(played.metric(builtin::ITERATION_DURATION_SCHEDULED), (1_500, 10));
        assert_eq!(played.progress().lag_max, Duration::ZERO);
        assert_eq!(played.took, 1_050);
    }
}

#[tokio::test(start_paused = true)]
async fn ramping_arrivals_invert_the_rate() {
    let arrivals = Arrivals::ramping(
        0,
        Duration::from_secs(1),
        stages(&[(2_000, 10), (500, 10), (0, 2), (1_000, 2)]),
    );
    let expected: Vec<u64> = (0..)
        .map_while(|n| arrivals.due(n))
        // The runtime's timer counts whole milliseconds, upwards.
        .map(|due| due.as_nanos().div_ceil(1_000_000) as u64)
        .collect();
    assert_eq!(expected.len(), 17);
    for workers in [1, 2] {
        let plan = Plan::Open {
            arrivals: arrivals.clone(),
            pre_allocated: 3,
            max_vus: 3,
        };
        let played = Rig::new(plan, 30).workers(workers).play().await;
        assert_eq!(played.starts(), expected);
        assert_eq!(played.counts(), (17, 0, 0));
        assert!(played.progress().lag_max < ms(1));
    }
}

#[tokio::test(start_paused = true)]
async fn without_anyone_free_an_iteration_is_dropped_for_good() {
    for workers in [1, 2] {
        let played = Rig::new(constant_rate(10, 1_000, 1, 1), 250)
            .workers(workers)
            .play()
            .await;
        assert_eq!(played.starts(), [0, 300, 600, 900]);
        // What is dropped has no number.
        assert_eq!(played.numbers(), [0, 1, 2, 3]);
        assert_eq!(played.counts(), (4, 0, 6));
        assert_eq!(played.metric(builtin::DROPPED_ITERATIONS).0, 6);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_free_at_that_very_moment_is_free() {
    for workers in [1, 2, 4] {
        // Both the end of the iterations and the next ones fall on the same milliseconds.
        let played = Rig::new(constant_rate(10, 2_000, 3, 3), 300)
            .workers(workers)
            .play()
            .await;
        assert_eq!(played.counts(), (20, 0, 0), "{workers} workers");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_anyone_free_borrows_from_another() {
    // Three users on two workers, but half the iterations are due on each; all three are needed all the time.
    let played = Rig::new(constant_rate(100, 3_000, 29, 29), 285)
        .workers(2)
        .play()
        .await;
    assert_eq!(played.counts(), (300, 0, 0));
    assert!(played.done.iter().all(|done| done.due == Some(done.start)));
    // Nothing is dropped that could have run, and nothing runs that could not.
    let played = Rig::new(constant_rate(100, 3_000, 29, 29), 295)
        .workers(2)
        .play()
        .await;
    let one = Rig::new(constant_rate(100, 3_000, 29, 29), 295).play().await;
    assert_eq!((played.counts(), played.starts()), (one.counts(), one.starts()));
    assert!(one.counts().2 > 0);
}

#[tokio::test(start_paused = true)]
async fn a_drop_takes_on_one_more_in_the_background() {
    let rig = Rig::new(constant_rate(10, 1_000, 1, 3), 10_000);
    let played = rig
        .hiring(|seat| Ok(ms(if seat.id > 1 { 250 } else { 0 })))
        .play()
        .await;
    // Due 0: user 1. Due 100: dropped, user 2 begins to initialise and is ready at 350. Due 500: dropped, user 3 comes at 750.
    assert_eq!(played.starts(), [0, 400, 800]);
    assert_eq!(played.counts(), (3, 0, 7));
    let mut seats: Vec<_> = played
        .homes
        .iter()
        .map(|(seat, hired, _)| (seat.id_in_instance, *hired))
        .collect();
    seats.sort_unstable();
    assert_eq!(seats[1..], [(2, 350), (3, 750)]);
    assert_eq!(
        (
            played.progress().planned,
            played.progress().hired,
            played.live.vus_max()
        ),
        (1, 3, 3)
    );
    assert_eq!(played.took, 10_800);
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_too_late_stays_out() {
    let rig = Rig::new(constant_rate(10, 300, 1, 2), 250);
    let played = rig
        .hiring(|seat| Ok(ms(if seat.id > 1 { 5_000 } else { 0 })))
        .play()
        .await;
    assert_eq!(
        (played.counts(), played.took, played.homes.len()),
        ((1, 0, 2), 300, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_ready_and_nobody_allowed_drops_all() {
    let played = Rig::new(constant_rate(10, 1_000, 0, 1), 10)
        .hiring(|_| Ok(ms(50)))
        .play()
        .await;
    assert_eq!((played.counts(), played.starts()[0]), ((9, 0, 1), 100));
}

#[tokio::test(start_paused = true)]
async fn who_has_been_free_longest_comes_first() {
    let played = Rig::new(constant_rate(10, 1_000, 4, 4), 50).play().await;
    let order: Vec<u64> = played.done.iter().map(|done| done.vu).collect();
    assert_eq!(order, [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_graceful_stop_counts_from_the_end() {
    for workers in [1, 2] {
        let rig = Rig::new(constant_rate(4, 1_000, 4, 4), 600)
            .graceful_stop(200)
            .workers(workers);
        let played = rig.play().await;
        // Begun at 0, 250, 500, 750; the last would end at 1350.
        assert_eq!(
            (played.counts(), played.took, played.interrupts),
            ((3, 1, 0), 1_200, 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_least_duration_keeps_users_from_being_free() {
    let mut rig = Rig::new(constant_rate(10, 1_000, 1, 1), 10);
    rig.min_iteration = ms(250);
    let played = rig.play().await;
    assert_eq!(
        (played.counts(), played.starts()),
        ((4, 0, 6), vec![0, 300, 600, 900])
    );
}

#[tokio::test(start_paused = true)]
async fn a_graceful_stop_in_the_middle() {
    for workers in [1, 2] {
        let rig = Rig::new(constant_rate(10, 10_000, 5, 5), 300)
            .workers(workers)
            .stop(450, Level::Graceful);
        let played = rig.play().await;
        assert_eq!(played.starts(), [0, 100, 200, 300, 400]);
        assert_eq!((played.counts(), played.took), ((5, 0, 0), 700));
        assert_eq!(played.reason, Some(Reason::Signal));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hard_stop_in_the_middle() {
    for workers in [1, 2] {
        let rig = Rig::new(constant_rate(10, 10_000, 5, 5), 300).workers(workers);
        let played = rig.stop(430, Level::Graceful).stop(450, Level::Now).play().await;
        assert_eq!((played.counts(), played.took), ((2, 3, 0), 450));
    }
}

#[tokio::test(start_paused = true)]
async fn someone_who_cannot_be_initialised_ends_the_test() {
    let rig = Rig::new(constant_rate(10, 10_000, 1, 2), 400);
    let error = || HireError {
        message: "init failed".to_owned(),
    };
    let played = rig
        .hiring(move |seat| if seat.id > 1 { Err(error()) } else { Ok(ms(0)) })
        .play()
        .await;
    assert_eq!(played.reason, Some(Reason::Hire(error())));
    assert_eq!((played.counts(), played.took), ((0, 1, 1), 100));
}
