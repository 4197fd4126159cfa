//! The ladder: a line for each step as it ends, and all loads in their order at the end.

use std::collections::BTreeMap;

use super::By;
use crate::report::format::{Palette, humanize_duration, number};
use crate::report::saved::{SavedBounds, SavedBreakpoint, SavedRun, SavedStep};
use crate::report::summary::title;

/// The columns but the first.
const COLUMNS: [&str; 6] = ["load", "requests/s", "p95", "errors", "target CPU", "verdict"];
const WIDTHS: [usize; 5] = [8, 12, 18, 16, 19];

/// What is sought, and the heads of the columns.
pub fn header(found: &SavedBreakpoint) -> String {
    let mut text = format!(
        "  breaking point by {}; what has to hold:\n    {}\n\n  {:<9}",
        match found.by() {
            By::Vus => "virtual users",
            By::Rate => "iterations per second",
        },
        found.criteria.join("\n    "),
        "step"
    );
    for (name, width) in COLUMNS.iter().zip(WIDTHS) {
        text += &format!("{name:>width$}");
    }
    text + "  verdict\n"
}

/// A step that has ended.
pub fn row(step: &SavedStep, color: bool) -> String {
    let palette = Palette(color);
    let verdict = match step.verdict.as_str() {
        "held" | "base" => palette.good(&step.verdict),
        "broke" | "invalid" => palette.bad(&step.verdict),
        verdict => verdict.to_owned(),
    };
    let doubt = if step.certain || matches!(step.verdict.as_str(), "base" | "stopped" | "invalid") {
        ""
    } else {
        " (close)"
    };
    let why = match (&step.why, step.verdict.as_str()) {
        (Some(why), "broke" | "invalid") => format!(": {why}"),
        _ => String::new(),
    };
    let recovery = match step.recovery {
        Some(recovery) if recovery.complete && recovery.seconds >= 1.0 => {
            format!("; itself again after {:.0} s", recovery.seconds)
        }
        Some(recovery) if !recovery.complete => {
            format!("; not itself again after {:.0} s", recovery.seconds)
        }
        _ => String::new(),
    };
    let mut text = format!("  {:<9}", step.stage);
    for (cell, width) in cells(step).iter().zip(WIDTHS) {
        text += &format!("{cell:>width$}");
    }
    text + &format!(
        "  {verdict}{}{}\n",
        palette.faint(doubt),
        palette.faint(&format!("{why}{recovery}"))
    )
}

fn cells(step: &SavedStep) -> [String; 5] {
    let none = || "-".to_owned();
    [
        step.load.to_string(),
        number(step.rate, 1),
        step.p95.map_or_else(none, latency),
        step.errors.map_or_else(none, share),
        cpu(step.target_cpu, step.target_cores),
    ]
}

fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0, 2))
}

/// How far off it may be.
fn margin(bounds: SavedBounds) -> Option<f64> {
    let (low, high) = (bounds.low?, bounds.high?);
    Some((high - bounds.value).max(bounds.value - low))
}

fn latency(p95: SavedBounds) -> String {
    let text = humanize_duration(p95.value, None);
    match margin(p95).filter(|_| p95.value > 0.0) {
        Some(margin) => format!("{text} ± {:.0} %", (margin / p95.value * 100.0).ceil()),
        None => text,
    }
}

fn share(errors: SavedBounds) -> String {
    let text = number(errors.value * 100.0, 2);
    match margin(errors) {
        Some(margin) => format!("{text} ± {} %", number(margin * 100.0, 2)),
        None => format!("{text} %"),
    }
}

fn cpu(share: Option<f64>, cores: Option<f64>) -> String {
    match (share, cores) {
        (None, _) => "-".to_owned(),
        (Some(share), None) => format!("{:.0} %", share * 100.0),
        (Some(share), Some(cores)) => format!("{:.0} % ({cores:.2} cores)", share * 100.0),
    }
}

/// All tries of one load, as one line.
struct Rung<'a> {
    load: u64,
    steps: Vec<&'a SavedStep>,
}

impl Rung<'_> {
    fn mean(&self, of: impl Fn(&SavedStep) -> Option<f64>) -> Option<f64> {
        // A step that was stopped has next to no numbers.
        let judged = self.steps.iter().filter(|step| step.verdict != "stopped");
        let values: Vec<f64> = judged.filter_map(|step| of(step)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// `held 3 times, broke once`
    fn verdict(&self) -> String {
        let mut parts = Vec::new();
        for verdict in ["held", "broke", "invalid", "stopped"] {
            match self.steps.iter().filter(|step| step.verdict == verdict).count() {
                0 => {}
                1 => parts.push(verdict.to_owned()),
                2 => parts.push(format!("{verdict} twice")),
                times => parts.push(format!("{verdict} {times} times")),
            }
        }
        parts.join(", ")
    }

    fn cells(&self) -> Vec<String> {
        let none = || "-".to_owned();
        vec![
            self.load.to_string(),
            number(self.mean(|step| Some(step.rate)).unwrap_or(0.0), 1),
            self.mean(|step| step.p95.map(|p95| p95.value))
                .map_or_else(none, |p95| humanize_duration(p95, None)),
            self.mean(|step| step.errors.map(|errors| errors.value))
                .map_or_else(none, percent),
            cpu(
                self.mean(|step| step.target_cpu),
                self.mean(|step| step.target_cores),
            ),
            self.verdict(),
        ]
    }
}

/// The loads in their order.
fn rungs(found: &SavedBreakpoint) -> Vec<Rung<'_>> {
    let mut by_load: BTreeMap<u64, Vec<&SavedStep>> = BTreeMap::new();
    for step in found.searched() {
        by_load.entry(step.load).or_default().push(step);
    }
    by_load
        .into_iter()
        .map(|(load, steps)| Rung { load, steps })
        .collect()
}

/// The loads in their order, with the names of the columns.
pub fn rows(found: &SavedBreakpoint) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let mut names = COLUMNS.to_vec();
    names[0] = match found.by() {
        By::Vus => "VUs",
        By::Rate => "iterations/s",
    };
    (names, rungs(found).iter().map(Rung::cells).collect())
}

/// The ladder at the end: every load in its order, what became of it, and the answer below.
pub fn section(run: &SavedRun, color: bool) -> String {
    let Some(found) = &run.breakpoint else {
        return String::new();
    };
    let palette = Palette(color);
    let mut text = title("BREAKING POINT", "", palette);
    let (names, rows) = rows(found);
    let mut table = vec![names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
    table.extend(rows);
    let width = |column: usize| {
        table
            .iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let last = names.len() - 1;
    for (at, row) in table.iter().enumerate() {
        let mut line = String::from("   ");
        for (column, cell) in row.iter().enumerate() {
            line += &if column == last {
                format!("  {cell}")
            } else {
                format!("{cell:>width$}", width = widths[column] + 2)
            };
        }
        let line = line.trim_end();
        text += &if at == 0 {
            palette.faint(line)
        } else {
            line.to_owned()
        };
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}
