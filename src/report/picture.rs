//! A run as a picture: the verdict, what follows from the numbers, and the run on one time axis, 1280 dots wide. For where a page
//! cannot be shown: a chat, an issue, a slide.

mod canvas;

use std::io;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::format::humanize_duration;
use super::html::axis::{Shade, bounds, shade};
use super::html::charts::{Ink, Plan, plans, plot};
use super::html::ending;
use super::saved::SavedRun;
use canvas::{Canvas, Letters, SCALE, png};

/// As wide as the picture is, and what is left free at its sides.
const WIDTH: u32 = 1280;
const SIDE: u32 = 24;
/// A chart's height without its title.
const CHART: u32 = 200;
/// So many findings are written out.
const FINDINGS: usize = 8;
/// The side of what shows a colour next to its name.
const SWATCH: u32 = 12;

/// The light theme of the page; its shades, which are translucent there, as they look on white.
const INK: Ink = Ink {
    lines: [
        RGBColor(0x0b, 0x5c, 0xad),
        RGBColor(0xb3, 0x59, 0x00),
        RGBColor(0x8a, 0x1c, 0x7c),
        RGBColor(0x1a, 0x7f, 0x37),
        RGBColor(0x6e, 0x40, 0xc9),
        RGBColor(0x57, 0x60, 0x6a),
    ],
    grid: RGBColor(0xd0, 0xd7, 0xde),
    text: RGBColor(0x57, 0x60, 0x6a),
    full: RGBColor(0xfa, 0xdf, 0xbc),
    outage: RGBColor(0xe7, 0xcb, 0xe8),
};
const PLAIN: RGBColor = RGBColor(0x1c, 0x21, 0x28);
const GOOD: RGBColor = RGBColor(0x11, 0x63, 0x29);
const BAD: RGBColor = RGBColor(0xb3, 0x26, 0x1e);

/// What stands below each other.
enum Row {
    Text(String, u32, RGBColor),
    /// Colours and their names.
    Keys(String, Vec<(RGBColor, String)>),
    Chart(Plan),
    Space(u32),
}

impl Row {
    fn height(&self) -> u32 {
        match self {
            Row::Text(_, size, _) => size * 3 / 2,
            Row::Keys(..) => 26,
            Row::Chart(_) => CHART,
            Row::Space(height) => *height,
        }
    }
}

/// The picture as a PNG file.
///
/// # Errors
/// It cannot be drawn, which no run is a reason for.
pub(super) fn picture(run: &SavedRun) -> io::Result<Vec<u8>> {
    let unfit = || io::Error::other("the picture cannot be drawn");
    let letters = Letters::new().ok_or_else(unfit)?;
    let shade = shade(run);
    let rows = rows(run, &shade, &letters);
    let height: u32 = rows.iter().map(Row::height).sum::<u32>() + 2 * SIDE;
    let size = (WIDTH * SCALE, height * SCALE);
    let mut dots = vec![255; size.0 as usize * size.1 as usize * 3];
    let canvas = Canvas {
        size,
        dots: &mut dots,
        letters: letters.clone(),
    };
    let length = bounds(run).map_or(0.0, |(start, end)| end - start);
    draw(canvas, rows, length, &shade, &letters).ok_or_else(unfit)?;
    png(size, &dots)
}

fn rows(run: &SavedRun, shade: &Shade, letters: &Letters) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut text = |text: &str, size: u32, colour: RGBColor| {
        for line in wrapped(text, size, letters) {
            rows.push(Row::Text(line, size, colour));
        }
    };
    let facts = &run.run;
    text(&facts.name, 28, PLAIN);
    let good = run.ending.exit_code == 0;
    let (mark, colour) = if good { ("✓", GOOD) } else { ("✗", BAD) };
    let code = run.ending.exit_code;
    text(&format!("{mark} {} (exit code {code})", ending(run)), 21, colour);
    let lasted = humanize_duration(facts.duration * 1e3, None);
    let (version, id) = (&facts.loadgen, &facts.id);
    let line = format!("{} · {lasted} · loadgen {version} · run {id}", facts.started);
    text(&line, 16, INK.text);
    if let Some(validity) = &run.validity {
        let valid = validity.is_valid();
        let line = validity.line();
        text(&line, 17, if valid { GOOD } else { BAD });
    }
    for found in run.findings.iter().take(FINDINGS) {
        text(&format!("• {}", found.text), 17, PLAIN);
    }
    if let Some(more) = run.findings.len().checked_sub(FINDINGS).filter(|more| *more > 0) {
        text(&format!("and {more} more findings"), 17, INK.text);
    }
    if !shade.names.is_empty() {
        let line = format!("shaded, for it was full: {}", shade.names.join("; "));
        let mut lines = wrapped(&line, 17, letters).into_iter();
        rows.push(Row::Space(8));
        rows.push(Row::Keys(
            String::new(),
            vec![(INK.full, lines.next().unwrap_or_default())],
        ));
        rows.extend(lines.map(|line| Row::Text(line, 17, PLAIN)));
    }
    if !shade.outages.is_empty() {
        let line = "shaded: a connection of the tunnel was missing".to_owned();
        rows.push(Row::Keys(String::new(), vec![(INK.outage, line)]));
    }
    let start = bounds(run).map(|(start, _)| start);
    for plan in start.map(|start| plans(run, start)).into_iter().flatten() {
        let names = plan.drawn().iter().map(|line| line.name.clone());
        rows.push(Row::Space(10));
        rows.push(Row::Keys(
            plan.title.to_owned(),
            INK.lines.into_iter().zip(names).collect(),
        ));
        rows.push(Row::Chart(plan));
    }
    rows
}

/// A text in lines that are no wider than the picture; a word that is goes on beyond its edge.
fn wrapped(text: &str, size: u32, letters: &Letters) -> Vec<String> {
    let most = f64::from(WIDTH - 2 * SIDE);
    // What moves a cursor has no place in a picture.
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut lines: Vec<String> = Vec::new();
    for word in plain.split_whitespace() {
        if let Some(line) = lines.last_mut() {
            let longer = format!("{line} {word}");
            if letters.width(&longer, f64::from(size)) <= most {
                *line = longer;
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    lines
}

fn draw(canvas: Canvas<'_>, rows: Vec<Row>, length: f64, shade: &Shade, letters: &Letters) -> Option<()> {
    let area = canvas.into_drawing_area();
    let at = |x: u32, y: u32| ((x * SCALE).cast_signed(), (y * SCALE).cast_signed());
    let write = |text: &str, size: u32, colour: &RGBColor, place: (i32, i32)| {
        let style = TextStyle::from(("sans-serif", size * SCALE)).color(colour);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        area.draw_text(text, &style, place).ok()
    };
    let mut top = SIDE;
    for row in rows {
        let middle = top + row.height() / 2;
        let below = top + row.height();
        match row {
            Row::Text(text, size, colour) => write(&text, size, &colour, at(SIDE, middle))?,
            Row::Keys(title, keys) => {
                let wide = |text: &str, size: f64| letters.width(text, size).ceil() as u32;
                write(&title, 20, &PLAIN, at(SIDE, middle))?;
                let mut left = SIDE
                    + if title.is_empty() {
                        0
                    } else {
                        wide(&title, 20.0) + 18
                    };
                for (colour, name) in keys {
                    let corners = [
                        at(left, middle - SWATCH / 2),
                        at(left + SWATCH, middle + SWATCH / 2),
                    ];
                    area.draw(&Rectangle::new(corners, colour.filled())).ok()?;
                    left += SWATCH + 6;
                    write(&name, 17, &PLAIN, at(left, middle))?;
                    left += wide(&name, 17.0) + 18;
                }
            }
            Row::Chart(plan) => {
                let inner = area.clone().shrink(at(SIDE, top), at(WIDTH - 2 * SIDE, CHART));
                plot(&inner, &plan, length, shade, &INK, SCALE)?;
            }
            Row::Space(_) => {}
        }
        top = below;
    }
    area.present().ok()
}

#[cfg(test)]
mod tests;
