//! What the target ran out of first, where the load hurt it.
//!
//! A resource counts as full from a documented share on, in two readings in a row. It explains the hurt if it was full
//! while the hurt lasted and not only long after it began; of several the first one is named, for what fails first drags
//! others with it. If nothing that was sampled was full, the finding says so, and what the failed requests were answered.

mod resources;

use std::collections::BTreeMap;

use crate::metrics::Value;
use crate::report::saved::SavedRun;

use super::joined::Joined;
use super::stats::median;
use super::validity::{Validity, Verdict};
use super::{Confidence, Finding, Hurt};
use resources::{Full, full};

/// So many seconds after the hurt began a resource may have become full and still be its cause: latencies and readings
/// are a second or two late.
const LATE: f64 = 5.0;
/// For this share of the time from the hurt on it has to be full.
const MOST_OF_IT: f64 = 0.5;

/// The first resource that was full, "unexplained", or that nobody looked.
pub(super) fn saturation(
    run: &SavedRun,
    joined: &Joined,
    hurt: Option<Hurt>,
    validity: &Validity,
) -> Option<Finding> {
    let Some(hurt) = hurt else {
        return unhurt(run, joined);
    };
    if validity.verdict == Verdict::Invalid && validity.generator {
        let text = "what the target ran out of is not told: the generator itself was short".to_owned();
        return Some(Finding::new("generator-limited", text).at(hurt.at));
    }
    if run.hosts.iter().all(|host| host.at.is_empty()) {
        let text = format!(
            "what the target ran out of is not known, for it was not sampled: --tunnel, --sample-local or --watch does{}",
            answered(run)
        );
        return Some(Finding::new("not-sampled", text).at(hurt.at));
    }
    let end = joined.end();
    let latest = hurt.at + LATE.max(0.2 * (end - hurt.at));
    let mut causes: Vec<(Full, f64)> = full(run, joined, hurt.at, 1.0)
        .into_iter()
        .filter(|full| full.onset <= latest)
        .map(|full| {
            let share = full.share_from(hurt.at.max(full.onset));
            (full, share)
        })
        .filter(|(_, share)| *share >= MOST_OF_IT)
        .collect();
    // Within two seconds the order of the table decides: the more particular comes first.
    causes.sort_by(|a, b| (a.0.onset / 2.0).floor().total_cmp(&(b.0.onset / 2.0).floor()));
    let Some((first, share)) = causes.first() else {
        let text = format!(
            "unexplained: nothing that was sampled of the target was full when it got worse{}",
            answered(run)
        );
        return Some(
            Finding::new("unexplained", text)
                .at(hurt.at)
                .sure(Confidence::Medium),
        );
    };
    let lead = hurt.at - first.onset;
    let began_with_it = lead <= (0.5 * hurt.at).max(10.0) && first.onset > 0.0;
    let sure = if *share >= 0.8 && began_with_it {
        Confidence::High
    } else {
        Confidence::Medium
    };
    let then: Vec<String> = causes[1..]
        .iter()
        .map(|(full, _)| format!("{} from {:.0} s on", full.what, full.onset))
        .collect();
    let then = if then.is_empty() {
        String::new()
    } else {
        format!("; then {}", then.join(", "))
    };
    let text = format!(
        "{} was full first: {} from {:.0} s on, {}{}{then}",
        first.what,
        first.level(),
        first.onset,
        relative(lead),
        shared(run, joined, first),
    );
    Some(Finding::new("saturation", text).at(first.onset).sure(sure).with([
        ("level", first.median()),
        ("peak", first.peak()),
        ("lead_seconds", lead),
        ("share_of_the_time", *share),
    ]))
}

/// What was full although nothing got worse by it.
fn unhurt(run: &SavedRun, joined: &Joined) -> Option<Finding> {
    let mut full = full(run, joined, since(joined, None), 1.0);
    full.sort_by(|a, b| a.onset.total_cmp(&b.onset));
    let first = full
        .into_iter()
        .find(|full| full.share_from(full.onset) >= MOST_OF_IT)?;
    let text = format!(
        "{} was full, {} from {:.0} s on, and neither errors nor latency tell from which load on{}",
        first.what,
        first.level(),
        first.onset,
        shared(run, joined, &first),
    );
    Some(
        Finding::new("saturation", text)
            .at(first.onset)
            .sure(Confidence::Low)
            .with([("level", first.median()), ("peak", first.peak())]),
    )
}

/// A resource that was full for most of a part of a run.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Fullness {
    /// Which one, of whom.
    pub(in crate::report) what: String,
    /// How full, in words.
    pub(in crate::report) level: String,
    /// Whether it is something that happened, and no share.
    pub(in crate::report) is_event: bool,
}

/// A time in which something was full.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct FullSpan {
    /// What, of whom.
    pub(in crate::report) what: String,
    /// Seconds since the load began.
    pub(in crate::report) from: f64,
    pub(in crate::report) to: f64,
}

/// Each time in which something was full, by what it is called in findings. `hurt` is when it got worse.
pub(super) fn spans(run: &SavedRun, part: &Joined, hurt: Option<Hurt>) -> Vec<FullSpan> {
    let full = full(run, part, since(part, hurt), 1.0);
    let each = full.into_iter().flat_map(|full| {
        let spans = full.spans().into_iter();
        spans.map(move |(from, to)| FullSpan {
            what: full.what.clone(),
            from,
            to,
        })
    });
    each.collect()
}

/// From when on it got worse; if it never did, the later half tells what was full.
fn since(joined: &Joined, hurt: Option<Hurt>) -> f64 {
    hurt.map_or(joined.end() / 2.0, |hurt| hurt.at)
}

/// What was full, or with an `ease` of less than 1 near it, for most of a part of a run.
pub(super) fn full_during(run: &SavedRun, part: &Joined, ease: f64) -> Vec<Fullness> {
    full(run, part, 0.0, ease)
        .into_iter()
        .filter(|full| full.share_from(0.0) >= MOST_OF_IT)
        .map(|full| Fullness {
            level: full.level() + &shared(run, part, &full),
            what: full.what,
            is_event: full.is_event,
        })
        .collect()
}

fn relative(lead: f64) -> String {
    match lead {
        lead if lead >= 1.5 => format!("{lead:.0} s before it got worse"),
        lead if lead <= -1.5 => format!("{:.0} s after it got worse", -lead),
        _ => "as it got worse".to_owned(),
    }
}

/// Where the target shares its machine with the generator, how much of the CPU was the generator's.
fn shared(run: &SavedRun, joined: &Joined, full: &Full) -> String {
    if !full.of_machine_cpu || run.target.machine.is_some() {
        return String::new();
    }
    let since = joined.points.iter().filter(|point| point.at >= full.onset);
    let own: Vec<f64> = since.map(|point| point.window.generator_cpu).collect();
    match median(&own) {
        own if own >= 0.05 => format!(" (loadgen itself used {own:.1} of its cores)"),
        _ => String::new(),
    }
}

/// What most of the failed requests were answered: a limit of the target's own has no other witness.
fn answered(run: &SavedRun) -> String {
    let Some((reason, share, _)) = failures(run) else {
        return String::new();
    };
    let limit = match reason.as_str() {
        "status 503" | "status 429" => ", a limit of its own",
        _ => "",
    };
    format!(" ({:.0} % of what failed was {reason}{limit})", share * 100.0)
}

/// The most frequent reason of failures, its share, and how many failed.
pub(in crate::report) fn failures(run: &SavedRun) -> Option<(String, f64, u64)> {
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for (tags, value) in run.series("http_req_failed").rows {
        let Value::Rate { passes, .. } = value else {
            continue;
        };
        if passes == 0 {
            continue;
        }
        let reason = match (tags.get("error"), tags.get("status").map(String::as_str)) {
            (_, Some(status)) if status != "0" => format!("status {status}"),
            (Some(error), _) => error.clone(),
            _ => continue,
        };
        *reasons.entry(reason).or_insert(0) += passes;
    }
    let total: u64 = reasons.values().sum();
    let (reason, count) = reasons.into_iter().max_by_key(|(_, count)| *count)?;
    Some((reason, count as f64 / total as f64, total))
}

#[cfg(test)]
mod tests;
