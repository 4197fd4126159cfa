//! Every cause by itself: a machine that runs out of one thing as the load passes the knee, and one that does not.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use crate::report::findings::synthetic::{Noise, Target, host, ramp, run};
use crate::report::findings::{Confidence, Findings, findings, full_spans};
use crate::report::saved::{SavedBreakpoint, SavedProcess, SavedRun, SavedStep};

const TARGET: Target = Target {
    capacity: 400.0,
    service: 20.0,
    think: 100.0,
};

/// A column of the machine while it is calm, and when it is full.
type Column = (&'static str, f64, f64);

/// What a machine tells that has enough of everything, nearly full of some things.
const CALM: [(&str, f64); 20] = [
    ("cpu_utilization", 0.5),
    ("cpu_steal", 0.03),
    ("cpu_busiest_core", 0.9),
    ("cpu_throttled", 0.1),
    ("memory_utilization", 0.9),
    ("swap_used", 0.5),
    ("pressure_cpu", 0.4),
    ("pressure_memory", 0.05),
    ("pressure_io", 0.3),
    ("disk_busy", 0.7),
    ("open_files_utilization", 0.8),
    ("conntrack_utilization", 0.8),
    ("network_utilization", 0.8),
    // One packet in twenty, of very few.
    ("network_loss", 0.05),
    ("network_lost", 2.0),
    ("run_queue", 1.2),
    ("load1", 9.0),
    ("listen_overflows", 3.0),
    ("listen_drops", 3.0),
    ("oom_kills", 1.0),
];

/// A run past its knee, on a machine of which these columns become full with it; and what a process there tells.
fn short_of(columns: &[Column], of_process: &[Column]) -> SavedRun {
    let loads = ramp(90, 1.8 * TARGET.knee());
    let seconds: Vec<_> = loads.iter().map(|vus| TARGET.second(*vus)).collect();
    let mut saved = run(&seconds, &mut Noise::new(11, 0.03));
    let series = |calm: f64, full: f64| -> Vec<f64> {
        let past = |vus: &f64| *vus >= TARGET.knee();
        loads
            .iter()
            .map(|vus| if past(vus) { full } else { calm })
            .collect()
    };
    let machine: Vec<(&str, Vec<f64>)> = CALM
        .iter()
        .map(
            |(name, calm)| match columns.iter().find(|(own, ..)| own == name) {
                Some((_, calm, full)) => (*name, series(*calm, *full)),
                None => (*name, series(*calm, *calm)),
            },
        )
        .collect();
    let mut host = host(&machine, &[]);
    if !of_process.is_empty() {
        let known = |values: Vec<f64>| values.into_iter().map(Some).collect();
        let series = of_process
            .iter()
            .map(|(name, calm, full)| ((*name).to_owned(), known(series(*calm, *full))));
        host.processes = vec![SavedProcess {
            name: "server".to_owned(),
            at: host.at.clone(),
            series: series.collect(),
        }];
    }
    saved.hosts = vec![host];
    saved.target.machine = Some(saved.environment.clone());
    saved
}

fn named(found: &Findings) -> &str {
    let first = found.named("saturation").or_else(|| found.named("unexplained"));
    first.map_or("nothing", |found| found.text.as_str())
}

#[test]
fn every_cause_is_named_and_shaded() {
    let machine: [(&[Column], &str, &str); 17] = [
        (
            &[("cpu_utilization", 0.5, 0.99), ("cpu_steal", 0.0, 0.0)],
            "the CPU of target",
            "99 %",
        ),
        (
            &[("cpu_utilization", 0.5, 0.4), ("cpu_steal", 0.02, 0.4)],
            "the CPU that the hypervisor leaves target",
            "40 %",
        ),
        // What is stolen is neither busy nor there.
        (
            &[("cpu_utilization", 0.5, 0.89), ("cpu_steal", 0.02, 0.08)],
            "the CPU of target",
            "97 %",
        ),
        (
            &[("cpu_throttled", 0.0, 0.6)],
            "the CPU quota of the container on target",
            "60 %",
        ),
        (
            &[("cpu_utilization", 0.25, 0.27), ("cpu_busiest_core", 0.5, 1.0)],
            "one core of target (work that is not spread)",
            "100 %",
        ),
        (
            &[("memory_utilization", 0.5, 0.97)],
            "the memory of target",
            "97 %",
        ),
        (&[("swap_used", 0.1, 0.95)], "the swap space of target", "95 %"),
        (
            &[("pressure_memory", 0.0, 0.3)],
            "the memory (work waits for it) of target",
            "30 %",
        ),
        (
            &[("pressure_io", 0.1, 0.8)],
            "the disk (work waits for it) of target",
            "80 %",
        ),
        (
            &[("pressure_cpu", 0.2, 0.9)],
            "the CPU (work waits for it) of target",
            "90 %",
        ),
        (&[("disk_busy", 0.3, 1.0)], "the disk of target", "100 %"),
        (
            &[("open_files_utilization", 0.2, 0.98)],
            "the number of files that may be open on target",
            "98 %",
        ),
        (
            &[("conntrack_utilization", 0.2, 1.0)],
            "the number of tracked connections of target",
            "100 %",
        ),
        (
            &[("network_utilization", 0.4, 0.97)],
            "a network link of target",
            "97 %",
        ),
        (
            &[("network_loss", 0.0, 0.03), ("network_lost", 0.0, 40.0)],
            "the network (packets lost) of target",
            "3 %",
        ),
        (
            &[("run_queue", 0.5, 3.25)],
            "the CPU (tasks queue for it) of target",
            "3.2 tasks for each core",
        ),
        (
            &[("oom_kills", 1.0, 2.0)],
            "the memory (processes killed for want of it) of target",
            "1",
        ),
    ];
    let mut cases: Vec<(SavedRun, &str, &str)> = machine
        .into_iter()
        .map(|(columns, what, level)| (short_of(columns, &[]), what, level))
        .collect();
    cases.push((
        short_of(&[("listen_drops", 3.0, 70.0)], &[]),
        "the accept queue (connections dropped) of target",
        "67",
    ));
    cases.push((
        short_of(
            &[],
            &[
                ("open_files_utilization", 0.3, 1003.0 / 1024.0),
                ("open_files_limit", 1024.0, 1024.0),
            ],
        ),
        "the number of files that server may have open (ulimit -n, on target)",
        "1003 of 1024",
    ));
    cases.push((
        short_of(&[], &[("cpu_cores", 0.6, 1.0)]),
        "the one core that server works on (of 4 on target)",
        "1.00 cores",
    ));
    for (saved, what, level) in cases {
        let found = findings(&saved);
        let text = named(&found);
        let expected = format!("{what} was full first: {level} from ");
        assert!(text.starts_with(&expected), "{expected}: {text}");
        assert!(!text.contains("; then "), "nothing else was full: {text}");
        // The page shades the same, from about the knee to the end.
        let spans = full_spans(&saved);
        assert!(!spans.is_empty(), "{what} is not shaded");
        assert!(spans.iter().all(|span| span.what == what), "{what}: {spans:?}");
        assert!((40.0..60.0).contains(&spans[0].from), "{what}: {spans:?}");
        // What happens happens once.
        let happens = level.parse::<u32>().is_ok();
        let last = spans[spans.len() - 1].to;
        assert!(happens || (last - 90.0).abs() < 1e-6, "{what}: {spans:?}");
    }
}

#[test]
fn a_calm_machine_explains_nothing_and_is_not_shaded() {
    let saved = short_of(
        &[],
        &[("open_files_utilization", 0.5, 0.85), ("cpu_cores", 0.4, 0.6)],
    );
    let found = findings(&saved);
    assert!(
        named(&found).starts_with("unexplained: nothing that was sampled"),
        "{found:?}"
    );
    assert_eq!(full_spans(&saved), []);
    // One reading alone is none.
    let mut saved = short_of(&[], &[]);
    for (column, full) in [
        ("cpu_utilization", 1.0),
        ("run_queue", 9.0),
        ("network_utilization", 1.0),
    ] {
        saved.hosts[0].series.get_mut(column).unwrap()[70] = Some(full);
    }
    assert!(findings(&saved).named("saturation").is_none());
    assert_eq!(full_spans(&saved), []);
}

#[test]
fn what_was_full_without_harm_is_said_with_little_confidence_and_shaded() {
    let mut saved = short_of(&[("disk_busy", 0.3, 1.0)], &[]);
    for latency in [
        &mut saved.timeline.p50,
        &mut saved.timeline.p95,
        &mut saved.timeline.p99,
    ] {
        latency.fill(20.0);
    }
    let found = findings(&saved);
    let disk = found.named("saturation").unwrap();
    assert!(
        disk.text.starts_with("the disk of target was full, 100 %")
            && disk.text.contains("neither errors nor latency"),
        "{disk:?}"
    );
    assert_eq!(disk.confidence, Some(Confidence::Low));
    assert_eq!(full_spans(&saved).len(), 1);
}

#[test]
fn spans_are_on_the_axis_of_the_file_and_steps_of_a_search_are_looked_at_by_themselves() {
    // One thread at its limit while the load is high, and idle before and after: over all it is no limit.
    let mut saved = short_of(&[], &[("cpu_cores", 0.2, 0.2)]);
    saved.timeline.load_start = Some(3.0);
    let cores = saved.hosts[0].processes[0].series.get_mut("cpu_cores").unwrap();
    cores[30..50].fill(Some(1.0));
    assert_eq!(full_spans(&saved), []);
    let mut search = SavedBreakpoint::default();
    for (load, from, to, verdict) in [(1, 10.0, 28.0, "held"), (2, 30.0, 50.0, "broke")] {
        search.steps.push(SavedStep {
            stage: "double".to_owned(),
            load,
            from,
            to,
            verdict: verdict.to_owned(),
            ..SavedStep::default()
        });
    }
    saved.breakpoint = Some(search);
    let spans = full_spans(&saved);
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(
        spans[0].what,
        "the one core that server works on (of 4 on target)"
    );
    assert!(
        spans[0].from >= 30.0 && (spans[0].to - 50.0).abs() <= 1.0,
        "{spans:?}"
    );
}
