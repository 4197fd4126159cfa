//! `BASELINE.md`: what saved runs of the bundled scenarios add up to, in the tables of a load test baseline.
//!
//! The first part has the same headings, tables and cells for every system and every date, so that two baselines can be
//! laid next to each other. Below it stands what was measured on what, and the commands to do it again.

mod measured;
mod numbers;
mod recovery;

use super::compare::code;
use super::format::{humanize_duration, number};
use super::saved::{SavedMachine, SavedRun, count, rate, trend};

pub use numbers::{breaking_point, max_rate};
pub use recovery::{Recovery, recovery};

use numbers::peak_vus;
pub(super) use numbers::{Line, line_of, percent};

/// Slower than this at 95 % is a matter for a follow-up, in milliseconds.
const SLOW: f64 = 500.0;

/// What the runs do not tell.
#[derive(Debug, Clone, Default)]
pub struct BaselineOptions {
    /// Instead of what is known of the target's machine.
    pub host: Option<String>,
    /// What the system under test runs on.
    pub runtime: Option<String>,
    /// Instead of the day of the last run.
    pub date: Option<String>,
}

/// Runs that do not make a baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    #[error("two of the runs are of {name} ({one} and {other}); give one of them")]
    Twice {
        name: String,
        one: String,
        other: String,
    },
}

/// The runs that have a table of their own, and all others.
struct Runs<'a> {
    health: Option<&'a SavedRun>,
    store: Option<&'a SavedRun>,
    spike: Option<&'a SavedRun>,
    others: Vec<&'a SavedRun>,
}

/// The document.
///
/// # Errors
/// Two runs of one scenario.
pub fn baseline(runs: &[SavedRun], options: &BaselineOptions) -> Result<String, BaselineError> {
    let sorted = Runs::sort(runs)?;
    let mut text = head(runs, options);
    text += &health(sorted.health);
    text += &store(sorted.store);
    text += &spike(sorted.spike);
    for run in &sorted.others {
        text += &other(run);
    }
    text += &measured::section(&sorted);
    Ok(text)
}

impl<'a> Runs<'a> {
    fn sort(runs: &'a [SavedRun]) -> Result<Runs<'a>, BaselineError> {
        let mut sorted = Runs {
            health: None,
            store: None,
            spike: None,
            others: Vec::new(),
        };
        for run in runs {
            let (place, name) = match bundled(&run.run.name) {
                Some("health") => (&mut sorted.health, "health"),
                Some("store-crud") => (&mut sorted.store, "store-crud"),
                Some("spike") => (&mut sorted.spike, "spike"),
                _ => {
                    sorted.others.push(run);
                    continue;
                }
            };
            if let Some(one) = place.replace(run) {
                return Err(BaselineError::Twice {
                    name: name.to_owned(),
                    one: one.run.id.clone(),
                    other: run.run.id.clone(),
                });
            }
        }
        Ok(sorted)
    }
}

/// The scenario behind `health`, `scenarios/health.js` or `tests/load/health.k6.js`; those of other systems have a folder.
fn bundled(name: &str) -> Option<&str> {
    let (folder, file) = name
        .rsplit_once('/')
        .map_or((None, name), |(folder, file)| (Some(folder), file));
    let stem = file
        .strip_suffix(".js")
        .map(|stem| stem.strip_suffix(".k6").unwrap_or(stem));
    match (
        folder.map(|folder| folder.rsplit('/').next().unwrap_or(folder)),
        stem,
    ) {
        (None, None) => Some(file),
        (Some("tachikoma" | "sequencer" | "flux-gate" | "happy"), _) => None,
        (_, stem) => stem,
    }
}

fn head(runs: &[SavedRun], options: &BaselineOptions) -> String {
    let last = runs.iter().map(|run| run.run.started.as_str()).max();
    let date = options
        .date
        .clone()
        .or_else(|| last.map(|at| at.chars().take(10).collect()));
    let demo = runs.iter().all(|run| run.target.kind == "demo");
    let version = runs
        .first()
        .map_or(env!("CARGO_PKG_VERSION"), |run| &run.run.loadgen);
    let host = options.host.clone().or_else(|| runs.iter().find_map(host));
    let runtime = match &options.runtime {
        Some(runtime) => runtime.clone(),
        None if demo && !runs.is_empty() => format!("loadgen demo v{version}"),
        None => "not known (--runtime names it)".to_owned(),
    };
    format!(
        "# Load Test Baseline — {}\n\nVPS: {}\nRuntime: {runtime}\nTest tool: loadgen v{version}\n",
        date.unwrap_or_else(|| "no date".to_owned()),
        host.unwrap_or_else(|| "not known (--host-line names it)".to_owned()),
    )
}

/// `name (2 vCPU, 4GB RAM, Debian GNU/Linux 12 (bookworm))`, as far as it is known.
fn host(run: &SavedRun) -> Option<String> {
    let of = |machine: &SavedMachine| {
        let mut facts = vec![format!("{} vCPU", machine.cores)];
        facts.extend(machine.memory.map(|memory| format!("{} RAM", gigabytes(memory))));
        facts.push(machine.os.clone());
        format!("{} ({})", machine.host, facts.join(", "))
    };
    match (&run.target.machine, run.target.kind.as_str(), run.hosts.first()) {
        (Some(machine), ..) => Some(of(machine)),
        (None, "demo", _) => Some(of(&run.environment)),
        (None, _, Some(sampled)) => Some(format!(
            "{} ({} vCPU, {} RAM)",
            sampled.host,
            sampled.cores,
            gigabytes(sampled.memory)
        )),
        _ => None,
    }
}

/// What a kernel leaves of a gigabyte is still called one.
fn gigabytes(bytes: u64) -> String {
    let gigabytes = bytes as f64 / f64::from(1 << 30);
    if gigabytes >= 0.75 {
        format!("{:.0}GB", gigabytes.max(1.0))
    } else {
        format!("{:.0}MB", bytes as f64 / f64::from(1 << 20))
    }
}

/// A table of two columns; without a run its cells are empty.
fn pairs(rows: &[(&str, Option<String>)]) -> String {
    let mut text = "| Metric | Value |\n|--------|-------|\n".to_owned();
    for (name, value) in rows {
        text += &format!("| {name} |{} |\n", cell(value.as_deref()));
    }
    text
}

fn cell(value: Option<&str>) -> String {
    value.map(|value| format!(" {value}")).unwrap_or_default()
}

fn health(run: Option<&SavedRun>) -> String {
    let line = run.map(|run| line_of(run, &|_| true));
    let with = |of: &dyn Fn(&Line) -> Option<String>| line.as_ref().and_then(of);
    format!(
        "\n## Health (GET /)\n\n{}",
        pairs(&[
            ("Max RPS", run.and_then(max_rate).map(per_second)),
            ("p50", with(&|line| line.p50())),
            ("p95", with(&|line| line.p95())),
            ("p99", with(&|line| line.p99())),
            ("Error rate", with(&|line| line.errors())),
        ])
    )
}

/// The steps of the store's scenario, which are the names of its requests.
const STEPS: [&str; 4] = ["set", "get", "list", "delete"];

fn store(run: Option<&SavedRun>) -> String {
    let lines = run
        .map(|run| STEPS.map(|step| line_of(run, &|tags| tags.get("name").is_some_and(|name| name == step))));
    let mut text = "\n## Store CRUD (50 VUs)\n\n| Metric | set | get | list | delete |\n|--------|-----|-----|------|--------|\n".to_owned();
    let row = |name: &str, of: &dyn Fn(&Line) -> Option<String>| {
        let cells: String = (0..STEPS.len())
            .map(|step| {
                let value = lines.as_ref().and_then(|lines| of(&lines[step]));
                format!("{} |", cell(value.as_deref()))
            })
            .collect();
        format!("| {name} |{cells}\n")
    };
    text += &row("p50", &Line::p50);
    text += &row("p95", &Line::p95);
    text += &row("p99", &Line::p99);
    text += &row("Error rate", &Line::errors);
    text
}

fn spike(run: Option<&SavedRun>) -> String {
    // A spike scenario run with a load of one's own has no phases, and nothing to say here.
    let run = run.filter(|run| run.values_of("phase").contains("spike"));
    let line = run.map(|run| {
        line_of(run, &|tags| {
            tags.get("phase").is_some_and(|phase| phase == "spike")
        })
    });
    let with = |of: &dyn Fn(&Line) -> Option<String>| line.as_ref().and_then(of);
    format!(
        "\n## Spike (200 VUs, 30s)\n\n{}",
        pairs(&[
            (
                "Max RPS",
                run.and_then(|run| numbers::max_rate_of(run, "phase", "spike"))
                    .map(per_second)
            ),
            ("p99 during spike", with(&|line| line.p99())),
            (
                "Recovery time",
                run.and_then(recovery).map(|recovery| recovery.to_string())
            ),
            ("Error rate", with(&|line| line.errors())),
        ])
    )
}

/// Any other run: each name, and the whole.
fn other(run: &SavedRun) -> String {
    let mut text = format!("\n## {} ({} VUs)\n\n", title(&run.run.name), peak_vus(run));
    text += &parts(run, "name", "Name", usize::MAX);
    let connecting = trend(run.series("ws_connecting").total());
    let sessions = count(run.series("ws_sessions").total().as_ref());
    if let Some(connecting) = connecting {
        let messages = |metric: &str| number(count(run.series(metric).total().as_ref()), 0);
        text += &format!(
            "\nWebSocket: {} sessions, connecting p95 {}, {} messages sent, {} received.\n",
            number(sessions, 0),
            humanize_duration(connecting.percentile(95.0), None),
            messages("ws_msgs_sent"),
            messages("ws_msgs_received"),
        );
    }
    let (passes, total) = rate(run.series("checks").total().as_ref());
    if total > 0 {
        text += &format!("\nChecks: {passes} of {total} passed.\n");
    }
    text
}

/// A heading of one line.
fn title(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A table of the values of a tag, those with most requests first and not more than `most`, and of the whole.
pub(super) fn parts(run: &SavedRun, tag: &str, heading: &str, most: usize) -> String {
    let mut lines: Vec<(String, Line)> = run
        .values_of(tag)
        .into_iter()
        .map(|value| {
            let line = line_of(run, &|tags| tags.get(tag).is_some_and(|found| found == value));
            (format!("`{}`", code(value)), line)
        })
        .filter(|(_, line)| line.requests > 0.0)
        .collect();
    lines.sort_by(|a, b| b.1.requests.total_cmp(&a.1.requests).then_with(|| a.0.cmp(&b.0)));
    lines.truncate(most);
    lines.push(("all".to_owned(), line_of(run, &|_| true)));
    let mut text =
        format!("| {heading} | Requests | p50 | p95 | p99 | Error rate |\n|---|---:|---:|---:|---:|---:|\n");
    for (name, line) in lines {
        let value = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        text += &format!(
            "| {name} | {} | {} | {} | {} | {} |\n",
            number(line.requests, 0),
            value(line.p50()),
            value(line.p95()),
            value(line.p99()),
            value(line.errors())
        );
    }
    text
}

fn per_second(rate: f64) -> String {
    number(rate, usize::from(rate < 10.0))
}

#[cfg(test)]
mod tests;
