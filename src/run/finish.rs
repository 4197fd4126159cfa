//! The end of a run: final snapshot, outputs, summary, files, a last scrape.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::rc::Rc;

use futures_util::future::join_all;

use super::calls::hurried;
use super::collect::Observer;
use super::load::Prepared;
use super::order::Ending;
use super::save::Destinations;
use super::{Run, hints, save, scrape, verify};
use crate::engine;
use crate::metrics::{Snapshot, Timeline};
use crate::output::{Pusher, RunState};
use crate::report::breakpoint;
use crate::report::saved::SavedRun;
use crate::report::{
    DataOptions, Hint, SummaryMode, SummaryOptions, Verdict, findings_section, hints_section, summary,
    summary_data, summary_export,
};
use crate::script::{Files, ScriptError, ScriptUser, Seat, Workshop};

/// Reports on a run that has ended, and lets a scraper read the last page.
pub async fn finish(run: &Run, mut observer: Observer, ending: Ending, destinations: Destinations) -> Ending {
    let snapshot = observer.conclude();
    run.traces.finish().await;
    let ending = match ending {
        Ending::Passed if snapshot.thresholds.iter().any(|threshold| !threshold.ok) => Ending::Thresholds,
        ending => ending,
    };
    let (verification, ending) = match verify::verify(run, &snapshot, &ending).await {
        Some((verification, ending)) => (Some(verification), ending),
        None => (None, ending),
    };
    let timeline = observer.collector.timeline();
    let hints = hints::hints(run, &snapshot);
    let told = save::Told {
        verification: verification.as_ref(),
        hints: &hints,
    };
    let mut saved = save::saved(run, &snapshot, timeline, told, save::ending(run, &ending));
    report(run, &snapshot, timeline, told, &saved).await;
    let ending = match (ending, &run.loaded.subject) {
        (Ending::Passed, Prepared::Script { program, .. }) => match program.failure() {
            Some(reason) => Ending::Failed(reason.to_owned()),
            None => Ending::Passed,
        },
        (ending, _) => ending,
    };
    let ending = match (ending, &saved.validity) {
        (Ending::Passed | Ending::Thresholds, Some(validity))
            if run.order.strict && validity.verdict == Verdict::Invalid.as_str() =>
        {
            Ending::Invalid(validity.why())
        }
        (ending, _) => ending,
    };
    saved.ending = save::ending(run, &ending);
    destinations.write(&saved).await;
    observer.page.set_state(RunState::Finished);
    // At the same time: each may have to wait for its receiver.
    join_all(observer.pushers.into_iter().map(Pusher::finish)).await;
    if let Some(teller) = observer.teller {
        teller.finish(ending.name()).await;
    }
    if let Some(server) = observer.server {
        scrape::last(&observer.page, run.order.linger, &run.control).await;
        server.shutdown().await;
    }
    ending
}

async fn report(run: &Run, snapshot: &Snapshot, timeline: &Timeline, told: save::Told<'_>, saved: &SavedRun) {
    let save::Told { verification, hints } = told;
    let look = &run.order.summary;
    let stats = &run.config.summary_trend_stats;
    // Means over loads that held and loads that broke are no summary of anything.
    let search = saved.breakpoint.is_some();
    if let Some(path) = &look.export {
        write(
            path,
            summary_export(snapshot, stats, saved.breakpoint.as_ref()).as_bytes(),
        );
    }
    // Who wants no summary is not asked for one, as in the dialect.
    let wanted = look.mode != SummaryMode::Disabled;
    let custom = if run.loaded.exports("handleSummary") && wanted && !search {
        handle_summary(run, snapshot).await
    } else {
        None
    };
    match custom {
        Some(files) => {
            for (path, content) in &files {
                write(Path::new(path), content);
            }
            tell(hints);
        }
        None if look.mode == SummaryMode::Disabled => tell(hints),
        None => {
            let options = SummaryOptions {
                mode: look.mode,
                trend_stats: stats.clone(),
                time_unit: run.config.summary_time_unit,
                color: look.color,
            };
            let mut sections = if search {
                vec![breakpoint::section(saved, look.color)]
            } else {
                vec![summary(snapshot, timeline, &options)]
            };
            sections.extend(run.tunnels.section(run, snapshot, look.color));
            sections.extend(verification.map(|verification| verification.section(look.color)));
            sections.push(findings_section(saved, look.color));
            if !hints.is_empty() {
                sections.push(hints_section(hints, look.color));
            }
            let text = sections.join("\n\n");
            write(Path::new("stdout"), format!("\n{text}\n").as_bytes());
        }
    }
}

/// Says the hints where no summary of ours has them.
fn tell(hints: &[Hint]) {
    for hint in hints {
        tracing::warn!("{}", hint.text);
    }
}

/// What `setup()` returned.
pub fn setup_data(subject: &Prepared) -> Option<serde_json::Value> {
    match subject {
        Prepared::Script { program, .. } => program.data().and_then(|json| serde_json::from_str(&json).ok()),
        Prepared::Url(_) => None,
    }
}

/// What `handleSummary` and `verify` get to see of the results.
pub fn data(run: &Run, snapshot: &Snapshot) -> serde_json::Value {
    summary_data(
        snapshot,
        &DataOptions {
            trend_stats: run.config.summary_trend_stats.clone(),
            time_unit: run.config.summary_time_unit,
            no_color: !run.order.summary.color,
            stdout_is_tty: std::io::stdout().is_terminal(),
            stderr_is_tty: std::io::stderr().is_terminal(),
            setup_data: setup_data(&run.loaded.subject),
        },
    )
}

/// What the script's `handleSummary` returns; `None`, and the usual summary, when it fails.
async fn handle_summary(run: &Run, snapshot: &Snapshot) -> Option<Files> {
    let Prepared::Script { program, .. } = &run.loaded.subject else {
        return None;
    };
    let data = data(run, snapshot);
    let (program, net, http, epoch) = (program.clone(), run.net.clone(), run.http.clone(), run.epoch);
    let limit = run.config.handle_summary_timeout;
    // It may request what it likes, as in the dialect: its samples come after the final snapshot, and nobody hears them.
    let (unheard, _) = engine::batches(1);
    let control = run.control.clone();
    let seat = Seat {
        around: run.around(),
        ..Seat::default()
    };
    let task = move |recorder| async move {
        let workshop = Rc::new(Workshop::new(program, recorder, epoch, net, http));
        let (mut user, _) = ScriptUser::start(workshop, seat).await?;
        tokio::select! {
            files = tokio::time::timeout(limit, user.summarize(data.to_string())) => match files {
                Ok(files) => files,
                Err(_) => Err(ScriptError::new(format!(
                    "it took longer than {} s and was ended; raise handleSummaryTimeout if it needs more",
                    limit.as_secs_f64()
                ))),
            },
            () = hurried(&control) => {
                Err(ScriptError::new("it was stopped before it was done"))
            }
        }
    };
    let result = engine::solo(0, run.registry.clone(), epoch, unheard, task).await;
    match result {
        Ok(Ok(files)) => Some(files),
        Ok(Err(error)) => {
            tracing::error!("handleSummary(): {error}");
            None
        }
        Err(error) => {
            tracing::error!("handleSummary(): {error}");
            None
        }
    }
}

/// Writes a file of the report; `stdout` and `stderr` are what they say. A failure is told, and costs nothing else.
fn write(path: &Path, content: &[u8]) {
    let result = match path.to_str() {
        Some("stdout") => to_stream(&mut std::io::stdout().lock(), content),
        Some("stderr") => to_stream(&mut std::io::stderr().lock(), content),
        _ => std::fs::write(path, content),
    };
    if let Err(error) = result {
        // Nobody reads the other end of a closed pipe: that is no fault of the run.
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            tracing::error!("cannot write {}: {error}", path.display());
        }
    }
}

fn to_stream(stream: &mut impl Write, content: &[u8]) -> std::io::Result<()> {
    stream.write_all(content)?;
    stream.flush()
}
