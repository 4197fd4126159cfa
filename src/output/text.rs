//! Numbers and times as text, without allocating: this runs some nine times for every request under `--out`.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::metrics::Epoch;
use crate::metrics::utc::civil;

/// Renders the times of records.
#[derive(Debug)]
pub(super) struct Clock {
    epoch: Epoch,
    /// The second rendered last, as `2026-11-21T03:15:06`: neighbours usually share it.
    second: i64,
    rendered: Vec<u8>,
}

impl Clock {
    pub(super) fn new(epoch: Epoch) -> Clock {
        Clock {
            epoch,
            second: i64::MIN,
            rendered: Vec::new(),
        }
    }

    fn split(&self, at: u64) -> (i64, u32) {
        let wall: SystemTime = self.epoch.wall(at);
        match wall.duration_since(UNIX_EPOCH) {
            Ok(since) => (
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                since.subsec_nanos(),
            ),
            // A clock set before 1970 is not worth more than this.
            Err(_) => (0, 0),
        }
    }

    /// Whole seconds since 1970.
    pub(super) fn unix_seconds(&self, at: u64) -> i64 {
        self.split(at).0
    }

    /// RFC 3339 in UTC with as many digits as the nanoseconds need, as Go writes it: `2026-11-21T03:15:06.8205941Z`.
    pub(super) fn push_rfc3339(&mut self, at: u64, text: &mut Vec<u8>) {
        let (second, nanos) = self.split(at);
        if second != self.second {
            self.second = second;
            self.rendered.clear();
            let (year, month, day) = civil(second.div_euclid(86_400));
            let time = second.rem_euclid(86_400);
            // Writing to a vector cannot fail.
            let _ = write!(
                self.rendered,
                "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
                time / 3600,
                time / 60 % 60,
                time % 60
            );
        }
        text.extend_from_slice(&self.rendered);
        if nanos > 0 {
            let mut digits = *b".000000000";
            let mut rest = nanos;
            for digit in digits[1..].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            let used = digits
                .iter()
                .rposition(|digit| *digit != b'0')
                .map_or(0, |at| at + 1);
            text.extend_from_slice(&digits[..used]);
        }
        text.push(b'Z');
    }
}

/// The shortest decimal that reads back as the same value.
pub(super) fn push_f32(text: &mut Vec<u8>, value: f32) {
    if value == 0.0 {
        text.push(b'0');
    } else if value.is_finite() {
        let _ = write!(text, "{value}");
    } else {
        text.extend_from_slice(b"null");
    }
}

/// The shortest decimal that reads back as the same value; `null` for what JSON has no number for.
pub(super) fn push_f64(text: &mut Vec<u8>, value: f64) {
    if value == 0.0 {
        text.push(b'0');
    } else if !value.is_finite() {
        text.extend_from_slice(b"null");
    } else if (1e-6..1e21).contains(&value.abs()) {
        let _ = write!(text, "{value}");
    } else {
        let _ = write!(text, "{value:e}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn times_are_those_of_a_calendar() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (1_795_230_906, 820_594_100, "2026-11-21T03:15:06.8205941Z"),
            (4_107_542_399, 500_000_000, "2100-02-28T23:59:59.5Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
        ] {
            let epoch = Epoch {
                instant: Instant::now(),
                wall: UNIX_EPOCH + Duration::from_secs(seconds),
            };
            let mut clock = Clock::new(epoch);
            let mut bytes = Vec::new();
            clock.push_rfc3339(nanos, &mut bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), text);
        }
    }

    #[test]
    fn dates_agree_with_a_calendar_library() {
        for day in (-200_000..200_000).step_by(37) {
            let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(day);
            assert_eq!(
                civil(day),
                (
                    i64::from(date.year()),
                    i64::from(date.month()),
                    i64::from(date.day())
                )
            );
        }
    }

    #[test]
    fn numbers_are_short_and_always_json() {
        let text = |value: f64| {
            let mut bytes = Vec::new();
            push_f64(&mut bytes, value);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(text(0.1 + 0.2), "0.30000000000000004");
        for value in [1.0, -2.5, 1e300, 5e-324, 123_456_789.25] {
            assert_eq!(
                serde_json::from_str::<f64>(&text(value)).unwrap().to_bits(),
                value.to_bits()
            );
        }
        assert_eq!(text(f64::NAN), "null");
    }
}
