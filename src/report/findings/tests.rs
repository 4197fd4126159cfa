//! Findings on runs whose truth is known, over many seeds: how often each is right, and how often one is made of nothing.
//! The rates are the table in `docs/findings.md`, which has to be what is computed here.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use super::synthetic::{Noise, Second, Target, host, ramp, run};
use super::*;
use crate::report::saved::{REPEATED, Stats};

const SEEDS: u64 = 200;
const TARGET: Target = Target {
    capacity: 400.0,
    service: 20.0,
    think: 100.0,
};

/// What is tried, in how many seeds it came out right, and what is asked at least.
struct Rate {
    what: &'static str,
    hits: u64,
    /// In a hundred.
    least: u64,
    /// Whether a hit is a false alarm: then `least` is the most.
    alarm: bool,
}

fn count(what: &'static str, least: u64, of: impl Fn(u64) -> bool) -> Rate {
    Rate {
        what,
        hits: (0..SEEDS).filter(|seed| of(seed * 7919 + 1)).count() as u64,
        least,
        alarm: false,
    }
}

fn alarms(what: &'static str, most: u64, of: impl Fn(u64) -> bool) -> Rate {
    Rate {
        alarm: true,
        ..count(what, most, of)
    }
}

fn near(value: f64, truth: f64, share: f64) -> bool {
    (value - truth).abs() <= share * truth
}

fn ramped(target: Target, most: f64) -> Vec<Second> {
    ramp(90, most).into_iter().map(|vus| target.second(vus)).collect()
}

fn knees() -> Vec<Rate> {
    let knee = |seed, seconds: &[Second], size| {
        let found = findings(&run(seconds, &mut Noise::new(seed, size)));
        found.named("knee").map(|found| found.evidence["load"])
    };
    let truth = TARGET.knee();
    let bent = ramped(TARGET, 1.6 * truth);
    let wide = ramped(TARGET, 4.0 * truth);
    let flat = ramped(TARGET, 0.8 * truth);
    let even: Vec<Second> = flat
        .iter()
        .map(|second| Second {
            p50: 20.0 + second.vus * 0.5,
            ..*second
        })
        .collect();
    vec![
        count("knee at 63 % of a ramp, found within 15 %", 95, |seed| {
            knee(seed, &bent, 0.05).is_some_and(|load| near(load, truth, 0.15))
        }),
        count("knee at 63 %, noise of 15 %, found within 20 %", 90, |seed| {
            knee(seed, &bent, 0.15).is_some_and(|load| near(load, truth, 0.2))
        }),
        count("knee at 25 % of a ramp, found within 20 %", 90, |seed| {
            knee(seed, &wide, 0.05).is_some_and(|load| near(load, truth, 0.2))
        }),
        alarms("no knee: latency stays, noise of 15 %", 2, |seed| {
            knee(seed, &flat, 0.15).is_some()
        }),
        alarms("no knee: latency grows evenly", 2, |seed| {
            knee(seed, &even, 0.1).is_some()
        }),
    ]
}

fn errors() -> Vec<Rate> {
    let from = 40.0;
    let failing: Vec<Second> = ramped(TARGET, 80.0)
        .into_iter()
        .map(|second| Second {
            failed: if second.vus > from {
                0.01 + 0.005 * (second.vus - from)
            } else {
                0.0005
            },
            ..second
        })
        .collect();
    let some: Vec<Second> = vec![TARGET.second(40.0); 120]
        .into_iter()
        .map(|second| Second {
            failed: 0.005,
            ..second
        })
        .collect();
    let found = |seed, seconds: &[Second]| {
        let found = findings(&run(seconds, &mut Noise::new(seed, 0.05)));
        found.named("errors").map(|found| found.evidence["load"])
    };
    vec![
        count("errors pass 1 % at a load, found within 10 %", 90, |seed| {
            found(seed, &failing).is_some_and(|load| near(load, from, 0.1))
        }),
        alarms("errors stay at 0.5 % for two minutes", 2, |seed| {
            found(seed, &some).is_some()
        }),
    ]
}

/// A run past its knee, with what was read of the machine as a function of how busy the target is.
fn sampled(
    seed: u64,
    read: impl Fn(f64, f64) -> Vec<(&'static str, f64)>,
    cores: impl Fn(f64) -> f64,
) -> Findings {
    let seconds = ramped(TARGET, 1.8 * TARGET.knee());
    let mut noise = Noise::new(seed, 0.05);
    let mut saved = run(&seconds, &mut noise);
    let mut columns: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut own = Vec::new();
    for second in &seconds {
        let busy = TARGET.busy(second);
        let factor = Noise::new(seed ^ second.vus as u64, 0.01).factor();
        for (name, value) in read(busy, second.vus / TARGET.knee()) {
            let value = (value * factor).min(1.0);
            match columns.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => columns.push((name, vec![value])),
            }
        }
        own.push(cores(busy) * factor);
    }
    saved.hosts = vec![host(&columns, &[("server", "cpu_cores", own)])];
    saved.target.machine = Some(saved.environment.clone());
    findings(&saved)
}

fn saturations() -> Vec<Rate> {
    let named = |found: &Findings, part: &str| {
        let first = found.named("saturation").map(|found| found.text.clone());
        first.is_some_and(|text| text.starts_with(part))
    };
    let idle = |busy: f64| {
        vec![
            ("cpu_utilization", 0.3 * busy),
            ("memory_utilization", 0.4),
            ("pressure_io", 0.02),
        ]
    };
    vec![
        count("CPU is full first, memory later: CPU is named", 95, |seed| {
            let read = |busy: f64, load: f64| {
                vec![
                    ("cpu_utilization", 0.99 * busy),
                    ("memory_utilization", if load > 1.4 { 0.97 } else { 0.5 }),
                ]
            };
            named(&sampled(seed, read, |busy| 3.9 * busy), "the CPU of target")
        }),
        count("memory is full first, CPU later: memory is named", 95, |seed| {
            let read = |busy: f64, load: f64| {
                vec![
                    ("cpu_utilization", if load > 1.4 { 0.99 } else { 0.5 * busy }),
                    ("memory_utilization", if load > 0.9 { 0.98 } else { 0.5 }),
                ]
            };
            named(&sampled(seed, read, |busy| 1.5 * busy), "the memory of target")
        }),
        count("one thread of four cores: its core is named", 95, |seed| {
            let found = sampled(seed, |busy, _| idle(busy), |busy| busy);
            named(&found, "the one core that server works on")
        }),
        count("a quota: the quota is named", 95, |seed| {
            let read = |busy: f64, _| {
                let mut columns = idle(busy);
                columns.push(("cpu_throttled", if busy > 0.98 { 0.6 } else { 0.0 }));
                columns
            };
            named(&sampled(seed, read, |busy| 0.5 * busy), "the CPU quota")
        }),
        count("a limit of the target's own: unexplained", 95, |seed| {
            let found = sampled(seed, |busy, _| idle(busy), |busy| 0.3 * busy);
            found.named("unexplained").is_some()
        }),
        alarms("the same: a resource is blamed", 2, |seed| {
            let found = sampled(seed, |busy, _| idle(busy), |busy| 0.3 * busy);
            found.named("saturation").is_some()
        }),
    ]
}

fn drifts() -> Vec<Rate> {
    let soak = |seed: u64, size: f64, latency: &dyn Fn(f64) -> f64, memory: &dyn Fn(f64) -> f64| {
        let seconds: Vec<Second> = (0..600)
            .map(|at| Second {
                p50: 20.0 * latency(f64::from(at) / 600.0),
                ..TARGET.second(20.0)
            })
            .collect();
        let mut noise = Noise::new(seed, size);
        let mut saved = run(&seconds, &mut noise);
        let mut other = Noise::new(seed + 1, 0.02);
        let memory = (0..600).map(|at| 2e8 * memory(f64::from(at) / 600.0) * other.factor());
        let columns = [("cpu_utilization", vec![0.3; 600])];
        saved.hosts = vec![host(&columns, &[("server", "memory", memory.collect())])];
        findings(&saved)
    };
    let level = |at: f64, from: f64, to: f64| if (from..to).contains(&at) { 1.3 } else { 1.0 };
    let stepped = |found: &Findings, at: f64| {
        found.named("step").is_some_and(|step| {
            (step.at.unwrap() - 600.0 * at).abs() <= 15.0
                && near(step.evidence["to"] / step.evidence["from"], 1.3, 0.1)
        })
    };
    vec![
        count(
            "latency steps up by 30 % in ten minutes, found within 15 s",
            95,
            |seed| {
                let found = soak(seed, 0.1, &|at| level(at, 0.5, 2.0), &|_| 1.0);
                stepped(&found, 0.5)
            },
        ),
        count(
            "the same after a quarter, noise of 15 %, found within 15 s",
            85,
            |seed| {
                let found = soak(seed, 0.15, &|at| level(at, 0.25, 2.0), &|_| 1.0);
                stepped(&found, 0.25)
            },
        ),
        alarms("latency steps up by 30 %: called a drift", 2, |seed| {
            let found = soak(seed, 0.1, &|at| level(at, 0.5, 2.0), &|_| 1.0);
            found.named("drift").is_some()
        }),
        alarms("memory steps up by 30 %: called a leak", 2, |seed| {
            let found = soak(seed, 0.05, &|_| 1.0, &|at| level(at, 0.4, 2.0));
            found.named("leak").is_some()
        }),
        alarms("latency grows by 30 % in ten minutes: called a step", 2, |seed| {
            soak(seed, 0.1, &|at| 1.0 + 0.3 * at, &|_| 1.0)
                .named("step")
                .is_some()
        }),
        alarms(
            "latency grows from the sixth minute on: called a step",
            2,
            |seed| {
                soak(seed, 0.05, &|at| 1.0 + (at - 0.6).max(0.0), &|_| 1.0)
                    .named("step")
                    .is_some()
            },
        ),
        alarms(
            "latency is 30 % higher for two minutes: called a step",
            2,
            |seed| {
                let found = soak(seed, 0.1, &|at| level(at, 0.4, 0.6), &|_| 1.0);
                found.named("step").is_some()
            },
        ),
        count("memory steps up and leaks 30 % besides: the leak", 90, |seed| {
            let found = soak(seed, 0.05, &|_| 1.0, &|at| level(at, 0.4, 2.0) + 0.3 * at);
            found.named("leak").is_some()
        }),
        count("memory leaks 30 % in ten minutes", 95, |seed| {
            soak(seed, 0.05, &|_| 1.0, &|at| 1.0 + 0.3 * at)
                .named("leak")
                .is_some()
        }),
        count("latency grows by 30 % in ten minutes", 95, |seed| {
            soak(seed, 0.1, &|at| 1.0 + 0.3 * at, &|_| 1.0)
                .named("drift")
                .is_some()
        }),
        alarms("nothing drifts, noise of 15 %", 2, |seed| {
            let found = soak(seed, 0.15, &|_| 1.0, &|_| 1.0);
            found.named("drift").is_some() || found.named("leak").is_some()
        }),
        alarms("the same: called a step", 2, |seed| {
            soak(seed, 0.15, &|_| 1.0, &|_| 1.0).named("step").is_some()
        }),
        alarms("a collector takes memory back every minute", 2, |seed| {
            let found = soak(seed, 0.05, &|_| 1.0, &|at| 1.0 + 0.3 * (at * 10.0).fract());
            found.named("leak").is_some()
        }),
    ]
}

fn recoveries() -> Vec<Rate> {
    let spike = |seed, takes: usize, hurts: bool| {
        let seconds: Vec<Second> = (0..120)
            .map(|at| {
                let slow = match at {
                    40..60 if hurts => 10.0,
                    60.. if hurts && at - 60 < takes => 5.0,
                    _ => 1.0,
                };
                Second {
                    p50: 20.0 * slow,
                    ..TARGET.second(if (40..60).contains(&at) { 200.0 } else { 20.0 })
                }
            })
            .map(|second| Second {
                p50: if hurts { second.p50 } else { 20.0 },
                ..second
            })
            .collect();
        let found = findings(&run(&seconds, &mut Noise::new(seed, 0.05)));
        let found = found.named("recovery").cloned();
        found.map(|found| found.evidence.get("seconds").copied())
    };
    vec![
        count("12 s after a spike, found within 2 s", 95, |seed| {
            spike(seed, 12, true)
                .flatten()
                .is_some_and(|seconds| (seconds - 12.0).abs() <= 2.0)
        }),
        count("never back: said", 95, |seed| {
            spike(seed, 999, true) == Some(None)
        }),
        alarms("a spike that did no harm", 5, |seed| {
            spike(seed, 0, false).is_some()
        }),
    ]
}

fn verdicts() -> Vec<Rate> {
    let judged = |seed, generator: f64, lag: f64| {
        let seconds: Vec<Second> = ramped(TARGET, 1.8 * TARGET.knee())
            .into_iter()
            .map(|second| Second { generator, ..second })
            .collect();
        let mut saved = run(&seconds, &mut Noise::new(seed, 0.05));
        saved.generator.timer_lag = Some(Stats {
            p95: lag,
            p99: lag,
            ..Stats::default()
        });
        let found = findings(&saved);
        (found.validity.verdict, found.named("generator-limited").is_some())
    };
    vec![
        count(
            "the generator has no CPU left: INVALID, nobody blamed",
            100,
            |seed| judged(seed, 1.98, 5.0) == (Verdict::Invalid, true),
        ),
        count("its timers are as late as answers: INVALID", 100, |seed| {
            judged(seed, 0.5, 60.0).0 == Verdict::Invalid
        }),
        count("it is near its limit: SUSPECT", 100, |seed| {
            judged(seed, 1.7, 5.0).0 == Verdict::Suspect
        }),
        alarms("it has time: not VALID", 1, |seed| {
            judged(seed, 0.5, 3.0).0 != Verdict::Valid
        }),
    ]
}

#[test]
fn findings_are_right_as_often_as_documented() {
    let rates: Vec<Rate> = [
        knees(),
        errors(),
        saturations(),
        drifts(),
        recoveries(),
        verdicts(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut table = String::from("| what is in the run | right | false alarm |\n|---|---|---|\n");
    let mut faults = Vec::new();
    for Rate {
        what,
        hits,
        least,
        alarm,
    } in &rates
    {
        let share = format!("{:.1} %", *hits as f64 * 100.0 / SEEDS as f64);
        let (right, wrong) = if *alarm {
            ("", share.as_str())
        } else {
            (share.as_str(), "")
        };
        table += &format!("| {what} | {right} | {wrong} |\n");
        if (*hits * 100 < least * SEEDS) != *alarm && hits * 100 != least * SEEDS {
            faults.push(format!("{what}: {hits} of {SEEDS}, not {least} in 100"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}\n{table}");
    let documented = include_str!("../../../docs/findings.md");
    assert!(documented.contains(&table), "docs/findings.md has not:\n{table}");
}

#[test]
fn each_finding_has_its_evidence_and_its_words() {
    let seconds = ramped(TARGET, 1.8 * TARGET.knee());
    let mut saved = run(&seconds, &mut Noise::new(3, 0.02));
    saved.hosts = vec![host(
        &[("cpu_utilization", vec![0.2; 90])],
        &[("server", "cpu_cores", vec![0.2; 90])],
    )];
    let found = findings(&saved);
    let knee = found.named("knee").unwrap();
    assert!(
        knee.text.starts_with("latency grows with load from "),
        "{}",
        knee.text
    );
    assert!(
        knee.confidence.is_some() && knee.evidence["p50_after"] > knee.evidence["p50_before"],
        "{knee:?}"
    );
    let unexplained = found.named("unexplained").unwrap();
    assert!(
        unexplained.text.contains("status 503, a limit of its own"),
        "{}",
        unexplained.text
    );
    let cost = found.named("cpu-per-request").unwrap();
    assert!(cost.text.starts_with("CPU per request: server "), "{}", cost.text);
    let one = cost.text.clone();
    // The same process under another name, too.
    let mut again = saved.hosts[0].processes[0].clone();
    again.name = "port".to_owned();
    again
        .series
        .insert(REPEATED.to_owned(), again.series["cpu_cores"].clone());
    saved.hosts[0].processes.push(again);
    let found = findings(&saved);
    let both = &found.named("cpu-per-request").unwrap().text;
    let all = one
        .strip_prefix("CPU per request: server ")
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(
        both.starts_with(&format!("CPU per request: {all} ")) && both.contains(" in all (server "),
        "{both}"
    );
    // Nobody looked.
    saved.hosts.clear();
    let found = findings(&saved);
    assert!(
        found
            .named("not-sampled")
            .unwrap()
            .text
            .contains("--sample-local")
    );
    assert!(found.named("saturation").is_none() && found.named("unexplained").is_none());
    let text = {
        saved.validity = Some(crate::report::saved::SavedValidity {
            verdict: "valid".to_owned(),
            reasons: Vec::new(),
        });
        saved.findings = found
            .list
            .into_iter()
            .map(|finding| (finding, 0.0).into())
            .collect();
        findings_section(&saved, false)
    };
    assert!(
        text.contains("FINDINGS") && text.contains("VALID: the generator kept up\n"),
        "{text}"
    );
    assert!(text.contains("    latency grows with load"), "{text}");
}

#[test]
fn an_empty_or_short_run_says_nothing_wrong() {
    let nothing = findings(&run(&[], &mut Noise::new(1, 0.1)));
    assert!(nothing.list.is_empty() && nothing.validity.verdict == Verdict::Valid);
    let one = findings(&run(&[TARGET.second(1.0)], &mut Noise::new(1, 0.1)));
    assert!(
        one.list.iter().all(|found| found.name == "cpu-per-request"),
        "{one:?}"
    );
    // Dropped iterations and an outage are said, and are no fault of the generator.
    let seconds = vec![
        Second {
            dropped: 10.0,
            ..TARGET.second(20.0)
        };
        30
    ];
    let mut saved = run(&seconds, &mut Noise::new(1, 0.05));
    saved.target.outages = serde_json::from_value(serde_json::json!([
        {"from": 5.0, "until": 6.5, "lane": 0, "reason": "x"}, {"from": 6.0, "until": 7.0, "lane": 1, "reason": "x"}
    ]))
    .unwrap();
    let found = findings(&saved);
    let Validity {
        verdict,
        reasons,
        generator,
    } = &found.validity;
    assert_eq!(
        (*verdict, reasons.len(), *generator),
        (Verdict::Suspect, 2, false)
    );
    assert!(
        reasons[0].starts_with("300 iterations were dropped"),
        "{reasons:?}"
    );
    assert!(reasons[1].contains("missing for 2.0 s, 2 times"), "{reasons:?}");
}
