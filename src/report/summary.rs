//! The end-of-test summary as text, in the layout of the dialect, with what it leaves out in sections of our own after it.

use std::str::FromStr;
use std::time::Duration;

use crate::config::{TimeUnit, TrendStat};
use crate::metrics::tunnel::ROUND_TRIP;
use crate::metrics::{MetricId, Snapshot, TagSet, Timeline, builtin, is_target};

use super::checks::{Check, checks};
use super::extras;
use super::format::{Palette, alphabetical, number, percent};
use super::groups::{Group, Wanted};
use super::lines::{self, Line, Widths};
use super::metrics::{Entry, entries, part, ratio};

/// How much the summary shows (`--summary-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SummaryMode {
    /// The totals, without the phases of requests.
    #[default]
    Compact,
    /// All metrics, and each group and scenario by itself.
    Full,
    Disabled,
}

/// A `--summary-mode` that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown summary mode `{0}`: there are compact, full and disabled")]
pub struct UnknownSummaryMode(pub String);

impl FromStr for SummaryMode {
    type Err = UnknownSummaryMode;

    fn from_str(text: &str) -> Result<SummaryMode, UnknownSummaryMode> {
        match text {
            "compact" => Ok(SummaryMode::Compact),
            // The dialect's older name for it.
            "full" | "legacy" => Ok(SummaryMode::Full),
            "disabled" => Ok(SummaryMode::Disabled),
            _ => Err(UnknownSummaryMode(text.to_owned())),
        }
    }
}

/// How the summary looks.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryOptions {
    pub mode: SummaryMode,
    /// The columns of trends.
    pub trend_stats: Vec<TrendStat>,
    pub time_unit: Option<TimeUnit>,
    /// ANSI colours.
    pub color: bool,
}

impl Default for SummaryOptions {
    fn default() -> SummaryOptions {
        SummaryOptions {
            mode: SummaryMode::Compact,
            trend_stats: TrendStat::DEFAULT.to_vec(),
            time_unit: None,
            color: false,
        }
    }
}

/// The summary; empty when it is disabled. Ends with a newline.
pub fn summary(snapshot: &Snapshot, timeline: &Timeline, options: &SummaryOptions) -> String {
    if options.mode == SummaryMode::Disabled {
        return String::new();
    }
    let writer = Writer {
        snapshot,
        options,
        palette: Palette(options.color),
    };
    let all = entries(snapshot);
    let full = options.mode == SummaryMode::Full;
    let mut sections = Vec::new();
    sections.extend(writer.thresholds(&all));
    let shown: Vec<&Entry> = all.iter().filter(|entry| full || in_compact(entry)).collect();
    let heading = title("TOTAL RESULTS", "", writer.palette);
    sections.push(writer.section(heading, &checks(snapshot, |_| true), &shown, ""));
    if full {
        // Groups stand under their scenario, unless it has no name of its own.
        let nameless = |tags: &TagSet| tags.get("scenario").is_none_or(|name| name == DEFAULT);
        for group in sorted(&Group::root_of(snapshot, &nameless).groups) {
            sections.push(writer.group(group, &nameless, false));
        }
        let scenarios = snapshot.by_tag(builtin::ITERATIONS, "scenario").into_keys();
        let mut scenarios: Vec<String> = scenarios.filter(|name| name != DEFAULT).collect();
        scenarios.sort_by(|a, b| alphabetical(a, b));
        for scenario in scenarios {
            let wanted = |tags: &TagSet| tags.get("scenario") == Some(&*scenario);
            let entries = part(snapshot, wanted);
            let shown: Vec<&Entry> = entries.iter().collect();
            let heading = titled(MARK, &format!("SCENARIO: {scenario}"), "", writer.palette);
            let mut text = writer.section(heading, &checks(snapshot, wanted), &shown, "");
            writer.nested(&Group::root_of(snapshot, &wanted).groups, &wanted, &mut text);
            sections.push(text);
        }
    }
    sections.extend(extras::sections(snapshot, timeline, options));
    sections.join("\n\n")
}

/// Phases of requests, and what has a section of its own, are for the full summary, unless a threshold judges them.
fn in_compact(entry: &Entry) -> bool {
    let phases = &builtin::HTTP_TRENDS[1..];
    let elsewhere = phases.contains(&entry.id) || is_target(&entry.definition.name);
    !elsewhere || !entry.thresholds.is_empty()
}

/// The title of a section, as the dialect writes it: with a space at the end.
pub(super) fn title(text: &str, indent: &str, palette: Palette) -> String {
    titled(MARK, text, indent, palette)
}

/// What a section's title begins with, and that of a group in it.
const MARK: &str = "█";
const NESTED: &str = "↳";
/// The scenario of options that name none.
const DEFAULT: &str = "default";

fn titled(mark: &str, text: &str, indent: &str, palette: Palette) -> String {
    format!("{indent}  {mark} {} \n\n", palette.bold(text))
}

fn sorted(groups: &[Group]) -> Vec<&Group> {
    let mut groups: Vec<&Group> = groups.iter().collect();
    groups.sort_by(|a, b| alphabetical(&a.name, &b.name));
    groups
}

struct Writer<'a> {
    snapshot: &'a Snapshot,
    options: &'a SummaryOptions,
    palette: Palette,
}

impl Writer<'_> {
    fn thresholds(&self, entries: &[Entry]) -> Option<String> {
        let judged: Vec<&Entry> = entries
            .iter()
            .filter(|entry| !entry.thresholds.is_empty())
            .collect();
        if judged.is_empty() {
            return None;
        }
        let mut text = title("THRESHOLDS", "", self.palette);
        let whole = |id: MetricId| {
            judged
                .iter()
                .any(|entry| entry.id == id && entry.filter.is_none())
        };
        for (index, entry) in judged.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            let name = entry.name();
            // A part stands under its metric, if that is judged, too.
            let (indent, heading) = if entry.filter.is_some() && whole(entry.id) {
                ("      ", &name[entry.definition.name.len()..])
            } else {
                ("    ", name.as_str())
            };
            text += &format!("{indent}{heading}\n");
            for state in &entry.thresholds {
                let expression = &state.spec.expression;
                let (kind, contains) = (entry.definition.kind, entry.definition.contains);
                let value = state.value.map_or_else(
                    || "no samples".to_owned(),
                    |value| {
                        lines::judged(
                            expression.aggregation,
                            value,
                            kind,
                            contains,
                            self.options.time_unit,
                        )
                    },
                );
                let mark = self.palette.mark(state.ok);
                text += &format!(
                    "{indent}{mark} '{}' {}\n",
                    expression.source,
                    self.palette.value(&value)
                );
            }
        }
        Some(text)
    }

    /// A group with those in it, whose own samples it does not have.
    fn group(&self, group: &Group, wanted: Wanted<'_>, nested: bool) -> String {
        let own = |tags: &TagSet| tags.get("group") == Some(&*group.path) && wanted(tags);
        let entries = part(self.snapshot, own);
        let shown: Vec<&Entry> = entries.iter().collect();
        let (mark, indent) = if nested { (NESTED, "  ") } else { (MARK, "") };
        let heading = titled(mark, &format!("GROUP: {}", group.name), indent, self.palette);
        let mut text = self.section(heading, &group.checks, &shown, indent);
        self.nested(&group.groups, wanted, &mut text);
        text
    }

    /// Groups in a section, however deep, stand at the same distance.
    fn nested(&self, groups: &[Group], wanted: Wanted<'_>, text: &mut String) {
        for group in sorted(groups) {
            if !text.ends_with("\n\n") {
                text.push('\n');
            }
            *text += &self.group(group, wanted, true);
        }
    }

    fn section(&self, heading: String, checks: &[Check], entries: &[&Entry], indent: &str) -> String {
        let mut text = heading;
        let mut blocks: Vec<String> = Vec::new();
        if !checks.is_empty() {
            blocks.push(self.check_totals(checks, indent));
            blocks.push(self.check_list(checks, indent));
        }
        let elapsed: Duration = self.snapshot.elapsed;
        let SummaryOptions {
            trend_stats,
            time_unit,
            ..
        } = self.options;
        let lines: Vec<(Category, Line)> = entries
            .iter()
            .filter_map(|entry| {
                let line = Line::of(entry, trend_stats, *time_unit, elapsed);
                Some((category(entry)?, line))
            })
            .collect();
        let widths = Widths::of(lines.iter().map(|(_, line)| line));
        for wanted in Category::ALL {
            let mut block = String::new();
            for (_, line) in lines.iter().filter(|(category, _)| *category == wanted) {
                if block.is_empty() {
                    block += &format!("{indent}    {}\n", self.palette.bold(wanted.title()));
                }
                block += &format!("{indent}    {}\n", widths.render(line, self.palette));
            }
            if !block.is_empty() {
                blocks.push(block);
            }
        }
        text += &blocks.join("\n");
        text
    }

    fn check_totals(&self, checks: &[Check], indent: &str) -> String {
        let (passes, fails) = checks.iter().fold((0, 0), |(passes, fails), check| {
            (passes + check.passes, fails + check.fails)
        });
        let total = passes + fails;
        let seconds = self.snapshot.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 {
            total as f64 / seconds
        } else {
            0.0
        };
        let share = |part: u64| {
            (
                percent(ratio(part, total)),
                vec![format!("{part} out of {total}")],
            )
        };
        let (succeeded, failed) = (share(passes), share(fails));
        let lines = [
            Line::plain(
                "checks_total",
                total.to_string(),
                vec![format!("{}/s", number(rate, 6))],
            ),
            Line::plain("checks_succeeded", succeeded.0, succeeded.1),
            Line::plain("checks_failed", failed.0, failed.1),
        ];
        let widths = Widths::of(&lines);
        lines
            .iter()
            .map(|line| format!("{indent}    {}\n", widths.render(line, self.palette)))
            .collect()
    }

    fn check_list(&self, checks: &[Check], indent: &str) -> String {
        let mut text = String::new();
        for check in checks {
            let ok = check.fails == 0;
            if ok {
                let line = self.palette.good(&format!("✓ {}", check.name));
                text += &format!("{indent}    {line}\n");
                continue;
            }
            let share = (ratio(check.passes, check.passes + check.fails) * 100.0).floor();
            let line = self.palette.bad(&format!("✗ {}", check.name));
            let counts = format!("↳  {share}% — ✓ {} / ✗ {}", check.passes, check.fails);
            text += &format!(
                "{indent}    {line}\n{indent}      {}\n",
                self.palette.bad(&counts)
            );
        }
        text
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Category {
    Custom,
    Http,
    Execution,
    Network,
    WebSocket,
    Grpc,
}

impl Category {
    const ALL: [Category; 6] = [
        Category::Custom,
        Category::Http,
        Category::Execution,
        Category::Network,
        Category::WebSocket,
        Category::Grpc,
    ];

    fn title(self) -> &'static str {
        match self {
            Category::Custom => "CUSTOM",
            Category::Http => "HTTP",
            Category::Execution => "EXECUTION",
            Category::Network => "NETWORK",
            Category::WebSocket => "WEBSOCKET",
            Category::Grpc => "GRPC",
        }
    }
}

/// Where a metric stands; `None` for what is shown elsewhere (checks, the generator) or nowhere (groups' durations).
fn category(entry: &Entry) -> Option<Category> {
    match entry.id {
        builtin::CHECKS
        | builtin::GROUP_DURATION
        | builtin::SCHEDULING_LAG
        | builtin::TIMER_LAG
        | builtin::HTTP_REQS_IN_FLIGHT => None,
        builtin::HTTP_REQS | builtin::HTTP_REQ_FAILED => Some(Category::Http),
        id if builtin::HTTP_TRENDS.contains(&id) => Some(Category::Http),
        builtin::DATA_SENT | builtin::DATA_RECEIVED => Some(Category::Network),
        builtin::WS_SESSIONS
        | builtin::WS_MSGS_SENT
        | builtin::WS_MSGS_RECEIVED
        | builtin::WS_CONNECTING
        | builtin::WS_SESSION_DURATION
        | builtin::WS_PING => Some(Category::WebSocket),
        builtin::GRPC_REQ_DURATION
        | builtin::GRPC_STREAMS
        | builtin::GRPC_STREAMS_MSGS_SENT
        | builtin::GRPC_STREAMS_MSGS_RECEIVED => Some(Category::Grpc),
        id if builtin::contains(id) => Some(Category::Execution),
        // Next to the latencies that it is a part of.
        _ if *entry.definition.name == *ROUND_TRIP => Some(Category::Http),
        _ => Some(Category::Custom),
    }
}
