//! How often a comparison is right: many pairs of runs that never were, whose truth is known. They have what makes runs hard to
//! compare: seconds that resemble their neighbours, bad seconds, long tails, endpoints of few requests, runs that differ from
//! each other by themselves. `docs/compare.md` has the table.

use std::collections::BTreeMap;

use serde_json::json;

use crate::metrics::{Cell, Contains, Trend, add_ranges, course_range};
use crate::report::findings::synthetic::Noise;
use crate::report::saved::fixture::saved_run;
use crate::report::saved::{Metric, SavedCounter, SavedCourse, SavedRate, SavedRun, SavedTrend};

use super::*;

/// Endpoints: name, median in milliseconds, requests a second.
const ENDPOINTS: [(&str, f64, f64); 8] = [
    ("login", 45.0, 6.0),
    ("list", 22.0, 40.0),
    ("search", 80.0, 12.0),
    ("item", 12.0, 60.0),
    ("cart", 30.0, 10.0),
    ("order", 60.0, 3.0),
    ("image", 8.0, 30.0),
    ("logout", 15.0, 4.0),
];

/// What a run is like.
#[derive(Debug, Clone, Copy)]
struct World {
    seconds: usize,
    /// How much slower than it was, and of which endpoint alone.
    slower: (f64, Option<&'static str>),
    /// A ramp: at its end the load is four times that of the beginning, and the target three times as slow.
    ramp: bool,
    errors: f64,
}

const FLAT: World = World {
    seconds: 120,
    slower: (1.0, None),
    ramp: false,
    errors: 0.003,
};

#[derive(Default)]
struct Endpoint {
    trend: Option<Trend>,
    cells: Vec<Cell>,
    failed: u64,
}

fn run_of(world: World, seed: u64) -> SavedRun {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut normal = {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        move || {
            let (a, b) = (rng.f64().max(1e-12), rng.f64());
            (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
        }
    };
    // Runs differ by a percent whatever they do.
    let own = (0.01 * normal()).exp();
    let mut common = Noise::new(seed.wrapping_mul(3) + 1, 0.06);
    let mut each: Vec<Noise> = (0..ENDPOINTS.len() as u64)
        .map(|at| Noise::new(seed.wrapping_mul(31) + at, 0.04))
        .collect();
    let mut endpoints: Vec<Endpoint> = ENDPOINTS.iter().map(|_| Endpoint::default()).collect();
    for second in 0..world.seconds {
        let place = second as f64 / world.seconds as f64;
        let (load, strain) = if world.ramp {
            (0.25 + 0.75 * place, 1.0 + 2.0 * place)
        } else {
            (1.0, 1.0)
        };
        let bad = if rng.f64() < 0.01 { 3.0 } else { 1.0 };
        let now = own * common.factor() * strain * bad;
        for (((name, median, rate), endpoint), noise) in ENDPOINTS.iter().zip(&mut endpoints).zip(&mut each) {
            let slower = match world.slower {
                (factor, only) if only.is_none_or(|only| only == *name) => factor,
                _ => 1.0,
            };
            let level = median * now * noise.factor() * slower;
            let expected = rate * load;
            let count = (expected + expected.sqrt() * normal()).round().max(0.0) as u64;
            let mut cell = Cell {
                at: second as u64,
                ..Cell::default()
            };
            let trend = endpoint.trend.get_or_insert_with(|| Trend::new(Contains::Time));
            let errors = world.errors * bad;
            let mut ranges = BTreeMap::new();
            for _ in 0..count {
                let duration = level * (0.35 * normal()).exp();
                trend.record(duration);
                *ranges.entry(course_range(duration)).or_insert(0) += 1;
                cell.hits += u64::from(rng.f64() < errors);
            }
            cell.ranges = ranges.into_iter().collect();
            cell.count = count;
            endpoint.failed += cell.hits;
            if count > 0 {
                endpoint.cells.push(cell);
            }
        }
    }
    saved(world, seed, &endpoints)
}

fn saved(world: World, seed: u64, endpoints: &[Endpoint]) -> SavedRun {
    let parts = ENDPOINTS.map(|(name, ..)| (json!({"name": name, "scenario": "default"}), Vec::new(), 0));
    let mut run = saved_run("shop.js", world.seconds as f64, &parts);
    run.run.id = format!("{seed:016x}");
    let trends = endpoints.iter().filter_map(|endpoint| endpoint.trend.as_ref());
    let counts: Vec<u64> = trends.clone().map(Trend::count).collect();
    let metric = |name: &str, contains: &str| (name.to_owned(), contains.to_owned());
    let (name, contains) = metric("http_req_duration", "time");
    let series = trends
        .enumerate()
        .map(|(tags, trend)| SavedTrend::new(tags, trend));
    run.metrics.trends = vec![Metric {
        name,
        contains,
        series: series.collect(),
        folded: 0,
    }];
    let (name, contains) = metric("http_req_failed", "default");
    let series = endpoints.iter().zip(&counts).enumerate();
    let series = series.map(|(tags, (endpoint, total))| SavedRate {
        tags,
        passes: endpoint.failed,
        total: *total,
    });
    run.metrics.rates = vec![Metric {
        name,
        contains,
        series: series.collect(),
        folded: 0,
    }];
    let (name, contains) = metric("http_reqs", "default");
    let series = counts.iter().enumerate();
    let series = series.map(|(tags, total)| SavedCounter {
        tags,
        total: *total as f64,
    });
    run.metrics.counters = vec![Metric {
        name,
        contains,
        series: series.collect(),
        folded: 0,
    }];
    let mut whole: Vec<Cell> = (0..world.seconds as u64)
        .map(|at| Cell {
            at,
            ..Cell::default()
        })
        .collect();
    let courses = &mut run.timeline.courses;
    for ((name, ..), endpoint) in ENDPOINTS.iter().zip(endpoints) {
        for cell in &endpoint.cells {
            let sum = &mut whole[usize::try_from(cell.at).unwrap()];
            sum.count += cell.count;
            sum.hits += cell.hits;
            sum.ranges = add_ranges(&sum.ranges, &cell.ranges);
        }
        let part = Some(("name".to_owned(), (*name).to_owned()));
        courses.push(SavedCourse::new(
            "http_req_duration".to_owned(),
            part,
            &endpoint.cells,
        ));
    }
    courses.push(SavedCourse::new("http_req_duration".to_owned(), None, &whole));
    run
}

/// Of so many comparisons, those that find any row better or worse, and those that find any worse.
fn flagged(trials: u64, runs: u64, base: World, new: World) -> (u64, u64) {
    let (mut any, mut worse) = (0, 0);
    for trial in 0..trials {
        let side = |world: World, first: u64| -> Vec<SavedRun> {
            (0..runs)
                .map(|run| run_of(world, trial * 1000 + first + run))
                .collect()
        };
        let (base, new) = (side(base, 1), side(new, 501));
        let found = compare(&base, &new, &CompareOptions::default()).unwrap();
        let has = |verdict| found.rows.iter().any(|row| row.verdict == verdict);
        any += u64::from(has(Verdict::Worse) || has(Verdict::Better));
        if std::env::var_os("ROWS").is_some() {
            for row in found
                .rows
                .iter()
                .filter(|row| matches!(row.verdict, Verdict::Worse | Verdict::Better))
            {
                eprintln!("{trial}: {row:?}");
            }
        }
        worse += u64::from(has(Verdict::Worse));
    }
    eprintln!("{runs} a side, {base:?}, then {new:?}: {any} of {trials} flagged, {worse} worse");
    (any, worse)
}

/// The rows of the table in `docs/compare.md` begin after this.
const HEADING: &str = "| runs a side | seconds | what changed | flagged |\n|---|---|---|---|\n";

/// The table there says what has been counted here.
fn documented(runs: u64, seconds: usize, what: &str, hits: u64, trials: u64) {
    let (_, rows) = include_str!("../../../docs/compare.md")
        .split_once(HEADING)
        .unwrap();
    let row = format!("| {runs} | {seconds} | {what} | {hits} of {trials} |");
    let mut rows = rows.lines().take_while(|line| line.starts_with('|'));
    assert!(rows.any(|line| line == row), "docs/compare.md has no row {row}");
}

#[test]
fn the_table_has_no_row_that_nothing_counts() {
    let (_, rows) = include_str!("../../../docs/compare.md")
        .split_once(HEADING)
        .unwrap();
    let rows = rows.lines().take_while(|line| line.starts_with('|')).count();
    let counted = include_str!("synthetic.rs").matches("\n    documented(").count();
    assert_eq!(rows, counted);
}

fn slower(factor: f64, only: Option<&'static str>) -> World {
    World {
        slower: (factor, only),
        ..FLAT
    }
}

#[test]
fn two_runs_of_the_same_are_not_told_apart() {
    let (any, _) = flagged(100, 1, FLAT, FLAT);
    assert!(any <= 5, "{any} of 100 false alarms");
    documented(1, 120, "nothing", any, 100);
}

#[test]
fn ten_percent_are_found_in_two_minutes() {
    let (_, worse) = flagged(100, 1, FLAT, slower(1.1, None));
    assert!(worse >= 90, "found in {worse} of 100");
    documented(1, 120, "all endpoints 10 % slower", worse, 100);
}

#[test]
fn one_slow_endpoint_is_found() {
    let (_, worse) = flagged(40, 1, FLAT, slower(1.2, Some("cart")));
    assert!(worse >= 36, "found in {worse} of 40");
    documented(1, 120, "one endpoint of eight 20 % slower", worse, 40);
}

#[test]
fn a_ramp_is_no_noise() {
    let ramp = |factor| World {
        ramp: true,
        ..slower(factor, None)
    };
    let (any, _) = flagged(40, 1, ramp(1.0), ramp(1.0));
    let (_, worse) = flagged(40, 1, ramp(1.0), ramp(1.1));
    assert!(
        any <= 2 && worse >= 36,
        "{any} of 40 false alarms, found in {worse}"
    );
    documented(1, 120, "nothing, under a ramp to four times the load", any, 40);
    documented(1, 120, "the same under that ramp", worse, 40);
}

#[test]
fn several_short_runs_tell_too() {
    let short = |factor| World {
        seconds: 30,
        ..slower(factor, None)
    };
    let (any, _) = flagged(40, 4, short(1.0), short(1.0));
    let (_, worse) = flagged(40, 4, short(1.0), short(1.1));
    assert!(
        any <= 2 && worse >= 20,
        "{any} of 40 false alarms, found in {worse}"
    );
    documented(4, 30, "nothing", any, 40);
    documented(4, 30, "all endpoints 10 % slower", worse, 40);
}

#[test]
fn more_errors_are_found_and_as_many_are_not() {
    let (_, worse) = flagged(
        40,
        1,
        FLAT,
        World {
            errors: 0.012,
            ..FLAT
        },
    );
    assert!(worse >= 36, "found in {worse} of 40");
    documented(1, 120, "errors from 0.3 % to 1.2 %", worse, 40);
}

#[test]
fn the_same_files_say_the_same() {
    let (base, new) = (run_of(FLAT, 1), run_of(slower(1.1, None), 2));
    let text = |base: &SavedRun, new: &SavedRun| {
        let side = |run: &SavedRun| vec![run.clone()];
        let found = compare(&side(base), &side(new), &CompareOptions::default()).unwrap();
        found.render(Format::Json, false)
    };
    assert_eq!(text(&base, &new), text(&base, &new));
    let reread: SavedRun = serde_json::from_str(&serde_json::to_string(&base).unwrap()).unwrap();
    assert_eq!(text(&reread, &new), text(&base, &new));
}
