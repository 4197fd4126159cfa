//! The summary's sections of our own: what failed and why, each request name by itself, the machine under test, and
//! the generator about itself.

use std::collections::BTreeMap;

use crate::config::TrendStat;
use crate::metrics::{Snapshot, Timeline, Value, builtin};

use super::format::{Palette, humanize_duration, number, percent, width};
use super::lines::{Line, Widths};
use super::metrics::{Entry, ratio};
use super::summary::{SummaryMode, SummaryOptions, title};
use super::target;

/// So many names and reasons a compact summary lists.
const COMPACT_ROWS: usize = 20;

/// The sections that have something to say.
pub(super) fn sections(snapshot: &Snapshot, timeline: &Timeline, options: &SummaryOptions) -> Vec<String> {
    let palette = Palette(options.color);
    let body = [
        ("ERRORS", errors(snapshot, options)),
        ("BY NAME", by_name(snapshot, options)),
        ("TARGET", target::section(timeline, snapshot.elapsed, palette)),
        ("GENERATOR", generator(snapshot, options)),
    ];
    body.into_iter()
        .filter_map(|(heading, body)| Some(format!("{}{}", title(heading, "", palette), body?)))
        .collect()
}

fn limit(options: &SummaryOptions) -> usize {
    if options.mode == SummaryMode::Full {
        usize::MAX
    } else {
        COMPACT_ROWS
    }
}

/// How many requests failed, and for what reason: the error where there was no answer, else the status.
fn errors(snapshot: &Snapshot, options: &SummaryOptions) -> Option<String> {
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let (mut failed, mut judged) = (0, 0);
    for row in snapshot.rows_of(builtin::HTTP_REQ_FAILED) {
        let Value::Rate { passes, total } = row.value else {
            continue;
        };
        failed += passes;
        judged += total;
        if passes == 0 {
            continue;
        }
        let tags = snapshot.tags(row);
        let reason = match (tags.get("error"), tags.get("error_code"), tags.get("status")) {
            (Some(error), Some(code), _) => format!("{error} (code {code})"),
            (Some(error), None, _) => error.to_owned(),
            (None, _, Some(status)) if status != "0" => format!("status {status}"),
            (None, Some(code), _) => format!("error code {code}"),
            // The system tags that would tell are switched off.
            _ => "reason not recorded (`status`, `error` and `error_code` are not among the system tags)"
                .to_owned(),
        };
        *reasons.entry(reason).or_insert(0) += passes;
    }
    if failed == 0 {
        return None;
    }
    let palette = Palette(options.color);
    let summed = format!(
        "{failed} of {judged} requests failed ({})",
        percent(ratio(failed, judged))
    );
    let mut text = format!("    {}\n", palette.bad(&summed));
    let mut reasons: Vec<(String, u64)> = reasons.into_iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let wide = reasons.first().map_or(0, |(_, count)| count.to_string().len());
    for (reason, count) in reasons.iter().take(limit(options)) {
        text += &format!("      {count:>wide$}  {reason}\n");
    }
    text += &more(reasons.len(), options);
    Some(text)
}

fn more(rows: usize, options: &SummaryOptions) -> String {
    match rows.checked_sub(limit(options)) {
        None | Some(0) => String::new(),
        Some(rest) => format!("      … and {rest} more (`--summary-mode full`)\n"),
    }
}

/// Requests by name, when there is more than one: count, share that failed, and the duration's percentiles.
fn by_name(snapshot: &Snapshot, options: &SummaryOptions) -> Option<String> {
    let requests = snapshot.by_tag(builtin::HTTP_REQS, "name");
    if requests.len() < 2 {
        return None;
    }
    let durations = snapshot.by_tag(builtin::HTTP_REQ_DURATION, "name");
    let failures = snapshot.by_tag(builtin::HTTP_REQ_FAILED, "name");
    let mut names: Vec<(String, f64)> = requests
        .into_iter()
        .map(|(name, value)| {
            (
                name,
                if let Value::Counter { total } = value {
                    total
                } else {
                    0.0
                },
            )
        })
        .collect();
    names.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut table = vec![["name", "requests", "failed", "p(50)", "p(95)", "p(99)"].map(str::to_owned)];
    for (name, total) in names.iter().take(limit(options)) {
        let failed = match failures.get(name) {
            Some(Value::Rate { passes, total }) => percent(ratio(*passes, *total)),
            _ => "-".to_owned(),
        };
        let at = |p: f64| match durations.get(name) {
            Some(Value::Trend(trend)) => humanize_duration(trend.percentile(p), options.time_unit),
            _ => "-".to_owned(),
        };
        table.push([
            name.clone(),
            number(*total, 0),
            failed,
            at(50.0),
            at(95.0),
            at(99.0),
        ]);
    }
    let palette = Palette(options.color);
    let wide: Vec<usize> = (0..6)
        .map(|column| table.iter().map(|row| width(&row[column])).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, row) in table.iter().enumerate() {
        let mut line = format!("{}{}", row[0], " ".repeat(wide[0] - width(&row[0])));
        for (cell, wide) in row.iter().zip(&wide).skip(1) {
            line += &format!("  {}{cell}", " ".repeat(wide - width(cell)));
        }
        text += &format!("    {}\n", if index == 0 { palette.faint(&line) } else { line });
    }
    text += &more(names.len(), options);
    Some(text)
}

/// How late the generator itself was, what it left out and what it lost.
fn generator(snapshot: &Snapshot, options: &SummaryOptions) -> Option<String> {
    let mut lines = Vec::new();
    let stats = [
        TrendStat::Avg,
        TrendStat::Med,
        TrendStat::P(95.0),
        TrendStat::P(99.0),
        TrendStat::Max,
    ];
    for id in [builtin::SCHEDULING_LAG, builtin::TIMER_LAG] {
        if let Some(trend) = snapshot.trend(id) {
            let entry = Entry {
                id,
                definition: snapshot.registry().definition(id),
                filter: None,
                value: Value::Trend(trend),
                thresholds: Vec::new(),
            };
            lines.push(Line::of(&entry, &stats, options.time_unit, snapshot.elapsed));
        }
    }
    let dropped = snapshot.count(builtin::DROPPED_ITERATIONS);
    let iterations = snapshot.count(builtin::ITERATIONS);
    if dropped > 0.0 {
        let share = percent(dropped / (dropped + iterations));
        lines.push(Line::plain(
            "dropped iterations",
            number(dropped, 0),
            vec![format!("{share} of those due")],
        ));
    }
    let losses = &snapshot.losses;
    for (what, count) in [
        ("request names over the limit", losses.collapsed_names),
        ("tag sets over the limit", losses.collapsed_series),
    ] {
        if count > 0 {
            lines.push(Line::plain(what, count.to_string(), Vec::new()));
        }
    }
    for (output, lost) in losses.outputs.iter().filter(|(_, lost)| *lost > 0) {
        lines.push(Line::plain(
            &format!("samples lost by {output}"),
            lost.to_string(),
            Vec::new(),
        ));
    }
    if lines.is_empty() {
        return None;
    }
    let (widths, palette) = (Widths::of(&lines), Palette(options.color));
    Some(
        lines
            .iter()
            .map(|line| format!("    {}\n", widths.render(line, palette)))
            .collect(),
    )
}
