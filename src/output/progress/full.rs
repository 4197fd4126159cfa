//! `--ui full`: the run so far on one time axis, from its first second to now, and how thresholds and findings stand. Pure: data to
//! lines of text, as wide and as many as the terminal has room for.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::widgets::Widget;
use ratatui_widgets::sparkline::Sparkline;

use super::history::{History, Moment};
use super::render;
use super::view::{ProgressView, ScenarioLine, Standing};
use crate::pace::format_duration;

/// Width of a strip's name, and of its numbers.
const NAME: u16 = 16;
const NUMBERS: u16 = 28;
/// A strip narrower than this says nothing.
const NARROWEST: u16 = 10;
/// Rows of the terminal that are left to what is above.
const ABOVE: u16 = 2;
/// Scenarios, thresholds and findings that are shown, before the rest is only counted.
const SCENARIOS: usize = 4;
const THRESHOLDS: usize = 6;
const FINDINGS: usize = 6;
/// Levels of a strip: what a cell of it can show.
const LEVELS: f64 = 8.0;

/// A quantity over time.
struct Strip {
    name: &'static str,
    of: fn(&Moment) -> Option<f64>,
    /// What fills the strip; `None`: its own peak.
    most: Option<f64>,
    colour: Color,
    show: fn(f64) -> String,
}

const STRIPS: [Strip; 6] = [
    Strip {
        name: "p95 latency",
        of: |moment| moment.p95_ms,
        most: None,
        colour: Color::Yellow,
        show: render::milliseconds,
    },
    Strip {
        name: "requests/s",
        of: |moment| Some(moment.rps),
        most: None,
        colour: Color::Cyan,
        show: render::rate,
    },
    Strip {
        name: "virtual users",
        of: |moment| Some(moment.vus),
        most: None,
        colour: Color::Blue,
        show: |vus| format!("{vus:.0}"),
    },
    Strip {
        name: "errors",
        of: |moment| moment.errors,
        most: None,
        colour: Color::Red,
        show: render::percent,
    },
    Strip {
        name: "target CPU",
        of: |moment| moment.cpu,
        most: Some(1.0),
        colour: Color::Magenta,
        show: |share| format!("{:.0}%", share * 100.0),
    },
    Strip {
        name: "target memory",
        of: |moment| moment.memory,
        most: Some(1.0),
        colour: Color::Green,
        show: |share| format!("{:.0}%", share * 100.0),
    },
];

/// What is shown, beside the view itself.
pub(super) struct Shown<'a> {
    pub history: &'a History,
    pub scenarios: &'a [ScenarioLine],
    pub findings: &'a [String],
}

/// The whole display, line by line, with colours as SGR sequences if `colour`. `size` is the terminal's columns and rows.
pub(super) fn lines(view: &ProgressView, shown: &Shown, size: (u16, u16), colour: bool) -> Vec<String> {
    let (columns, rows) = (size.0.max(20), size.1.saturating_sub(ABOVE).max(4));
    let faint = Style::new().add_modifier(Modifier::DIM);
    let head = head(view, shown, faint);
    let tail = tail(view, shown, faint);
    let strips: Vec<&Strip> = STRIPS
        .iter()
        .filter(|strip| shown.history.peak(strip.of).is_some())
        .collect();
    // The axis has a line of its own. What is told after it goes first where there is no room, but for its first lines.
    let count = u16::try_from(strips.len()).unwrap_or(u16::MAX);
    let heads = u16::try_from(head.len()).unwrap_or(u16::MAX);
    let tails = u16::try_from(tail.len()).unwrap_or(u16::MAX);
    let room = rows.saturating_sub(heads + tails + 1);
    let tall = room.checked_div(count).unwrap_or(0).clamp(1, 3);
    let fit = rows.saturating_sub(heads + 1) / tall;
    let strips = &strips[..strips.len().min(usize::from(fit))];

    let mut page = Page::new(columns, rows);
    page.texts(&head);
    for strip in strips {
        page.strip(strip, shown.history, tall, faint);
    }
    if !strips.is_empty() {
        page.axis(shown.history, faint);
    }
    page.texts(&tail);
    page.lines(colour)
}

type Text = (String, Style);

/// How far the run and its scenarios are.
fn head(view: &ProgressView, shown: &Shown, faint: Style) -> Vec<Text> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut texts = vec![(render::status(view), bold)];
    let width = render::name_width(shown.scenarios);
    let scenarios = shown.scenarios.iter().take(SCENARIOS);
    texts.extend(scenarios.map(|line| (render::scenario(line, width), Style::new())));
    rest(&mut texts, shown.scenarios.len(), SCENARIOS, "scenarios", faint);
    texts.push((render::figures(view), Style::new()));
    texts
}

/// Thresholds and findings.
fn tail(view: &ProgressView, shown: &Shown, faint: Style) -> Vec<Text> {
    let mut texts = Vec::new();
    let (mut failing, holding): (Vec<_>, Vec<_>) =
        view.thresholds.iter().partition(|line| line.ok == Some(false));
    failing.extend(holding);
    for line in failing.iter().take(THRESHOLDS) {
        texts.push(threshold(line));
    }
    rest(&mut texts, failing.len(), THRESHOLDS, "thresholds", faint);
    // The newest are the ones that are looked for.
    for finding in shown.findings.iter().take(FINDINGS) {
        texts.push((format!("! {finding}"), Style::new().fg(Color::Yellow)));
    }
    rest(&mut texts, shown.findings.len(), FINDINGS, "findings", faint);
    texts
}

/// Says how many are left out.
fn rest(texts: &mut Vec<Text>, all: usize, shown: usize, what: &str, faint: Style) {
    if all > shown {
        texts.push((format!("  and {} more {what}", all - shown), faint));
    }
}

fn threshold(line: &Standing) -> Text {
    let (sign, colour) = match line.ok {
        Some(true) => ("✓", Color::Green),
        Some(false) => ("✗", Color::Red),
        None => ("-", Color::Reset),
    };
    let value = line.value.map_or_else(
        || "no samples".to_owned(),
        |value| format!("now {}", shortest(value)),
    );
    (format!("{sign} {}  {value}", line.text), Style::new().fg(colour))
}

/// Four digits after the point at most, and no zeros that say nothing.
fn shortest(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Rows that are filled from above.
struct Page {
    buffer: Buffer,
    row: u16,
}

impl Page {
    fn new(columns: u16, rows: u16) -> Page {
        Page {
            buffer: Buffer::empty(Rect::new(0, 0, columns, rows)),
            row: 0,
        }
    }

    fn full(&self) -> bool {
        self.row >= self.buffer.area.height
    }

    fn texts(&mut self, texts: &[Text]) {
        for (line, style) in texts {
            self.text(line, *style);
        }
    }

    /// A line, cut where it does not fit.
    fn text(&mut self, text: &str, style: Style) {
        if self.full() {
            return;
        }
        let width = self.buffer.area.width;
        let (end, _) = self
            .buffer
            .set_stringn(0, self.row, text, usize::from(width), style);
        // A cut that shows.
        if end >= width && text.chars().count() > usize::from(width) {
            self.buffer.set_stringn(width - 1, self.row, "…", 1, style);
        }
        self.row += 1;
    }

    /// The name on the left, the newest and the greatest value on the right, and the run in between.
    fn strip(&mut self, strip: &Strip, history: &History, tall: u16, faint: Style) {
        let bottom = self.row + tall;
        if bottom > self.buffer.area.height {
            return;
        }
        let width = self.width();
        let style = Style::new().fg(strip.colour);
        let peak = history.peak(strip.of).unwrap_or_default();
        let most = strip.most.unwrap_or(peak);
        if width >= NARROWEST {
            let step = f64::from(tall) * LEVELS;
            let level = |value: f64| {
                // What is not nothing is seen.
                let level = (value / most * step).round().min(step);
                if value > 0.0 { level.max(1.0) as u64 } else { 0 }
            };
            let parts = history.parts(usize::from(width), strip.of);
            Sparkline::default()
                .data(parts.iter().map(|value| value.map(level)))
                .max(step as u64)
                .absent_value_symbol(" ")
                .style(style)
                .render(Rect::new(NAME, self.row, width, tall), &mut self.buffer);
        }
        let row = bottom - 1;
        self.buffer
            .set_stringn(0, row, strip.name, usize::from(NAME - 1), style);
        let newest = history.moments().last().and_then(strip.of);
        let newest = newest.map_or_else(|| "-".to_owned(), strip.show);
        let from = self.buffer.area.width.saturating_sub(NUMBERS - 1);
        let (end, _) = self.buffer.set_stringn(
            from,
            row,
            format!("{newest:>10}"),
            usize::from(NUMBERS - 1),
            Style::new(),
        );
        let left = usize::from(self.buffer.area.width.saturating_sub(end));
        let greatest = format!("  most {}", (strip.show)(peak));
        self.buffer.set_stringn(end, row, greatest, left, faint);
        self.row = bottom;
    }

    /// Where the strips begin and end in time.
    fn axis(&mut self, history: &History, faint: Style) {
        let until = format_duration(std::time::Duration::from_secs(history.until().as_secs()));
        let width = usize::from(self.width());
        let drawn = history.moments().count().min(width);
        if !self.full() && width >= usize::from(NARROWEST) {
            let line = format!(
                "0s{until:>width$}",
                width = drawn.saturating_sub(2).max(until.len() + 1)
            );
            self.buffer
                .set_stringn(NAME, self.row, line, width.max(drawn), faint);
            self.row += 1;
        }
    }

    /// Columns of a strip.
    fn width(&self) -> u16 {
        self.buffer.area.width.saturating_sub(NAME + NUMBERS)
    }

    /// The rows that were filled.
    fn lines(&self, colour: bool) -> Vec<String> {
        let width = usize::from(self.buffer.area.width);
        let rows = self.buffer.content().chunks(width).take(usize::from(self.row));
        rows.map(|row| {
            let mut line = String::new();
            let mut last = Style::new();
            for cell in row {
                let style = Style::new().fg(cell.fg).add_modifier(cell.modifier);
                if colour && style != last {
                    line += &sgr(style);
                    last = style;
                }
                line += cell.symbol();
            }
            if colour {
                line += "\x1b[0m";
            }
            line
        })
        .collect()
    }
}

/// ECMA-48, "select graphic rendition", of what is used here.
fn sgr(style: Style) -> String {
    let mut codes = vec!["0"];
    if style.add_modifier.contains(Modifier::BOLD) {
        codes.push("1");
    }
    if style.add_modifier.contains(Modifier::DIM) {
        codes.push("2");
    }
    codes.extend(match style.fg {
        Some(Color::Red) => Some("31"),
        Some(Color::Green) => Some("32"),
        Some(Color::Yellow) => Some("33"),
        Some(Color::Blue) => Some("34"),
        Some(Color::Magenta) => Some("35"),
        Some(Color::Cyan) => Some("36"),
        _ => None,
    });
    format!("\x1b[{}m", codes.join(";"))
}

#[cfg(test)]
mod tests;
