//! The tables of a page: distribution, endpoints, checks, thresholds, options, environment.

use std::fmt::Write;

use crate::report::baseline::{line_of, percent};
use crate::report::breakpoint::rows;
use crate::report::format::{humanize_bytes, humanize_duration, number};
use crate::report::saved::{SavedMachine, SavedRun, trend};
use crate::report::values::threshold_value;

use super::escape;

/// So many endpoints are listed.
const MOST: usize = 200;

/// A table from cells; the first of each row names it.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = String::from("<div class=\"scroll\"><table>\n<thead><tr>");
    for name in head {
        let _ = write!(text, "<th scope=\"col\">{}</th>", escape(name));
    }
    text += "</tr></thead>\n<tbody>\n";
    for row in rows {
        text += "<tr>";
        for (column, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ = match column {
                0 => write!(text, "<th scope=\"row\">{cell}</th>"),
                _ => write!(text, "<td>{cell}</td>"),
            };
        }
        text += "</tr>\n";
    }
    text + "</tbody>\n</table></div>\n"
}

fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", escape(title))
}

fn milliseconds(ms: f64) -> String {
    humanize_duration(ms, None)
}

/// How latencies are spread: bars on a scale of factors, and percentiles.
pub(super) fn distribution(run: &SavedRun) -> String {
    let Some(all) = trend(run.series("http_req_duration").total()) else {
        return String::new();
    };
    let percentiles = [1.0, 5.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99];
    let rows: Vec<Vec<String>> = percentiles
        .iter()
        .map(|p| vec![format!("p{}", number(*p, 2)), milliseconds(all.percentile(*p))])
        .chain([vec!["max".to_owned(), milliseconds(all.max())]])
        .collect();
    // Three bars for each factor of ten, from the fastest answer to the slowest.
    let (low, high) = (all.min().max(1e-3), all.max().max(2e-3));
    let (from, to) = (
        (low.log10() * 3.0).floor() as i32,
        (high.log10() * 3.0).ceil() as i32,
    );
    let bounds: Vec<f64> = (from + 1..=to.max(from + 1))
        .map(|step| 10_f64.powf(f64::from(step) / 3.0))
        .collect();
    let mut counts = vec![0_u64; bounds.len()];
    all.each(|value, count| {
        let place = bounds
            .partition_point(|bound| value > *bound)
            .min(bounds.len() - 1);
        counts[place] += count;
    });
    let most = counts.iter().max().copied().unwrap_or(1).max(1);
    let total = all.count().max(1);
    let mut bars = String::from(
        "<table class=\"bars\" id=\"distribution\">\n<thead><tr><th scope=\"col\">up to</th><th scope=\"col\">share</th><th scope=\"col\"><span class=\"hidden\">bar</span></th></tr></thead>\n<tbody>\n",
    );
    for (bound, count) in bounds.iter().zip(&counts) {
        let share = *count as f64 / total as f64;
        let wide = *count as f64 / most as f64 * 100.0;
        let _ = writeln!(
            bars,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"bar\"><span style=\"width:{wide:.1}%\"></span></td></tr>",
            escape(&milliseconds(*bound)),
            escape(&percent(share)),
        );
    }
    bars += "</tbody>\n</table>\n";
    section(
        "Latency distribution",
        &format!(
            "<div class=\"two\">{bars}{}</div>\n",
            table(&["percentile", "latency"], &rows)
        ),
    )
}

/// Everything below the charts.
pub(super) fn all(run: &SavedRun) -> String {
    let mut text = ladder(run);
    text += &thresholds(run);
    text += &endpoints(run);
    text += &checks(run);
    text += &environment(run);
    let options = serde_json::to_string_pretty(&run.options).unwrap_or_default();
    text + &section(
        "Options",
        &format!(
            "<details><summary>The options that were in force</summary><pre>{}</pre></details>\n<p><code>{}</code></p>\n",
            escape(&options),
            escape(&run.run.command.join(" "))
        ),
    )
}

/// The loads of a search for the breaking point.
fn ladder(run: &SavedRun) -> String {
    let Some(found) = &run.breakpoint else {
        return String::new();
    };
    let (names, rows) = rows(found);
    let criteria = escape(&found.criteria.join(", "));
    section(
        "Ladder",
        &format!(
            "<p class=\"note\">What had to hold: <code>{criteria}</code></p>\n{}",
            table(&names, &rows)
        ),
    )
}

fn thresholds(run: &SavedRun) -> String {
    if run.thresholds.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = [false, true]
        .iter()
        .flat_map(|ok| run.thresholds.iter().filter(move |threshold| threshold.ok == *ok))
        .map(|threshold| {
            vec![
                format!("{}: {}", threshold.metric, threshold.threshold),
                threshold_value(run, threshold),
                if threshold.ok { "✓ held" } else { "✗ failed" }.to_owned(),
            ]
        })
        .collect();
    section("Thresholds", &table(&["threshold", "was", "verdict"], &rows))
}

fn endpoints(run: &SavedRun) -> String {
    let names = run.values_of("name");
    let or = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let mut rows: Vec<(f64, Vec<String>)> = names
        .iter()
        .map(|name| {
            let line = line_of(run, &|tags| tags.get("name").is_some_and(|found| found == name));
            let row = vec![
                (*name).to_owned(),
                number(line.requests, 0),
                or(line.errors()),
                or(line.p50()),
                or(line.p95()),
                or(line.p99()),
            ];
            (line.requests, row)
        })
        .filter(|(requests, _)| *requests > 0.0)
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let more = rows.len().saturating_sub(MOST);
    let rows: Vec<Vec<String>> = rows.into_iter().take(MOST).map(|(_, row)| row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut body = table(&["name", "requests", "errors", "p50", "p95", "p99"], &rows);
    if more > 0 {
        let _ = writeln!(body, "<p class=\"quiet\">and {more} more</p>");
    }
    section("Endpoints", &body)
}

fn checks(run: &SavedRun) -> String {
    let mut rows: Vec<Vec<String>> = run
        .checks
        .iter()
        .map(|check| {
            let name = if check.group.is_empty() {
                check.name.clone()
            } else {
                format!("{} {}", check.group.trim_start_matches("::"), check.name)
            };
            let all = check.passes + check.fails;
            let share = percent(check.passes as f64 / all.max(1) as f64);
            vec![name, check.passes.to_string(), check.fails.to_string(), share]
        })
        .collect();
    for assertion in run.verification.iter().flat_map(|found| &found.checks) {
        let (passes, fails) = (u8::from(assertion.held), u8::from(!assertion.held));
        let name = format!("verify: {}", assertion.name);
        let share = percent(f64::from(passes));
        rows.push(vec![name, passes.to_string(), fails.to_string(), share]);
    }
    if rows.is_empty() {
        return String::new();
    }
    section("Checks", &table(&["check", "passed", "failed", "share"], &rows))
}

fn environment(run: &SavedRun) -> String {
    let machine = |machine: &SavedMachine| {
        let mut parts = vec![
            machine.host.clone(),
            machine.os.clone(),
            machine.kernel.clone(),
            machine.architecture.clone(),
            format!("{} cores", machine.cores),
        ];
        parts.extend(machine.cpu_model.clone());
        parts.extend(machine.memory.map(|bytes| humanize_bytes(bytes as f64)));
        parts.retain(|part| !part.is_empty());
        parts.join(", ")
    };
    let own = &run.generator;
    let mut rows = vec![
        vec!["generator".to_owned(), machine(&run.environment)],
        vec![
            "generator used".to_owned(),
            format!(
                "{} workers, {:.1} s of CPU, {} of memory at the most",
                own.workers,
                own.cpu_seconds,
                humanize_bytes(own.peak_memory as f64)
            ),
        ],
    ];
    for (name, stats) in [
        ("scheduling lag", own.scheduling_lag),
        ("timer lag", own.timer_lag),
    ] {
        if let Some(stats) = stats {
            let text = format!(
                "p95 {}, p99 {}, max {}",
                milliseconds(stats.p95),
                milliseconds(stats.p99),
                milliseconds(stats.max)
            );
            rows.push(vec![name.to_owned(), text]);
        }
    }
    let dropped = number(own.dropped_iterations, 0);
    rows.push(vec!["dropped iterations".to_owned(), dropped]);
    let target = match (&run.target.machine, &run.target.tunnel) {
        (Some(found), _) => machine(found),
        (None, Some(tunnel)) => format!("through a tunnel to {tunnel}"),
        (None, None) if run.target.kind == "demo" => "the demo target, on the generator's machine".to_owned(),
        (None, None) => "not sampled".to_owned(),
    };
    rows.push(vec!["target".to_owned(), target]);
    for (name, value) in &run.variables {
        rows.push(vec![name.clone(), value.clone()]);
    }
    section("Environment", &table(&["what", "is"], &rows))
}
