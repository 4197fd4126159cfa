//! The `/metrics` page: a snapshot as Prometheus families, in the format that the scraper wants.
//!
//! Names have the prefix `loadgen_`, base units (seconds, bytes), `_total` on counters, ratios from 0 to 1, and
//! histograms rather than summaries, so that pages of several generators add up. Series exist with zero from the first
//! page on: a scrape before the load and one after it then give exact totals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::metrics::{Exemplars, Snapshot, SpanDrop, SpanStats, Trend, TunnelSample};
use crate::pace::Offered;

use super::custom;
use super::families::{Families, Format, OtlpStamp, Stamp, labels};
use super::process::ProcessUsage;
use super::push::PushCounts;
use super::remote::HostView;
use super::tell::TellCounts;
use super::tunnel;

mod own;
mod view;

use view::View;

/// What does not change during a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunInfo {
    pub run_id: String,
    pub version: String,
    /// The script, as the user named it.
    pub script: String,
    /// Names of all scenarios; their series exist from the start.
    pub scenarios: Vec<String>,
}

/// The verdicts on a run itself.
const VALIDITY: [&str; 3] = ["valid", "suspect", "invalid"];

/// Where the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunState {
    #[default]
    Starting,
    Setup,
    Running,
    Paused,
    Stopping,
    Teardown,
    Finished,
}

impl RunState {
    const ALL: [RunState; 7] = [
        RunState::Starting,
        RunState::Setup,
        RunState::Running,
        RunState::Paused,
        RunState::Stopping,
        RunState::Teardown,
        RunState::Finished,
    ];

    /// The state's label.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Starting => "starting",
            RunState::Setup => "setup",
            RunState::Running => "running",
            RunState::Paused => "paused",
            RunState::Stopping => "stopping",
            RunState::Teardown => "teardown",
            RunState::Finished => "finished",
        }
    }
}

/// The load at a moment: what is asked for, and what there is of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    pub scenarios: Vec<ScenarioLoad>,
    /// TCP connections that are open, and all that were opened.
    pub connections: (u64, u64),
}

/// One scenario's part of the load.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScenarioLoad {
    pub name: String,
    pub offered: Offered,
    /// Virtual users at work.
    pub vus: u32,
}

/// What became of checkpoints.
#[derive(Debug, Default)]
pub struct SaveCounts {
    written: AtomicU64,
    failed: AtomicU64,
}

impl SaveCounts {
    /// One more, that was written or not.
    pub fn count(&self, written: bool) {
        let of = if written { &self.written } else { &self.failed };
        of.fetch_add(1, Ordering::Relaxed);
    }
}

/// How far a search for the breaking point is. Loads are virtual users or iterations per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Breaking {
    /// The load that is tried now, or was last.
    pub trying: Option<u64>,
    /// The highest that held.
    pub held: Option<u64>,
    /// The lowest that did not.
    pub broke: Option<u64>,
}

/// Everything that a page shows.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub info: RunInfo,
    pub state: RunState,
    /// Whether the generator keeps up: one of [`VALIDITY`].
    pub validity: &'static str,
    /// How far the search for the breaking point is, if it is one.
    pub breaking: Option<Breaking>,
    /// `None` until the first one was taken.
    pub snapshot: Option<Arc<Snapshot>>,
    pub load: Load,
    /// The newest sample of each machine.
    pub hosts: Vec<HostView>,
    /// What requests go through, if anything.
    pub tunnels: Vec<TunnelSample>,
    /// Round trips through a tunnel that is held open by itself; there is nothing of a run on the page then.
    pub held: Option<Trend>,
    pub process: ProcessUsage,
    /// What became of the samples that were pushed, if any are.
    pub pushes: Option<Arc<PushCounts>>,
    /// The same for those that were pushed over OTLP.
    pub otlp_pushes: Option<Arc<PushCounts>>,
    /// What became of what Alertmanager and Grafana were told.
    pub told: TellCounts,
    /// What became of checkpoints, if there are any.
    pub checkpoints: Option<Arc<SaveCounts>>,
    /// When load began, and when it ended.
    pub load_began: Option<SystemTime>,
    pub load_ended: Option<SystemTime>,
    /// Requests whose traces were exported.
    pub exemplars: Arc<Exemplars>,
    /// What becomes of the spans.
    pub spans: Arc<SpanStats>,
    /// How long the previous page took to make, and how many were asked for before this one.
    pub scrape_duration: Duration,
    pub scrapes: u64,
}

/// The page in a format.
pub fn render(page: &Page, format: Format) -> Vec<u8> {
    families(page).encode(format)
}

/// The page for a receiver of remote write, compressed, and the number of samples in it.
pub fn render_push(page: &Page, stamp: &Stamp) -> (Vec<u8>, usize) {
    families(page).push(stamp)
}

/// The page for an OTLP collector, and the number of points in each body.
pub fn render_otlp(page: &Page, stamp: &OtlpStamp) -> Vec<(Vec<u8>, usize)> {
    families(page).otlp(stamp)
}

fn families(page: &Page) -> Families {
    let mut families = Families::default();
    if page.held.is_some() {
        own::families(page, &mut families);
        machines(page, &mut families);
        tunnel::families(page, &mut families);
        return families;
    }
    run(page, &mut families);
    let empty = [];
    let rows = page
        .snapshot
        .as_ref()
        .map_or(&empty[..], |snapshot| &snapshot.rows);
    let view = View { page, rows };
    load(&page.load, &mut families);
    view.http(&mut families);
    view.iterations(&mut families);
    view.data_and_checks(&mut families);
    view.websockets(&mut families);
    view.grpc(&mut families);
    view.generator(&mut families);
    pushes(page, &mut families);
    spans(&page.spans, &mut families);
    told(page, &mut families);
    checkpoints(page, &mut families);
    thresholds(page, &mut families);
    machines(page, &mut families);
    tunnel::families(page, &mut families);
    if let Some(snapshot) = &page.snapshot {
        custom::families(snapshot, &mut families);
    }
    families
}

fn run(page: &Page, families: &mut Families) {
    let RunInfo {
        run_id,
        version,
        script,
        scenarios,
    } = &page.info;
    let scenarios = scenarios.join(",");
    let pairs = [
        ("run_id", &**run_id),
        ("version", version),
        ("script", script),
        ("scenarios", scenarios.as_str()),
    ];
    families.gauge("loadgen_run_info", "What runs; always 1.", labels(pairs), 1.0);
    for state in RunState::ALL {
        families.gauge(
            "loadgen_run_state",
            "1 for the state that the run is in, 0 for the others.",
            labels([("state", state.as_str())]),
            f64::from(u8::from(state == page.state)),
        );
    }
    for verdict in VALIDITY {
        families.gauge(
            "loadgen_validity",
            "1 for the verdict on the run itself, 0 for the others: whether the generator kept up, so that the numbers are the target's.",
            labels([("verdict", verdict)]),
            f64::from(u8::from(verdict == page.validity || (page.validity.is_empty() && verdict == VALIDITY[0]))),
        );
    }
    if let Some(breaking) = page.breaking {
        let bounds = [
            ("trying", breaking.trying),
            ("held", breaking.held),
            ("broke", breaking.broke),
        ];
        for (bound, load) in bounds.iter().filter_map(|(bound, load)| Some((bound, (*load)?))) {
            families.gauge(
                "loadgen_breakpoint_load",
                "Load of the search for the breaking point, in virtual users or iterations per second: the one that is tried, the highest that held, the lowest that broke.",
                labels([("bound", *bound)]),
                load as f64,
            );
        }
    }
    let elapsed = page
        .snapshot
        .as_ref()
        .map_or(0.0, |snapshot| snapshot.elapsed.as_secs_f64());
    families.gauge(
        "loadgen_run_elapsed_seconds",
        "Time since the run's start.",
        Vec::new(),
        elapsed,
    );
}

fn load(load: &Load, families: &mut Families) {
    for scenario in &load.scenarios {
        let pairs = [("scenario", &*scenario.name)];
        let Offered { vus, rate, stage } = scenario.offered;
        if let Some(vus) = vus {
            families.gauge(
                "loadgen_scenario_offered_vus",
                "Virtual users that the scenario is to have now.",
                labels(pairs),
                f64::from(vus),
            );
        }
        if let Some(rate) = rate {
            families.gauge(
                "loadgen_scenario_offered_iterations_per_second",
                "Iterations that are to begin now, whatever becomes of them (arrival-rate scenarios).",
                labels(pairs),
                rate,
            );
        }
        families.gauge(
            "loadgen_scenario_stage",
            "Which stage goes on, from 1; 0 where there is none.",
            labels(pairs),
            f64::from(stage),
        );
        families.gauge(
            "loadgen_scenario_vus",
            "Virtual users of the scenario that are running.",
            labels(pairs),
            f64::from(scenario.vus),
        );
    }
    let (open, opened) = load.connections;
    families.gauge(
        "loadgen_connections_open",
        "TCP connections to the target that are open.",
        Vec::new(),
        open as f64,
    );
    families.counter(
        "loadgen_connections_opened_total",
        "TCP connections to the target that were opened.",
        Vec::new(),
        opened as f64,
    );
}

fn pushes(page: &Page, families: &mut Families) {
    for (counts, (samples, told), failures) in [
        (
            &page.pushes,
            (
                "loadgen_remote_write_samples_total",
                "Samples for the receiver of remote write: sent, or lost because it refuses them or is away for too long.",
            ),
            "loadgen_remote_write_failures_total",
        ),
        (
            &page.otlp_pushes,
            (
                "loadgen_otlp_metric_points_total",
                "Points of metrics for the OTLP collector: sent, or lost because it refuses them or is away for too long.",
            ),
            "loadgen_otlp_metric_failures_total",
        ),
    ] {
        let Some(counts) = counts else { continue };
        for (result, count) in [("sent", &counts.sent), ("lost", &counts.lost)] {
            let count = count.load(Ordering::Relaxed) as f64;
            families.counter(samples, told, labels([("result", result)]), count);
        }
        let count = counts.failures.load(Ordering::Relaxed) as f64;
        families.counter(failures, "Tries to push that failed.", Vec::new(), count);
    }
}

fn spans(stats: &SpanStats, families: &mut Families) {
    families.counter(
        "loadgen_otlp_spans_exported_total",
        "Spans that the collector has taken.",
        Vec::new(),
        stats.exported() as f64,
    );
    for reason in SpanDrop::ALL {
        families.counter(
            "loadgen_otlp_spans_dropped_total",
            "Spans that were not exported, by reason.",
            labels([("reason", reason.as_str())]),
            stats.dropped(reason) as f64,
        );
    }
}

fn told(page: &Page, families: &mut Families) {
    for (name, help, counts) in [
        (
            "loadgen_alertmanager_posts_total",
            "Posts of alerts to Alertmanager, by what became of them.",
            &page.told.alertmanager,
        ),
        (
            "loadgen_grafana_annotations_total",
            "Annotations made or ended in Grafana, by what became of them.",
            &page.told.grafana,
        ),
    ] {
        let Some(counts) = counts else { continue };
        for (result, count) in [("taken", &counts.taken), ("failed", &counts.failed)] {
            families.counter(
                name,
                help,
                labels([("result", result)]),
                count.load(Ordering::Relaxed) as f64,
            );
        }
    }
}

fn checkpoints(page: &Page, families: &mut Families) {
    let Some(counts) = &page.checkpoints else { return };
    for (result, count) in [("written", &counts.written), ("failed", &counts.failed)] {
        families.counter(
            "loadgen_checkpoints_total",
            "Checkpoints of the run that is to be saved, by what became of them.",
            labels([("result", result)]),
            count.load(Ordering::Relaxed) as f64,
        );
    }
}

fn thresholds(page: &Page, families: &mut Families) {
    let Some(snapshot) = &page.snapshot else { return };
    for state in &snapshot.thresholds {
        let metric = state.spec.filter.to_string();
        let pairs = [
            ("metric", metric.as_str()),
            ("threshold", &state.spec.expression.source),
        ];
        // One that has nothing to judge yet has not failed yet.
        let ok = state.ok || (state.empty && page.state != RunState::Finished);
        families.gauge(
            "loadgen_threshold_ok",
            "Whether a threshold holds: 1 or 0.",
            labels(pairs),
            f64::from(u8::from(ok)),
        );
        families.gauge(
            "loadgen_threshold_limit",
            "The number that a threshold compares with, in the unit of its expression.",
            labels(pairs),
            state.spec.expression.bound,
        );
        if let Some(value) = state.value {
            families.gauge(
                "loadgen_threshold_value",
                "The number that a threshold judges, in the unit of its expression.",
                labels(pairs),
                value,
            );
        }
    }
}

fn machines(page: &Page, families: &mut Families) {
    // What was true when a machine was last heard of is not shown as if it still were.
    for host in page.hosts.iter().filter(|host| host.up).map(|host| &host.newest) {
        let machine = [("host", &*host.host)];
        families.gauge(
            "loadgen_target_cpu_utilization_ratio",
            "Share of the CPU time that the target may use and does: of its control group's limit, else of all cores.",
            labels(machine),
            host.cpu_utilization(),
        );
        families.gauge(
            "loadgen_target_memory_utilization_ratio",
            "Share of the memory that the target may use and does: of its control group's limit, else of the machine's.",
            labels(machine),
            host.memory_utilization(),
        );
        for process in &host.processes {
            let pairs = [("host", &*host.host), ("process", &*process.name)];
            families.gauge(
                "loadgen_target_process_cpu_cores",
                "CPU that a process of the target uses: 1 is one core.",
                labels(pairs),
                process.cpu_cores,
            );
            families.gauge(
                "loadgen_target_process_resident_memory_bytes",
                "Resident memory of a process of the target.",
                labels(pairs),
                process.rss as f64,
            );
        }
    }
}

#[cfg(test)]
mod tests;
