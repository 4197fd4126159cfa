//! What follows from a search: the answer, and what gave way.
//!
//! A resource is named if it was full in most of the steps that broke, nearly so at the load just below, and not at the
//! lightest load. The lightest is that with the fewest requests per second: one user without a pause is no light load for a
//! server of one thread. If none was, the target has a limit of its own, and three witnesses tell which: what it answered to the requests that failed,
//! and, where none did, how many requests it works on at a time: throughput at its most times the time that one takes when
//! nothing waits (the crossing of the asymptotes of a closed system, Denning and Buzen 1978).

use crate::report::findings::{Confidence, Finding, Findings, Validity, Verdict};
use crate::report::findings::{Fullness, Part, cost, failures, full_during, joined_of};
use crate::report::format::{humanize_duration, number};
use crate::report::limits::ERRORS;
use crate::report::saved::{SavedBreakpoint, SavedRun, SavedStep};

use super::answer::answer;

/// Near full is this part of what counts as full.
const NEAR: f64 = 0.8;
/// A throughput within this factor of the greatest has stopped growing.
const FLAT: f64 = 0.85;

/// Everything that is said about a search.
pub fn findings(run: &SavedRun, found: &SavedBreakpoint) -> Findings {
    let joined = joined_of(run);
    let mut list = vec![Finding::new("breakpoint", answer(found)).with([
        ("held", found.held.map_or(f64::NAN, |load| load as f64)),
        ("broke", found.broke.map_or(f64::NAN, |load| load as f64)),
        ("times", f64::from(found.times)),
        ("requests_per_second", found.rate),
        ("p95", found.p95),
    ])];
    list.extend(limit(run, found, &joined));
    list.extend(never_itself(found));
    list.extend(cost(run, &joined));
    Findings {
        validity: validity(found),
        list,
        zero: joined.zero(),
    }
}

/// Whether the answer can be believed: a step that the generator could not carry out decides nothing, unless all do.
fn validity(found: &SavedBreakpoint) -> Validity {
    if found.outcome != "generator" {
        return Validity::default();
    }
    let reasons = found.searched().filter(|step| step.verdict == "invalid");
    let mut reasons: Vec<String> = reasons.filter_map(|step| step.why.clone()).collect();
    reasons.dedup();
    Validity {
        verdict: Verdict::Invalid,
        reasons,
        generator: true,
    }
}

/// What gave way.
fn limit(run: &SavedRun, found: &SavedBreakpoint, joined: &Part) -> Option<Finding> {
    if found.outcome == "generator" {
        let text = "what the target ran out of is not told: the generator itself was short".to_owned();
        return Some(Finding::new("generator-limited", text));
    }
    let broken: Vec<&SavedStep> = found.searched().filter(|step| step.verdict == "broke").collect();
    let first = broken.iter().min_by_key(|step| step.load)?;
    let sampled = run.hosts.iter().any(|host| !host.at.is_empty());
    let looked = if sampled {
        match resource(run, found, joined, &broken) {
            Looked::Full(named) => return Some(named.at(first.from - joined.zero())),
            Looked::Late(late) if late.is_empty() => {
                "nothing that was sampled of the target was full when it broke".to_owned()
            }
            Looked::Late(late) => format!(
                "what was full then, {}, was far from it at the load just below",
                late.join(", ")
            ),
        }
    } else {
        "the target was not sampled (--tunnel, --sample-local or --watch does)".to_owned()
    };
    let own = by_answers(run, &broken).or_else(|| by_concurrency(found, first));
    let finding = match own {
        Some((text, evidence)) => Finding::new("limit", format!("{text}; {looked}"))
            .sure(Confidence::Medium)
            .with(evidence),
        None => Finding::new("unexplained", format!("unexplained: {looked}")).sure(Confidence::Medium),
    };
    Some(finding.at(first.from - joined.zero()))
}

/// What the sampled resources say.
enum Looked {
    /// One was full when it broke, and not at the light load.
    Full(Finding),
    /// These were, but far from it at a load that is hardly less: by what happens when it breaks, and no cause of it.
    Late(Vec<String>),
}

/// What was full in most of the steps that broke, and not at the light load.
fn resource(run: &SavedRun, found: &SavedBreakpoint, joined: &Part, broken: &[&SavedStep]) -> Looked {
    let during = |step: &SavedStep, ease| full_during(run, joined, (step.from, step.to), ease);
    let good = found.searched().filter(|step| step.verdict == "held");
    let lightest = good
        .chain(found.probe())
        .filter(|step| step.requests > 0)
        .min_by(|a, b| a.rate.total_cmp(&b.rate));
    let before: Vec<String> = lightest
        .map(|light| during(light, 1.0))
        .into_iter()
        .flatten()
        .map(|full| full.what)
        .collect();
    // In the order of the table: the more particular first.
    let mut seen: Vec<(Fullness, usize)> = Vec::new();
    for step in broken {
        for full in during(step, 1.0) {
            match seen.iter_mut().find(|(known, _)| known.what == full.what) {
                Some((known, times)) => (known.level, *times) = (full.level, *times + 1),
                None => seen.push((full, 1)),
            }
        }
    }
    seen.retain(|(full, times)| times * 2 > broken.len() && !before.contains(&full.what));
    // Just below the limit what is going to be full is nearly so.
    let close = found.outcome == "found";
    let held: Vec<&SavedStep> = found
        .tries(found.held.filter(|_| close).unwrap_or_default())
        .filter(|step| step.verdict == "held")
        .collect();
    let near: Vec<Vec<Fullness>> = held.iter().map(|step| during(step, NEAR)).collect();
    let (named, late): (Vec<_>, Vec<_>) = seen.into_iter().partition(|(full, _)| {
        let times = near
            .iter()
            .filter(|list| list.iter().any(|near| near.what == full.what));
        full.is_event || near.is_empty() || times.count() * 2 > near.len()
    });
    let Some(((first, times), then)) = named.split_first() else {
        return Looked::Late(late.into_iter().map(|(full, _)| full.what).collect());
    };
    let then: Vec<String> = then
        .iter()
        .map(|(full, _)| format!("{} ({})", full.what, full.level))
        .collect();
    let then = if then.is_empty() {
        String::new()
    } else {
        format!("; also {}", then.join(", "))
    };
    let share = *times as f64 / broken.len() as f64;
    let text = format!(
        "{} was full when it broke: {}; not so at light load{then}{}",
        first.what,
        first.level,
        told(run)
    );
    let sure = if share > 0.8 {
        Confidence::High
    } else {
        Confidence::Medium
    };
    Looked::Full(
        Finding::new("saturation", text)
            .sure(sure)
            .with([("steps", *times as f64), ("share_of_broken_steps", share)]),
    )
}

/// What most of the failed requests were answered, in a bracket.
fn told(run: &SavedRun) -> String {
    failures(run).map_or_else(String::new, |(reason, share, _)| {
        format!(" ({:.0} % of what failed was {reason})", share * 100.0)
    })
}

type Told = (String, [(&'static str, f64); 2]);

/// A limit that the answers tell of.
fn by_answers(run: &SavedRun, broken: &[&SavedStep]) -> Option<Told> {
    let failing = broken
        .iter()
        .filter(|step| step.errors.is_some_and(|errors| errors.value > ERRORS));
    if failing.count() * 2 <= broken.len() {
        return None;
    }
    let (reason, share, failed) = failures(run)?;
    let what = match reason.as_str() {
        "status 503" | "status 429" => "a limit of its own queue or rate: it turns requests away",
        reason if reason.starts_with("status 5") => "a fault of its own under load: it answers errors",
        reason if reason.starts_with("status") => "a limit of its own: its answers change under load",
        _ => "its connections: requests got no answer",
    };
    let text = format!("{what} ({:.0} % of what failed was {reason})", share * 100.0);
    Some((text, [("share", share), ("failed", failed as f64)]))
}

/// Without failures: throughput has stopped growing, and from how many requests at a time on.
fn by_concurrency(found: &SavedBreakpoint, first: &SavedStep) -> Option<Told> {
    let alone = found.probe()?.p50?;
    let steps = || found.searched().filter(|step| step.requests > 0);
    let most = steps().map(|step| step.rate).fold(0.0, f64::max);
    if most <= 0.0 || first.rate < FLAT * most {
        return None;
    }
    let at_once = most * alone / 1e3;
    let text = format!(
        "a limit of its own workers, threads or connections: it works on about {} requests at a time, however many wait \
         (at the most {} requests/s, of {} each at light load)",
        // Whole requests: what is measured is a little off them.
        number(at_once, usize::from(at_once < 3.0)),
        number(most, 1),
        humanize_duration(alone, None),
    );
    Some((text, [("at_a_time", at_once), ("most_requests_per_second", most)]))
}

/// A target that was not itself again before the next step.
fn never_itself(found: &SavedBreakpoint) -> Option<Finding> {
    let slow = found
        .searched()
        .filter(|step| step.recovery.is_some_and(|recovery| !recovery.complete));
    let count = slow.count();
    (count > 0).then(|| {
        let text = format!(
            "after {count} of {} steps the target was not as at the beginning before the next one: what followed may have been too hard on it",
            found.searched().count()
        );
        Finding::new("recovery", text)
    })
}
