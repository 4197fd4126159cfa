//! What follows from a run while it goes on, for the terminal.

use std::time::Duration;

use tokio::sync::mpsc;

use super::Run;
use super::checkpoint::{Ask, unfinished};
use crate::report::saved::{SavedRun, SavedValidity};

/// How often it is looked for,
const EVERY: Duration = Duration::from_secs(5);
/// but so seldom that looking takes no more than one part in this many of a core.
const SHARE: u32 = 100;

/// Shows findings as they appear, for as long as it is polled. Returns at once if nobody looks.
pub async fn follow(run: &Run, ask: &mpsc::Sender<Ask>) {
    let progress = &run.order.progress;
    if !progress.wants_findings() {
        return;
    }
    let mut pause = EVERY;
    loop {
        tokio::time::sleep(pause).await;
        // Before the load there is nothing to find.
        if run.begun.load().is_none() {
            continue;
        }
        let Some((found, took)) = unfinished(run, ask).await else {
            return;
        };
        progress.findings(texts(&found));
        pause = EVERY.max(took * SHARE);
    }
}

/// First whether the rest can be believed.
fn texts(run: &SavedRun) -> Vec<String> {
    let doubt = run.validity.iter().filter(|validity| !validity.is_valid());
    doubt
        .map(SavedValidity::line)
        .chain(run.findings.iter().map(|finding| finding.text.clone()))
        .collect()
}
