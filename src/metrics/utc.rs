//! Moments as text. One calendar in one place; reading a clock is everybody's own affair.

use std::time::{SystemTime, UNIX_EPOCH};

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
}
