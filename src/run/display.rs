//! What the terminal shows of a run: the engine's counters and the last window, as one view.

use std::sync::Arc;
use std::time::Duration;

use super::Run;
use crate::config::Config;
use crate::demo::DemoChild;
use crate::engine::{Level, Live};
use crate::metrics::{HostSample, Snapshot, ThresholdState, TunnelSample};
use crate::output::{
    Header, MetricsServer, Progress, ProgressView, ScenarioCounts, ScenarioLine, Standing, TargetUse,
    TunnelUse,
};
use crate::report::breakpoint::By;

/// Shows the progress of one run.
pub struct Display {
    progress: Progress,
    config: Config,
    /// The longest time of a search for the breaking point, if this is one: its steps are no scenarios of a plan.
    search: Option<Duration>,
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
        let search = run.order.breakpoint.as_ref();
        let mut header = Header {
            outputs: run.order.outputs.iter().map(ToString::to_string).collect(),
            metrics: page.map(|page| format!("http://{}/metrics", page.address())),
            target: demo.map(services).or_else(|| run.tunnels.described()),
            ..Header::new(&run.order.name, &config)
        };
        if let Some(search) = search {
            header.max_duration = search.max_duration;
            header.max_vus = match search.by {
                By::Vus => search.most,
                By::Rate => u64::from(search.max_vus),
            };
            let span = format!(
                "the highest load that holds is sought, from {} up to {} at the most",
                search.by.load(search.start),
                search.by.load(search.most)
            );
            let named = |(name, _): (String, String)| (name, span.clone());
            header.scenarios = header.scenarios.into_iter().map(named).collect();
        }
        progress.header(&header);
        Display {
            search: search.map(|search| search.max_duration),
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
    pub fn show(&self, live: &Live, snapshot: &Snapshot, level: Level, last: bool) {
        // A line that stays would tear the ladder.
        if self.search.is_some() && !self.progress.redraws() {
            return;
        }
        let window = &snapshot.window;
        let of_requests = |value| (window.requests > 0).then_some(value);
        // The plan's time stands still while the test is paused.
        let elapsed = snapshot.elapsed.saturating_sub(live.lost());
        let mut view = ProgressView {
            elapsed,
            paused: live.is_paused(),
            max_duration: self.search.unwrap_or_else(|| self.config.max_duration()),
            vus: live.vus(),
            vus_max: live.vus_max(),
            rps: window.rate(),
            p95_ms: of_requests(window.p95),
            errors: of_requests(window.failure_ratio()),
            thresholds: snapshot.thresholds.iter().map(standing).collect(),
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
            if self.search.is_some() {
                continue;
            }
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

fn standing(state: &ThresholdState) -> Standing {
    Standing {
        text: state.spec.to_string(),
        value: state.value,
        ok: (!state.empty).then_some(state.ok),
    }
}
