//! A run as a few lines of Markdown, for the page that a CI system shows.

use super::baseline::{Line, line_of, parts, percent};
use super::breakpoint::rows;
use super::compare::code;
use super::format::number;
use super::saved::{SavedRun, rate};
use super::values::threshold_value;

/// So many names or failed checks are listed.
const MOST: usize = 20;

/// The summary.
pub(super) fn markdown(run: &SavedRun) -> String {
    let whole = line_of(run, &|_| true);
    let mut text = format!(
        "### {} `{}`: {}\n\n",
        mark(run.ending.exit_code == 0),
        code(&run.run.name),
        verdict(run)
    );
    text += &figures(run, &whole);
    text += &findings(run);
    text += &ladder(run);
    if !run.thresholds.is_empty() {
        text += "\n| | Threshold | Was |\n|---|---|---:|\n";
        // What failed first.
        for ok in [false, true] {
            for threshold in run.thresholds.iter().filter(|threshold| threshold.ok == ok) {
                let (metric, condition) = (code(&threshold.metric), code(&threshold.threshold));
                text += &format!(
                    "| {} | `{metric}: {condition}` | {} |\n",
                    mark(ok),
                    threshold_value(run, threshold)
                );
            }
        }
    }
    let failed: Vec<_> = run.checks.iter().filter(|check| check.fails > 0).collect();
    if !failed.is_empty() {
        text += "\n| Check | Failed | Of |\n|---|---:|---:|\n";
        for check in failed.iter().take(MOST) {
            text += &format!(
                "| `{}` | {} | {} |\n",
                code(&check.name),
                check.fails,
                check.passes + check.fails
            );
        }
    }
    for assertion in run
        .verification
        .iter()
        .flat_map(|verification| &verification.checks)
    {
        text += &format!("\n{} verify: {}\n", mark(assertion.held), code(&assertion.name));
    }
    if whole.requests > 0.0 {
        text += "\n";
        text += &parts(run, "name", "Name", MOST);
    }
    text
}

/// Whether it can be believed, and what it means.
fn findings(run: &SavedRun) -> String {
    let mut text = String::new();
    if let Some(validity) = &run.validity {
        text += &format!("\n- **{}**: {}\n", validity.word(), plain(&validity.why()));
    }
    for found in &run.findings {
        text += &format!("- {}\n", plain(&found.text));
    }
    text
}

/// The loads of a search for the breaking point.
fn ladder(run: &SavedRun) -> String {
    let Some(found) = &run.breakpoint else {
        return String::new();
    };
    let (names, rows) = rows(found);
    let mut text = format!(
        "\n| {} |\n|{}---|\n",
        names.join(" | "),
        "---:|".repeat(names.len() - 1)
    );
    for row in rows {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

/// Text in which nothing is markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            '\n' | '\r' => plain.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain
}

fn mark(ok: bool) -> &'static str {
    if ok { "✅" } else { "❌" }
}

fn verdict(run: &SavedRun) -> String {
    let failed = run.thresholds.iter().filter(|threshold| !threshold.ok).count();
    let thresholds = run.thresholds.len();
    match (run.ending.name.as_str(), &run.ending.message) {
        ("passed", _) => "passed".to_owned(),
        ("thresholds", _) => format!("{failed} of {thresholds} thresholds failed"),
        (name, None) => format!("{name} (exit code {})", run.ending.exit_code),
        (name, Some(message)) => format!("{name} (exit code {}): `{}`", run.ending.exit_code, code(message)),
    }
}

/// One row about the whole.
fn figures(run: &SavedRun, whole: &Line) -> String {
    let (passes, total) = rate(run.series("checks").total().as_ref());
    let per_second = whole.requests / run.run.duration.max(f64::MIN_POSITIVE);
    let or = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let checks = if total == 0 {
        "-".to_owned()
    } else {
        percent(passes as f64 / total as f64)
    };
    format!(
        "| Requests | per second | Errors | p95 | p99 | Checks passed | Seconds |\n|---:|---:|---:|---:|---:|---:|---:|\n| {} | {} | {} | {} | {} | {checks} | {} |\n",
        number(whole.requests, 0),
        number(per_second, 1),
        or(whole.errors()),
        or(whole.p95()),
        or(whole.p99()),
        number(run.run.duration, 1)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::saved::fixture::{saved_run, spread};
    use crate::report::saved::{SavedCheck, SavedThreshold};
    use serde_json::json;

    #[test]
    fn the_verdict_comes_first_and_failures_before_the_rest() {
        let parts = [
            (json!({"name": "GET /a"}), spread(200, 10.0), 2),
            (json!({"name": "b|c"}), spread(300, 10.0), 0),
        ];
        let mut run = saved_run("a.js", 10.0, &parts);
        run.ending.name = "thresholds".to_owned();
        run.ending.exit_code = 99;
        let threshold = |metric: &str, ok, value| SavedThreshold {
            metric: metric.to_owned(),
            threshold: "rate<0.01".to_owned(),
            value: Some(value),
            ok,
            empty: false,
        };
        run.thresholds = vec![
            threshold("http_req_failed", true, 0.004),
            threshold("http_req_failed{name:x}", false, 0.02),
        ];
        run.checks = vec![SavedCheck {
            name: "has|bar".to_owned(),
            group: String::new(),
            passes: 1,
            fails: 4,
        }];
        let expected = "\
### ❌ `a.js`: 1 of 2 thresholds failed

| Requests | per second | Errors | p95 | p99 | Checks passed | Seconds |
|---:|---:|---:|---:|---:|---:|---:|
| 500 | 50 | 0.40% | 19.46ms | 19.87ms | - | 10 |

| | Threshold | Was |
|---|---|---:|
| ❌ | `http_req_failed{name:x}: rate<0.01` | 2.00 % |
| ✅ | `http_req_failed: rate<0.01` | 0.40 % |

| Check | Failed | Of |
|---|---:|---:|
| `has\\|bar` | 4 | 5 |

| Name | Requests | p50 | p95 | p99 | Error rate |
|---|---:|---:|---:|---:|---:|
| `b\\|c` | 300 | 14.98ms | 19.46ms | 19.86ms | 0.00% |
| `GET /a` | 200 | 14.97ms | 19.45ms | 19.85ms | 1.00% |
| all | 500 | 14.98ms | 19.46ms | 19.87ms | 0.40% |
";
        assert_eq!(markdown(&run), expected);
    }

    #[test]
    fn a_run_that_broke_off_says_why() {
        let mut run = saved_run("a.js", 1.0, &[]);
        run.ending.name = "exception".to_owned();
        run.ending.exit_code = 107;
        run.ending.message = Some("no `way`\nout".to_owned());
        let text = markdown(&run);
        assert!(
            text.starts_with("### ❌ `a.js`: exception (exit code 107): `no 'way' out`\n"),
            "{text}"
        );
        assert!(!text.contains("| Name |"), "{text}");
    }
}
