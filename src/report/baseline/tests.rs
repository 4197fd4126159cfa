//! The baseline's format against the template it has to have, its numbers against runs whose numbers are known.

use serde_json::{Value, json};

use super::*;
use crate::report::saved::SavedStrand;
use crate::report::saved::fixture::{saved_run, spread};

/// The format as it was asked for, without a number in it.
const TEMPLATE: &str = "\
# Load Test Baseline — 2026-02-26

VPS: DigitalOcean (1 vCPU, 1GB RAM, Ubuntu 24.04)
Runtime: Bun 1.x
Test tool: k6 v0.x

## Health (GET /)

| Metric | Value |
|--------|-------|
| Max RPS | |
| p50 | |
| p95 | |
| p99 | |
| Error rate | |

## Store CRUD (50 VUs)

| Metric | set | get | list | delete |
|--------|-----|-----|------|--------|
| p50 | | | | |
| p95 | | | | |
| p99 | | | | |
| Error rate | | | | |

## Spike (200 VUs, 30s)

| Metric | Value |
|--------|-------|
| Max RPS | |
| p99 during spike | |
| Recovery time | |
| Error rate | |
";

fn options() -> BaselineOptions {
    BaselineOptions {
        host: Some("DigitalOcean (1 vCPU, 1GB RAM, Ubuntu 24.04)".to_owned()),
        runtime: Some("Bun 1.x".to_owned()),
        date: Some("2026-02-26".to_owned()),
    }
}

/// Seconds of a run: virtual users, requests, failures, p95.
fn seconds(run: &mut SavedRun, of: &[(u32, u64, u64, f64)]) {
    let t = &mut run.timeline;
    for (at, (vus, requests, failed, p95)) in of.iter().copied().enumerate() {
        t.start.push(at as f64);
        t.length.push(1.0);
        t.requests.push(requests);
        t.failed.push(failed);
        t.vus.push(vus);
        t.p95.push(p95);
        for zeros in [&mut t.iterations, &mut t.dropped, &mut t.sent, &mut t.received] {
            zeros.push(0);
        }
        t.vus_max.push(vus);
        t.in_flight.push(0);
        for zeros in [&mut t.p50, &mut t.p99, &mut t.lag_max] {
            zeros.push(0.0);
        }
    }
}

fn strand(tag: &str, value: &str, from: u32, of: &[(u64, u64, f64)]) -> SavedStrand {
    let mut strand = SavedStrand {
        tag: tag.to_owned(),
        value: value.to_owned(),
        ..SavedStrand::default()
    };
    for (at, (requests, failed, p95)) in of.iter().copied().enumerate() {
        strand.start.push(f64::from(from) + at as f64);
        strand.length.push(1.0);
        strand.requests.push(requests);
        strand.failed.push(failed);
        strand.p95.push(p95);
        strand.p50.push(0.0);
        strand.p99.push(0.0);
    }
    strand
}

fn health_run() -> SavedRun {
    let mut run = saved_run(
        "health",
        4.0,
        &[
            (json!({"name": "GET /", "service": "store"}), spread(600, 10.0), 3),
            (
                json!({"name": "GET /", "service": "wallet"}),
                spread(400, 20.0),
                0,
            ),
        ],
    );
    seconds(
        &mut run,
        &[
            (1, 100, 0, 12.0),
            (50, 300, 0, 20.0),
            (100, 500, 3, 30.0),
            (100, 100, 0, 31.0),
        ],
    );
    run.timeline.strands = vec![strand("service", "store", 0, &[(60, 0, 11.0), (340, 3, 12.0)])];
    run
}

fn store_run(slow: f64, failed: u64) -> SavedRun {
    let parts: Vec<(Value, Vec<f64>, u64)> = STEPS
        .iter()
        .enumerate()
        .map(|(at, step)| {
            (
                json!({"name": step}),
                spread(1000, slow * (at + 1) as f64),
                if at == 0 { failed } else { 0 },
            )
        })
        .collect();
    let mut run = saved_run("scenarios/store-crud.js", 2.0, &parts);
    seconds(&mut run, &[(20, 2000, 0, 50.0), (50, 2000, failed, 60.0)]);
    run
}

fn spike_run(after: &[(u64, u64, f64)]) -> SavedRun {
    let part = |phase: &str, from: f64, failed| {
        (
            json!({"phase": phase, "name": "GET /"}),
            spread(1000, from),
            failed,
        )
    };
    let mut run = saved_run(
        "spike",
        12.0,
        &[
            part("before", 5.0, 0),
            part("spike", 100.0, 50),
            part("after", 5.0, 0),
        ],
    );
    // Before: p95 of 9.75 ms, with a worst second of 10 ms.
    run.timeline.strands = vec![
        strand("phase", "before", 0, &[(500, 0, 9.5), (500, 0, 10.0)]),
        strand(
            "phase",
            "spike",
            2,
            &[(300, 0, 150.0), (450, 50, 190.0), (250, 0, 180.0)],
        ),
        strand("phase", "after", 5, after),
    ];
    run.timeline.load_start = Some(0.25);
    run.options = json!({"scenarios": {
        "before": {"duration": "2s", "startTime": "0s", "tags": {"phase": "before"}},
        "spike": {"duration": "3s", "startTime": "2s", "tags": {"phase": "spike"}},
        "after": {"duration": "5s", "startTime": "5s", "tags": {"phase": "after"}},
    }});
    run
}

#[test]
fn without_numbers_it_is_the_template() {
    let text = baseline(&[], &options()).unwrap();
    let template = TEMPLATE.replace("k6 v0.x", concat!("loadgen v", env!("CARGO_PKG_VERSION")));
    assert!(text.starts_with(&template), "{text}");
    for command in [
        "loadgen run --save health.json health",
        "--save store-crud.json store-crud",
        "--save spike.json spike",
    ] {
        assert!(text.contains(command), "{command}:\n{text}");
    }
}

#[test]
fn with_numbers_it_is_the_template_with_cells_filled() {
    let runs = [
        health_run(),
        store_run(10.0, 0),
        spike_run(&[(50, 0, 90.0), (500, 0, 30.0), (500, 0, 10.5), (500, 0, 9.0)]),
    ];
    let text = baseline(&runs, &options()).unwrap();
    let golden = include_str!("../../../tests/golden/baseline.md");
    assert_eq!(text, golden);
    // Line by line: a cell that is empty in the template may be filled, all else is the same.
    let (filled, empty) = (text.lines(), TEMPLATE.lines());
    for (filled, empty) in filled
        .zip(empty)
        .filter(|(_, empty)| !empty.starts_with("Test tool"))
    {
        let cells = |line: &str| {
            line.split('|')
                .map(|cell| cell.trim().to_owned())
                .collect::<Vec<_>>()
        };
        let (filled, empty) = (cells(filled), cells(empty));
        assert_eq!(filled.len(), empty.len());
        for (filled, empty) in filled.iter().zip(&empty) {
            assert!(empty.is_empty() || filled == empty, "{filled} instead of {empty}");
        }
    }
}

#[test]
fn recovery_is_counted_from_the_end_of_the_spike() {
    // The spike ends at 5.25 s. A second is back at 10.725 ms: 10 % over the phase's p95 of 9.75 ms.
    for (after, shown) in [
        (&[(500, 0, 9.0)][..], "< 1 s"),
        (&[(500, 0, 90.0), (500, 0, 10.7)], "< 1 s"),
        (&[(500, 0, 90.0), (500, 0, 10.8), (500, 0, 10.7)], "2 s"),
        (&[(500, 0, 9.0), (500, 0, 90.0)], "not within 2 s"),
        (&[(500, 0, 9.0), (500, 0, 90.0), (500, 0, 9.0)], "2 s"),
        (
            &[(500, 5, 9.0), (500, 5, 9.0), (500, 5, 9.0), (500, 0, 9.0)],
            "3 s",
        ),
        (&[(500, 0, 90.0), (500, 0, 80.0), (0, 0, 0.0)], "not within 2 s"),
    ] {
        let found = recovery(&spike_run(after)).unwrap();
        assert_eq!(found.to_string(), shown, "{after:?}: {found:?}");
    }
    let mut plain = spike_run(&[(500, 0, 9.0)]);
    plain.timeline.strands.clear();
    assert_eq!(recovery(&plain), None);
}

#[test]
fn slow_or_failing_steps_call_for_a_follow_up() {
    let said = |run: SavedRun| baseline(&[run], &options()).unwrap();
    let fine = said(store_run(50.0, 10));
    assert!(fine.contains("\nNo follow-up:"), "{fine}");
    let slow = said(store_run(65.0, 0));
    assert!(
        slow.contains("**Follow-up:")
            && slow.contains("p95 of `delete` at 50 VUs is 506.75ms, more than 500 ms"),
        "{slow}"
    );
    let failing = said(store_run(10.0, 30));
    assert!(
        failing.contains("3.00% of `set` at 50 VUs failed")
            && failing.contains("while there were 50 VUs failed"),
        "{failing}"
    );
}

#[test]
fn the_point_where_errors_pass_one_percent_is_found() {
    let mut run = saved_run("health", 3.0, &[]);
    seconds(
        &mut run,
        &[
            (10, 10, 9, 1.0),
            (20, 1000, 10, 1.0),
            (30, 1000, 11, 1.0),
            (40, 1000, 500, 1.0),
        ],
    );
    assert_eq!(breaking_point(&run), Some((30, 2.0)));
    assert_eq!(breaking_point(&health_run()), None);
}

#[test]
fn scenarios_are_known_by_their_names() {
    for (name, scenario) in [
        ("health", Some("health")),
        ("scenarios/health.js", Some("health")),
        ("./health.js", Some("health")),
        ("tests/load/store-crud.k6.js", Some("store-crud")),
        ("tachikoma/health", None),
        ("scenarios/happy/health.js", None),
        ("http://127.0.0.1/health", None),
    ] {
        assert_eq!(bundled(name), scenario, "{name}");
    }
}

#[test]
fn other_systems_get_a_table_and_two_of_one_are_refused() {
    let parts = [
        (json!({"name": "GET /a|b"}), spread(200, 10.0), 1),
        (json!({"name": "POST /c"}), spread(300, 10.0), 0),
    ];
    let mut run = saved_run("tachikoma/health", 2.0, &parts);
    seconds(&mut run, &[(10, 500, 1, 12.0)]);
    let text = baseline(std::slice::from_ref(&run), &options()).unwrap();
    assert!(
        text.contains("\n## tachikoma/health (10 VUs)\n\n| Name | Requests |"),
        "{text}"
    );
    assert!(
        text.contains("| `POST /c` | 300 |")
            && text.contains("| `GET /a\\|b` | 200 |")
            && text.contains("| all | 500 |")
    );
    let error = baseline(&[health_run(), health_run()], &options()).unwrap_err();
    assert!(
        error.to_string().contains("two of the runs are of health"),
        "{error}"
    );
}

#[test]
fn the_host_is_what_is_known_of_it() {
    let mut run = saved_run("health", 2.0, &[]);
    let line = |run: &SavedRun| {
        let text = baseline(std::slice::from_ref(run), &BaselineOptions::default()).unwrap();
        text.lines().skip(2).take(2).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        line(&run),
        "VPS: not known (--host-line names it)\nRuntime: not known (--runtime names it)"
    );
    run.hosts.push(crate::report::saved::SavedHost {
        host: "vps".to_owned(),
        cores: 1,
        memory: 1_006_632_960,
        ..crate::report::saved::SavedHost::default()
    });
    assert!(
        line(&run).starts_with("VPS: vps (1 vCPU, 1GB RAM)\n"),
        "{}",
        line(&run)
    );
    run.target.kind = "demo".to_owned();
    run.environment.memory = Some(500 << 20);
    assert_eq!(
        line(&run),
        "VPS: h (2 vCPU, 500MB RAM, o)\nRuntime: loadgen demo v0.1.0"
    );
}
