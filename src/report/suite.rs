//! The verdict table of a suite: one line for each run, for people and for a pull request.

use super::format::percent;
use super::humanize_duration;
use super::saved::{SavedRun, count, rate, trend};

/// One run of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct SuiteRow {
    /// The scenario.
    pub name: String,
    /// What it measured; `None` if it never began, or has not been started.
    pub numbers: Option<Numbers>,
    /// Its exit code; `None` if it has not been started.
    pub code: Option<i32>,
}

/// What a run measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    requests: u64,
    /// Share of failed requests, 0–1; `None` without requests.
    errors: Option<f64>,
    /// In milliseconds.
    p95: Option<f64>,
    /// Thresholds that held, and all.
    thresholds: (usize, usize),
    /// Checks that held, and all.
    checks: (u64, u64),
    ending: String,
}

impl Numbers {
    /// Of a saved run.
    pub fn of(run: &SavedRun) -> Numbers {
        let (failed, judged) = rate(run.series("http_req_failed").total().as_ref());
        let p95 = trend(run.series("http_req_duration").total());
        let held = run.thresholds.iter().filter(|threshold| threshold.ok).count();
        let passes: u64 = run.checks.iter().map(|check| check.passes).sum();
        let fails: u64 = run.checks.iter().map(|check| check.fails).sum();
        Numbers {
            requests: count(run.series("http_reqs").total().as_ref()) as u64,
            errors: (judged > 0).then(|| failed as f64 / judged as f64),
            p95: p95.map(|trend| trend.percentile(95.0)),
            thresholds: (held, run.thresholds.len()),
            checks: (passes, passes + fails),
            ending: run.ending.name.clone(),
        }
    }
}

/// Whether all runs passed, and if not what the first and worst of them ended with.
///
/// A suite ends with one code. What kept a test from being one at all comes before what a test found: a wrong option, a
/// script that throws, a bug, a timeout, an abort, a signal; then what `verify()` and thresholds say.
pub fn worst(codes: impl IntoIterator<Item = i32>) -> i32 {
    const ORDER: [i32; 14] = [
        104, 109, 107, 100, 101, 102, 103, 106, 108, 110, 105, 111, 112, 113,
    ];
    let rank = |code: &i32| match code {
        0 => usize::MAX,
        99 => ORDER.len() + 1,
        code => ORDER.iter().position(|known| known == code).unwrap_or(0),
    };
    codes.into_iter().min_by_key(rank).unwrap_or(0)
}

const HEAD: [&str; 8] = [
    "scenario",
    "verdict",
    "requests",
    "errors",
    "p95",
    "thresholds",
    "checks",
    "exit code",
];

fn cells(row: &SuiteRow) -> [String; 8] {
    let none = || "-".to_owned();
    let of = |(held, all): (u64, u64)| if all == 0 { none() } else { format!("{held}/{all}") };
    let code = row.code.map_or_else(none, |code| code.to_string());
    let verdict = match (row.code, &row.numbers) {
        (None, _) => "not run".to_owned(),
        (Some(0), _) => "passed".to_owned(),
        (Some(_), Some(numbers)) => format!("failed: {}", numbers.ending),
        (Some(_), None) => "did not start".to_owned(),
    };
    match &row.numbers {
        Some(numbers) => [
            row.name.clone(),
            verdict,
            numbers.requests.to_string(),
            numbers.errors.map_or_else(none, percent),
            numbers.p95.map_or_else(none, |p95| humanize_duration(p95, None)),
            of((numbers.thresholds.0 as u64, numbers.thresholds.1 as u64)),
            of(numbers.checks),
            code,
        ],
        None => [
            row.name.clone(),
            verdict,
            none(),
            none(),
            none(),
            none(),
            none(),
            code,
        ],
    }
}

/// The table in columns.
pub fn table(rows: &[SuiteRow]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let wide = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(wide).collect();
    let mut text = String::new();
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text += padded.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// The table for a pull request or a step summary.
pub fn markdown(title: &str, rows: &[SuiteRow]) -> String {
    let line = |cells: &[String; 8]| format!("| {} |\n", cells.join(" | ").replace('\n', " "));
    let mut text = format!("## {title}\n\n{}", line(&HEAD.map(str::to_owned)));
    text += &format!("|{}\n", " --- |".repeat(HEAD.len()));
    for row in rows {
        text += &line(&cells(row));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<SuiteRow> {
        let numbers = Numbers {
            requests: 1200,
            errors: Some(0.0125),
            p95: Some(12.5),
            thresholds: (2, 3),
            checks: (1199, 1200),
            ending: "thresholds".into(),
        };
        let row = |name: &str, numbers, code| SuiteRow {
            name: name.into(),
            numbers,
            code,
        };
        vec![
            row("t/health", Some(numbers), Some(99)),
            row("t/missions", None, Some(104)),
            row("t/specs", None, None),
        ]
    }

    #[test]
    fn the_table_has_a_line_for_each_run() {
        let expected = "\
scenario    verdict             requests  errors  p95     thresholds  checks     exit code
t/health    failed: thresholds  1200      1.25%   12.5ms  2/3         1199/1200  99
t/missions  did not start       -         -       -       -           -          104
t/specs     not run             -         -       -       -           -          -
";
        assert_eq!(table(&rows()), expected);
        let markdown = markdown("Tachikoma", &rows());
        assert!(
            markdown.starts_with("## Tachikoma\n\n| scenario | verdict |"),
            "{markdown}"
        );
        assert!(
            markdown.contains("| t/health | failed: thresholds | 1200 | 1.25% |"),
            "{markdown}"
        );
        assert_eq!(markdown.lines().filter(|line| line.starts_with('|')).count(), 5);
    }

    #[test]
    fn the_worst_code_is_the_suites() {
        assert_eq!(worst([]), 0);
        assert_eq!(worst([0, 0]), 0);
        assert_eq!(worst([0, 99, 112]), 112);
        assert_eq!(worst([99, 105, 112, 0]), 105);
        assert_eq!(worst([99, 104, 107]), 104);
        assert_eq!(worst([99, 137]), 137, "a code that is not ours is worst");
    }
}
