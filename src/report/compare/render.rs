//! A comparison as text, as Markdown, as JSON.

use std::str::FromStr;

use crate::report::format::{Palette, humanize_duration, number, width};

use super::{Comparison, Row, Side, Unit, Verdict};

/// How a comparison is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Markdown,
    Json,
}

/// A format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`: there are text, markdown and json")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Format, UnknownFormat> {
        match text {
            "text" => Ok(Format::Text),
            "markdown" | "md" => Ok(Format::Markdown),
            "json" => Ok(Format::Json),
            _ => Err(UnknownFormat(text.to_owned())),
        }
    }
}

impl Comparison {
    /// The comparison in this format; colours are for text only.
    pub fn render(&self, format: Format, color: bool) -> String {
        match format {
            Format::Text => self.text(Palette(color)),
            Format::Markdown => self.markdown(),
            Format::Json => {
                let text = serde_json::to_string_pretty(&serde_json::json!({
                    "verdict": if self.regressions().next().is_some() { "regression" } else { "ok" },
                    "comparison": self,
                }));
                text.unwrap_or_default() + "\n"
            }
        }
    }

    fn text(&self, palette: Palette) -> String {
        let mut text = String::new();
        for (title, side) in [("base", &self.base), ("new", &self.new)] {
            for run in side {
                text += &format!("{title:<5} {}  {}  run {}\n", run.name, run.started, run.id);
            }
        }
        for warning in &self.warnings {
            text += &format!("  ! {warning}\n");
        }
        let rows = self.shown();
        let mut cells = vec![["", "base", "new", "change", "95 % interval", ""].map(str::to_owned)];
        cells.extend(rows.iter().map(|row| {
            let title = if row.part == "whole" {
                row.title()
            } else {
                format!("{} {}", row.part, row.title())
            };
            let [base, new, change, interval] = row.numbers();
            [title, base, new, change, interval, row.remark()]
        }));
        let wide: Vec<usize> = (0..5)
            .map(|at| cells.iter().map(|row| width(&row[at])).max().unwrap_or(0))
            .collect();
        text.push('\n');
        for (index, row) in cells.iter().enumerate() {
            let mut line = format!("  {}{}", row[0], " ".repeat(wide[0] - width(&row[0])));
            for at in 1..5 {
                line += &format!("  {}{}", " ".repeat(wide[at] - width(&row[at])), row[at]);
            }
            let verdict = index.checked_sub(1).map(|at| rows[at].verdict);
            let line = match verdict {
                None => palette.faint(&line),
                Some(Verdict::Worse) => format!("{line}  {}", palette.bad(&row[5])),
                Some(Verdict::Better) => format!("{line}  {}", palette.good(&row[5])),
                _ => format!("{line}  {}", palette.faint(&row[5])),
            };
            text += line.trim_end();
            text.push('\n');
        }
        text += &self.left_out("  ");
        for note in &self.notes {
            text += &format!("  {}\n", palette.faint(note));
        }
        let worse = self.regressions().count();
        let verdict = self.verdict();
        text += &format!(
            "\n{}\n",
            if worse > 0 {
                palette.bad(&verdict)
            } else {
                palette.good(&verdict)
            }
        );
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "### {} {}\n\n| | base | new | change | 95 % interval | |\n|---|---:|---:|---:|---:|---|\n",
            if self.regressions().next().is_some() {
                "❌"
            } else {
                "✅"
            },
            self.verdict()
        );
        for row in self.shown() {
            let part = if row.part == "whole" {
                String::new()
            } else {
                format!("`{}` ", code(&row.part))
            };
            let [base, new, change, interval] = row.numbers();
            text += &format!(
                "| {part}{} | {base} | {new} | {change} | {interval} | {} |\n",
                row.title(),
                row.remark()
            );
        }
        let rest = self.left_out("");
        if !rest.is_empty() {
            text += &format!("\n{rest}");
        }
        if !self.warnings.is_empty() || !self.notes.is_empty() {
            text += "\n";
        }
        for warning in &self.warnings {
            text += &format!("- ⚠ {warning}\n");
        }
        for note in &self.notes {
            text += &format!("- {note}\n");
        }
        let side = |side: &[Side]| {
            let runs: Vec<String> = side
                .iter()
                .map(|run| format!("{} of {} (`{}`)", run.name, run.started, run.id))
                .collect();
            runs.join(", ")
        };
        text + &format!("\nBase: {}. New: {}.\n", side(&self.base), side(&self.new))
    }

    /// The whole's rows, and of the parts those that moved or are on one side only.
    fn shown(&self) -> Vec<&Row> {
        self.rows
            .iter()
            .filter(|row| row.part == "whole" || row.stands_out())
            .collect()
    }

    fn left_out(&self, indent: &str) -> String {
        let shown = self.shown().len();
        let uncertain =
            |row: &&Row| row.part != "whole" && !row.stands_out() && row.verdict == Verdict::Uncertain;
        match (
            self.rows.len() - shown,
            self.rows.iter().filter(uncertain).count(),
        ) {
            (0, _) => String::new(),
            (rest, uncertain) => format!(
                "{indent}{rest} more numbers of names, groups, services, scenarios and checks: {} the same, {uncertain} too uncertain or of too few samples (`--format json` has all)\n",
                rest - uncertain
            ),
        }
    }

    fn verdict(&self) -> String {
        let tolerance = number(self.tolerance * 100.0, 2);
        match self.regressions().count() {
            0 => format!("no regression past {tolerance} %"),
            1 => format!("1 regression past {tolerance} %"),
            more => format!("{more} regressions past {tolerance} %"),
        }
    }
}

impl Row {
    fn stands_out(&self) -> bool {
        let lonely = self.base.is_some() != self.new.is_some();
        matches!(self.verdict, Verdict::Worse | Verdict::Better)
            || (lonely && ["p50", "rate"].contains(&self.measure))
    }

    /// `http_req_duration p95`; the usual ones in plain words.
    fn title(&self) -> String {
        match (self.metric.as_str(), self.measure) {
            ("http_req_duration", measure) => measure.to_owned(),
            ("http_req_failed", _) => "error rate".to_owned(),
            ("http_reqs", _) => "requests/s".to_owned(),
            ("checks", _) => "checks passed".to_owned(),
            (metric, measure) => format!("{metric} {measure}"),
        }
    }

    /// Base, new, change and interval.
    fn numbers(&self) -> [String; 4] {
        let interval = self.interval.map_or_else(String::new, |(low, high)| {
            let (low, high) = (self.by(low), self.by(high));
            format!("{low} … {high}")
        });
        [
            show(self.base, self.unit),
            show(self.new, self.unit),
            self.change(),
            interval,
        ]
    }

    /// A change in words.
    fn by(&self, change: f64) -> String {
        if self.unit == Unit::Share {
            return format!("{:+.2} pp", change * 100.0);
        }
        // A great change has no meaningful fraction, and an endless one no digits.
        match change * 100.0 {
            percent if percent >= 1e6 => "+∞".to_owned(),
            percent if percent >= 1000.0 => format!("{percent:+.0} %"),
            percent => format!("{percent:+.1} %"),
        }
    }

    fn change(&self) -> String {
        let Some((base, new)) = self.base.zip(self.new) else {
            return String::new();
        };
        match self.change {
            Some(change) => self.by(change),
            None if self.unit == Unit::Share => self.by(new - base),
            None if base == 0.0 && new == 0.0 => "±0 %".to_owned(),
            None if base == 0.0 => "new".to_owned(),
            None => self.by((new - base) / base.abs()),
        }
    }

    fn remark(&self) -> String {
        match (self.verdict, &self.reason) {
            (Verdict::Worse, _) => "worse: regression".to_owned(),
            (Verdict::Better, _) => "better".to_owned(),
            (_, Some(reason)) => reason.clone(),
            (Verdict::Same, None) => "same".to_owned(),
            (Verdict::Uncertain, None) => String::new(),
        }
    }
}

fn show(value: Option<f64>, unit: Unit) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    match unit {
        Unit::Milliseconds => humanize_duration(value, None),
        Unit::Share => format!("{:.2} %", value * 100.0),
        Unit::PerSecond => format!("{value:.1}"),
        Unit::Plain => number(value, 3),
    }
}

/// Text for a table's code cell: a bar would end the cell, a backquote the code.
pub(in crate::report) fn code(text: &str) -> String {
    let text = text.replace('`', "'").replace('|', "\\|");
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
