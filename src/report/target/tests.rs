//! What the section says of readings that are made up.

use super::*;
use crate::metrics::{GroupUse, ListenDrops, Pressure, ProcessSample, Window};

fn reading(second: u64, cpu: f64) -> HostSample {
    HostSample {
        at: second * 1_000_000_000,
        host: "vps".into(),
        cpu_busy: cpu,
        cores: 2,
        core_busy: [0.5, cpu as f32].into(),
        mem_total: 1000,
        mem_available: 600,
        cost: Some(0.000_4),
        round_trip: Some(0.02),
        ..HostSample::default()
    }
}

fn timeline(samples: Vec<HostSample>) -> Timeline {
    let mut timeline = Timeline::default();
    timeline.windows.push(Window {
        length: Duration::from_secs(10),
        ..Window::default()
    });
    timeline.hosts = samples;
    timeline
}

#[test]
fn means_and_peaks_are_of_the_test_alone() {
    // The time axis is 10 s long, the test its last 8.
    let samples = vec![
        reading(1, 1.0),
        reading(2, 1.0),
        reading(3, 0.25),
        reading(4, 0.75),
    ];
    let text = section(&timeline(samples), Duration::from_secs(8), Palette(false)).unwrap();
    assert!(
        text.contains("vps cpu (of 2 cores)") && text.contains("avg=50.00% max=75.00%"),
        "{text}"
    );
    assert!(text.contains("avg=40.00%"), "memory: {text}");
    assert!(
        text.contains("avg=400µs") && text.contains("answer avg=20ms max=20ms"),
        "{text}"
    );
    assert!(
        !text.contains("ran out") && !text.contains("pressure") && !text.contains("stolen"),
        "{text}"
    );
    assert_eq!(
        section(&timeline(vec![]), Duration::from_secs(8), Palette(false)),
        None
    );
}

#[test]
fn a_test_that_is_shorter_than_a_reading_has_the_last_one() {
    let text = section(
        &timeline(vec![reading(1, 0.5)]),
        Duration::from_secs(1),
        Palette(false),
    )
    .unwrap();
    assert!(text.contains("max=50.00%"), "{text}");
}

#[test]
fn components_are_a_table() {
    let component = |name: &str, cpu_cores: f64, restarts| ProcessSample {
        name: name.into(),
        cpu_cores,
        rss: 50_000_000,
        threads: 4,
        fds: (name == "redis").then_some(9),
        restarts,
        ..ProcessSample::default()
    };
    let mut samples = vec![reading(3, 0.5), reading(4, 0.5)];
    samples[0].processes = vec![component("redis", 0.05, 0), component("postgres", 0.3, 0)];
    samples[1].processes = vec![component("redis", 0.15, 1)];
    let text = section(&timeline(samples), Duration::from_secs(8), Palette(false)).unwrap();
    let row = |name: &str| -> Vec<String> {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(name))
            .expect(name);
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(
        row("redis"),
        ["redis", "10%", "15%", "50", "MB", "50", "MB", "1", "4", "9", "1"]
    );
    assert_eq!(
        row("postgres"),
        [
            "postgres", "30%", "30%", "50", "MB", "50", "MB", "1", "4", "-", "0"
        ]
    );
}

#[test]
fn what_ran_out_first_is_said_first() {
    let mut samples: Vec<HostSample> = (1..=10).map(|second| reading(second, 0.5)).collect();
    for sample in &mut samples[5..9] {
        sample.cpu_busy = 0.97;
    }
    samples[8].cpu_busy = 1.0;
    for sample in &mut samples[2..4] {
        sample.pressure = Some(Pressure {
            memory: 0.2,
            ..Pressure::default()
        });
    }
    // One reading alone is none.
    samples[1].group = Some(GroupUse {
        throttled: Some(0.9),
        ..GroupUse::default()
    });
    for (index, sample) in samples.iter_mut().enumerate() {
        sample.listen = Some(ListenDrops {
            overflows: 0,
            drops: if index >= 7 { 12 } else { 2 },
        });
    }
    let found = shortages(&samples, Duration::from_secs(1));
    let shown: Vec<String> = found.iter().map(Shortage::to_string).collect();
    assert_eq!(
        shown,
        [
            "memory (work waits for it) from 2s on, for 2s, up to 20%",
            "CPU from 5s on, for 4s, up to 100%",
            "accept queue: connections dropped from 7s on: 10",
        ]
    );
}

#[test]
fn one_full_core_is_a_limit_of_its_own() {
    let mut samples = vec![reading(1, 0.5), reading(2, 0.5), reading(3, 0.5)];
    for sample in &mut samples {
        sample.core_busy = [1.0, 0.01].into();
    }
    let found = shortages(&samples, Duration::ZERO);
    assert_eq!(found.len(), 1);
    assert!(found[0].what.starts_with("one core"), "{found:?}");
}
