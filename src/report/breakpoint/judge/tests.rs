//! Verdicts on steps that are made up: clear ones, close ones, warm-up, drift, too few samples; and how often they are right.

use super::*;
use crate::metrics::{Contains, Trend};
use std::sync::Arc;

/// A stream of numbers from 0 to 1 that a seed decides (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }
}

fn criterion(metric: &str, expression: &str) -> ThresholdSpec {
    ThresholdSpec {
        filter: metric.parse().unwrap(),
        expression: expression.parse().unwrap(),
        abort_on_fail: false,
        delay_abort_eval: Duration::ZERO,
        on_empty_pass: false,
        over: None,
    }
}

fn errors() -> Vec<ThresholdSpec> {
    vec![criterion("http_req_failed", "rate<=0.01")]
}

/// A step of so many seconds; each has its number of requests, and a chance that one fails.
fn step(seconds: usize, requests: u64, seed: u64, chance: impl Fn(usize) -> f64) -> Tape {
    let mut dice = Dice(seed);
    let (mut failed, mut all) = (40, 1000);
    let mut tape = Tape {
        before: vec![Some(Value::Rate {
            passes: failed,
            total: all,
        })],
        seconds: Vec::new(),
    };
    for second in 0..seconds {
        let bad = (0..requests).filter(|_| dice.roll() < chance(second)).count() as u64;
        failed += bad;
        all += requests;
        tape.seconds.push(Second {
            length: 1.0,
            window: Window {
                requests,
                failed: bad,
                p50: 5.0 + dice.roll(),
                ..Window::default()
            },
            requests: requests as f64,
            lost: 0.0,
            totals: vec![Some(Value::Rate {
                passes: failed,
                total: all,
            })],
            target: None,
        });
    }
    tape
}

const RULE: Rule = Rule {
    z: 2.576,
    least: 5.0,
    most: 60.0,
};

#[test]
fn what_is_clear_is_told_early() {
    let call = |tape: &Tape| judge(tape, &errors(), &RULE).call;
    assert_eq!(call(&step(5, 500, 1, |_| 0.5)), Call::Breaks);
    assert_eq!(
        call(&step(3, 500, 1, |_| 0.5)),
        Call::Open,
        "two seconds are too few"
    );
    assert_eq!(call(&step(12, 500, 1, |_| 0.0)), Call::Holds);
    assert_eq!(
        call(&step(4, 500, 1, |_| 0.0)),
        Call::Open,
        "it takes five seconds to hold"
    );
    // Without a failure in 60 requests the share may still be above 1 %.
    assert_eq!(call(&step(12, 5, 1, |_| 0.0)), Call::Open);
    assert_eq!(
        call(&step(40, 500, 1, |_| 0.01)),
        Call::Open,
        "it is at the limit"
    );
}

#[test]
fn what_decided_against_it_is_named() {
    let against = judge(&step(8, 500, 3, |_| 0.2), &errors(), &RULE);
    let (place, interval) = against.against.unwrap();
    let Interval { value, low, high } = interval.unwrap();
    assert!(place == 0 && low < value && value < high, "{low} {value} {high}");
    assert!(
        (0.15..0.25).contains(&value) && low > 0.05 && high < 0.35,
        "{low} {value} {high}"
    );
    assert!(!against.stands);
    let fine = judge(&step(8, 500, 3, |_| 0.0), &errors(), &RULE);
    assert!(fine.stands && fine.against.is_none());
}

#[test]
fn the_beginning_is_left_out_if_it_is_different() {
    // The first three seconds fail, as connections are opened.
    let tape = step(16, 500, 5, |second| if second < 3 { 0.6 } else { 0.0 });
    let mut slow = tape.clone();
    for second in &mut slow.seconds[..3] {
        second.window.p50 = 80.0;
    }
    let judged = judge(&slow, &errors(), &RULE);
    assert_eq!((judged.warm_up, judged.call), (3, Call::Holds));
    // What was there before the step is not its own: 40 of 1000 failed.
    let steady = judge(&step(16, 500, 5, |_| 0.0), &errors(), &RULE);
    assert_eq!(steady.call, Call::Holds);
}

#[test]
fn a_criterion_without_samples_is_not_met_unless_it_says_so() {
    let criteria = vec![criterion("http_req_failed{name:x}", "rate<0.01")];
    let mut tape = step(10, 500, 1, |_| 0.0);
    tape.before = vec![None];
    for second in &mut tape.seconds {
        second.totals = vec![None];
    }
    let judged = judge(&tape, &criteria, &RULE);
    assert_eq!(
        (judged.call, judged.stands, judged.against),
        (Call::Open, false, Some((0, None)))
    );
    let lenient = vec![ThresholdSpec {
        on_empty_pass: true,
        ..criteria[0].clone()
    }];
    assert_eq!(judge(&tape, &lenient, &RULE).call, Call::Holds);
}

#[test]
fn percentiles_and_rates_of_counters_have_intervals_too() {
    let mut dice = Dice(9);
    let mut trend = Trend::new(Contains::Time);
    let mut count = 0.0;
    let mut tape = Tape {
        before: vec![None, None],
        seconds: Vec::new(),
    };
    for _ in 0..30 {
        for _ in 0..200 {
            trend.record(100.0 * dice.roll());
        }
        count += 200.0;
        tape.seconds.push(Second {
            length: 1.0,
            window: Window {
                requests: 200,
                p50: 50.0,
                ..Window::default()
            },
            requests: 200.0,
            lost: 0.0,
            totals: vec![
                Some(Value::Trend(Arc::new(trend.clone()))),
                Some(Value::Counter { total: count }),
            ],
            target: None,
        });
    }
    let p95 = tape.interval(0, Aggregation::P(95.0), 1, 1.96).unwrap();
    assert!((p95.value - 95.0).abs() < 1.5, "{p95:?}");
    assert!(p95.high - p95.low > 0.2 && p95.high - p95.low < 3.0, "{p95:?}");
    let rate = tape.interval(1, Aggregation::Rate, 1, 1.96).unwrap();
    assert!(
        (rate.value - 200.0).abs() < 1e-9 && (rate.high - rate.low).abs() < 1e-9,
        "{rate:?}"
    );
    let criteria = vec![
        criterion("http_req_duration", "p(95)<99"),
        criterion("iterations", "rate>=198"),
    ];
    assert_eq!(judge(&tape, &criteria, &RULE).call, Call::Holds);
    let criteria = vec![
        criterion("http_req_duration", "p(95)<99"),
        criterion("iterations", "rate>=210"),
    ];
    let judged = judge(&tape, &criteria, &RULE);
    assert_eq!((judged.call, judged.against.unwrap().0), (Call::Breaks, 1));
}

#[test]
fn silence_is_noticed_at_once() {
    let mut tape = step(3, 50, 1, |_| 1.0);
    assert_eq!(tape.silent(), Some(false), "answers that are errors are answers");
    tape.seconds[2].lost = 50.0;
    assert_eq!(tape.silent(), Some(true));
    tape.seconds[2].requests = 0.0;
    assert_eq!(tape.silent(), None, "who asks nothing is told nothing");
}

#[test]
fn quantiles_are_students() {
    for (z, freedom, expected) in [
        (1.96, 10.0, 2.228),
        (1.96, 30.0, 2.042),
        (2.576, 5.0, 4.032),
        (1.645, 4.0, 2.132),
    ] {
        let got = student(z, freedom);
        assert!((got / expected - 1.0).abs() < 0.02, "{got} for {expected}");
    }
}

/// Runs steps second by second as the search does, and counts how often the verdict is wrong and how long they last.
fn wrong(steps: u64, chance: f64, truth: Call) -> (f64, f64) {
    let (mut wrong, mut seconds) = (0, 0);
    for seed in 0..steps {
        let whole = step(60, 300, seed * 7919 + 1, |_| chance);
        let mut looked = 0;
        for n in 1..=60 {
            if n < looked + (looked / 4).max(1) {
                continue;
            }
            looked = n;
            let tape = Tape {
                before: whole.before.clone(),
                seconds: whole.seconds[..n].to_vec(),
            };
            let judged = judge(&tape, &errors(), &RULE);
            let call = match judged.call {
                Call::Open if n == 60 && judged.stands => Call::Holds,
                Call::Open if n == 60 => Call::Breaks,
                call => call,
            };
            if call != Call::Open {
                wrong += u64::from(call != truth);
                seconds += n as u64;
                break;
            }
        }
    }
    (wrong as f64 / steps as f64, seconds as f64 / steps as f64)
}

#[test]
fn verdicts_are_right_where_the_load_is_off_the_limit() {
    for (chance, truth) in [
        (0.0, Call::Holds),
        (0.005, Call::Holds),
        (0.02, Call::Breaks),
        (0.2, Call::Breaks),
    ] {
        let (wrong, seconds) = wrong(100, chance, truth);
        assert!(wrong <= 0.05, "{chance}: {wrong} wrong, {seconds} s");
        let clear = !(0.003..0.1).contains(&chance);
        assert!(!clear || seconds <= 12.0, "{chance}: {seconds} s");
    }
}
