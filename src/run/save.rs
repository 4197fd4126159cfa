//! `--save` and the reports of `--out`: the places are made sure of when a run starts, and written when it ends.

use super::Run;
use super::checkpoint::Checkpoints;
use super::load::Prepared;
use super::order::{Ending, Order, RunError};
use crate::metrics::machine::Machine;
use crate::metrics::{Outage, Snapshot, Timeline};
use crate::output::process_usage;
use crate::remote::machine;
use crate::report::saved::{Destination, Facts, SavedEnding, SavedOutage, SavedRun, SavedTarget, Scrubber};
use crate::report::{Hint, ReportFile, ReportSpec, Verification};

/// Where a run's results go when it has ended.
#[derive(Debug)]
pub struct Destinations {
    save: Option<Destination>,
    reports: Vec<ReportFile>,
    /// What there is while the run goes on.
    pub checkpoints: Option<Checkpoints>,
}

impl Destinations {
    /// Opens the files that the order asks for.
    ///
    /// # Errors
    /// One of them cannot be written to, or another run is writing it.
    pub fn open(order: &Order) -> Result<Destinations, RunError> {
        let save = order.save.as_deref().map(Destination::open).transpose()?;
        let checkpoints = match (&save, order.save_every) {
            (Some(save), Some(every)) => Checkpoints::open(save, every)?,
            _ => None,
        };
        Ok(Destinations {
            checkpoints,
            save,
            reports: order
                .reports
                .iter()
                .map(ReportSpec::open)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Writes the run to all of them. A failure is told, and costs nothing else.
    pub async fn write(self, saved: &SavedRun) {
        let whole = match self.save.map(|destination| destination.write(saved)) {
            Some(Err(error)) => {
                tracing::error!("{error}");
                false
            }
            _ => true,
        };
        if let Some(checkpoints) = self.checkpoints {
            checkpoints.end(whole).await;
        }
        for report in self.reports {
            if let Err(error) = report.write(saved) {
                tracing::error!("{error}");
            }
        }
    }
}

/// What is said about a run beside its numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    /// What `verify()` found.
    pub verification: Option<&'a Verification>,
    /// What the target's answers hint at.
    pub hints: &'a [Hint],
}

fn outages(run: &Run) -> Vec<SavedOutage> {
    let seconds = |instant| run.epoch.nanos(instant) as f64 / 1e9;
    let saved = |outage: Outage| SavedOutage {
        from: seconds(outage.from),
        until: outage.until.map(seconds),
        lane: outage.lane,
        reason: outage.reason,
    };
    run.tunnels.outages().into_iter().map(saved).collect()
}

/// How the run ended, as its file says it.
pub fn ending(run: &Run, ending: &Ending) -> SavedEnding {
    let scrubber = scrubber(run);
    SavedEnding {
        name: ending.name().to_owned(),
        exit_code: ending.code(),
        message: ending.message().map(|message| scrubber.text(message)),
    }
}

/// The run as it is saved, compared and reported on.
pub fn saved(
    run: &Run,
    snapshot: &Snapshot,
    timeline: &Timeline,
    told: Told,
    ending: SavedEnding,
) -> SavedRun {
    let usage = process_usage();
    let machine = machine();
    let order = &run.order;
    SavedRun::new(
        snapshot,
        timeline,
        &Facts {
            id: &run.id,
            name: &order.name,
            kind: match run.loaded.subject {
                Prepared::Script { .. } => "script",
                Prepared::Url(_) => "url",
            },
            command: &order.command,
            zero: run.epoch.wall,
            begun: run.begun.at(),
            load_start: run.begun.load(),
            ending,
            verification: told.verification,
            target: SavedTarget {
                kind: if order.demo.is_some() { "demo" } else { "external" }.to_owned(),
                // The demo target runs on the generator's.
                machine: run.machine.get().filter(|_| order.demo.is_none()).map(Into::into),
                tunnel: run.tunnels.hosts(),
                outages: outages(run),
            },
            environment: &machine,
            variables: &order.env,
            options: &run.config.options,
            workers: run.workers,
            cores: cores(&machine),
            cpu_seconds: usage.cpu_seconds,
            peak_memory: usage.peak_resident_bytes,
            scrubber: &scrubber(run),
            hints: told.hints,
            breakpoint: run.ladder(),
        },
    )
}

/// The cores that this process may use: those that its affinity leaves, and of them what its control group allows.
pub fn cores(machine: &Machine) -> f64 {
    let whole = f64::from(crate::engine::cores());
    let limit = machine.limits.and_then(|limits| limits.cpus);
    limit.map_or(whole, |limit| limit.min(whole))
}

/// What this run's variables and headers give away as secret.
fn scrubber(run: &Run) -> Scrubber {
    let given = run
        .order
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let system = run
        .order
        .system_env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let plan = match &run.loaded.subject {
        Prepared::Url(plan) => Some(plan),
        Prepared::Script { .. } => None,
    };
    let headers = plan.iter().flat_map(|plan| &plan.headers);
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    Scrubber::new(given.chain(headers), system)
}
