//! The summary's TARGET section: what the machine under test was busy with, what it ran out of and when, what its
//! processes used, and what it cost to know that.

mod full;

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::{HostSample, Timeline};

use super::format::{Palette, humanize_bytes, humanize_duration, percent, width};
use super::lines::{Line, Widths};

pub use full::{Shortage, shortages};

/// What the section says of each machine; `None` when nothing was sampled. `elapsed` is the test's own time, which ends
/// where the time axis does: what was read before the test began is not shown.
pub(super) fn section(timeline: &Timeline, elapsed: Duration, palette: Palette) -> Option<String> {
    let end = timeline.windows.last().map(|last| last.start + last.length);
    let begun = end.unwrap_or_default().saturating_sub(elapsed);
    let mut machines: Vec<Machine> = Vec::new();
    for sample in &timeline.hosts {
        let place = machines.iter().position(|machine| machine.host == sample.host);
        let place = place.unwrap_or_else(|| {
            machines.push(Machine {
                host: sample.host.clone(),
                samples: Vec::new(),
            });
            machines.len() - 1
        });
        machines[place].samples.push(sample);
    }
    let text: Vec<String> = machines
        .iter_mut()
        .map(|machine| {
            // A test that is shorter than the time between two readings has none of its own.
            let during = machine
                .samples
                .partition_point(|sample| Duration::from_nanos(sample.at) <= begun);
            let before = during.min(machine.samples.len() - 1);
            machine.samples.drain(..before);
            machine.text(begun, palette)
        })
        .collect();
    (!text.is_empty()).then(|| text.join("\n"))
}

/// One machine and its readings during the test.
struct Machine<'a> {
    host: Arc<str>,
    samples: Vec<&'a HostSample>,
}

/// Mean and greatest of a number.
#[derive(Debug, Clone, Copy)]
struct Seen {
    mean: f64,
    max: f64,
}

fn seen<T>(of: impl IntoIterator<Item = T>, value: impl Fn(T) -> Option<f64>) -> Option<Seen> {
    let (mut sum, mut count, mut max) = (0.0, 0.0, f64::NEG_INFINITY);
    for number in of.into_iter().filter_map(value) {
        sum += number;
        count += 1.0;
        max = max.max(number);
    }
    (count > 0.0).then(|| Seen {
        mean: sum / count,
        max,
    })
}

impl Machine<'_> {
    fn seen(&self, value: impl Fn(&HostSample) -> Option<f64>) -> Option<Seen> {
        seen(self.samples.iter().copied(), value)
    }

    fn text(&self, begun: Duration, palette: Palette) -> String {
        let lines = self.lines();
        let widths = Widths::of(&lines);
        let mut text = String::new();
        for line in &lines {
            text += &format!("    {}\n", widths.render(line, palette));
        }
        let short = shortages(self.samples.iter().copied(), begun);
        if !short.is_empty() {
            text += "\n    what it ran out of, in this order:\n";
            for shortage in short {
                text += &format!("      {}\n", palette.bad(&shortage.to_string()));
            }
        }
        if let Some(table) = self.processes(palette) {
            text += &format!("\n{table}");
        }
        text
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = |name: &str, seen: Option<Seen>, unit: &dyn Fn(f64) -> String, more: Vec<String>| {
            let Some(Seen { mean, max }) = seen else { return };
            let mut extras = vec![format!("max={}", unit(max))];
            extras.extend(more);
            lines.push(Line::plain(name, format!("avg={}", unit(mean)), extras));
        };
        let share = |value: f64| percent(value);
        let limit = self.samples.last().map_or(0.0, |sample| sample.cpu_limit());
        let memory = self.samples.last().map_or(0, |sample| sample.memory_limit());
        let cpu = self.seen(|sample| Some(sample.cpu_utilization()));
        let of = |name: &str, value: Option<Seen>| value.map(|seen| format!("{name}={}", percent(seen.mean)));
        let modes = [
            of("user", self.seen(|sample| Some(sample.cpu_user))),
            of("system", self.seen(|sample| Some(sample.cpu_system))),
            of("iowait", self.seen(|sample| Some(sample.cpu_iowait))),
        ];
        let host = &self.host;
        line(
            &format!("{host} cpu (of {})", cores(limit)),
            cpu,
            &share,
            modes.into_iter().flatten().collect(),
        );
        line(
            &format!("{host} cpu, busiest core"),
            self.seen(HostSample::busiest_core),
            &share,
            vec![],
        );
        let felt = |seen: &Seen| seen.max >= 0.001;
        line(
            &format!("{host} cpu stolen"),
            self.seen(|s| Some(s.cpu_steal)).filter(felt),
            &share,
            vec![],
        );
        let throttled = self.seen(|sample| sample.group.as_ref()?.throttled);
        line(
            &format!("{host} cpu throttled"),
            throttled.filter(felt),
            &share,
            vec![],
        );
        let used = self.seen(|sample| Some(sample.memory_utilization()));
        line(
            &format!("{host} memory (of {})", humanize_bytes(memory as f64)),
            used,
            &share,
            vec![],
        );
        let swap = self.seen(|sample| Some(sample.swap?.ratio())).filter(felt);
        line(&format!("{host} swap"), swap, &share, vec![]);
        for (name, value) in [
            ("cpu", self.seen(|sample| Some(sample.pressure?.cpu))),
            ("memory", self.seen(|sample| Some(sample.pressure?.memory))),
            ("io", self.seen(|sample| Some(sample.pressure?.io))),
        ] {
            line(
                &format!("{host} {name} pressure"),
                value.filter(felt),
                &share,
                vec![],
            );
        }
        line(
            &format!("{host} disk busy"),
            self.seen(|s| Some(s.disk.as_ref()?.busy)).filter(felt),
            &share,
            vec![],
        );
        let rate = |value: f64| format!("{}/s", humanize_bytes(value));
        let moves = |seen: &Seen| seen.max >= 1e5;
        for (name, value) in [
            ("disk read", self.seen(|sample| Some(sample.disk.as_ref()?.read))),
            (
                "disk written",
                self.seen(|sample| Some(sample.disk.as_ref()?.written)),
            ),
            (
                "network received",
                self.seen(|sample| Some(sample.network?.received)),
            ),
            ("network sent", self.seen(|sample| Some(sample.network?.sent))),
        ] {
            line(&format!("{host} {name}"), value.filter(moves), &rate, vec![]);
        }
        line(
            &format!("{host} load"),
            self.seen(|s| Some(s.load?[0])),
            &|value| format!("{value:.2}"),
            vec![],
        );
        let queue = self.seen(HostSample::run_queue).filter(|seen| seen.max > 1.0);
        line(
            &format!("{host} tasks that run or wait, per core"),
            queue,
            &|value| format!("{value:.1}"),
            vec![],
        );
        let link = self.seen(|sample| sample.network?.utilization).filter(felt);
        line(&format!("{host} network, busiest link"), link, &share, vec![]);
        let milliseconds = |seconds: f64| humanize_duration(seconds * 1e3, None);
        let answer = self.seen(|sample| sample.round_trip);
        let more = answer.map(|seen| {
            let (mean, max) = (milliseconds(seen.mean), milliseconds(seen.max));
            format!("answer avg={mean} max={max}")
        });
        let cost = self.seen(|sample| sample.cost);
        line(
            "sampling, CPU per reading",
            cost,
            &milliseconds,
            more.into_iter().collect(),
        );
        lines
    }

    /// What each watched component used.
    fn processes(&self, palette: Palette) -> Option<String> {
        let mut names: Vec<&Arc<str>> = Vec::new();
        for process in self.samples.iter().flat_map(|sample| &sample.processes) {
            if !names.contains(&&process.name) {
                names.push(&process.name);
            }
        }
        if names.is_empty() {
            return None;
        }
        let heading = [
            "component",
            "cpu avg",
            "max",
            "memory avg",
            "max",
            "processes",
            "threads",
            "files",
            "restarts",
        ];
        let mut table = vec![heading.map(str::to_owned)];
        for name in names {
            let mine = || {
                let processes = self.samples.iter().flat_map(|sample| &sample.processes);
                processes.filter(|process| process.name == *name)
            };
            let last = mine().next_back();
            let cpu = seen(mine(), |process| Some(process.cpu_cores));
            let memory = seen(mine(), |process| Some(process.rss as f64));
            let most = |of: &dyn Fn(&crate::metrics::ProcessSample) -> Option<u32>| {
                let most = mine().filter_map(of).max();
                most.map_or("-".to_owned(), |most| most.to_string())
            };
            let show = |seen: Option<Seen>, unit: &dyn Fn(f64) -> String| {
                seen.map_or(["-".to_owned(), "-".to_owned()], |seen| {
                    [unit(seen.mean), unit(seen.max)]
                })
            };
            // As `top` does: 100 % is one core.
            let [cpu_mean, cpu_max] = show(cpu, &|cores| format!("{:.0}%", cores * 100.0));
            let [memory_mean, memory_max] = show(memory, &humanize_bytes);
            table.push([
                name.to_string(),
                cpu_mean,
                cpu_max,
                memory_mean,
                memory_max,
                most(&|process| Some(process.members)),
                most(&|process| Some(process.threads)),
                most(&|process| process.fds),
                last.map_or(0, |process| process.restarts).to_string(),
            ]);
        }
        Some(aligned(&table, palette))
    }
}

/// The first column to the left, the others to the right.
fn aligned<const N: usize>(table: &[[String; N]], palette: Palette) -> String {
    let wide: Vec<usize> = (0..N)
        .map(|column| table.iter().map(|row| width(&row[column])).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, row) in table.iter().enumerate() {
        let mut line = format!("{}{}", row[0], " ".repeat(wide[0] - width(&row[0])));
        for (cell, wide) in row.iter().zip(&wide).skip(1) {
            line += &format!("  {}{cell}", " ".repeat(wide - width(cell)));
        }
        text += &format!("    {}\n", if index == 0 { palette.faint(&line) } else { line });
    }
    text
}

/// `1 core`, `2 cores`, `1.5 cores`.
fn cores(count: f64) -> String {
    let digits = usize::from(count.fract() > 0.0);
    let plural = if (count - 1.0).abs() < f64::EPSILON {
        ""
    } else {
        "s"
    };
    format!("{count:.digits$} core{plural}")
}

#[cfg(test)]
#[path = "target/tests.rs"]
mod tests;
