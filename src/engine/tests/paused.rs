//! Pausing, and the executor whose virtual users somebody outside counts.

use super::*;

#[tokio::test(start_paused = true)]
async fn virtual_users_that_loop_finish_what_they_do_and_go_on_where_they_were() {
    for workers in [1, 2] {
        let played = Rig::new(constant_vus(2, 1_000), 100)
            .workers(workers)
            .deed(250, Control::pause)
            .deed(650, Control::resume)
            .play()
            .await;
        let expected = [0, 100, 200, 650, 750, 850, 950, 1_050, 1_150, 1_250, 1_350];
        assert_eq!(
            (played.starts_of(1), played.starts_of(2)),
            (expected.to_vec(), expected.to_vec())
        );
        assert_eq!((played.counts(), played.took), ((22, 0, 0), 1_450));
    }
}

#[tokio::test(start_paused = true)]
async fn arrivals_are_frozen_and_none_is_dropped() {
    for workers in [1, 2] {
        let played = Rig::new(constant_rate(10, 1_000, 2, 2), 10)
            .workers(workers)
            .deed(250, Control::pause)
            .deed(650, Control::resume)
            .play()
            .await;
        let expected = [0, 100, 200, 700, 800, 900, 1_000, 1_100, 1_200, 1_300];
        assert_eq!(played.starts(), expected);
        assert_eq!((played.counts(), played.took), ((10, 0, 0), 1_400));
        assert_eq!(
            played.metric(builtin::SCHEDULING_LAG).0,
            0,
            "the pause is no delay of ours"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_scenario_that_has_not_begun_begins_so_much_later() {
    let mut rig = Rig::new(constant_vus(1, 1_000), 500)
        .deed(100, Control::pause)
        .deed(400, Control::resume);
    rig.scenarios[0].start = ms(500);
    let played = rig.play().await;
    assert_eq!((played.starts_of(1), played.took), (vec![800, 1_300], 1_800));
}

#[tokio::test(start_paused = true)]
async fn a_ramp_stands_still_too_and_a_paused_test_can_be_stopped() {
    let ramp = || ramping_vus(0, &[(1_000, 10)], 30_000);
    let played = Rig::new(ramp(), 10)
        .deed(250, Control::pause)
        .deed(1_250, Control::resume)
        .play()
        .await;
    // The third one was to come at 300.
    assert_eq!(played.starts_of(3).first(), Some(&1_300));
    let rig = Rig::new(ramp(), 10)
        .deed(250, Control::pause)
        .stop(5_000, Level::Graceful);
    let played = rig.play().await;
    assert_eq!((played.took, &played.reason), (5_000, &Some(Reason::Signal)));
    assert!(played.starts().iter().all(|start| *start <= 260));
}

#[tokio::test(start_paused = true)]
async fn a_number_from_outside_is_followed() {
    let plan = |max| Plan::Closed {
        staffing: Staffing::External {
            start: 1,
            max,
            duration: Some(Duration::from_secs(1)),
        },
        budget: Budget::Unlimited,
    };
    for workers in [1, 3] {
        let played = Rig::new(plan(4), 100)
            .workers(workers)
            .deed(330, |control| control.scale(3))
            .deed(680, |control| control.scale(0))
            .play()
            .await;
        let mut of_others: Vec<u64> = played
            .done
            .iter()
            .filter(|done| done.start % 100 != 0)
            .map(|done| done.start)
            .collect();
        of_others.sort_unstable();
        assert_eq!(of_others, [330, 330, 430, 430, 530, 530, 630, 630]);
        assert_eq!(
            played.starts().iter().filter(|start| *start % 100 == 0).count(),
            7
        );
        assert_eq!(
            (played.counts(), played.took),
            ((15, 0, 0), 1_000),
            "what was begun was finished"
        );
        assert_eq!(played.live.vus_max(), 4);
    }
    let forever = Plan::Closed {
        staffing: Staffing::External {
            start: 2,
            max: 2,
            duration: None,
        },
        budget: Budget::Unlimited,
    };
    let played = Rig::new(forever, 60_000)
        .stop(3_590_000, Level::Graceful)
        .play()
        .await;
    assert_eq!(played.counts().0, 120);
}
