//! What a search found, in a sentence.

use super::By;
use crate::report::format::{humanize_duration, number};
use crate::report::saved::{SavedBreakpoint, SavedStep};

/// The answer, or as much of it as is known.
pub(super) fn answer(found: &SavedBreakpoint) -> String {
    let by = found.by();
    let held = found
        .held
        .map(|load| format!("{} held{}", by.load(load), at(found)));
    let broke = found.broke.map(|load| {
        let verdict = if found.is_short(load) {
            ": the generator itself was short"
        } else {
            " broke"
        };
        format!("{}{verdict}{}", by.load(load), why(found, load))
    });
    let known = match (&held, &broke) {
        (Some(held), Some(broke)) => format!("{held}; {broke}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "no load was judged".to_owned(),
    };
    match (found.outcome.as_str(), found.held, found.broke) {
        ("found", Some(held), Some(broke)) => format!(
            "the breaking point is between {} and {}: {known}",
            bare(by, held, broke),
            by.load(broke)
        ),
        ("held", Some(held), _) => format!(
            "it held up to {}, the most that was to be tried{}: where it breaks is above that",
            by.load(held),
            at(found)
        ),
        ("never", _, Some(load)) => format!(
            "not even the lightest load holds, {}{}",
            by.load(load),
            why(found, load)
        ),
        ("generator", held, Some(load)) => {
            let far = held.map_or_else(
                || "no load was judged".to_owned(),
                |held| format!("it held up to {}{}", by.load(held), at(found)),
            );
            format!(
                "{far}; at {} the generator itself was short{}: the target is not to blame, and where it breaks is not known",
                by.load(load),
                why(found, load)
            )
        }
        ("dead", ..) => {
            let last = found.searched().last();
            let at = last.map_or(String::new(), |step| format!(" after {}", by.load(step.load)));
            format!("the target is gone: no request was answered{at}; {known}")
        }
        ("time", ..) => format!("time was up before the answer; so far: {known}"),
        ("stopped", ..) => format!("it was stopped before the answer; so far: {known}"),
        _ => format!("so far: {known}"),
    }
}

/// `40` before `42 VUs`.
fn bare(by: By, held: u64, broke: u64) -> String {
    if by.load(held).ends_with('s') && by.load(broke).ends_with('s') {
        held.to_string()
    } else {
        by.load(held)
    }
}

/// What it was like at the highest load that held.
fn at(found: &SavedBreakpoint) -> String {
    let mut parts = Vec::new();
    if found.rate > 0.0 {
        parts.push(format!("{} requests/s", number(found.rate, 1)));
    }
    if found.p95 > 0.0 {
        parts.push(format!("p95 {}", humanize_duration(found.p95, None)));
    }
    if found.times > 1 {
        parts.push(format!("{} times", found.times));
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    }
}

/// Why a load did not hold: what the last step says that decided it.
fn why(found: &SavedBreakpoint, load: u64) -> String {
    let decided = if found.is_short(load) { "invalid" } else { "broke" };
    let against = |step: &&SavedStep| step.verdict == decided && step.why.is_some();
    let tries: Vec<&SavedStep> = found.tries(load).filter(against).collect();
    match tries.last().and_then(|step| step.why.as_deref()) {
        Some(why) => format!(" ({why})"),
        None => String::new(),
    }
}
