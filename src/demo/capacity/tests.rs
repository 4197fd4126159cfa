//! The limits one by one and together, on a paused clock: what is let through, queued, rejected, failed.

use super::*;

fn limits() -> Limits {
    Limits {
        workers: 2,
        cpu_cost: Duration::ZERO,
        queue: 100,
        per_second: None,
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        pool: None,
        error_rate: 0.0,
        seed: 1,
    }
}

fn capacity(limits: Limits) -> Capacity {
    Capacity::new(limits).expect("threads")
}

/// Starts `count` requests at once and waits for all of them.
async fn all_at_once(capacity: &Capacity, count: usize) -> Vec<Turn> {
    futures_util::future::join_all((0..count).map(|_| capacity.turn(1.0))).await
}

fn count(turns: &[Turn], wanted: impl Fn(&Turn) -> bool) -> usize {
    turns.iter().filter(|turn| wanted(turn)).count()
}

#[tokio::test]
async fn without_limits_everything_is_served_at_once() {
    let capacity = capacity(limits());
    let turns = all_at_once(&capacity, 1000).await;
    assert_eq!(count(&turns, |turn| *turn == Turn::Served), 1000);
    let stats = capacity.stats();
    assert_eq!(
        (stats.accepted, stats.served, stats.queue, stats.busy),
        (1000, 1000, 0, 0)
    );
}

#[tokio::test]
async fn the_pace_lets_no_more_through_than_it_says_and_the_queue_holds_no_more() {
    let capacity = capacity(Limits {
        per_second: NonZeroU32::new(40),
        queue: 10,
        ..limits()
    });
    let started = Instant::now();
    let turns = all_at_once(&capacity, 60).await;
    // One goes at once and ten wait for their turn, 25 ms apart.
    assert_eq!(count(&turns, |turn| *turn == Turn::Served), 11);
    assert_eq!(count(&turns, |turn| matches!(turn, Turn::Rejected { .. })), 49);
    assert!(
        started.elapsed() >= Duration::from_millis(250),
        "{:?}",
        started.elapsed()
    );
    let stats = capacity.stats();
    assert_eq!((stats.accepted, stats.rejected, stats.queue), (11, 49, 0));
}

#[tokio::test]
async fn slots_burn_cpu_and_the_rest_waits_or_is_rejected() {
    let capacity = capacity(Limits {
        cpu_cost: Duration::from_millis(20),
        queue: 3,
        ..limits()
    });
    let started = Instant::now();
    let turns = all_at_once(&capacity, 10).await;
    assert_eq!(
        count(&turns, |turn| *turn == Turn::Served),
        5,
        "two in slots and three waiting"
    );
    assert!(
        started.elapsed() >= Duration::from_millis(60),
        "five of 20 ms in two slots: {:?}",
        started.elapsed()
    );
    assert_eq!(capacity.stats().busy, 0);
}

#[tokio::test]
async fn a_closed_loop_of_as_many_clients_as_slots_is_never_rejected() {
    let capacity = capacity(Limits {
        cpu_cost: Duration::from_micros(50),
        queue: 0,
        ..limits()
    });
    let client = || async {
        for _ in 0..500 {
            assert_eq!(capacity.turn(1.0).await, Turn::Served);
        }
    };
    tokio::join!(client(), client());
    assert_eq!(capacity.stats().served, 1000);
}

#[tokio::test]
async fn both_limits_share_one_queue() {
    let capacity = capacity(Limits {
        cpu_cost: Duration::from_millis(1),
        per_second: NonZeroU32::new(20),
        queue: 5,
        ..limits()
    });
    let turns = all_at_once(&capacity, 30).await;
    assert_eq!(count(&turns, |turn| *turn == Turn::Served), 6);
    assert_eq!(capacity.stats().queue, 0);
}

#[tokio::test]
async fn failures_need_a_queue_that_is_over_half_full() {
    let calm = capacity(Limits {
        per_second: NonZeroU32::new(10_000),
        queue: 100,
        error_rate: 1.0,
        ..limits()
    });
    for turn in all_at_once(&calm, 50).await {
        assert_eq!(turn, Turn::Served);
    }
    let strained = capacity(Limits {
        per_second: NonZeroU32::new(10_000),
        queue: 100,
        error_rate: 0.5,
        ..limits()
    });
    let turns = all_at_once(&strained, 101).await;
    let failed = count(&turns, |turn| *turn == Turn::Failed);
    assert!(
        (10..40).contains(&failed),
        "about half of the second half of the queue: {failed}"
    );
    assert_eq!(strained.stats().failed, failed as u64);
}

#[tokio::test]
async fn who_leaves_gives_up_the_place() {
    let capacity = capacity(Limits {
        per_second: NonZeroU32::new(1),
        queue: 1,
        ..limits()
    });
    assert_eq!(capacity.turn(1.0).await, Turn::Served);
    let waiting = tokio::time::timeout(Duration::from_millis(20), capacity.turn(1.0)).await;
    assert!(waiting.is_err(), "its turn comes in a second");
    let stats = capacity.stats();
    assert_eq!((stats.queue, stats.abandoned), (0, 1));
}

#[tokio::test]
async fn latency_takes_time_but_no_slot() {
    let capacity = capacity(Limits {
        latency: Duration::from_millis(30),
        jitter: Duration::from_millis(10),
        ..limits()
    });
    let started = Instant::now();
    all_at_once(&capacity, 200).await;
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(30) && took < Duration::from_millis(300),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pool_serves_so_many_at_a_time_and_the_rest_waits_or_is_rejected() {
    let capacity = capacity(Limits {
        latency: Duration::from_millis(100),
        pool: Some(4),
        queue: 6,
        ..limits()
    });
    let started = tokio::time::Instant::now();
    let turns = all_at_once(&capacity, 15).await;
    assert_eq!(count(&turns, |turn| *turn == Turn::Served), 10);
    assert_eq!(count(&turns, |turn| matches!(turn, Turn::Rejected { .. })), 5);
    // Four, four and two.
    assert_eq!(started.elapsed().as_millis() / 10, 30);
    let stats = capacity.stats();
    assert_eq!((stats.queue, stats.served), (0, 10));
}

#[test]
fn jitter_spreads_evenly_around_the_latency_and_never_below_zero() {
    let wide = capacity(Limits {
        latency: Duration::from_millis(10),
        jitter: Duration::from_millis(4),
        ..limits()
    });
    let drawn: Vec<f64> = (0..4000).map(|_| wide.latency().as_secs_f64() * 1e3).collect();
    assert!(drawn.iter().all(|ms| (6.0..14.0).contains(ms)));
    let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
    // The standard error of the mean of 4000 uniform draws over 8 ms is 0.037 ms.
    assert!((mean - 10.0).abs() < 0.15, "{mean}");
    let more_than_all = capacity(Limits {
        latency: Duration::from_millis(1),
        jitter: Duration::from_millis(5),
        ..limits()
    });
    assert!((0..100).all(|_| more_than_all.latency() < Duration::from_millis(6)));
}

#[tokio::test]
async fn what_costs_next_to_nothing_is_done_at_once_and_still_fills_its_slot() {
    let capacity = capacity(Limits {
        workers: 1,
        cpu_cost: Duration::from_micros(100),
        ..limits()
    });
    let before = crate::demo::burn::thread_cpu_time().expect("this system has the clock");
    for _ in 0..200 {
        assert_eq!(capacity.turn(0.1).await, Turn::Served);
    }
    let used = crate::demo::burn::thread_cpu_time()
        .expect("this system has the clock")
        .saturating_sub(before);
    assert!(
        used >= Duration::from_millis(2),
        "200 of 10 µs, on this thread: {used:?}"
    );
    let stats = capacity.stats();
    assert_eq!((stats.served, stats.queue, stats.busy), (200, 0, 0));
}

#[test]
fn dear_and_cheap_requests_from_many_threads_never_exceed_the_slots() {
    let capacity = capacity(Limits {
        workers: 2,
        cpu_cost: Duration::from_micros(200),
        queue: 1000,
        ..limits()
    });
    let run = |cost: f64, count: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            for _ in 0..count {
                assert_eq!(capacity.turn(cost).await, Turn::Served);
                assert!(capacity.stats().busy <= 2);
            }
        });
    };
    // A request that overlooked a free slot, or a slot that overlooked a request, would leave one waiting for ever.
    std::thread::scope(|scope| {
        for (cost, count) in [
            (0.1, 1500),
            (0.1, 1500),
            (0.1, 1500),
            (1.0, 300),
            (1.0, 300),
            (0.0, 1500),
        ] {
            scope.spawn(move || run(cost, count));
        }
    });
    let stats = capacity.stats();
    assert_eq!((stats.served, stats.queue, stats.busy), (6600, 0, 0));
}
