//! The resources of a machine, from which share on each counts as full, and when it was.

use crate::report::limits;
use crate::report::saved::{SavedHost, SavedProcess, SavedRun};

use super::super::joined::Joined;
use super::super::stats::{median, spread};

/// A resource that was full.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Full {
    /// Which one, of whom.
    pub(super) what: String,
    /// Seconds since the load began.
    pub(super) onset: f64,
    /// Whether it is the CPU of all that runs on the machine.
    pub(super) of_machine_cpu: bool,
    /// Whether it is something that happened, and no share.
    pub(super) is_event: bool,
    unit: Unit,
    /// Time and value, and from which value on it is full.
    readings: Vec<(f64, f64)>,
    limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Share,
    Cores,
    /// Tasks for each core.
    Tasks,
    /// A share of so many files.
    Files(f64),
    Events,
}

impl Full {
    /// The share of readings from `at` on that show it full.
    pub(super) fn share_from(&self, at: f64) -> f64 {
        if self.unit == Unit::Events {
            return 1.0;
        }
        // The first reading after `at` speaks of some time before it, too.
        let since: Vec<f64> = self.since(at);
        let full = since.iter().filter(|value| **value >= self.limit).count();
        full as f64 / since.len().max(1) as f64
    }

    fn since(&self, at: f64) -> Vec<f64> {
        let since = self.readings.iter().filter(|(time, _)| *time >= at);
        since.map(|(_, value)| *value).collect()
    }

    pub(super) fn median(&self) -> f64 {
        if self.unit == Unit::Events {
            return self.peak();
        }
        median(&self.since(self.onset))
    }

    pub(super) fn peak(&self) -> f64 {
        let values = self.since(self.onset);
        values.into_iter().fold(0.0, f64::max)
    }

    /// How full, in words.
    pub(super) fn level(&self) -> String {
        match self.unit {
            Unit::Share => format!("{:.0} %", self.median() * 100.0),
            Unit::Cores => format!("{:.2} cores", self.median()),
            Unit::Tasks => format!("{:.1} tasks for each core", self.median()),
            Unit::Files(most) => format!("{:.0} of {most:.0}", self.median() * most),
            Unit::Events => format!("{:.0}", self.peak()),
        }
    }
}

impl Full {
    /// Each time in which it was full, in seconds since the load began: two readings in a row at the least, or what happened.
    pub(super) fn spans(&self) -> Vec<(f64, f64)> {
        let mut spans: Vec<(f64, f64)> = Vec::new();
        // A reading speaks of the time since the one before it.
        let before = |at: usize| match at.checked_sub(1) {
            Some(before) => self.readings[before].0,
            None => (self.readings[at].0 - 1.0).max(0.0),
        };
        if self.unit == Unit::Events {
            let mut count = 0.0;
            for (at, (time, value)) in self.readings.iter().enumerate() {
                if *value > count {
                    spans.push((before(at), *time));
                }
                count = *value;
            }
            return spans;
        }
        let mut at = 0;
        while at < self.readings.len() {
            let full = self.readings[at..].iter();
            let row = full.take_while(|(_, value)| *value >= self.limit).count();
            if row >= 2 {
                spans.push((before(at), self.readings[at + row - 1].0));
            }
            at += row.max(1);
        }
        spans
    }
}

/// A column, from which value on it is full, and what it is.
const SHARES: [(&str, f64, &str); 14] = [
    (
        "cpu_throttled",
        limits::THROTTLED,
        "the CPU quota of the container on",
    ),
    ("cpu_steal", limits::STEAL, "the CPU that the hypervisor leaves"),
    ("cpu_utilization", limits::CPU, "the CPU of"),
    ("swap_used", limits::SWAP, "the swap space of"),
    ("memory_utilization", limits::MEMORY, "the memory of"),
    (
        "pressure_memory",
        limits::MEMORY_WAIT,
        "the memory (work waits for it) of",
    ),
    ("disk_busy", limits::DISK, "the disk of"),
    (
        "pressure_io",
        limits::DISK_WAIT,
        "the disk (work waits for it) of",
    ),
    (
        "open_files_utilization",
        limits::FILES,
        "the number of files that may be open on",
    ),
    (
        "conntrack_utilization",
        limits::CONNTRACK,
        "the number of tracked connections of",
    ),
    ("network_utilization", limits::NETWORK, "a network link of"),
    ("network_loss", limits::LOSS, "the network (packets lost) of"),
    (RUN_QUEUE, limits::RUN_QUEUE, "the CPU (tasks queue for it) of"),
    ("pressure_cpu", limits::CPU_WAIT, "the CPU (work waits for it) of"),
];

const RUN_QUEUE: &str = "run_queue";

/// Shares that stay near nothing until shortly before they are full; the others rise with the load.
const SUDDEN: [&str; 7] = [
    RUN_QUEUE,
    "network_loss",
    "cpu_throttled",
    "cpu_steal",
    "pressure_memory",
    "pressure_io",
    "pressure_cpu",
];

/// What is a failure whenever it happens: a column that counts, and what it counts.
const EVENTS: [(&str, &str); 2] = [
    ("listen_drops", "the accept queue (connections dropped) of"),
    ("oom_kills", "the memory (processes killed for want of it) of"),
];

/// Below this share a process does not keep its cores busy.
const OF_A_CORE: f64 = 0.92;

/// Everything that was full at some time, the more particular first. `hurt` is when it got worse. With an `ease` of less than 1
/// what comes near it counts, too.
pub(super) fn full(run: &SavedRun, joined: &Joined, hurt: f64, ease: f64) -> Vec<Full> {
    let mut found = Vec::new();
    for host in &run.hosts {
        let utilization = joined.host(host, "cpu_utilization");
        let spare = since(&utilization, hurt);
        let spare = spare.is_empty() || median(&spare) < limits::SPARE;
        let of_processes = host.processes.iter();
        found.extend(of_processes.filter_map(|process| own_files(joined, host, process, ease)));
        let before = found.len();
        if spare {
            let processes = host.processes.iter();
            found.extend(processes.filter_map(|process| own_cores(joined, host, process, (hurt, ease))));
            if found.len() == before {
                found.extend(one_core(joined, host, ease));
            }
        }
        for (column, limit, what) in SHARES {
            let limit = if SUDDEN.contains(&column) {
                limit * ease.powi(5)
            } else {
                limit * ease
            };
            found.extend(
                rows(shares(joined, host, column), limit).map(|(onset, readings)| Full {
                    what: format!("{what} {}", host.host),
                    onset,
                    of_machine_cpu: column == "cpu_utilization",
                    is_event: false,
                    unit: if column == RUN_QUEUE {
                        Unit::Tasks
                    } else {
                        Unit::Share
                    },
                    readings,
                    limit,
                }),
            );
        }
        for (column, what) in EVENTS {
            found.extend(event(joined, host, column, what));
        }
    }
    found
}

/// What counts of a column.
fn shares(joined: &Joined, host: &SavedHost, column: &str) -> Vec<(f64, f64)> {
    let mut shares = joined.host(host, column);
    let mut with = |other: &str, change: fn(f64, f64) -> f64| {
        let other = joined.host(host, other);
        if other.len() == shares.len() {
            let both = shares.iter_mut().zip(&other);
            both.for_each(|((_, share), (_, other))| *share = change(*share, *other));
        }
    };
    match column {
        // What the hypervisor takes is gone as well.
        "cpu_utilization" => with("cpu_steal", |busy, steal| (busy + steal).min(1.0).max(busy)),
        // A few packets are lost everywhere, and of few they are many.
        "network_loss" => with(
            "network_lost",
            |loss, lost| {
                if lost >= limits::LOST { loss } else { 0.0 }
            },
        ),
        _ => {}
    }
    shares
}

fn since(readings: &[(f64, f64)], at: f64) -> Vec<f64> {
    let since = readings.iter().filter(|(time, _)| *time >= at);
    since.map(|(_, value)| *value).collect()
}

/// When readings first reach the limit twice in a row.
fn rows(readings: Vec<(f64, f64)>, limit: f64) -> Option<(f64, Vec<(f64, f64)>)> {
    let first = readings
        .windows(2)
        .position(|pair| pair[0].1 >= limit && pair[1].1 >= limit)?;
    // A reading speaks of the time since the one before it.
    let onset = first
        .checked_sub(1)
        .map_or((readings[first].0 - 1.0).max(0.0), |before| readings[before].0);
    Some((onset, readings))
}

/// A process that has nearly as many files open as it may have: what a connection is, too.
fn own_files(joined: &Joined, host: &SavedHost, process: &SavedProcess, ease: f64) -> Option<Full> {
    let limit = limits::FILES * ease;
    let (onset, readings) = rows(joined.process(process, "open_files_utilization"), limit)?;
    let most = median(&since(&joined.process(process, "open_files_limit"), onset));
    Some(Full {
        what: format!(
            "the number of files that {} may have open (ulimit -n, on {})",
            process.name, host.host
        ),
        onset,
        of_machine_cpu: false,
        is_event: false,
        unit: if most > 0.0 {
            Unit::Files(most)
        } else {
            Unit::Share
        },
        readings,
        limit,
    })
}

/// A process that keeps a whole number of cores busy and no more, while the machine has others to spare: as many threads
/// as it works with.
fn own_cores(
    joined: &Joined,
    host: &SavedHost,
    process: &SavedProcess,
    (hurt, ease): (f64, f64),
) -> Option<Full> {
    let readings = joined.process(process, "cpu_cores");
    let late = since(&readings, hurt);
    if late.len() < 3 {
        return None;
    }
    let level = median(&late);
    let cores = level.round();
    let near = (0.08 + 1.0 - ease) * cores;
    let whole = cores >= 1.0 && cores < f64::from(host.cores) && (level - cores).abs() <= near;
    if !whole || spread(&late) > near {
        return None;
    }
    let limit = OF_A_CORE * cores * ease;
    let (onset, readings) = rows(readings, limit)?;
    let name = &process.name;
    let what = if cores < 1.5 {
        format!(
            "the one core that {name} works on (of {} on {})",
            host.cores, host.host
        )
    } else {
        format!(
            "the {cores} cores that {name} works on (of {} on {})",
            host.cores, host.host
        )
    };
    Some(Full {
        what,
        onset,
        of_machine_cpu: false,
        is_event: false,
        unit: Unit::Cores,
        readings,
        limit,
    })
}

/// A core that is full while others are not: work that is not spread.
fn one_core(joined: &Joined, host: &SavedHost, ease: f64) -> Option<Full> {
    let all = joined.host(host, "cpu_utilization");
    let busiest = joined.host(host, "cpu_busiest_core");
    let alone: Vec<(f64, f64)> = busiest
        .into_iter()
        .map(|(at, busy)| {
            let others = all.iter().find(|(time, _)| (time - at).abs() < 1e-6);
            let alone = others.is_some_and(|(_, all)| *all < limits::SPARE);
            (at, if alone { busy } else { 0.0 })
        })
        .collect();
    let limit = limits::ONE_CORE * ease;
    let (onset, readings) = rows(alone, limit)?;
    Some(Full {
        what: format!("one core of {} (work that is not spread)", host.host),
        onset,
        of_machine_cpu: false,
        is_event: false,
        unit: Unit::Share,
        readings,
        limit,
    })
}

fn event(joined: &Joined, host: &SavedHost, column: &str, what: &str) -> Option<Full> {
    // Counted since sampling began, which was before the load.
    let before = host
        .at
        .iter()
        .zip(host.series.get(column)?)
        .rfind(|(at, value)| **at <= joined.zero && value.is_some());
    let readings = joined.host(host, column);
    let before = before
        .and_then(|(_, value)| *value)
        .or(readings.first().map(|first| first.1))?;
    let (onset, _) = *readings.iter().find(|(_, count)| *count > before)?;
    Some(Full {
        what: format!("{what} {}", host.host),
        onset,
        of_machine_cpu: false,
        is_event: true,
        unit: Unit::Events,
        readings: readings
            .into_iter()
            .map(|(at, count)| (at, count - before))
            .collect(),
        limit: 0.0,
    })
}
