//! The saved runs of several generators as one: what a single generator would have saved that had made all of the load.
//!
//! Distributions add up bucket by bucket, counts and rates add up, thresholds are judged again on the sum, and the time axes are
//! laid over each other by the clock. Runs that are not parts of one test are refused. `docs/scaling.md` says how they come
//! about.

mod axis;
mod metrics;

use std::collections::{BTreeMap, BTreeSet};

use crate::metrics::utc::parse_rfc3339;
use crate::metrics::{MetricId, Trend, builtin};
use crate::pace::{Segment, SegmentSequence};

use super::compare::{differing, stem};
use super::findings::Verdict;
use super::findings::findings;
use super::saved::{
    SavedCheck, SavedEnding, SavedFinding, SavedGenerator, SavedPart, SavedRun, SavedThreshold,
    SavedValidity, SavedVerification, Stats, trend,
};

/// Generators that begin further apart than this made another load than one alone would have made, in seconds.
const TOGETHER: f64 = 1.0;

/// Why runs are not merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    #[error("there is nothing to merge: name the saved runs of all generators")]
    Few,
    #[error("{0} is given twice, and would be counted twice")]
    Twice(String),
    #[error("these runs are not parts of one test: {}", .0.join("; "))]
    Unlike(Vec<String>),
}

/// The sum, and what is doubtful about it.
#[derive(Debug, Clone)]
pub struct Merged {
    pub run: SavedRun,
    pub warnings: Vec<String>,
}

/// Merges the runs of all generators of a test.
///
/// # Errors
/// Runs that do not belong together.
pub fn merge(runs: &[SavedRun]) -> Result<Merged, MergeError> {
    let [first, rest @ ..] = runs else {
        return Err(MergeError::Few);
    };
    if rest.is_empty() {
        return Err(MergeError::Few);
    }
    let mut ids = BTreeSet::new();
    if let Some(twice) = runs.iter().find(|run| !ids.insert(&run.run.id)) {
        return Err(MergeError::Twice(format!("the run {}", twice.run.id)));
    }
    let mut unlike = Vec::new();
    for run in rest {
        unlike.extend(different(first, run));
    }
    let owned = runs
        .iter()
        .flat_map(|run| segments(run).into_iter().map(move |segment| (run, segment)));
    let owned: Vec<(&SavedRun, Segment)> = owned.collect();
    let sequence = sequence(&owned);
    unlike.extend(overlapping(&owned));
    unlike.extend(sequence.as_ref().err().cloned());
    let axis = axis::Axis::of(runs);
    unlike.extend(axis.apart(runs));
    if !unlike.is_empty() {
        let mut said = BTreeSet::new();
        unlike.retain(|reason| said.insert(reason.clone()));
        return Err(MergeError::Unlike(unlike));
    }
    let segments: Vec<Segment> = owned.iter().map(|(_, segment)| *segment).collect();
    let missing = Segment::missing(&segments);
    let warnings = warnings(runs, &missing, &axis);
    let mut run = sum(runs, &axis);
    if let Some(options) = run.options.as_object_mut() {
        options.shift_remove("executionSegment");
        options.shift_remove("executionSegmentSequence");
        // A part of the test stays one, which can be merged with the rest later.
        if let (Ok(Some(sequence)), false) = (sequence, missing.is_empty()) {
            let list: Vec<String> = segments.iter().map(Segment::to_string).collect();
            options.insert("executionSegment".to_owned(), list.join(AND).into());
            options.insert("executionSegmentSequence".to_owned(), sequence.to_string().into());
        }
    }
    Ok(Merged { run, warnings })
}

/// Between the segments of a run that was merged of some.
const AND: &str = " + ";

/// The parts of the test that a run made. They were checked when it began.
fn segments(run: &SavedRun) -> Vec<Segment> {
    let text = option(run, "executionSegment").unwrap_or_default();
    let list: Vec<Segment> = text.split(AND).filter_map(|text| text.parse().ok()).collect();
    if list.is_empty() {
        vec![Segment::WHOLE]
    } else {
        list
    }
}

fn option(run: &SavedRun, name: &str) -> Option<String> {
    match &run.options[name] {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// In what two runs did not do the same.
fn different(one: &SavedRun, other: &SavedRun) -> Vec<String> {
    let mut reasons = Vec::new();
    if stem(one) != stem(other) || one.run.kind != other.run.kind {
        let (one, other) = (&one.run.name, &other.run.name);
        reasons.push(format!("they are of different scripts, {one} and {other}"));
    }
    if one.breakpoint.is_some() || other.breakpoint.is_some() {
        reasons.push("a search for the breaking point is the work of one generator".to_owned());
    }
    let mut options = differing(one, other);
    options.retain(|name| !name.starts_with("executionSegment"));
    if one.options["thresholds"] != other.options["thresholds"] {
        options.push("thresholds".to_owned());
    }
    if !options.is_empty() {
        reasons.push(format!("their options differ: {}", options.join(", ")));
    }
    reasons
}

fn overlapping(owned: &[(&SavedRun, Segment)]) -> Option<String> {
    for (at, (run, one)) in owned.iter().enumerate() {
        let Some((other, theirs)) = owned[at + 1..].iter().find(|(_, other)| one.overlaps(other)) else {
            continue;
        };
        let (a, b) = (&run.run.id, &other.run.id);
        return Some(if *one == Segment::WHOLE && *theirs == Segment::WHOLE {
            format!("{a} and {b} each ran the whole test, without --execution-segment")
        } else {
            format!("the segments {one} of {a} and {theirs} of {b} overlap")
        });
    }
    None
}

/// Which iterations a segment has follows from the sequence that it is of: it is the same for all.
fn sequence(owned: &[(&SavedRun, Segment)]) -> Result<Option<SegmentSequence>, String> {
    let of = |(run, segment): &(&SavedRun, Segment)| -> SegmentSequence {
        let given = option(run, "executionSegmentSequence").and_then(|text| text.parse().ok());
        given.unwrap_or_else(|| SegmentSequence::around(segment))
    };
    let mut all = owned.iter().map(of);
    let first = all.next();
    match all.find(|other| Some(other) != first.as_ref()) {
        None => Ok(first),
        Some(other) => Err(format!(
            "their segments are of different sequences, {} and {other}: give all generators the same --execution-segment-sequence",
            first.map_or_else(String::new, |first| first.to_string())
        )),
    }
}

fn warnings(runs: &[SavedRun], missing: &[Segment], axis: &axis::Axis) -> Vec<String> {
    let mut warnings = Vec::new();
    if !missing.is_empty() {
        let gaps: Vec<String> = missing.iter().map(Segment::to_string).collect();
        let share: f64 = missing.iter().map(Segment::fraction).sum();
        warnings.push(format!(
            "the segment{} {} {} missing: what is merged is {:.0} % of the test",
            if gaps.len() == 1 { "" } else { "s" },
            gaps.join(", "),
            if gaps.len() == 1 { "is" } else { "are" },
            (1.0 - share) * 100.0
        ));
    }
    let apart = axis.spread();
    if apart > TOGETHER {
        warnings.push(format!(
            "the generators began up to {apart:.1} s apart: with --start-at they begin at the same instant"
        ));
    }
    for run in runs {
        let id = &run.run.id;
        if run.is_checkpoint() {
            warnings.push(format!(
                "{id} is a checkpoint: what it did after its first {:.0} s is missing",
                run.run.duration
            ));
        } else if !["passed", "thresholds"].contains(&run.ending.name.as_str()) {
            warnings.push(format!("{id} did not end as planned: {}", run.ending.name));
        }
    }
    let differ = |what: &str, of: &dyn Fn(&SavedRun) -> String| {
        let values: BTreeSet<String> = runs.iter().map(of).collect();
        let list: Vec<String> = values.into_iter().collect();
        (list.len() > 1).then(|| format!("{what} differs: {}", list.join(", ")))
    };
    warnings.extend(differ("loadgen's version", &|run| run.run.loadgen.clone()));
    warnings.extend(differ("the script's place", &|run| run.run.name.clone()));
    let over = runs[0]
        .thresholds_of_options()
        .into_iter()
        .filter(|spec| spec.over.is_some());
    for spec in over {
        warnings.push(format!(
            "{spec}: judged on the whole run, as its window slides over one generator only"
        ));
    }
    let folded = runs
        .iter()
        .flat_map(|run| &run.metrics.trends)
        .any(|metric| metric.folded > 0);
    if folded {
        warnings.push(
            "series of few samples were folded together before saving: totals are exact, parts may lack some"
                .to_owned(),
        );
    }
    warnings
}

fn sum(runs: &[SavedRun], axis: &axis::Axis) -> SavedRun {
    let first = &runs[0];
    let mut run = first.clone();
    let id = runs
        .iter()
        .filter_map(|run| u64::from_str_radix(&run.run.id, 16).ok());
    // Of the same runs always the same, and of none of them.
    let id = id.fold(0x6d65_7267_6564, |sum, id| sum ^ id.rotate_left(7));
    run.run.id = format!("{id:016x}");
    let begun = |run: &SavedRun| parse_rfc3339(&run.run.started);
    if let Some(earliest) = runs.iter().min_by_key(|run| begun(run)) {
        run.run.started.clone_from(&earliest.run.started);
        let end = |run: &SavedRun| {
            Some(begun(run)?.duration_since(begun(earliest)?).ok()?.as_secs_f64() + run.run.duration)
        };
        run.run.duration = runs.iter().filter_map(end).fold(run.run.duration, f64::max);
        run.run.duration = (run.run.duration * 1e6).round() / 1e6;
    }
    run.parts = runs.iter().flat_map(parts).collect();
    run.target.outages = axis.outages(runs);
    (run.metrics, run.tags) = metrics::metrics(runs, axis);
    (run.checks, run.groups) = (checks(runs), groups(runs));
    run.verification = verification(runs);
    run.timeline = axis.timeline(runs);
    run.hosts = axis.hosts(runs);
    run.generator = generator(runs, &run);
    let snapshot = run.snapshot();
    let states = snapshot.thresholds.iter();
    run.thresholds = states
        .map(|state| SavedThreshold {
            metric: state.spec.filter.to_string(),
            threshold: state.spec.expression.source.clone(),
            value: state.value.filter(|value| value.is_finite()),
            ok: state.ok,
            empty: state.empty,
        })
        .collect();
    run.ending = ending(runs, run.thresholds.iter().all(|threshold| threshold.ok));
    conclude(&mut run, runs);
    run
}

fn parts(run: &SavedRun) -> Vec<SavedPart> {
    if !run.parts.is_empty() {
        return run.parts.clone();
    }
    let segments: Vec<String> = segments(run).iter().map(Segment::to_string).collect();
    vec![SavedPart {
        id: run.run.id.clone(),
        host: run.environment.host.clone(),
        segment: segments.join(AND),
        started: run.run.started.clone(),
        duration: run.run.duration,
        ending: run.ending.name.clone(),
        validity: run.validity.as_ref().map(|validity| validity.verdict.clone()),
    }]
}

fn checks(runs: &[SavedRun]) -> Vec<SavedCheck> {
    let mut sum: Vec<SavedCheck> = Vec::new();
    for check in runs.iter().flat_map(|run| &run.checks) {
        match sum
            .iter_mut()
            .find(|known| known.name == check.name && known.group == check.group)
        {
            Some(known) => {
                (known.passes, known.fails) = (known.passes + check.passes, known.fails + check.fails);
            }
            None => sum.push(check.clone()),
        }
    }
    sum
}

fn groups(runs: &[SavedRun]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for group in runs.iter().flat_map(|run| &run.groups) {
        if !all.contains(group) {
            all.push(group.clone());
        }
    }
    all
}

/// What held for every generator that asked.
fn verification(runs: &[SavedRun]) -> Option<SavedVerification> {
    let mut asked = runs.iter().filter_map(|run| run.verification.as_ref());
    let mut sum = asked.next()?.clone();
    for more in asked {
        sum.error = sum.error.or_else(|| more.error.clone());
        for check in &more.checks {
            match sum.checks.iter_mut().find(|known| known.name == check.name) {
                Some(known) => known.held &= check.held,
                None => sum.checks.push(check.clone()),
            }
        }
    }
    Some(sum)
}

/// All generators as one. Of a machine that several ran on, its cores count once.
fn generator(runs: &[SavedRun], merged: &SavedRun) -> SavedGenerator {
    let mut cores: BTreeMap<&str, f64> = BTreeMap::new();
    let mut sum = SavedGenerator::default();
    for run in runs {
        let one = &run.generator;
        let room = cores.entry(&run.environment.host).or_default();
        *room = room.max(one.cores);
        sum.workers = sum.workers.saturating_add(one.workers);
        sum.cpu_seconds += one.cpu_seconds;
        sum.peak_memory += one.peak_memory;
        sum.dropped_iterations += one.dropped_iterations;
        sum.collapsed_names += one.collapsed_names;
        sum.collapsed_series += one.collapsed_series;
        for (output, lost) in &one.lost_samples {
            *sum.lost_samples.entry(output.clone()).or_default() += lost;
        }
    }
    sum.cores = cores.values().sum();
    let lag = |id: MetricId| {
        let (name, ..) = builtin::ALL[usize::from(id.0)];
        trend(merged.series(name).total()).map(|trend: std::sync::Arc<Trend>| Stats::of(&trend))
    };
    sum.scheduling_lag = lag(builtin::SCHEDULING_LAG);
    sum.timer_lag = lag(builtin::TIMER_LAG);
    sum
}

/// The first ending that was not planned; else what the thresholds say of the sum.
fn ending(runs: &[SavedRun], held: bool) -> SavedEnding {
    let planned = |ending: &SavedEnding| ["passed", "thresholds"].contains(&ending.name.as_str());
    if let Some(run) = runs.iter().find(|run| !planned(&run.ending)) {
        let message = run.ending.message.clone();
        return SavedEnding {
            message: Some(match message {
                Some(message) => format!("{}: {message}", run.run.id),
                None => format!("so ended {}", run.run.id),
            }),
            ..run.ending.clone()
        };
    }
    let (name, exit_code) = if held { ("passed", 0) } else { ("thresholds", 99) };
    SavedEnding {
        name: name.to_owned(),
        exit_code,
        message: None,
    }
}

/// What follows from the sum. No sum is more valid than the worst of its parts.
fn conclude(run: &mut SavedRun, runs: &[SavedRun]) {
    run.findings.clear();
    let found = findings(run);
    let rank = |name: &str| {
        Verdict::ALL
            .iter()
            .position(|verdict| verdict.as_str() == name)
            .unwrap_or(0)
    };
    let mut worst = found.validity.verdict.as_str().to_owned();
    let mut reasons = found.validity.reasons;
    for part in runs {
        let Some(validity) = &part.validity else { continue };
        if rank(&validity.verdict) > rank(&worst) {
            worst.clone_from(&validity.verdict);
        }
        reasons.extend(
            validity
                .reasons
                .iter()
                .map(|reason| format!("{}: {reason}", part.run.id)),
        );
    }
    run.validity = Some(SavedValidity {
        verdict: worst,
        reasons,
    });
    let mut hints: Vec<SavedFinding> = Vec::new();
    for hint in runs
        .iter()
        .flat_map(|run| &run.findings)
        .filter(|finding| finding.name.starts_with("hint-"))
    {
        if !hints.iter().any(|known| known.name == hint.name) {
            hints.push(hint.clone());
        }
    }
    let zero = found.zero;
    let findings = found.list.into_iter().map(|finding| (finding, zero).into());
    run.findings = hints.into_iter().chain(findings).collect();
}

#[cfg(test)]
mod tests;
