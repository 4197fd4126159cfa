//! What the requests went through: a section of the summary, so that no result measured through a tunnel passes for one
//! that was not.

use std::time::Duration;

use crate::metrics::TunnelSample;

use super::format::{Palette, humanize_bytes, humanize_duration};
use super::lines::{Line, Widths};
use super::summary::title;

/// A tunnel at the end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TunnelReport {
    /// Its numbers.
    pub sample: TunnelSample,
    /// Since the test's begin: from when, for how long if it came back, and why.
    pub outages: Vec<(Duration, Option<Duration>, String)>,
}

/// So many outages are told one by one.
const TOLD: usize = 5;

/// The section. `marked` is the number of requests that overlapped an outage; `ignored` says that thresholds were judged
/// without them.
pub fn tunnel_section(tunnels: &[TunnelReport], marked: u64, ignored: bool, color: bool) -> String {
    let palette = Palette(color);
    let mut text = title("TUNNEL", "", palette);
    for report in tunnels {
        let sample = &report.sample;
        text += &format!(
            "    Measured through SSH to {}: the round trip is part of every latency above.\n",
            sample.host
        );
        let lines = lines(sample);
        let widths = Widths::of(&lines);
        for line in &lines {
            text += &format!("    {}\n", widths.render(line, palette));
        }
        for (from, length, reason) in report.outages.iter().take(TOLD) {
            let length = length.map_or("never came back".to_owned(), |length| {
                format!("back after {}", shown(length))
            });
            text += &format!("      lost at {}, {length}: {reason}\n", shown(*from));
        }
        if report.outages.len() > TOLD {
            text += &format!("      and {} more\n", report.outages.len() - TOLD);
        }
    }
    if marked > 0 {
        let verdict = if ignored {
            "thresholds leave them out (--ignore-outages)"
        } else {
            "thresholds count them; --ignore-outages leaves them out"
        };
        let line = format!("{marked} requests overlapped an outage: {verdict}");
        text += &format!("    {}\n", palette.bad(&line));
    }
    text
}

fn lines(sample: &TunnelSample) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(least) = sample.round_trip_min {
        let mean = sample.round_trip_sum / u32::try_from(sample.round_trips).unwrap_or(u32::MAX).max(1);
        let extras = vec![format!("min={}", shown(least))];
        lines.push(Line::plain("round_trip", format!("avg={}", shown(mean)), extras));
    }
    let lanes = format!("{} of {}", sample.lanes_up, sample.lanes);
    lines.push(Line::plain("lanes", lanes, Vec::new()));
    let mut extras = Vec::new();
    for (count, what) in [(sample.refused, "refused"), (sample.cut, "cut")] {
        if count > 0 {
            extras.push(format!("{what}={count}"));
        }
    }
    lines.push(Line::plain("connections", sample.opened.to_string(), extras));
    let up = format!("up={}", humanize_bytes(sample.bytes_up as f64));
    let down = format!("down={}", humanize_bytes(sample.bytes_down as f64));
    lines.push(Line::plain("bytes", up, vec![down]));
    let time = format!("in all {}", shown(sample.outage_time));
    let extras = if sample.outages > 0 {
        vec![time]
    } else {
        Vec::new()
    };
    lines.push(Line::plain("outages", sample.outages.to_string(), extras));
    lines
}

fn shown(length: Duration) -> String {
    humanize_duration(length.as_secs_f64() * 1e3, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_went_through_and_what_was_lost() {
        let sample = TunnelSample {
            host: "root@vps".into(),
            lanes: 4,
            lanes_up: 4,
            opened: 20,
            bytes_up: 1_000,
            bytes_down: 2_000_000,
            round_trip_min: Some(Duration::from_millis(20)),
            round_trip_sum: Duration::from_millis(63),
            round_trips: 3,
            ..TunnelSample::default()
        };
        let mut report = TunnelReport {
            sample,
            outages: Vec::new(),
        };
        let text = tunnel_section(std::slice::from_ref(&report), 0, false, false);
        let text: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            text,
            [
                "█ TUNNEL",
                "",
                "Measured through SSH to root@vps: the round trip is part of every latency above.",
                "round_trip....: avg=21ms  min=20ms",
                "lanes.........: 4 of 4",
                "connections...: 20",
                "bytes.........: up=1.0 kB down=2.0 MB",
                "outages.......: 0",
            ]
        );
        report.sample.outages = 1;
        report.sample.outage_time = Duration::from_millis(1500);
        report.outages = vec![(
            Duration::from_secs(3),
            Some(Duration::from_millis(1500)),
            "the server hung up".into(),
        )];
        let told = |ignored| tunnel_section(std::slice::from_ref(&report), 7, ignored, false);
        for part in [
            "in all 1.5s",
            "lost at 3s, back after 1.5s: the server hung up",
            "7 requests overlapped",
            "count them",
        ] {
            assert!(told(false).contains(part), "{part} in {}", told(false));
        }
        assert!(told(true).contains("leave them out (--ignore-outages)"));
    }
}
