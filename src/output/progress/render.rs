//! The lines of the progress display, in the layout of k6 (`internal/ui/pb`, `internal/cmd/ui.go`). Pure: data to text.

use std::fmt::Write as _;
use std::time::Duration;

use super::view::{Header, ProgressView, ScenarioLine, ScenarioState, Work};
use crate::pace::{FOREVER, format_duration};

/// Scenario names longer than this are cut, as in k6.
const LONGEST_NAME: usize = 30;

/// The block before the load starts, with a blank line before and after each paragraph.
pub fn header(header: &Header) -> String {
    let mut text = String::from("\n");
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:>14}: {value}");
    };
    line("execution", "local");
    line("script", &header.script);
    let outputs = header.outputs.join(", ");
    line("output", if outputs.is_empty() { "-" } else { &outputs });
    if let Some(metrics) = &header.metrics {
        line("metrics", metrics);
    }
    if let Some(target) = &header.target {
        line("target", target);
    }
    let _ = writeln!(
        text,
        "\n{:>14}: ({:.2}%) {} scenario{}, {} max VUs, {} max duration (incl. graceful stop):",
        "scenarios",
        header.fraction * 100.0,
        header.scenarios.len(),
        if header.scenarios.len() == 1 { "" } else { "s" },
        header.max_vus,
        if header.max_duration >= FOREVER {
            "no".to_owned()
        } else {
            format_duration(whole_tenths(header.max_duration))
        },
    );
    for (name, description) in &header.scenarios {
        let _ = writeln!(text, "{:>15} {name}: {description}", "*");
    }
    text.push('\n');
    text
}

/// `running (01.0s), 2/2 VUs, 8 complete and 0 interrupted iterations`
pub fn status(view: &ProgressView) -> String {
    format!(
        "{} ({}), {}/{} VUs, {} complete and {} interrupted iterations",
        if view.paused { "paused" } else { "running" },
        clock(view.elapsed, view.max_duration),
        padded(u64::from(view.vus), u64::from(view.vus_max)),
        view.vus_max,
        view.complete,
        view.interrupted,
    )
}

/// `  8158 req/s  p95 3.86 ms  errors 0.00%  dropped 3  target cpu 83% mem 41% (1.18 cores 17 MB)`
pub fn figures(view: &ProgressView) -> String {
    let mut text = format!("  {} req/s", rate(view.rps));
    match view.p95_ms {
        Some(ms) => drop(write!(text, "  p95 {}", milliseconds(ms))),
        None => text.push_str("  p95 -"),
    }
    match view.errors {
        Some(share) => drop(write!(text, "  errors {}", percent(share))),
        None => text.push_str("  errors -"),
    }
    if view.dropped > 0 {
        let _ = write!(text, "  dropped {}", view.dropped);
    }
    if let Some(tunnel) = view.tunnel {
        match tunnel.round_trip {
            Some(length) => drop(write!(
                text,
                "  tunnel {}",
                milliseconds(length.as_secs_f64() * 1e3)
            )),
            None => text.push_str("  tunnel -"),
        }
        if tunnel.lanes_up < tunnel.lanes {
            let _ = write!(text, " ({} of {} lanes)", tunnel.lanes_up, tunnel.lanes);
        }
    }
    if let Some(target) = view.target {
        let (cpu, memory) = (target.cpu * 100.0, target.memory * 100.0);
        let _ = write!(text, "  target cpu {cpu:.0}% mem {memory:.0}%");
        if let Some((cores, rss)) = target.watched {
            let _ = write!(text, " ({cores:.2} cores {})", bytes(rss));
        }
    }
    text
}

/// `default   [  50% ] 2 VUs  1.0s/2s`, the name padded to `width`.
pub fn scenario(line: &ScenarioLine, width: usize) -> String {
    format!(
        "{} [ {:3.0}% ] {}",
        left(line, width),
        // 99.6 % is not done.
        (line.fraction * 100.0).floor(),
        right(line)
    )
}

/// The name and the sign of its state: `default ✓`.
pub fn left(line: &ScenarioLine, width: usize) -> String {
    let name: String = if line.name.chars().count() > LONGEST_NAME {
        line.name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
    } else {
        line.name.clone()
    };
    format!("{name:width$} {}", sign(line.state))
}

/// How wide the names of these lines are.
pub fn name_width(lines: &[ScenarioLine]) -> usize {
    let widths = lines
        .iter()
        .map(|line| line.name.chars().count().min(LONGEST_NAME));
    widths.max().unwrap_or(0)
}

/// The columns after the bar: `2/5 VUs  1.0s/2s  10.00 iters/s`.
pub fn right(line: &ScenarioLine) -> String {
    if let ScenarioState::Waiting(left) = line.state {
        let left = whole_tenths(left);
        return format!("waiting  {}", clock(left, left));
    }
    let of = u64::from(line.vus_max);
    let mut text = match line.vus {
        Some(vus) => format!("{}/{of} VUs", padded(u64::from(vus), of)),
        None => format!("{of} VUs"),
    };
    if line.elapsed > line.duration {
        let _ = write!(text, "  {}", format_duration(line.duration));
    } else {
        let _ = write!(
            text,
            "  {}/{}",
            clock(line.elapsed, line.duration),
            format_duration(line.duration)
        );
    }
    let _ = match line.work {
        Work::Time => Ok(()),
        Work::Shared { done, of } => write!(text, "  {}/{of} shared iters", padded(done, of)),
        Work::PerVu { done, of, each } => write!(text, "  {}/{of} iters, {each} per VU", padded(done, of)),
        Work::Rate(rate) => write!(text, "  {rate:.2} iters/s"),
    };
    text
}

/// `Init      [  25% ] 5/20 VUs initialized`
pub fn init(done: u32, total: u32) -> String {
    let part = f64::from(done) * 100.0 / f64::from(total.max(1));
    format!("Init      [ {:3.0}% ] {}", part.floor(), init_right(done, total))
}

/// The columns of [`init`].
pub fn init_right(done: u32, total: u32) -> String {
    format!("{}/{total} VUs initialized", padded(done.into(), total.into()))
}

fn sign(state: ScenarioState) -> char {
    match state {
        ScenarioState::Running => ' ',
        ScenarioState::Waiting(_) => '•',
        ScenarioState::Stopping => '↓',
        ScenarioState::Interrupted => '✗',
        ScenarioState::Done => '✓',
    }
}

/// A number with zeros before it, as wide as the largest it can become: lines that are redrawn should not jitter.
fn padded(number: u64, largest: u64) -> String {
    let width = largest.checked_ilog10().unwrap_or(0) as usize + 1;
    format!("{number:0width$}")
}

/// A time to tenths of a second with all units that `most` has, as wide as `most`: `01.0s` of 32 s, `0m01.0s` of 2 m.
fn clock(time: Duration, most: Duration) -> String {
    let tenths = |time: Duration| (time.as_millis() + 50) / 100;
    // A time past what was expected shows all of itself.
    let (time, most) = (tenths(time), tenths(most).max(tenths(time)) / 10);
    let (whole, tenth) = (time / 10, time % 10);
    let digits = |largest: u128| largest.checked_ilog10().unwrap_or(0) as usize + 1;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    if most >= 3_600 {
        let width = digits(most / 3_600);
        format!("{hours:0width$}h{minutes:02}m{seconds:02}.{tenth}s")
    } else if most >= 60 {
        let width = digits(most / 60);
        format!("{minutes:0width$}m{seconds:02}.{tenth}s")
    } else {
        let width = digits(most);
        format!("{seconds:0width$}.{tenth}s")
    }
}

fn whole_tenths(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from((time.as_millis() + 50) / 100 * 100).unwrap_or(u64::MAX))
}

/// A number of things per second.
pub(super) fn rate(rate: f64) -> String {
    let decimals = usize::from(rate < 99.95);
    format!("{rate:.decimals$}")
}

/// A latency with two decimals in the unit that fits: `612 µs`, `2.93 ms`, `1.20 s`.
pub(super) fn milliseconds(ms: f64) -> String {
    if ms < 0.999_5 {
        format!("{:.0} µs", ms * 1e3)
    } else if ms < 999.995 {
        format!("{ms:.2} ms")
    } else {
        format!("{:.2} s", ms / 1e3)
    }
}

/// One failure in a million requests is not `0.00%`.
pub(super) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.000_05 {
        "<0.01%".to_owned()
    } else {
        format!("{:.2}%", share * 100.0)
    }
}

/// Decimal units, as the summary's.
fn bytes(count: u64) -> String {
    let count = count as f64;
    if count < 999_500.0 {
        format!("{:.0} kB", count / 1e3)
    } else if count < 999_500_000.0 {
        format!("{:.0} MB", count / 1e6)
    } else {
        format!("{:.2} GB", count / 1e9)
    }
}
