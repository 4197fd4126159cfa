//! `--start-at`: all generators of a test begin their load at the same instant.
//!
//! Virtual users are initialised and `setup()` runs before that. The clock of the machine decides, so machines want theirs kept in
//! step (NTP); it is read until shortly before, in case it is set meanwhile.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep};

use super::Run;
use crate::engine::{Control, Level};
use crate::metrics::utc::{parse_rfc3339, rfc3339};
use crate::pace::parse_duration;

/// The load starts this long after the last worker has said that it is ready, so that all begin together.
const START_IN: Duration = Duration::from_millis(10);
/// The clock is believed from here on.
const LAST_LOOK: Duration = Duration::from_millis(250);
/// How often the wait looks at the clock, and whether somebody wants it to end.
const LOOK: Duration = Duration::from_millis(100);
/// Nobody plans a run for later than that; milliseconds taken for seconds do.
const FARTHEST: Duration = Duration::from_hours(30 * 24);

/// A `--start-at` that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    #[error(
        "--start-at {0}: write a moment as 2026-11-21T03:15:06Z, as seconds since 1970, or as +30s from now"
    )]
    Unclear(String),
    #[error("--start-at {text}: that was {ago} s ago (it is {now}); give all generators a moment to come")]
    Past { text: String, ago: u64, now: String },
    #[error("--start-at {text}: that is {days} days ahead; since 1970 seconds are counted, not milliseconds")]
    Far { text: String, days: u64 },
}

/// The moment of a `--start-at`.
///
/// # Errors
/// It is none, or lies in the past or far ahead.
pub fn start_at(text: &str, now: SystemTime) -> Result<SystemTime, StartError> {
    let unclear = || StartError::Unclear(text.to_owned());
    let moment = if let Some(later) = text.strip_prefix('+') {
        let later = parse_duration(later.trim()).map_err(|_| unclear())?;
        now.checked_add(later)
    } else if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let seconds = text.parse::<f64>().map_err(|_| unclear())?;
        let since = Duration::try_from_secs_f64(seconds).map_err(|_| unclear())?;
        UNIX_EPOCH.checked_add(since)
    } else {
        parse_rfc3339(text)
    };
    let moment = moment.ok_or_else(unclear)?;
    if let Ok(ago) = now.duration_since(moment)
        && !ago.is_zero()
    {
        return Err(StartError::Past {
            text: text.to_owned(),
            ago: ago.as_secs_f64().ceil() as u64,
            now: rfc3339(now),
        });
    }
    let ahead = moment.duration_since(now).unwrap_or_default();
    if ahead > FARTHEST {
        return Err(StartError::Far {
            text: text.to_owned(),
            days: ahead.as_secs() / 86_400,
        });
    }
    Ok(moment)
}

impl Run {
    /// The instant at which the load begins, once it is near.
    pub(super) async fn start(&self) -> Instant {
        if let Some(moment) = self.order.start_at {
            let begun = Instant::now();
            wait(moment, &self.control).await;
            // Nothing is measured meanwhile: rates are of the time before and after.
            self.begun.waited(begun.elapsed());
            let goes_on = self.control.level() == Level::Run;
            if let (true, Ok(left)) = (goes_on, moment.duration_since(SystemTime::now())) {
                return Instant::now() + left;
            }
        }
        Instant::now() + START_IN
    }
}

/// Until shortly before that moment, or until somebody wants the run to end.
async fn wait(moment: SystemTime, control: &Control) {
    let left = || moment.duration_since(SystemTime::now()).unwrap_or_default();
    match SystemTime::now().duration_since(moment) {
        Ok(late) => tracing::warn!(
            "ready {:.1} s after --start-at: this generator begins later than the others; give them all more time",
            late.as_secs_f64()
        ),
        Err(_) => tracing::info!(
            "the load begins at {}, in {:.1} s",
            rfc3339(moment),
            left().as_secs_f64()
        ),
    }
    while left() > LAST_LOOK && control.level() == Level::Run {
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_three_ways() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_230_906);
        let later = |seconds| Ok(now + Duration::from_millis(seconds));
        assert_eq!(start_at("+30s", now), later(30_000));
        assert_eq!(start_at("1795230916", now), later(10_000));
        assert_eq!(start_at("1795230916.5", now), later(10_500));
        assert_eq!(start_at("2026-11-21T03:15:16Z", now), later(10_000));
        assert_eq!(start_at("2026-11-21T04:15:16.25+01:00", now), later(10_250));
    }

    #[test]
    fn what_is_no_moment_to_come_is_refused() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_230_906);
        let said = |text| start_at(text, now).unwrap_err().to_string();
        for text in ["", "soon", "+", "+x", "12:30", "1.2.3", "2026-11-21", "-5"] {
            assert!(said(text).contains("write a moment as"), "{text}: {}", said(text));
        }
        let past = said("2026-11-21T03:15:00Z");
        assert!(
            past.contains("6 s ago (it is 2026-11-21T03:15:06.000Z)"),
            "{past}"
        );
        assert!(said("1795230906000").contains("not milliseconds"));
    }
}
