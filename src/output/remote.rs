//! The `/metrics/remote` page: the target's counters under the names, types and help texts of Prometheus' own
//! `node_exporter`, so that dashboards made for it show the target without anything installed there; and what loadgen makes of
//! them, under its own prefix.
//!
//! It is a page of its own because it is another machine's: a scrape job gives it that machine's `instance`. It is written
//! as text here, not through the `prometheus` crate, which has no way to write the untyped metrics that `node_exporter` has.

mod node;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::metrics::HostSample;

/// What is known of a machine.
#[derive(Debug, Clone)]
pub struct HostView {
    pub newest: HostSample,
    /// Whether it has told something since it was last asked.
    pub up: bool,
    /// How many readings there were, and how many times it told nothing.
    pub readings: u64,
    pub failures: u64,
}

impl From<HostSample> for HostView {
    /// As it is after a first reading.
    fn from(newest: HostSample) -> HostView {
        HostView {
            newest,
            up: true,
            readings: 1,
            failures: 0,
        }
    }
}

/// The page of these machines' newest samples. Each series has the label `host`, as on the run's own page, so that a dashboard's
/// choice of a target filters it. When `only` names a machine they do without, and are just as `node_exporter`'s.
pub(super) fn render(hosts: &[HostView], only: Option<&str>) -> String {
    let shown = hosts
        .iter()
        .filter(|host| only.is_none_or(|only| &*host.newest.host == only));
    let mut page = Page::default();
    for host in shown {
        page.host = only.is_none().then(|| host.newest.host.to_string());
        sampling(host, &mut page);
        if !host.up {
            continue;
        }
        if let Some(counters) = &host.newest.counters {
            node::families(counters, &mut page);
        }
        own(&host.newest, &mut page);
    }
    page.text()
}

/// What a family's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Counter,
    Gauge,
    Untyped,
}

#[derive(Debug)]
struct Family {
    help: String,
    kind: Type,
    series: Vec<String>,
}

/// Families by name, and which machine is being written.
#[derive(Debug, Default)]
struct Page {
    families: BTreeMap<String, Family>,
    host: Option<String>,
}

impl Page {
    fn add(&mut self, name: &str, kind: Type, help: &str, labels: &[(&str, &str)], value: f64) {
        let mut series = name.to_owned();
        let host = self.host.as_deref().map(|host| ("host", host));
        let mut open = '{';
        for (label, text) in host.iter().chain(labels) {
            let _ = write!(series, "{open}{label}=\"{}\"", escaped(text));
            open = ',';
        }
        if open == ',' {
            series.push('}');
        }
        let _ = write!(series, " {value}");
        let family = self.families.entry(name.to_owned()).or_insert_with(|| Family {
            help: help.to_owned(),
            kind,
            series: Vec::new(),
        });
        family.series.push(series);
    }

    fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.add(name, Type::Gauge, help, labels, value);
    }

    fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.add(name, Type::Counter, help, labels, value);
    }

    fn text(self) -> String {
        let mut text = String::with_capacity(16 << 10);
        for (name, family) in self.families {
            let kind = match family.kind {
                Type::Counter => "counter",
                Type::Gauge => "gauge",
                Type::Untyped => "untyped",
            };
            let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for series in family.series {
                text += &series;
                text.push('\n');
            }
        }
        text
    }
}

/// A label's value as the text format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// How sampling itself goes. This is there also while a machine does not answer.
fn sampling(host: &HostView, page: &mut Page) {
    page.gauge(
        "loadgen_remote_up",
        "Whether the target has answered the sampler when it was last asked: 1 or 0.",
        &[],
        f64::from(u8::from(host.up)),
    );
    page.counter(
        "loadgen_remote_samples_total",
        "Readings of the target.",
        &[],
        host.readings as f64,
    );
    page.counter(
        "loadgen_remote_failures_total",
        "Times that the target did not answer the sampler.",
        &[],
        host.failures as f64,
    );
}

/// What `node_exporter` does not have.
fn own(host: &HostSample, page: &mut Page) {
    page.gauge(
        "loadgen_target_cpu_utilization_ratio",
        "Share of the CPU time that the target may use and does: of its control group's limit, else of all cores.",
        &[],
        host.cpu_utilization(),
    );
    page.gauge(
        "loadgen_target_memory_utilization_ratio",
        "Share of the memory that the target may use and does: of its control group's limit, else of the machine's.",
        &[],
        host.memory_utilization(),
    );
    page.gauge(
        "loadgen_target_cpu_limit_cores",
        "CPU time per time that the target may use.",
        &[],
        host.cpu_limit(),
    );
    page.gauge(
        "loadgen_target_memory_limit_bytes",
        "Memory that the target may use.",
        &[],
        host.memory_limit() as f64,
    );
    if let Some(share) = host.group.as_ref().and_then(|group| group.throttled) {
        page.gauge(
            "loadgen_target_cpu_throttled_ratio",
            "Share of the scheduler's periods in which the target's control group ran out of its quota.",
            &[],
            share,
        );
    }
    if let Some(queue) = host.run_queue() {
        page.gauge(
            "loadgen_target_run_queue_ratio",
            "Tasks of the target that run or wait to run, for each of its cores: what is more than 1 waits.",
            &[],
            queue,
        );
    }
    if let Some(network) = host.network {
        page.gauge(
            "loadgen_target_network_loss_ratio",
            "Share of the target's packets that were in error or dropped.",
            &[],
            network.loss,
        );
        if let Some(share) = network.utilization {
            page.gauge(
                "loadgen_target_network_utilization_ratio",
                "Share of its speed that the busiest of the target's links uses, in the direction that uses more; of links that tell it.",
                &[],
                share,
            );
        }
    }
    for process in &host.processes {
        let labels = [("process", &*process.name)];
        page.gauge(
            "loadgen_target_process_cpu_cores",
            "CPU that a watched process and its children use: 1 is one core.",
            &labels,
            process.cpu_cores,
        );
        page.gauge(
            "loadgen_target_process_resident_memory_bytes",
            "Resident memory of a watched process and its children.",
            &labels,
            process.rss as f64,
        );
        page.gauge(
            "loadgen_target_process_threads",
            "Threads of a watched process and its children.",
            &labels,
            f64::from(process.threads),
        );
        page.gauge(
            "loadgen_target_processes",
            "How many processes are watched under a name.",
            &labels,
            f64::from(process.members),
        );
        page.counter(
            "loadgen_target_process_restarts_total",
            "How often a watched process had ended and was found again.",
            &labels,
            f64::from(process.restarts),
        );
        if let Some(fds) = process.fds {
            page.gauge(
                "loadgen_target_process_open_fds",
                "Open files of a watched process and its children.",
                &labels,
                f64::from(fds),
            );
        }
        if let Some(files) = process.files.filter(|files| files.max > 0) {
            page.gauge(
                "loadgen_target_process_max_fds",
                "How many files a watched process may have open; of several and their children the one that is nearest to it.",
                &labels,
                files.max as f64,
            );
            page.gauge(
                "loadgen_target_process_fds_utilization_ratio",
                "Share of the files that it may have open and that this process has.",
                &labels,
                files.ratio(),
            );
        }
    }
    if let Some(cost) = host.cost {
        page.gauge(
            "loadgen_remote_sample_cpu_seconds",
            "CPU time that the last reading took on the target.",
            &[],
            cost,
        );
    }
    if let Some(total) = host.counters.as_ref().and_then(|counters| counters.sampler_cpu) {
        page.counter(
            "loadgen_remote_cpu_seconds_total",
            "CPU time that sampling has taken on the target.",
            &[],
            total,
        );
    }
    if let Some(time) = host.round_trip {
        page.gauge(
            "loadgen_remote_round_trip_seconds",
            "Time from asking for the last reading to its answer.",
            &[],
            time,
        );
    }
}

#[cfg(test)]
#[path = "remote/tests.rs"]
mod tests;
