//! The display as it is read: what each size of terminal has room for.

use std::time::Duration;

use super::*;
use crate::output::progress::view::{ScenarioState, TargetUse, Work};

fn history(seconds: u32, target: bool) -> History {
    let mut history = History::default();
    for second in 1..=seconds {
        let part = f64::from(second) / f64::from(seconds);
        let moment = Moment {
            p95_ms: Some(10.0 + 90.0 * part),
            rps: 500.0 * part,
            vus: (40.0 * part).round(),
            errors: Some(if part > 0.9 { 0.05 } else { 0.0 }),
            cpu: target.then_some(part),
            memory: target.then_some(0.25),
        };
        history.push(moment, Duration::from_secs(u64::from(second)));
    }
    history
}

fn view() -> ProgressView {
    ProgressView {
        elapsed: Duration::from_secs(20),
        max_duration: Duration::from_secs(40),
        vus: 40,
        vus_max: 50,
        complete: 8_000,
        rps: 500.0,
        p95_ms: Some(100.0),
        errors: Some(0.05),
        target: Some(TargetUse {
            cpu: 1.0,
            memory: 0.25,
            watched: None,
        }),
        thresholds: vec![
            Standing {
                text: "http_req_duration: p(95)<500".to_owned(),
                value: Some(100.0),
                ok: Some(true),
            },
            Standing {
                text: "http_req_failed: rate<0.01".to_owned(),
                value: Some(0.0312),
                ok: Some(false),
            },
            Standing {
                text: "orders: count>0".to_owned(),
                ..Standing::default()
            },
        ],
        ..ProgressView::default()
    }
}

fn scenario() -> ScenarioLine {
    ScenarioLine {
        name: "browse".to_owned(),
        state: ScenarioState::Running,
        fraction: 0.5,
        vus: Some(40),
        vus_max: 50,
        elapsed: Duration::from_secs(20),
        duration: Duration::from_secs(40),
        work: Work::Time,
    }
}

fn drawn(history: &History, findings: &[String], size: (u16, u16), colour: bool) -> Vec<String> {
    let scenarios = [scenario()];
    let shown = Shown {
        history,
        scenarios: &scenarios,
        findings,
    };
    let lines = lines(&view(), &shown, size, colour);
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn a_run_is_seen_from_its_first_second_on() {
    let findings = ["errors exceeded 1 % at 37 VUs".to_owned()];
    let lines = drawn(&history(20, true), &findings, (80, 24), false);
    assert_eq!(
        lines,
        [
            "running (20.0s), 40/50 VUs, 8000 complete and 0 interrupted iterations",
            "browse   [  50% ] 40/50 VUs  20.0s/40s",
            "  500 req/s  p95 100.00 ms  errors 5.00%  target cpu 100% mem 25%",
            "                         ▁▂▂▃▄▄▅▆▇▇█",
            "p95 latency     ▂▃▄▄▅▆▇▇████████████                  100.00 ms  most 100.00 ms",
            "                          ▁▂▂▃▄▅▆▆▇█",
            "requests/s      ▁▂▂▃▄▅▆▆▇███████████                        500  most 500",
            "                          ▁▂▂▃▄▅▆▆▇█",
            "virtual users   ▁▂▂▃▄▅▆▆▇███████████                         40  most 40",
            "                                  ██",
            "errors                            ██                      5.00%  most 5.00%",
            "                          ▁▂▂▃▄▅▆▆▇█",
            "target CPU      ▁▂▂▃▄▅▆▆▇███████████                       100%  most 100%",
            "",
            "target memory   ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄                        25%  most 25%",
            "                0s               20s",
            "✗ http_req_failed: rate<0.01  now 0.0312",
            "✓ http_req_duration: p(95)<500  now 100",
            "- orders: count>0  no samples",
            "! errors exceeded 1 % at 37 VUs",
        ]
    );
}

#[test]
fn what_nobody_measures_takes_no_room() {
    let lines = drawn(&history(20, false), &[], (80, 24), false);
    let text = lines.join("\n");
    assert!(
        text.contains("requests/s") && !text.contains("target memory"),
        "{text}"
    );
    let lines = drawn(&History::default(), &[], (80, 24), false);
    assert!(!lines.join("\n").contains("requests/s"));
}

#[test]
fn every_size_is_filled_and_never_more() {
    let findings: Vec<String> = (0..20)
        .map(|index| format!("finding {index} ä → 100 %"))
        .collect();
    for columns in [1, 20, 45, 80, 300] {
        for rows in [1, 5, 10, 24, 60] {
            let lines = drawn(&history(900, true), &findings, (columns, rows), false);
            assert!(lines.len() <= usize::from(rows.saturating_sub(ABOVE).max(4)));
            let widest = lines.iter().map(|line| line.chars().count()).max();
            assert!(
                widest <= Some(usize::from(columns.max(20))),
                "{columns} {rows}: {lines:?}"
            );
        }
    }
    let text = drawn(&history(900, true), &findings, (80, 60), false).join("\n");
    assert!(text.contains("and 14 more findings"), "{text}");
}

#[test]
fn colours_are_of_what_is_shown_and_end_with_the_line() {
    let lines = drawn(&history(20, true), &[], (80, 30), true);
    assert!(lines.iter().all(|line| line.ends_with("\x1b[0m")), "{lines:?}");
    let failing = lines.iter().find(|line| line.contains("rate<0.01"));
    assert!(
        failing.is_some_and(|line| line.starts_with("\x1b[0;31m✗")),
        "{failing:?}"
    );
    assert!(
        !drawn(&history(20, true), &[], (80, 30), false)
            .join("")
            .contains('\x1b')
    );
}
