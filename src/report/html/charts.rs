//! The charts of a page, as SVG made by `plotters`. Each is drawn twice, for a wide and for a narrow screen, so that its
//! text is readable on both; all have the same axis and margins, so that what lies below each other happened at one time.
//!
//! Colours are written as fixed numbers, which the style sheet replaces by those of the light or dark theme.

use std::fmt::Write;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::report::format::{humanize_duration, number};
use crate::report::saved::SavedRun;

use super::axis::{Shade, bounds, thinned};
use super::escape;

/// A chart and what stands for it where it cannot be seen.
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: String,
    /// Names of the lines and the classes of their swatches.
    pub(super) series: Vec<(String, &'static str)>,
    /// Names of the lines for which there is no colour left: they are in the table only.
    pub(super) left_out: Vec<String>,
    pub(super) wide: String,
    pub(super) narrow: String,
    pub(super) table: String,
}

/// A line of a chart.
pub(in crate::report) struct Line {
    pub(in crate::report) name: String,
    /// Time since the load began, and value.
    values: Vec<(f64, f64)>,
    /// Of neighbours the greatest is kept, not the mean.
    most: bool,
}

/// A chart that is still to be drawn.
pub(in crate::report) struct Plan {
    id: &'static str,
    pub(in crate::report) title: &'static str,
    unit: fn(f64) -> String,
    /// The value axis goes at least to here.
    least: f64,
    lines: Vec<Line>,
    /// So many of the lines are drawn, the first ones.
    drawn: usize,
}

/// So many rows a table has at the most.
const ROWS: usize = 60;
const WIDE: (u32, u32) = (960, 210);
const NARROW: (u32, u32) = (340, 190);

/// The colours of a drawing.
pub(in crate::report) struct Ink {
    pub(in crate::report) lines: [RGBColor; LINES],
    pub(in crate::report) grid: RGBColor,
    pub(in crate::report) text: RGBColor,
    pub(in crate::report) full: RGBColor,
    pub(in crate::report) outage: RGBColor,
}

/// So many lines have a colour.
const LINES: usize = 6;
/// By these numbers the style sheet knows what is what.
const MARKS: Ink = Ink {
    lines: [
        RGBColor(0x00, 0x00, 0xA1),
        RGBColor(0x00, 0x00, 0xA2),
        RGBColor(0x00, 0x00, 0xA3),
        RGBColor(0x00, 0x00, 0xA4),
        RGBColor(0x00, 0x00, 0xA5),
        RGBColor(0x00, 0x00, 0xA6),
    ],
    grid: RGBColor(0x00, 0x00, 0xB1),
    text: RGBColor(0x00, 0x00, 0xB2),
    full: RGBColor(0x00, 0x00, 0xB3),
    outage: RGBColor(0x00, 0x00, 0xB4),
};
/// And by these names it knows the lines' swatches.
const SWATCHES: [&str; LINES] = ["s1", "s2", "s3", "s4", "s5", "s6"];

/// All charts that the run has numbers for.
pub(super) fn charts(run: &SavedRun, shade: &Shade) -> Vec<Chart> {
    let Some((start, end)) = bounds(run) else {
        return Vec::new();
    };
    plans(run, start)
        .into_iter()
        .filter_map(|plan| {
            let draw = |size, class| draw(&plan, size, class, end - start, shade);
            Some(Chart {
                wide: draw(WIDE, "wide")?,
                narrow: draw(NARROW, "narrow")?,
                table: table(&plan),
                id: plan.id,
                title: plan.title.to_owned(),
                series: plan
                    .drawn()
                    .iter()
                    .zip(SWATCHES)
                    .map(|(line, class)| (line.name.clone(), class))
                    .collect(),
                left_out: plan.lines[plan.drawn().len()..]
                    .iter()
                    .map(|line| line.name.clone())
                    .collect(),
            })
        })
        .collect()
}

/// What there is to draw, from the load's start on.
pub(in crate::report) fn plans(run: &SavedRun, start: f64) -> Vec<Plan> {
    let t = &run.timeline;
    let usable = |at: &usize| t.start[*at] + t.length[*at] > start;
    let column = |name: &str, most: bool, of: &dyn Fn(usize) -> Option<f64>| Line {
        name: name.to_owned(),
        most,
        values: (0..t.start.len())
            .filter(usable)
            .filter_map(|at| Some(((t.start[at] + t.length[at] / 2.0 - start).max(0.0), of(at)?)))
            .collect(),
    };
    let answered = |at: usize| t.requests[at] > 0;
    let per_second = |count: u64, at: usize| count as f64 / t.length[at].max(1e-3);
    let latency = |name, values: &Vec<f64>| column(name, true, &|at| answered(at).then(|| values[at]));
    let mut load = vec![column("VUs", false, &|at| Some(f64::from(t.vus[at])))];
    if t.offered.iter().any(|offered| *offered > 0.0) {
        load.push(column("iterations/s asked for", false, &|at| {
            t.offered.get(at).copied()
        }));
    }
    let machines = of_hosts(
        run,
        start,
        &[("cpu_utilization", "CPU"), ("memory_utilization", "memory")],
    );
    let pressure = of_hosts(
        run,
        start,
        &[
            ("pressure_cpu", "for CPU"),
            ("pressure_memory", "for memory"),
            ("pressure_io", "for disks"),
        ],
    );
    let milliseconds = |ms: f64| humanize_duration(ms, None);
    let plain = |value: f64| number(value, 1);
    let share = |value: f64| format!("{} %", number(value, 1));
    let latencies = vec![
        latency("p50", &t.p50),
        latency("p95", &t.p95),
        latency("p99", &t.p99),
    ];
    let requests = vec![
        column("all", false, &|at| Some(per_second(t.requests[at], at))),
        column("failed", false, &|at| Some(per_second(t.failed[at], at))),
    ];
    let errors = vec![column("failed requests", true, &|at| {
        answered(at).then(|| t.failed[at] as f64 / t.requests[at] as f64 * 100.0)
    })];
    let mut plans = vec![
        Plan::new("latency", "Latency", milliseconds, 0.0, latencies),
        Plan::new("throughput", "Requests per second", plain, 1.0, requests),
        Plan::new("load", "Load", plain, 1.0, load),
        Plan::new("errors", "Errors", share, 1.0, errors),
        Plan::new("target", "Target's machine", share, 100.0, machines),
        Plan::new("pressure", "Work that waits on the target", share, 10.0, pressure),
    ];
    plans.retain(|plan| plan.lines.iter().any(|line| line.values.len() > 1));
    plans
}

impl Plan {
    fn new(
        id: &'static str,
        title: &'static str,
        unit: fn(f64) -> String,
        least: f64,
        mut lines: Vec<Line>,
    ) -> Plan {
        let drawn = lines.len().min(LINES);
        if drawn < lines.len() {
            // Those with the greatest values are drawn.
            lines.sort_by(|a, b| b.greatest().total_cmp(&a.greatest()));
        }
        Plan {
            id,
            title,
            unit,
            least,
            lines,
            drawn,
        }
    }

    /// The lines that have a colour.
    pub(in crate::report) fn drawn(&self) -> &[Line] {
        &self.lines[..self.drawn]
    }
}

impl Line {
    fn greatest(&self) -> f64 {
        self.values.iter().map(|(_, value)| *value).fold(0.0, f64::max)
    }
}

/// Columns of all machines as shares of a hundred, those that are ever more than nothing.
fn of_hosts(run: &SavedRun, start: f64, columns: &[(&str, &str)]) -> Vec<Line> {
    let mut lines = Vec::new();
    for host in &run.hosts {
        for (name, what) in columns {
            let values = host.at.iter().zip(host.series.get(*name).into_iter().flatten());
            lines.push(Line {
                name: format!("{what}, {}", host.host),
                most: false,
                values: values
                    .filter_map(|(at, value)| Some((at - start, value.map(|value| value * 100.0)?)))
                    .filter(|(at, _)| *at >= 0.0)
                    .collect(),
            });
        }
    }
    lines.retain(|line| line.greatest() > 0.0);
    lines
}

/// The chart as SVG; `None` if it cannot be drawn, and the page goes without it.
fn draw(plan: &Plan, size: (u32, u32), class: &str, length: f64, shade: &Shade) -> Option<String> {
    let mut svg = String::new();
    plot(
        &SVGBackend::with_string(&mut svg, size).into_drawing_area(),
        plan,
        length,
        shade,
        &MARKS,
        1,
    )?;
    let size = format!("<svg width=\"{}\" height=\"{}\"", size.0, size.1);
    let names: Vec<&str> = plan.drawn().iter().map(|line| line.name.as_str()).collect();
    let label = escape(&format!(
        "{} over {}: {}. {}",
        plan.title,
        seconds(length),
        names.join(", "),
        peak(plan)
    ));
    Some(svg.replacen(
        &size,
        &format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{label}\""),
        1,
    ))
}

/// Draws a chart; `None` if it cannot be drawn. Everything but the area is so many times larger.
pub(in crate::report) fn plot<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    plan: &Plan,
    length: f64,
    shade: &Shade,
    ink: &Ink,
    larger: u32,
) -> Option<()> {
    let values = plan.drawn().iter().flat_map(|line| &line.values);
    let most = values.map(|(_, value)| *value).fold(plan.least, f64::max);
    let top = if plan.least >= 100.0 { most } else { most * 1.08 };
    let top = if top > 0.0 { top } else { 1.0 };
    let width = area.dim_in_pixel().0 / larger;
    let mut chart = ChartBuilder::on(area)
        .margin_top(8 * larger)
        .margin_right(14 * larger)
        .x_label_area_size(26 * larger)
        .y_label_area_size(62 * larger)
        .build_cartesian_2d(0.0..length, 0.0..top)
        .ok()?;
    for (spans, colour) in [(&shade.full, ink.full), (&shade.outages, ink.outage)] {
        let boxes = spans
            .iter()
            .map(|(from, to)| Rectangle::new([(*from, 0.0), (*to, top)], colour.filled()));
        chart.draw_series(boxes).ok()?;
    }
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels((width / 110) as usize)
        .y_labels(4)
        .bold_line_style(ink.grid.stroke_width(larger))
        .light_line_style(TRANSPARENT)
        .axis_style(ink.grid.stroke_width(larger))
        .label_style(("sans-serif", 15 * larger, &ink.text))
        .x_label_formatter(&|second| seconds(*second))
        .y_label_formatter(&|value| (plan.unit)(*value))
        .draw()
        .ok()?;
    for (line, colour) in plan.drawn().iter().zip(ink.lines) {
        let points = thinned(&line.values, width as usize, line.most);
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2 * larger)))
            .ok()?;
    }
    area.present().ok()
}

/// A time since the load's start.
fn seconds(second: f64) -> String {
    let whole = second.round();
    if whole >= 120.0 {
        format!("{}:{:02} min", (whole / 60.0).floor(), whole % 60.0)
    } else {
        format!("{} s", number(second, 1))
    }
}

/// In words, what the greatest value is and when.
fn peak(plan: &Plan) -> String {
    let greatest = plan.drawn().iter().filter_map(|line| {
        let greatest = line.values.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        greatest.map(|(at, value)| (line, *at, *value))
    });
    let words = greatest.map(|(line, at, value)| {
        format!(
            "{} is at most {}, {} into the load",
            line.name,
            (plan.unit)(value),
            seconds(at)
        )
    });
    words.collect::<Vec<_>>().join("; ") + "."
}

/// The chart's numbers, thinned to what somebody would read.
fn table(plan: &Plan) -> String {
    let mut text = String::from("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">time</th>");
    for line in &plan.lines {
        let _ = write!(text, "<th scope=\"col\">{}</th>", escape(&line.name));
    }
    text += "</tr></thead><tbody>\n";
    let columns: Vec<Vec<(f64, f64)>> = plan
        .lines
        .iter()
        .map(|line| thinned(&line.values, ROWS, line.most))
        .collect();
    let longest = columns.iter().max_by_key(|column| column.len());
    for (at, _) in longest.into_iter().flatten() {
        let _ = write!(text, "<tr><th scope=\"row\">{}</th>", seconds(*at));
        for column in &columns {
            let nearest = column
                .iter()
                .min_by(|a, b| (a.0 - at).abs().total_cmp(&(b.0 - at).abs()));
            let value = nearest.map_or("–".to_owned(), |(_, value)| (plan.unit)(*value));
            let _ = write!(text, "<td>{}</td>", escape(&value));
        }
        text += "</tr>\n";
    }
    text + "</tbody></table></div>\n"
}
