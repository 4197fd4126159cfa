//! `--save`: the place is made sure of when a run starts, the run is written when it ends.

use super::Run;
use super::load::Prepared;
use super::order::{Ending, Order, RunError};
use crate::metrics::{Snapshot, Timeline};
use crate::output::process_usage;
use crate::remote::machine;
use crate::report::Hint;
use crate::report::saved::{Destination, Facts, SavedEnding, SavedRun, SavedTarget, Scrubber};

/// Opens the file that the order asks for.
///
/// # Errors
/// It cannot be written to, or another run is writing it.
pub fn open(order: &Order) -> Result<Option<Destination>, RunError> {
    Ok(order.save.as_deref().map(Destination::open).transpose()?)
}

/// Writes the run. A failure is told, and costs nothing else.
pub fn write(
    run: &Run,
    destination: Destination,
    snapshot: &Snapshot,
    timeline: &Timeline,
    ending: &Ending,
    hints: &[Hint],
) {
    if let Err(error) = destination.write(&saved(run, snapshot, timeline, ending, hints)) {
        tracing::error!("{error}");
    }
}

fn saved(run: &Run, snapshot: &Snapshot, timeline: &Timeline, ending: &Ending, hints: &[Hint]) -> SavedRun {
    let usage = process_usage();
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
            ending: SavedEnding {
                name: ending.name().to_owned(),
                exit_code: ending.code(),
                message: ending.message().map(str::to_owned),
            },
            target: SavedTarget {
                kind: if order.demo.is_some() { "demo" } else { "external" }.to_owned(),
                ..SavedTarget::default()
            },
            environment: &machine(),
            variables: &order.env,
            options: &run.config.options,
            workers: run.workers,
            cpu_seconds: usage.cpu_seconds,
            peak_memory: usage.peak_resident_bytes,
            scrubber: &scrubber(run),
            hints,
        },
    )
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
