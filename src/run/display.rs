//! What the terminal shows of a run: the engine's counters and the last window, as one view.

use std::sync::Arc;
use std::time::Duration;

use super::Run;
use crate::config::Config;
use crate::demo::DemoChild;
use crate::engine::{Level, Live};
use crate::metrics::{HostSample, TunnelSample, Window};
use crate::output::{
    Header, MetricsServer, Progress, ProgressView, ScenarioCounts, ScenarioLine, TargetUse, TunnelUse,
};

/// Shows the progress of one run.
pub struct Display {
    progress: Progress,
    config: Config,
    /// What each host uses.
    targets: Vec<(Arc<str>, TargetUse)>,
    tunnel: Option<TunnelUse>,
}

impl Display {
    /// Shows what is going to run.
    pub fn open(run: &Run, page: Option<&MetricsServer>, demo: Option<&DemoChild>) -> Display {
        let (progress, config) = (run.order.progress.clone(), run.config.clone());
        let services = |child: &DemoChild| {
            let shown: Vec<String> = child
                .addresses()
                .iter()
                .map(|(name, address)| format!("{name} {address}"))
                .collect();
            format!("demo, {}", shown.join(", "))
        };
        progress.header(&Header {
            outputs: run.order.outputs.iter().map(ToString::to_string).collect(),
            metrics: page.map(|page| format!("http://{}/metrics", page.address())),
            target: demo.map(services).or_else(|| run.tunnels.described()),
            ..Header::new(&run.order.name, &config)
        });
        Display {
            progress,
            config,
            targets: Vec::new(),
            tunnel: None,
        }
    }

    /// Keeps what the target uses, for the next view.
    pub fn target(&mut self, sample: &HostSample) {
        let newest = TargetUse {
            cpu: sample.cpu_utilization(),
            memory: sample.memory_utilization(),
            watched: (!sample.processes.is_empty())
                .then(|| (sample.processes_cpu_cores(), sample.processes_rss())),
        };
        match self.targets.iter_mut().find(|(host, _)| *host == sample.host) {
            Some((_, known)) => *known = newest,
            None => self.targets.push((sample.host.clone(), newest)),
        }
    }

    /// Forgets a host that no longer tells.
    pub fn lose_target(&mut self, host: &str) {
        self.targets.retain(|(known, _)| &**known != host);
    }

    /// The busiest of the hosts.
    fn busiest(&self) -> Option<TargetUse> {
        let all = self.targets.iter().map(|(_, target)| *target);
        all.max_by(|one, other| one.cpu.total_cmp(&other.cpu))
    }

    /// Keeps what the tunnels are doing: the slowest counts.
    pub fn tunnels(&mut self, samples: &[TunnelSample]) {
        self.tunnel = samples
            .iter()
            .map(|sample| sample.round_trip)
            .max()
            .map(|round_trip| TunnelUse {
                round_trip,
                lanes: samples.iter().map(|sample| sample.lanes).sum(),
                lanes_up: samples.iter().map(|sample| sample.lanes_up).sum(),
            });
    }

    /// Shows the run as it is; `last` leaves that standing.
    pub fn show(&self, live: &Live, window: &Window, elapsed: Duration, level: Level, last: bool) {
        let mut view = ProgressView {
            elapsed,
            max_duration: self.config.max_duration(),
            vus: live.vus(),
            vus_max: live.vus_max(),
            rps: window.rate(),
            p95_ms: (window.requests > 0).then_some(window.p95),
            errors: (window.requests > 0).then(|| window.failure_ratio()),
            target: self.busiest(),
            tunnel: self.tunnel,
            ..ProgressView::default()
        };
        for (scenario, progress) in live.scenarios() {
            let counts = ScenarioCounts {
                active: progress.active,
                hired: progress.hired,
                complete: progress.complete,
                interrupted: progress.interrupted,
                finished: progress.finished,
            };
            let share = (&self.config.segment, self.config.segment_fraction);
            view.complete += progress.complete;
            view.interrupted += progress.interrupted;
            view.dropped += progress.dropped;
            view.scenarios.push(ScenarioLine::new(
                scenario,
                share,
                counts,
                elapsed,
                level > Level::Run,
            ));
        }
        if last {
            self.progress.finish(&view);
        } else {
            self.progress.update(&view);
        }
    }
}
