//! A comparison as text, as Markdown, as JSON.

use std::str::FromStr;

use crate::report::format::{Palette, humanize_duration, number, width};

use super::{Comparison, Row, Unit, Verdict};

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
        let mut text = format!(
            "base  {}  {}  run {}\nrun   {}  {}  run {}\n",
            self.base.name, self.base.started, self.base.id, self.run.name, self.run.started, self.run.id
        );
        for warning in &self.warnings {
            text += &format!("  ! {warning}\n");
        }
        let rows = self.shown();
        let mut cells = vec![["", "base", "run", "change", ""].map(str::to_owned)];
        cells.extend(rows.iter().map(|row| {
            let title = if row.part == "whole" {
                row.title()
            } else {
                format!("{} {}", row.part, row.title())
            };
            [
                title,
                show(row.base, row.unit),
                show(row.run, row.unit),
                row.change(),
                row.remark(),
            ]
        }));
        let wide: Vec<usize> = (0..4)
            .map(|at| cells.iter().map(|row| width(&row[at])).max().unwrap_or(0))
            .collect();
        text.push('\n');
        for (index, row) in cells.iter().enumerate() {
            let mut line = format!("  {}{}", row[0], " ".repeat(wide[0] - width(&row[0])));
            for at in 1..4 {
                line += &format!("  {}{}", " ".repeat(wide[at] - width(&row[at])), row[at]);
            }
            let verdict = index.checked_sub(1).map(|at| rows[at].verdict);
            let line = match verdict {
                None => palette.faint(&line),
                Some(Verdict::Worse) => format!("{line}  {}", palette.bad(&row[4])),
                Some(Verdict::Better) => format!("{line}  {}", palette.good(&row[4])),
                _ => format!("{line}  {}", palette.faint(&row[4])),
            };
            text += line.trim_end();
            text.push('\n');
        }
        text += &self.left_out("  ");
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
            "### {} {}\n\n| | base | run | change | |\n|---|---:|---:|---:|---|\n",
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
            text += &format!(
                "| {part}{} | {} | {} | {} | {} |\n",
                row.title(),
                show(row.base, row.unit),
                show(row.run, row.unit),
                row.change(),
                row.remark()
            );
        }
        let rest = self.left_out("");
        if !rest.is_empty() {
            text += &format!("\n{rest}");
        }
        if !self.warnings.is_empty() {
            text += "\n";
            text += &self
                .warnings
                .iter()
                .map(|warning| format!("- ⚠ {warning}\n"))
                .collect::<String>();
        }
        text + &format!(
            "\nBase: {} of {} (`{}`). Run: {} of {} (`{}`).\n",
            self.base.name, self.base.started, self.base.id, self.run.name, self.run.started, self.run.id
        )
    }

    /// The whole's rows, and of the parts those that moved or are in one run only.
    fn shown(&self) -> Vec<&Row> {
        self.rows
            .iter()
            .filter(|row| row.part == "whole" || row.stands_out())
            .collect()
    }

    fn left_out(&self, indent: &str) -> String {
        match self.rows.len() - self.shown().len() {
            0 => String::new(),
            rest => format!(
                "{indent}{rest} more numbers of names, services, scenarios and checks did not move, or are of too few samples (`--format json` has all)\n"
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
        let lonely = self.base.is_some() != self.run.is_some();
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

    fn change(&self) -> String {
        let Some((base, run)) = self.base.zip(self.run) else {
            return String::new();
        };
        if self.unit == Unit::Share {
            return format!("{:+.2} pp", (run - base) * 100.0);
        }
        if base == 0.0 {
            return if run == 0.0 {
                "±0 %".to_owned()
            } else {
                "new".to_owned()
            };
        }
        format!("{:+.1} %", (run - base) / base.abs() * 100.0)
    }

    fn remark(&self) -> String {
        match (self.verdict, &self.reason) {
            (Verdict::Worse, _) => "regression".to_owned(),
            (Verdict::Better, _) => "better".to_owned(),
            (_, Some(reason)) => reason.clone(),
            (Verdict::Same | Verdict::Unjudged, None) => String::new(),
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
