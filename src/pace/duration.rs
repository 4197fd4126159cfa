//! Durations as the dialect writes them: Go's grammar (`1m30s`, `500ms`), days, and bare numbers of milliseconds.

use std::fmt::Write as _;
use std::time::Duration;

use super::from_nanos;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing but white space.
    #[error("the duration is empty; write it like \"1m30s\", \"500ms\" or as a number of milliseconds")]
    Empty,
    /// A unit that Go's grammar does not know.
    #[error("unknown unit {unit:?} in duration {text:?}; use ns, us, ms, s, m, h or d")]
    Unit {
        /// The whole text.
        text: String,
        /// The unit found in it.
        unit: String,
    },
    /// Not a sequence of numbers with units.
    #[error("{0:?} is not a duration; write it like \"1m30s\", \"500ms\" or as a number of milliseconds")]
    Malformed(String),
    /// Less than zero.
    #[error("the duration {0:?} is negative; only zero or more makes sense here")]
    Negative(String),
    /// More nanoseconds than fit 63 bits (Go's limit, 292 years).
    #[error("the duration {0:?} is too long; the limit is 292 years")]
    TooLong(String),
}

/// Go's `time.Duration` is an `int64` of nanoseconds.
const LIMIT: u128 = i64::MAX as u128;

/// Reads a duration: a sequence of decimal numbers, each with a unit (`ns us µs ms s m h`, and `d` for 24 hours as k6
/// adds it), or one bare number, which is milliseconds. Fractions below a nanosecond are cut off, as in Go.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let whole = text.trim();
    if whole.is_empty() {
        return Err(DurationError::Empty);
    }
    let malformed = || DurationError::Malformed(whole.to_owned());
    let unsigned = whole.strip_prefix('+').unwrap_or(whole);
    let (negative, unsigned) = match unsigned.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, unsigned),
    };
    let mut rest = unsigned;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let unit_len = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let scale: u128 = match unit {
            // Only a number that stands alone may go without a unit.
            "" if number.len() == unsigned.len() => 1_000_000,
            "" => return Err(malformed()),
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ if number.is_empty() => return Err(malformed()),
            other => {
                return Err(DurationError::Unit {
                    text: whole.to_owned(),
                    unit: other.to_owned(),
                });
            }
        };
        let part = scaled(number, scale).ok_or_else(malformed)?;
        total = total.saturating_add(part);
        if total > LIMIT {
            return Err(DurationError::TooLong(whole.to_owned()));
        }
        rest = after;
    }
    if unsigned.is_empty() {
        return Err(malformed());
    }
    if negative && total > 0 {
        return Err(DurationError::Negative(whole.to_owned()));
    }
    Ok(from_nanos(total))
}

/// `number · scale`, exactly, cut to whole units of one; `None` if `number` is not a decimal number.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (integer, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (integer.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    // Past 24 digits the sum is over the limit whatever the unit; cutting there keeps the products in 128 bits.
    let integer = integer.trim_start_matches('0');
    let integer: u128 = match integer.len() {
        0 => 0,
        1..=24 => integer.parse().ok()?,
        _ => LIMIT + 1,
    };
    // 15 digits of a day resolve 86 picoseconds: more cannot change a nanosecond.
    let fraction = &fraction[..fraction.len().min(15)];
    let fraction_value: u128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let below = fraction_value * scale / 10u128.pow(fraction.len() as u32);
    Some(integer.saturating_mul(scale).saturating_add(below))
}

/// Writes a duration as Go's `Duration.String` does: `1m30s`, `2m0s`, `1h0m0s`, `1.5s`, `500ms`, `12µs`, `0s`.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => decimal(nanos, 1_000) + "\u{b5}s",
        1_000_000..1_000_000_000 => decimal(nanos, 1_000_000) + "ms",
        _ => {
            let minutes = nanos / 60_000_000_000;
            let mut text = String::new();
            if minutes >= 60 {
                let _ = write!(text, "{}h", minutes / 60);
            }
            if minutes >= 1 {
                let _ = write!(text, "{}m", minutes % 60);
            }
            text + &decimal(nanos % 60_000_000_000, 1_000_000_000) + "s"
        }
    }
}

/// `nanos / unit` in decimal without trailing zeros.
fn decimal(nanos: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    let text = format!("{}.{:0digits$}", nanos / unit, nanos % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("-0s", 0),
            ("250", 250_000_000),
            ("1.5", 1_500_000),
            ("1ns", 1),
            ("10us", 10_000),
            ("10\u{b5}s", 10_000),
            ("10\u{3bc}s", 10_000),
            ("500ms", 500_000_000),
            ("+5s", 5_000_000_000),
            (" 5s ", 5_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("1h0m0.001s", 3_600_001_000_000),
            ("1d", 86_400_000_000_000),
            ("1d12h", 129_600_000_000_000),
            ("0.0000000019s", 1),
            ("0.333333333333333333333333333s", 333_333_333),
            ("9223372036854775807ns", 9_223_372_036_854_775_807),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_it_refuses() {
        let malformed = |text: &str| Err(DurationError::Malformed(text.to_owned()));
        assert_eq!(parse_duration("  "), Err(DurationError::Empty));
        for text in [
            "abc",
            ".",
            ".s",
            "1.2.3s",
            "5 s",
            "1m30",
            "s",
            "-",
            "1s-2s",
            "\u{1f600}",
        ] {
            let got = parse_duration(text);
            assert!(
                got == malformed(text) || matches!(got, Err(DurationError::Unit { .. })),
                "{text}: {got:?}"
            );
        }
        assert_eq!(
            parse_duration("5sec"),
            Err(DurationError::Unit {
                text: "5sec".to_owned(),
                unit: "sec".to_owned()
            })
        );
        assert_eq!(
            parse_duration("-5s"),
            Err(DurationError::Negative("-5s".to_owned()))
        );
        for text in [
            "9223372036854775808ns",
            "300000h999999999999999999999999999999h",
            "1e9",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn written_as_go_writes() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (2_200_000, "2.2ms"),
            (500_000_000, "500ms"),
            (2_000_000_000, "2s"),
            (90_000_000_000, "1m30s"),
            (120_000_000_000, "2m0s"),
            (3_600_000_000_000, "1h0m0s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (86_400_000_000_000, "24h0m0s"),
        ] {
            assert_eq!(format_duration(Duration::from_nanos(nanos)), text);
        }
    }
}
