//! The search against targets whose limit is known: exact ones, noisy ones, some that never break and some that always do.

use proptest::prelude::*;

use super::*;

const RANGE: Range = Range {
    start: 1,
    most: 10_000,
    precision: 0.05,
    confirmations: 2,
};

/// More steps than any search may take.
const ENDLESS: usize = 400;

/// Searches a target; the bounds, and what was tried in which order.
fn searched(range: Range, mut target: impl FnMut(u64) -> Seen) -> (Search, Vec<(u64, Stage)>) {
    let mut search = Search::new(range);
    let mut ladder = Vec::new();
    while let Next::Try(load, stage) = search.next() {
        assert!((1..=range.most).contains(&load), "{load} is out of the range");
        ladder.push((load, stage));
        assert!(ladder.len() < ENDLESS, "it never ends: {ladder:?}");
        search.saw(load, target(load));
    }
    (search, ladder)
}

fn limit(at: u64) -> impl Fn(u64) -> Seen {
    move |load| if load <= at { Seen::Held } else { Seen::Broke }
}

#[test]
fn it_doubles_then_bisects_then_confirms_both_ends() {
    let (search, ladder) = searched(RANGE, limit(41));
    let loads: Vec<u64> = ladder.iter().map(|(load, _)| *load).collect();
    assert_eq!(
        loads,
        [1, 2, 4, 8, 16, 32, 64, 48, 40, 44, 42, 40, 40, 42],
        "{ladder:?}"
    );
    let bounds = search.bounds();
    assert_eq!((bounds.held, bounds.broke, bounds.times), (Some(40), Some(42), 3));
    assert!(!bounds.generator);
}

#[test]
fn a_target_that_never_breaks_is_tried_up_to_the_most() {
    let range = Range { most: 100, ..RANGE };
    let (search, ladder) = searched(range, |_| Seen::Held);
    let loads: Vec<u64> = ladder.iter().map(|(load, _)| *load).collect();
    assert_eq!(loads, [1, 2, 4, 8, 16, 32, 64, 100, 100, 100]);
    assert_eq!((search.bounds().held, search.bounds().broke), (Some(100), None));
}

#[test]
fn a_target_that_always_breaks_is_tried_down_to_one() {
    let range = Range { start: 20, ..RANGE };
    let (search, ladder) = searched(range, |_| Seen::Broke);
    let loads: Vec<u64> = ladder.iter().map(|(load, _)| *load).collect();
    assert_eq!(loads, [20, 10, 5, 2, 1, 1], "the last one twice");
    assert_eq!((search.bounds().held, search.bounds().broke), (None, Some(1)));
}

#[test]
fn one_bad_moment_is_no_limit() {
    // 16 breaks once, the first time.
    let mut accidents = 1;
    let (search, ladder) = searched(RANGE, |load| {
        if load == 16 && accidents > 0 {
            accidents -= 1;
            return Seen::Broke;
        }
        limit(41)(load)
    });
    let bounds = search.bounds();
    assert!(
        bounds.held.unwrap() >= 39 && bounds.broke.unwrap() <= 44,
        "{ladder:?}"
    );
}

#[test]
fn where_the_generator_gives_up_the_target_is_not_blamed() {
    let (search, ladder) = searched(RANGE, |load| if load <= 40 { Seen::Held } else { Seen::Invalid });
    let bounds = search.bounds();
    assert!(bounds.generator && bounds.held.unwrap() <= 40 && bounds.broke.unwrap() > 40);
    let twice = ladder.iter().filter(|(load, _)| *load == 64).count();
    assert_eq!(twice, 2, "an invalid step is tried again: {ladder:?}");
    // Once is an accident.
    let mut accidents = 1;
    let (search, _) = searched(RANGE, |load| {
        if load == 8 && accidents > 0 {
            accidents -= 1;
            return Seen::Invalid;
        }
        limit(100)(load)
    });
    let bounds = search.bounds();
    assert!(
        !bounds.generator && (95..=100).contains(&bounds.held.unwrap()),
        "{bounds:?}"
    );
}

#[test]
fn a_load_that_the_generator_could_carry_out_once_is_judged_by_that() {
    let mut search = Search::new(RANGE);
    search.saw(1, Seen::Held);
    search.saw(2, Seen::Invalid);
    assert_eq!(search.next(), Next::Try(2, Stage::Again));
    search.saw(2, Seen::Held);
    assert_eq!(search.next(), Next::Try(4, Stage::Double));
    for _ in 0..2 {
        search.saw(4, Seen::Invalid);
    }
    assert!(search.bounds().generator && search.bounds().broke == Some(4));
}

#[test]
fn what_is_known_half_way_is_an_answer_too() {
    let mut search = Search::new(RANGE);
    assert_eq!(search.bounds(), Bounds::default());
    for load in [1, 2, 4] {
        search.saw(load, Seen::Held);
    }
    search.saw(8, Seen::Broke);
    let bounds = search.bounds();
    assert_eq!((bounds.held, bounds.broke), (Some(4), Some(8)));
    assert_eq!(search.next(), Next::Try(6, Stage::Bisect));
}

/// Whether a coin that falls so often falls now: a number from 0 to 1 made of a seed and a count (`SplitMix64`).
fn coin(seed: u64, count: u64) -> f64 {
    let mut z = seed.wrapping_add((count + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}

proptest! {
    #[test]
    fn an_exact_limit_is_enclosed(
        start in 1_u64..500, most in 1_u64..20_000, at in 0_u64..25_000, precision in 0.0_f64..0.3, confirmations in 0_u32..4
    ) {
        let range = Range { start, most, precision, confirmations };
        let (search, ladder) = searched(range, limit(at));
        let bounds = search.bounds();
        if let Some(held) = bounds.held {
            prop_assert!(held <= at && bounds.times > confirmations);
        }
        match (bounds.held, bounds.broke) {
            (Some(held), Some(broke)) => {
                prop_assert!(held < broke && broke > at);
                prop_assert!(broke - held <= 1.max((held as f64 * precision) as u64));
            }
            (Some(held), None) => prop_assert!(held == most && most <= at),
            (None, Some(broke)) => prop_assert!(broke == 1 && at == 0),
            (None, None) => prop_assert!(false, "nothing was tried"),
        }
        // Doubling, bisecting and confirming are each a logarithm or a constant.
        prop_assert!(ladder.len() <= 2 * 15 + 2 * 15 + 8, "{ladder:?}");
    }

    #[test]
    fn a_limit_that_is_no_sharp_edge_is_found_near_its_middle(seed in 0_u64..1_000_000, at in 20_u64..5000) {
        // Between 0.9 and 1.1 of the limit a load breaks the more often the higher it is.
        let mut count = 0;
        let (search, ladder) = searched(RANGE, |load| {
            count += 1;
            let chance = (load as f64 / at as f64 - 0.9) / 0.2;
            if coin(seed, count) < chance { Seen::Broke } else { Seen::Held }
        });
        let held = search.bounds().held.unwrap_or(0) as f64;
        prop_assert!(held >= at as f64 * 0.8 && held <= at as f64 * 1.1, "{held} for {at}: {ladder:?}");
    }

    #[test]
    fn whatever_a_target_does_the_search_ends(seed in 0_u64..1_000_000, broken in 0.0_f64..1.0, invalid in 0.0_f64..1.0) {
        let mut count = 0;
        let (search, _) = searched(RANGE, |_| {
            count += 1;
            let toss = coin(seed, count);
            if toss < broken * 0.5 { Seen::Broke } else if toss > 1.0 - invalid * 0.5 { Seen::Invalid } else { Seen::Held }
        });
        let bounds = search.bounds();
        if let (Some(held), Some(broke)) = (bounds.held, bounds.broke) {
            prop_assert!(held < broke);
        }
    }
}
