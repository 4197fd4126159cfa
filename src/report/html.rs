//! A run as one HTML file that needs no network and no script: the verdict and what follows from the numbers first, then the
//! run on one time axis, distribution, tables, options and environment.
//!
//! What comes from scripts, servers and the command line is text here, whatever it looks like: all of it goes through
//! [`escape`]. The page says the same once more in its content security policy.

pub(super) mod axis;
pub(super) mod charts;
mod tables;

use std::fmt::Write;

use super::baseline::{line_of, percent};
use super::format::{humanize_duration, number};
use super::saved::SavedRun;

use axis::Shade;
use charts::{Chart, charts};

const STYLE: &str = include_str!("html/page.css");

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters have no place in a page.
            c if c.is_control() && c != '\n' && c != '\t' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// The page.
pub(super) fn html(run: &SavedRun) -> String {
    let name = escape(&run.run.name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{name}: load test</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    page += &head(run);
    page += &findings(run);
    page += &figures(run);
    let shade = axis::shade(run);
    let drawn = charts(run, &shade);
    if !drawn.is_empty() {
        page += "<section>\n<h2>Timeline</h2>\n";
        page += &legend(&shade);
        for chart in &drawn {
            page += &figure(chart);
        }
        page += "</section>\n";
    }
    page += &tables::distribution(run);
    page += &tables::all(run);
    page += "</main>\n</body>\n</html>\n";
    page
}

/// How it ended, in words.
pub(super) fn ending(run: &SavedRun) -> String {
    let failed = run.thresholds.iter().filter(|threshold| !threshold.ok).count();
    match (run.ending.name.as_str(), &run.ending.message) {
        ("passed", _) => "passed".to_owned(),
        ("thresholds", _) => format!("{failed} of {} thresholds failed", run.thresholds.len()),
        (name, None) => name.to_owned(),
        (name, Some(message)) => format!("{name}: {message}"),
    }
}

/// What was run, and how it ended.
fn head(run: &SavedRun) -> String {
    let good = run.ending.exit_code == 0;
    let (class, mark) = if good { ("good", "✓") } else { ("bad", "✗") };
    let ending = escape(&ending(run));
    let facts = &run.run;
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"verdict {class}\"><span aria-hidden=\"true\">{mark}</span> {ending} \
         <span class=\"quiet\">(exit code {})</span></p>\n\
         <p class=\"quiet\">{} · {} · loadgen {} · run {}</p>\n</header>\n",
        escape(&facts.name),
        run.ending.exit_code,
        escape(&facts.started),
        humanize_duration(facts.duration * 1e3, None),
        escape(&facts.loadgen),
        escape(&facts.id),
    )
}

/// Whether it can be believed, and what it means.
fn findings(run: &SavedRun) -> String {
    let mut text = String::from("<section>\n<h2>Findings</h2>\n");
    if let Some(validity) = &run.validity {
        let class = if validity.is_valid() { "good" } else { "bad" };
        let (verdict, why) = (escape(&validity.word()), escape(&validity.why()));
        let _ = writeln!(text, "<p><strong class=\"{class}\">{verdict}</strong>: {why}</p>");
    }
    if run.findings.is_empty() {
        text += "<p class=\"quiet\">Nothing stands out.</p>\n";
    } else {
        text += "<ul class=\"findings\">\n";
        for found in &run.findings {
            let sure = found.confidence.as_ref().map_or(String::new(), |sure| {
                format!(" <span class=\"quiet\">confidence: {}</span>", escape(sure))
            });
            let _ = writeln!(text, "<li>{}{sure}</li>", escape(&found.text));
        }
        text += "</ul>\n";
    }
    text + "</section>\n"
}

/// The few numbers that everybody asks for.
fn figures(run: &SavedRun) -> String {
    let whole = line_of(run, &|_| true);
    let seconds: f64 = run.timeline.length.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let per_second = whole.requests / run.run.duration.max(seconds.min(1.0));
    let most = run.timeline.vus.iter().max().copied().unwrap_or(0);
    let or = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let (held, all) = run.checks.iter().fold((0, 0), |(held, all), check| {
        (held + check.passes, all + check.passes + check.fails)
    });
    let checks = if all == 0 {
        "–".to_owned()
    } else {
        percent(held as f64 / all as f64)
    };
    let tiles = [
        ("requests", number(whole.requests, 0)),
        ("per second", number(per_second, 1)),
        ("errors", or(whole.errors())),
        ("p50", or(whole.p50())),
        ("p95", or(whole.p95())),
        ("p99", or(whole.p99())),
        ("most VUs", most.to_string()),
        ("checks passed", checks),
    ];
    let mut text = String::from("<dl class=\"tiles\">\n");
    for (name, value) in tiles {
        let _ = writeln!(text, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    }
    text + "</dl>\n"
}

/// What is shaded.
fn legend(shade: &Shade) -> String {
    let mut text = String::new();
    if !shade.names.is_empty() {
        let names = escape(&shade.names.join("; "));
        let _ = writeln!(
            text,
            "<p class=\"note\"><span class=\"swatch full\"></span> shaded, for it was full: {names}</p>"
        );
    }
    if !shade.outages.is_empty() {
        text += "<p class=\"note\"><span class=\"swatch outage\"></span> shaded: a connection of the tunnel was missing</p>\n";
    }
    text
}

fn figure(chart: &Chart) -> String {
    let mut text = format!(
        "<figure class=\"chart\" id=\"{}\">\n<figcaption>{}",
        chart.id,
        escape(&chart.title)
    );
    for (name, class) in &chart.series {
        let _ = write!(
            text,
            " <span class=\"key\"><span class=\"swatch {class}\"></span>{}</span>",
            escape(name)
        );
    }
    let _ = writeln!(text, "</figcaption>\n{}{}", chart.wide, chart.narrow);
    if !chart.left_out.is_empty() {
        let _ = writeln!(
            text,
            "<p class=\"note\">Not drawn, for a chart has room for {}, but in the table: {}.</p>",
            chart.series.len(),
            escape(&chart.left_out.join("; "))
        );
    }
    let _ = writeln!(
        text,
        "<details><summary>{} as a table</summary>\n{}</details>\n</figure>",
        escape(&chart.title),
        chart.table
    );
    text
}

#[cfg(test)]
mod tests;
