//! Lines of metrics, aligned: names padded with dots, values in columns.

use std::time::Duration;

use crate::config::{TimeUnit, TrendStat};
use crate::metrics::{Aggregation, Contains, Kind, Value};

use super::format::{Palette, humanize, number, percent, width};
use super::metrics::{Entry, ratio, stat};

/// The dialect puts this many dots after the longest name.
const DOTS: usize = 3;

/// One line before it is aligned.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Two spaces in front for a sub-metric.
    name: String,
    cells: Cells,
}

#[derive(Debug, Clone)]
enum Cells {
    /// Label and value of each column.
    Trend(Vec<(String, String)>),
    Plain {
        value: String,
        extras: Vec<String>,
    },
}

impl Line {
    pub(super) fn plain(name: &str, value: String, extras: Vec<String>) -> Line {
        Line {
            name: name.to_owned(),
            cells: Cells::Plain { value, extras },
        }
    }

    /// The line of a metric.
    pub(super) fn of(entry: &Entry, stats: &[TrendStat], unit: Option<TimeUnit>, elapsed: Duration) -> Line {
        let (kind, contains) = (entry.definition.kind, entry.definition.contains);
        let show = |value| humanize(value, kind, contains, unit);
        let cells = match &entry.value {
            Value::Counter { total } => {
                let rate = entry.value.aggregate(Aggregation::Rate, elapsed).unwrap_or(0.0);
                Cells::Plain {
                    value: show(*total),
                    extras: vec![format!("{}/s", show(rate))],
                }
            }
            Value::Gauge { value, min, max, .. } => Cells::Plain {
                value: show(*value),
                extras: vec![format!("min={}", show(*min)), format!("max={}", show(*max))],
            },
            Value::Rate { passes, total } => Cells::Plain {
                value: percent(ratio(*passes, *total)),
                extras: vec![format!("{passes} out of {total}")],
            },
            Value::Trend(trend) => Cells::Trend(
                stats
                    .iter()
                    .map(|column| {
                        let value = stat(trend, *column);
                        let text = if *column == TrendStat::Count {
                            number(value, 0)
                        } else {
                            show(value)
                        };
                        (column.to_string(), text)
                    })
                    .collect(),
            ),
        };
        let name = if entry.filter.is_none() {
            entry.definition.name.to_string()
        } else {
            let name = entry.name();
            let tags = name
                .split_once('{')
                .map_or("", |(_, tags)| tags.strip_suffix('}').unwrap_or(tags));
            format!("  {{ {tags} }}")
        };
        Line { name, cells }
    }
}

/// The widths that a block of lines shares.
#[derive(Debug, Default)]
pub(super) struct Widths {
    name: usize,
    value: usize,
    extras: Vec<usize>,
    columns: Vec<usize>,
}

impl Widths {
    /// Wide enough for all of these lines.
    pub(super) fn of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Widths {
        let mut widths = Widths::default();
        for line in lines {
            widths.name = widths.name.max(width(&line.name));
            match &line.cells {
                Cells::Trend(columns) => {
                    widen(&mut widths.columns, columns.iter().map(|(_, value)| width(value)));
                }
                Cells::Plain { value, extras } => {
                    widths.value = widths.value.max(width(value));
                    widen(&mut widths.extras, extras.iter().map(|extra| width(extra)));
                }
            }
        }
        widths
    }

    /// The line, aligned.
    pub(super) fn render(&self, line: &Line, palette: Palette) -> String {
        let indent = line.name.len() - line.name.trim_start().len();
        let dots = ".".repeat(self.name + DOTS - width(&line.name));
        let (space, name) = line.name.split_at(indent);
        let mut text = format!("{space}{name}{}", palette.faint(&format!("{dots}:")));
        match &line.cells {
            Cells::Trend(columns) => {
                for ((label, value), wide) in columns.iter().zip(&self.columns) {
                    text += &format!(" {label}={}{}", palette.value(value), pad(value, *wide));
                }
            }
            Cells::Plain { value, extras } => {
                text += &format!(" {}{}", palette.value(value), pad(value, self.value));
                // A single detail stands at the end of its line and needs no padding.
                let single = extras.len() == 1;
                for (extra, wide) in extras.iter().zip(&self.extras) {
                    let padding = if single { String::new() } else { pad(extra, *wide) };
                    text += &format!(" {}{padding}", palette.detail(extra));
                }
            }
        }
        text
    }
}

fn widen(widths: &mut Vec<usize>, new: impl Iterator<Item = usize>) {
    for (index, wide) in new.enumerate() {
        match widths.get_mut(index) {
            Some(known) => *known = (*known).max(wide),
            None => widths.push(wide),
        }
    }
}

fn pad(text: &str, wide: usize) -> String {
    " ".repeat(wide.saturating_sub(width(text)))
}

/// A threshold's number: `p(95)=2.93ms`.
pub(super) fn judged(
    aggregation: Aggregation,
    value: f64,
    kind: Kind,
    contains: Contains,
    unit: Option<TimeUnit>,
) -> String {
    let text = humanize(value, kind, contains, unit);
    let per_second = if kind == Kind::Counter && aggregation == Aggregation::Rate {
        "/s"
    } else {
        ""
    };
    format!("{aggregation}={text}{per_second}")
}
