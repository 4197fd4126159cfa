//! What is measured of the target, as metrics of the run: `target_cpu_utilization` and its like, which thresholds can name.
//!
//! They exist only in runs that sample a target. What goes up and down is a trend, not a gauge: a target was overloaded if
//! it was at any time, and a gauge has no past. So `max`, `avg` and `p(95)` can be asked of it, and `value`, the last one.

use super::host::{HostSample, ProcessSample};
use super::model::{Contains, Kind, MetricId, Sample};
use super::registry::{MetricError, Registry};
use super::tags::TagSet;

/// What all names begin with.
const PREFIX: &str = "target_";

/// Whether a metric is one of these.
pub fn is_target(name: &str) -> bool {
    name.starts_with(PREFIX)
        && (HOST.iter().any(|metric| metric.name == name)
            || EVENTS.iter().any(|metric| metric.name == name)
            || PROCESS.iter().any(|metric| metric.name == name))
}

struct Level<T> {
    name: &'static str,
    contains: Contains,
    of: fn(&T) -> Option<f64>,
}

const fn level<T>(name: &'static str, of: fn(&T) -> Option<f64>) -> Level<T> {
    Level {
        name,
        contains: Contains::Default,
        of,
    }
}

/// Of a machine, each reading a value. Shares are 0–1.
const HOST: [Level<HostSample>; 23] = [
    level("target_cpu_utilization", |host| Some(host.cpu_utilization())),
    level("target_cpu_steal", |host| Some(host.cpu_steal)),
    level("target_cpu_iowait", |host| Some(host.cpu_iowait)),
    level("target_cpu_busiest_core", HostSample::busiest_core),
    level("target_cpu_throttled", |host| host.group.as_ref()?.throttled),
    level("target_memory_utilization", |host| {
        Some(host.memory_utilization())
    }),
    level("target_swap_utilization", |host| Some(host.swap?.ratio())),
    level("target_pressure_cpu", |host| Some(host.pressure?.cpu)),
    level("target_pressure_memory", |host| Some(host.pressure?.memory)),
    level("target_pressure_io", |host| Some(host.pressure?.io)),
    level("target_load1", |host| Some(host.load?[0])),
    level("target_run_queue", HostSample::run_queue),
    level("target_disk_utilization", |host| Some(host.disk.as_ref()?.busy)),
    data("target_disk_read_bytes_per_second", |host| {
        Some(host.disk.as_ref()?.read)
    }),
    data("target_disk_written_bytes_per_second", |host| {
        Some(host.disk.as_ref()?.written)
    }),
    data("target_network_received_bytes_per_second", |host| {
        Some(host.network?.received)
    }),
    data("target_network_sent_bytes_per_second", |host| {
        Some(host.network?.sent)
    }),
    level("target_network_utilization", |host| host.network?.utilization),
    level("target_network_loss", |host| Some(host.network?.loss)),
    level("target_tcp_sockets", |host| Some(host.sockets?.in_use as f64)),
    level("target_tcp_time_wait", |host| {
        Some(host.sockets?.time_wait as f64)
    }),
    level("target_open_files_utilization", |host| Some(host.files?.ratio())),
    level("target_conntrack_utilization", |host| {
        Some(host.conntrack?.ratio())
    }),
];

const fn data<T>(name: &'static str, of: fn(&T) -> Option<f64>) -> Level<T> {
    Level {
        contains: Contains::Data,
        ..level(name, of)
    }
}

/// Of a machine, counted.
const EVENTS: [Level<HostSample>; 3] = [
    level("target_oom_kills", |host| {
        host.oom_kills.map(|count| count as f64)
    }),
    level("target_listen_overflows", |host| {
        Some(host.listen?.overflows as f64)
    }),
    level("target_listen_drops", |host| Some(host.listen?.drops as f64)),
];

/// Of what is watched; the tag `process` says what.
const PROCESS: [Level<ProcessSample>; 5] = [
    level("target_process_cpu_cores", |process| Some(process.cpu_cores)),
    data("target_process_memory", |process| Some(process.rss as f64)),
    level("target_process_threads", |process| {
        Some(f64::from(process.threads))
    }),
    level("target_process_open_files", |process| process.fds.map(f64::from)),
    level("target_process_open_files_utilization", |process| {
        Some(process.files?.ratio())
    }),
];

/// The metrics in a registry.
#[derive(Debug)]
pub struct TargetMetrics {
    host: Vec<MetricId>,
    events: Vec<MetricId>,
    process: Vec<MetricId>,
    /// What was counted so far, by machine.
    counted: Vec<(std::sync::Arc<str>, [f64; EVENTS.len()])>,
}

impl TargetMetrics {
    /// Defines them.
    ///
    /// # Errors
    /// One of the names has another kind already.
    pub fn define(registry: &Registry) -> Result<TargetMetrics, MetricError> {
        fn all<T>(
            registry: &Registry,
            kind: Kind,
            levels: &[Level<T>],
        ) -> Result<Vec<MetricId>, MetricError> {
            let define = |level: &Level<T>| registry.define(level.name, kind, level.contains);
            levels.iter().map(define).collect()
        }
        Ok(TargetMetrics {
            host: all(registry, Kind::Trend, &HOST)?,
            events: all(registry, Kind::Counter, &EVENTS)?,
            process: all(registry, Kind::Trend, &PROCESS)?,
            counted: Vec::new(),
        })
    }

    /// A reading as samples of the run.
    pub fn samples(&mut self, registry: &Registry, host: &HostSample) -> Vec<Sample> {
        let tags = TagSet::default().with("host", &host.host);
        let own = registry.intern(&tags);
        let sample = |metric: &MetricId, tags, value| Sample {
            at: host.at,
            metric: *metric,
            tags,
            value,
        };
        let levels = self.host.iter().zip(&HOST);
        let mut samples: Vec<Sample> = levels
            .filter_map(|(metric, level)| Some(sample(metric, own, (level.of)(host)?)))
            .collect();
        let place = self.counted.iter().position(|(name, _)| *name == host.host);
        let place = place.unwrap_or_else(|| {
            self.counted.push((host.host.clone(), [0.0; EVENTS.len()]));
            self.counted.len() - 1
        });
        let counted = &mut self.counted[place].1;
        for ((metric, event), before) in self.events.iter().zip(&EVENTS).zip(counted) {
            let Some(now) = (event.of)(host) else { continue };
            // A machine that was restarted counts from zero again.
            let more = if now < *before { now } else { now - *before };
            *before = now;
            if more > 0.0 {
                samples.push(sample(metric, own, more));
            }
        }
        for process in &host.processes {
            let tags = registry.intern(&tags.with("process", &process.name));
            for (metric, level) in self.process.iter().zip(&PROCESS) {
                samples.extend((level.of)(process).map(|value| sample(metric, tags, value)));
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ListenDrops, SystemTags};

    fn values(samples: &[Sample], registry: &Registry, name: &str) -> Vec<f64> {
        let id = registry.lookup(name).unwrap();
        samples
            .iter()
            .filter(|sample| sample.metric == id)
            .map(|sample| sample.value)
            .collect()
    }

    #[test]
    fn a_reading_becomes_samples_and_what_is_not_told_none() {
        let registry = Registry::new(SystemTags::default());
        let mut metrics = TargetMetrics::define(&registry).unwrap();
        let mut host = HostSample {
            host: "db".into(),
            cpu_busy: 0.5,
            listen: Some(ListenDrops {
                overflows: 2,
                drops: 3,
            }),
            cores: 2,
            runnable: Some(5),
            processes: vec![ProcessSample {
                name: "redis".into(),
                cpu_cores: 0.25,
                files: Some(super::super::host::Used { used: 5, max: 20 }),
                ..ProcessSample::default()
            }],
            ..HostSample::default()
        };
        let first = metrics.samples(&registry, &host);
        assert_eq!(values(&first, &registry, "target_cpu_utilization"), [0.5]);
        assert_eq!(values(&first, &registry, "target_listen_drops"), [3.0]);
        assert_eq!(values(&first, &registry, "target_run_queue"), [2.5]);
        assert_eq!(
            values(&first, &registry, "target_process_open_files_utilization"),
            [0.25]
        );
        assert_eq!(values(&first, &registry, "target_process_cpu_cores"), [0.25]);
        for untold in [
            "target_pressure_cpu",
            "target_load1",
            "target_oom_kills",
            "target_process_open_files",
            "target_network_utilization",
        ] {
            assert!(values(&first, &registry, untold).is_empty(), "{untold}");
        }
        let of_process = registry.lookup("target_process_cpu_cores");
        let sample = first
            .iter()
            .find(|sample| Some(sample.metric) == of_process)
            .unwrap();
        let tags = registry.tags(sample.tags);
        assert_eq!(
            (tags.get("host"), tags.get("process")),
            (Some("db"), Some("redis"))
        );
        // Counts are told since sampling began; what the metric adds is what is new.
        host.listen = Some(ListenDrops {
            overflows: 2,
            drops: 10,
        });
        let second = metrics.samples(&registry, &host);
        assert_eq!(values(&second, &registry, "target_listen_drops"), [7.0]);
        assert!(values(&second, &registry, "target_listen_overflows").is_empty());
        assert!(is_target("target_load1") && is_target("target_oom_kills") && !is_target("target_sold"));
    }
}
