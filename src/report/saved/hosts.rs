//! What samplers saw, by machine, as lists of numbers of bounded length.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metrics::{HostSample, ProcessSample, Used};

use super::number::{rounded, seconds};
use super::{SavedHost, SavedProcess};

/// At most so many numbers a list holds: an hour of seconds.
const MOST: usize = 3600;

type Columns = BTreeMap<String, Vec<Option<f64>>>;

/// The samples of each machine.
pub(super) fn hosts(samples: &[HostSample]) -> Vec<SavedHost> {
    let mut names: Vec<&str> = Vec::new();
    for sample in samples {
        if !names.contains(&&*sample.host) {
            names.push(&sample.host);
        }
    }
    names
        .into_iter()
        .map(|name| {
            host(
                name,
                &samples.iter().filter(|s| &*s.host == name).collect::<Vec<_>>(),
            )
        })
        .collect()
}

fn host(name: &str, samples: &[&HostSample]) -> SavedHost {
    let mut saved = SavedHost {
        host: name.to_owned(),
        ..SavedHost::default()
    };
    let mut columns = Columns::new();
    let mut at = Vec::new();
    for sample in samples {
        (saved.cores, saved.memory) = (sample.cores, sample.mem_total);
        at.push(seconds(Duration::from_nanos(sample.at)));
        for (column, value) in machine(sample) {
            columns.entry(column.to_owned()).or_default().push(value);
        }
    }
    saved.readings = at.len().div_ceil(MOST).max(1);
    (saved.at, saved.series) = thinned(&at, columns, saved.readings);
    let mut processes: Vec<&str> = Vec::new();
    for process in samples.iter().flat_map(|sample| &sample.processes) {
        if !processes.contains(&&*process.name) {
            processes.push(&process.name);
        }
    }
    saved.processes = processes
        .into_iter()
        .map(|name| process(name, samples, saved.readings))
        .collect();
    saved
}

fn machine(sample: &HostSample) -> [(&'static str, Option<f64>); 34] {
    let sockets = sample.sockets;
    let (disk, network, pressure) = (sample.disk.as_ref(), sample.network, sample.pressure);
    [
        ("cpu_utilization", Some(sample.cpu_utilization())),
        ("memory_utilization", Some(sample.memory_utilization())),
        ("cpu_user", Some(sample.cpu_user)),
        ("cpu_system", Some(sample.cpu_system)),
        ("cpu_busiest_core", sample.busiest_core()),
        (
            "cpu_throttled",
            sample.group.as_ref().and_then(|group| group.throttled),
        ),
        ("swap_used", sample.swap.map(Used::ratio)),
        ("pressure_cpu", pressure.map(|pressure| pressure.cpu)),
        ("pressure_memory", pressure.map(|pressure| pressure.memory)),
        ("pressure_io", pressure.map(|pressure| pressure.io)),
        ("disk_busy", disk.map(|disk| disk.busy)),
        ("disk_read", disk.map(|disk| disk.read)),
        ("disk_written", disk.map(|disk| disk.written)),
        ("network_received", network.map(|network| network.received)),
        ("network_sent", network.map(|network| network.sent)),
        ("network_lost", network.map(|network| network.lost)),
        ("network_loss", network.map(|network| network.loss)),
        (
            "network_utilization",
            network.and_then(|network| network.utilization),
        ),
        (
            "listen_overflows",
            sample.listen.map(|listen| listen.overflows as f64),
        ),
        ("listen_drops", sample.listen.map(|listen| listen.drops as f64)),
        ("oom_kills", sample.oom_kills.map(|kills| kills as f64)),
        ("open_files", sample.files.map(|files| files.used as f64)),
        (
            "conntrack",
            sample.conntrack.map(|conntrack| conntrack.used as f64),
        ),
        ("open_files_utilization", sample.files.map(Used::ratio)),
        ("conntrack_utilization", sample.conntrack.map(Used::ratio)),
        ("sampling_cpu_seconds", sample.cost),
        ("cpu_busy", Some(sample.cpu_busy)),
        ("cpu_steal", Some(sample.cpu_steal)),
        ("cpu_iowait", Some(sample.cpu_iowait)),
        ("memory_used", Some(sample.mem_used_ratio())),
        ("run_queue", sample.run_queue()),
        ("load1", sample.load.map(|load| load[0])),
        ("tcp_in_use", sockets.map(|sockets| sockets.in_use as f64)),
        ("tcp_time_wait", sockets.map(|sockets| sockets.time_wait as f64)),
    ]
}

/// The part of `cpu_cores` that is of processes which stand under an earlier name, too.
pub const REPEATED: &str = "repeated_cpu_cores";

fn process(name: &str, samples: &[&HostSample], readings: usize) -> SavedProcess {
    let (mut at, mut columns) = (Vec::new(), Columns::new());
    for sample in samples {
        // Two processes of one name are one here.
        let mine: Vec<&ProcessSample> = sample.processes.iter().filter(|p| &*p.name == name).collect();
        if mine.is_empty() {
            continue;
        }
        at.push(seconds(Duration::from_nanos(sample.at)));
        let sum = |of: &dyn Fn(&ProcessSample) -> f64| Some(mine.iter().map(|p| of(p)).sum::<f64>());
        let open: Option<f64> = mine.iter().map(|p| p.fds.map(f64::from)).sum();
        let nearest = mine.iter().filter_map(|p| p.files);
        let nearest = nearest.max_by(|a, b| a.ratio().total_cmp(&b.ratio()));
        for (column, value) in [
            ("cpu_cores", sum(&|p| p.cpu_cores)),
            (REPEATED, sum(&|p| p.repeated.cpu_cores)),
            ("memory", sum(&|p| p.rss as f64)),
            ("processes", sum(&|p| f64::from(p.members))),
            ("restarts", sum(&|p| f64::from(p.restarts))),
            ("threads", sum(&|p| f64::from(p.threads))),
            ("open_files", open),
            ("open_files_utilization", nearest.map(Used::ratio)),
            (
                "open_files_limit",
                nearest
                    .filter(|files| files.max > 0)
                    .map(|files| files.max as f64),
            ),
        ] {
            columns.entry(column.to_owned()).or_default().push(value);
        }
    }
    // Hardly ever is a process watched under two names.
    if columns
        .get(REPEATED)
        .is_some_and(|values| values.iter().all(|value| *value == Some(0.0)))
    {
        columns.remove(REPEATED);
    }
    let (at, series) = thinned(&at, columns, readings);
    SavedProcess {
        name: name.to_owned(),
        at,
        series,
    }
}

/// Of so many readings each, the last time and the means.
fn thinned(at: &[f64], columns: Columns, readings: usize) -> (Vec<f64>, Columns) {
    let times = at
        .chunks(readings)
        .filter_map(|times| times.last().copied())
        .collect();
    let columns = columns
        .into_iter()
        .map(|(name, values)| (name, values.chunks(readings).map(mean).collect()))
        .collect();
    (times, columns)
}

fn mean(values: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    (!known.is_empty()).then(|| rounded(known.iter().sum::<f64>() / known.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64, busy: f64, process: Option<f64>) -> HostSample {
        HostSample {
            at: second * 1_000_000_000,
            host: "a".into(),
            cpu_busy: busy,
            cores: 2,
            mem_total: 100,
            mem_available: 25,
            processes: process
                .map(|cpu_cores| ProcessSample {
                    name: "p".into(),
                    pid: 1,
                    cpu_cores,
                    rss: 7,
                    ..ProcessSample::default()
                })
                .into_iter()
                .collect(),
            ..HostSample::default()
        }
    }

    #[test]
    fn a_long_run_is_averaged_and_nothing_is_left_out() {
        let samples: Vec<HostSample> = (0..7200)
            .map(|second| {
                sample(
                    second,
                    f64::from(u8::from(second % 2 == 0)),
                    (second < 10).then_some(1.0),
                )
            })
            .collect();
        let hosts = hosts(&samples);
        assert_eq!((hosts.len(), hosts[0].readings, hosts[0].at.len()), (1, 2, 3600));
        assert!(hosts[0].series["cpu_busy"].iter().all(|busy| *busy == Some(0.5)));
        assert!(hosts[0].series["load1"].iter().all(Option::is_none));
        assert_eq!(hosts[0].series["memory_used"][0], Some(0.75));
        assert_eq!(hosts[0].processes[0].at.len(), 5);
    }

    #[test]
    fn of_two_processes_the_one_that_is_nearer_to_its_limit_tells() {
        let mut one = sample(1, 0.5, Some(1.0));
        let mut other = one.processes[0].clone();
        one.processes[0].files = Some(Used { used: 90, max: 100 });
        other.files = Some(Used { used: 900, max: 9000 });
        one.processes.push(other);
        one.runnable = Some(5);
        one.network = Some(crate::metrics::NetworkUse {
            loss: 0.25,
            utilization: Some(0.75),
            ..crate::metrics::NetworkUse::default()
        });
        let hosts = hosts(&[one]);
        let process = &hosts[0].processes[0].series;
        assert_eq!(process["open_files_utilization"], [Some(0.9)]);
        assert_eq!(process["open_files_limit"], [Some(100.0)]);
        let machine = &hosts[0].series;
        assert_eq!(machine["run_queue"], [Some(2.5)]);
        assert_eq!(
            (&machine["network_loss"][0], &machine["network_utilization"][0]),
            (&Some(0.25), &Some(0.75))
        );
    }

    #[test]
    fn machines_are_told_apart() {
        let mut other = sample(1, 0.5, None);
        other.host = "b".into();
        let hosts = hosts(&[sample(1, 0.25, None), other]);
        assert_eq!(
            hosts.iter().map(|host| &*host.host).collect::<Vec<_>>(),
            ["a", "b"]
        );
    }
}
