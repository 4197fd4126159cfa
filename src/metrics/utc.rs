//! Moments as text. One calendar in one place; reading a clock is everybody's own affair.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Howard Hinnant's
/// `civil_from_days`: an era is 400 years of 146,097 days, a year starts in March so that the leap day is its last.
pub fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// RFC 3339 in UTC, to the millisecond: `2026-11-21T03:15:06.820Z`. A clock before 1970 shows as 1970.
pub fn rfc3339(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let second = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let (year, month, day) = civil(second.div_euclid(86_400));
    let time = second.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        time / 3600,
        time / 60 % 60,
        time % 60,
        since.subsec_millis()
    )
}

/// The day of a date, counted from 1970-01-01: [`civil`] the other way round.
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The moment of an RFC 3339 text, such as `2026-11-21T03:15:06Z` or `2026-11-21 04:15:06.82+01:00`; `None` if it is none, or
/// lies before 1970.
pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    if !text.is_ascii() || text.len() < 20 {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
        digits.parse().ok()
    };
    let marks = text.bytes().enumerate().take(17);
    let marked = marks.skip(4).all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => matches!(byte, b'T' | b't' | b' '),
        13 | 16 => byte == b':',
        _ => true,
    });
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let date = day_of(year, month, day);
    // A day that the month does not have comes back as another one.
    if !marked || hour > 23 || minute > 59 || second > 59 || civil(date) != (year, month, day) {
        return None;
    }
    let rest = &text[19..];
    let digits = rest
        .strip_prefix('.')
        .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, zone) = match digits {
        0 => (0.0, rest),
        digits => (rest[..=digits].parse::<f64>().ok()?, &rest[digits + 1..]),
    };
    let offset = match zone.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let from = text.len() - 5;
            let (hours, minutes) = (number(from, from + 2)?, number(from + 3, from + 5)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'+' { 1 } else { -1 }
        }
        _ => return None,
    };
    let seconds = date * 86_400 + (hour * 60 + minute - offset) * 60 + second;
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?) + Duration::from_secs_f64(fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_230_906_820, "2026-11-21T03:15:06.820Z"),
        ] {
            let moment = UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(rfc3339(moment), text);
            let reference = jiff::Timestamp::try_from(moment).unwrap();
            assert_eq!(text.parse::<jiff::Timestamp>().unwrap(), reference);
        }
    }

    #[test]
    fn texts_are_moments_as_another_calendar_reads_them() {
        for text in [
            "2026-11-21T03:15:06.820Z",
            "2026-11-21t04:15:06+01:00",
            "2026-11-20 22:15:06.5-05:00",
            "2000-02-29T23:59:59Z",
            "1970-01-01T00:00:00z",
            "2038-01-19T03:14:08.123456Z",
        ] {
            let reference: jiff::Timestamp = text.parse().unwrap();
            let found = jiff::Timestamp::try_from(parse_rfc3339(text).unwrap()).unwrap();
            let apart = found.duration_since(reference).abs();
            assert!(apart.as_micros() < 1, "{text}: {found}");
        }
        for wrong in [
            "",
            "tomorrow",
            "2026-11-21",
            "2026-11-21T03:15:06",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T03:15:06.Z",
            "2026-11-21T03:15:06+1:00",
            "2026x11x21T03:15:06Z",
            "1969-12-31T23:59:59Z",
            "2026-11-21T03:15:06Zé",
        ] {
            assert_eq!(parse_rfc3339(wrong), None, "{wrong}");
        }
    }
}
