//! Numbers as the dialect's summary shows them: three or four digits and the unit that fits.
//!
//! The rules are those of k6's `summary.js`, so that a summary can be compared with one of an earlier tool line by
//! line: fractions of durations are cut off and not rounded, sizes are decimal.

use std::cmp::Ordering;

use crate::config::TimeUnit;
use crate::metrics::{Contains, Kind};

/// Names in the order of a dictionary, as the dialect sorts them: signs, digits, letters whatever their case.
pub(super) fn alphabetical(a: &str, b: &str) -> Ordering {
    const SIGNS: &str = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789";
    let rank = |c: char| SIGNS.find(c).unwrap_or(SIGNS.len() + c as usize);
    let key = |text: &str| text.to_lowercase().chars().map(rank).collect::<Vec<_>>();
    // Where only the case differs, small letters come first.
    key(a).cmp(&key(b)).then_with(|| b.cmp(a))
}

/// A duration in milliseconds: `309.65µs`, `1.2ms`, `2.93s`, `1m30s`; or in the given unit with two decimals.
pub fn humanize_duration(ms: f64, unit: Option<TimeUnit>) -> String {
    match unit {
        Some(TimeUnit::Seconds) => format!("{}s", fixed(ms / 1e3, 2)),
        Some(TimeUnit::Milliseconds) => format!("{}ms", fixed(ms, 2)),
        Some(TimeUnit::Microseconds) => format!("{}µs", fixed(ms * 1e3, 2)),
        None => fitting_duration(ms),
    }
}

/// With so many decimals. What lies in the middle between two goes up, as in JavaScript; Rust takes the even one.
fn fixed(value: f64, decimals: u8) -> String {
    let digits = usize::from(decimals);
    let exact = format!("{value:.40}");
    let rest = exact
        .split_once('.')
        .and_then(|(_, decimals)| decimals.get(digits..));
    let between = rest
        .and_then(|rest| rest.strip_prefix('5'))
        .is_some_and(|rest| rest.bytes().all(|digit| digit == b'0'));
    let nudge = if between {
        value.signum() * 0.1_f64.powi(i32::from(decimals) + 1)
    } else {
        0.0
    };
    format!("{:.digits$}", value + nudge)
}

fn fitting_duration(ms: f64) -> String {
    if ms < 0.0 {
        return format!("-{}", fitting_duration(-ms));
    }
    if ms == 0.0 {
        return "0s".to_owned();
    }
    if ms < 1e-3 {
        return format!("{}ns", (ms * 1e6).trunc());
    }
    if ms < 1.0 {
        return format!("{}µs", cut(ms * 1e3, 2));
    }
    if ms < 1e3 {
        return format!("{}ms", cut(ms, 2));
    }
    let minutes = (ms / 60_000.0).trunc();
    let seconds = cut((ms % 60_000.0) / 1e3, if ms > 60_000.0 { 0 } else { 2 });
    if minutes < 1.0 {
        return format!("{seconds}s");
    }
    let hours = (minutes / 60.0).trunc();
    let minutes = minutes % 60.0;
    if hours < 1.0 {
        format!("{minutes}m{seconds}s")
    } else {
        format!("{hours}h{minutes}m{seconds}s")
    }
}

/// A size in bytes with a decimal prefix: `694 B`, `1.4 kB`, `38 MB`.
pub fn humanize_bytes(bytes: f64) -> String {
    const UNITS: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    if bytes < 10.0 {
        return format!("{} B", number(bytes, 6));
    }
    let mut power = bytes.log(1e3).floor().clamp(0.0, 8.0) as i32;
    let mut value = (bytes / 1e3_f64.powi(power) * 10.0 + 0.5).floor() / 10.0;
    // Rounding, and a logarithm just below a whole number, can reach the next unit.
    if value >= 1e3 && power < 8 {
        power += 1;
        value /= 1e3;
    }
    if value < 10.0 {
        format!("{value:.1} {}", UNITS[power as usize])
    } else {
        format!("{value:.0} {}", UNITS[power as usize])
    }
}

/// At most `digits` decimals, without zeros at the end.
pub(super) fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// As [`number`], cut off instead of rounded.
fn cut(value: f64, digits: u8) -> String {
    let scale = 10_f64.powi(i32::from(digits));
    number((value * scale).trunc() / scale, usize::from(digits))
}

/// A share from 0 to 1 as a percentage, cut off: 99.999 % is not 100 %.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", (share * 1e4).trunc() / 1e2)
}

/// A value of a metric.
pub(super) fn humanize(value: f64, kind: Kind, contains: Contains, unit: Option<TimeUnit>) -> String {
    if kind == Kind::Rate {
        return percent(value);
    }
    match contains {
        Contains::Data => humanize_bytes(value),
        Contains::Time => humanize_duration(value, unit),
        Contains::Default => number(value, 6),
    }
}

/// Columns that a text takes, near enough: every character counts as one.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// ANSI colours, when they are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette(pub(super) bool);

impl Palette {
    fn paint(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn value(self, text: &str) -> String {
        self.paint("36", text)
    }

    pub(super) fn detail(self, text: &str) -> String {
        self.paint("2;36", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// `✓` or `✗`.
    pub(super) fn mark(self, ok: bool) -> String {
        if ok { self.good("✓") } else { self.bad("✗") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_goes_up() {
        let text = |value| fixed(value, 2);
        assert_eq!(
            [2255.625, 2.675, 0.125, 0.375, 1.0, -0.125].map(text),
            ["2255.63", "2.67", "0.13", "0.38", "1.00", "-0.13"]
        );
    }

    #[test]
    fn names_stand_as_in_a_dictionary() {
        let mut names = [
            "my2",
            "Zeta",
            "myB",
            "my_parent_post",
            "MyB",
            "apple",
            "my_parent",
            "http_reqs",
            "http_req_failed",
        ];
        names.sort_by(|a, b| alphabetical(a, b));
        assert_eq!(
            names,
            [
                "apple",
                "http_req_failed",
                "http_reqs",
                "my_parent",
                "my_parent_post",
                "my2",
                "myB",
                "MyB",
                "Zeta"
            ]
        );
    }

    #[test]
    fn durations_are_those_of_the_dialect() {
        for (ms, text) in [
            (0.0, "0s"),
            (0.000_5, "500ns"),
            (0.309_655, "309.65µs"),
            (0.009, "9µs"),
            (2.93, "2.93ms"),
            (201.6, "201.6ms"),
            (999.999, "999.99ms"),
            (1000.0, "1s"),
            (1234.5, "1.23s"),
            (60_000.0, "1m0s"),
            (90_500.0, "1m30s"),
            (3_723_000.0, "1h2m3s"),
            (-1.5, "-1.5ms"),
        ] {
            assert_eq!(humanize_duration(ms, None), text, "{ms}");
        }
        assert_eq!(humanize_duration(1234.5, Some(TimeUnit::Seconds)), "1.23s");
        assert_eq!(humanize_duration(0.25, Some(TimeUnit::Microseconds)), "250.00µs");
    }

    #[test]
    fn sizes_are_decimal() {
        for (bytes, text) in [
            (0.0, "0 B"),
            (9.5, "9.5 B"),
            (694.4, "694 B"),
            (1400.0, "1.4 kB"),
            (38_400.0, "38 kB"),
            (999_999.0, "1.0 MB"),
            (1e6, "1.0 MB"),
            (2.5e9, "2.5 GB"),
        ] {
            assert_eq!(humanize_bytes(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn a_share_is_not_rounded_up_to_all() {
        assert_eq!(percent(0.999_99), "99.99%");
        assert_eq!(percent(1.0), "100.00%");
        assert_eq!(number(9.918_222_4, 6), "9.918222");
        assert_eq!(number(20.0, 6), "20");
        assert_eq!(number(-0.000_000_1, 6), "0");
    }
}
