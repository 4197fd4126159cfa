//! How the end-of-test summary shows trends: which statistics, in which unit of time.

use std::fmt;
use std::str::FromStr;

/// One column of a trend in the summary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrendStat {
    Avg,
    Min,
    Med,
    Max,
    Count,
    /// A percentile, 0 to 100.
    P(f64),
}

impl TrendStat {
    /// `avg, min, med, max, p(90), p(95)`.
    pub const DEFAULT: [Self; 6] = [
        Self::Avg,
        Self::Min,
        Self::Med,
        Self::Max,
        Self::P(90.0),
        Self::P(95.0),
    ];
}

impl FromStr for TrendStat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text.trim() {
            "avg" => Self::Avg,
            "min" => Self::Min,
            "med" => Self::Med,
            "max" => Self::Max,
            "count" => Self::Count,
            other => {
                let rank = other
                    .strip_prefix("p(")
                    .and_then(|rest| rest.strip_suffix(')'))
                    .ok_or(())?;
                let rank: f64 = rank.trim().parse().map_err(|_| ())?;
                if !(0.0..=100.0).contains(&rank) {
                    return Err(());
                }
                Self::P(rank)
            }
        })
    }
}

impl fmt::Display for TrendStat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Med => "med",
            Self::Max => "max",
            Self::Count => "count",
            Self::P(rank) => return write!(f, "p({rank})"),
        })
    }
}

/// The unit all times are shown in; without one each takes the unit that fits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    Seconds,
    Milliseconds,
    Microseconds,
}

impl FromStr for TimeUnit {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.trim() {
            "s" => Ok(Self::Seconds),
            "ms" => Ok(Self::Milliseconds),
            "us" | "µs" => Ok(Self::Microseconds),
            _ => Err(()),
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
        })
    }
}
