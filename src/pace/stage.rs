//! One leg of a ramp: go to a target in straight line within a time.

use std::str::FromStr;
use std::time::Duration;

use super::duration::{DurationError, parse_duration};

/// A leg of a ramp. The value (virtual users, or iterations per time unit) goes linearly from where the previous stage
/// left it to `target` within `duration`; a zero duration jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// How long the leg takes.
    pub duration: Duration,
    /// The value at its end.
    pub target: u64,
}

/// Why a text is not a stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// No `:` or nothing after it.
    #[error("stage {0:?} has no target; write it as duration:target, like \"30s:100\"")]
    NoTarget(String),
    /// The target is not a whole number.
    #[error("stage {stage:?}: the target {target:?} is not a whole number of zero or more")]
    Target {
        /// The whole text.
        stage: String,
        /// What stands after the colon.
        target: String,
    },
    /// The duration does not parse.
    #[error("stage {stage:?}: {error}")]
    Duration {
        /// The whole text.
        stage: String,
        /// What is wrong with it.
        #[source]
        error: DurationError,
    },
}

impl FromStr for Stage {
    type Err = StageError;

    /// `[duration]:target` as on the command line; an empty duration is zero, that is, a jump.
    fn from_str(text: &str) -> Result<Stage, StageError> {
        let (duration, target) = text
            .split_once(':')
            .ok_or_else(|| StageError::NoTarget(text.to_owned()))?;
        let (duration, target) = (duration.trim(), target.trim());
        if target.is_empty() {
            return Err(StageError::NoTarget(text.to_owned()));
        }
        let target = target.parse().map_err(|_| StageError::Target {
            stage: text.to_owned(),
            target: target.to_owned(),
        })?;
        let duration = if duration.is_empty() {
            Duration::ZERO
        } else {
            parse_duration(duration).map_err(|error| StageError::Duration {
                stage: text.to_owned(),
                error,
            })?
        };
        Ok(Stage { duration, target })
    }
}

/// Which stage goes on at `t`, from 1; 0 after the last.
pub(super) fn number_at(stages: &[Stage], t: Duration) -> u32 {
    let mut end = Duration::ZERO;
    for (number, stage) in (1..).zip(stages) {
        end = end.saturating_add(stage.duration);
        if t < end {
            return number;
        }
    }
    0
}

/// The time that all stages take together.
pub(super) fn total(stages: &[Stage]) -> Duration {
    stages
        .iter()
        .fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_on_the_command_line() {
        let stage = |duration, target| Ok(Stage { duration, target });
        assert_eq!("10s:100".parse(), stage(Duration::from_secs(10), 100));
        assert_eq!("1m30s : 0".parse(), stage(Duration::from_secs(90), 0));
        assert_eq!(":7".parse(), stage(Duration::ZERO, 7));
        assert_eq!(
            "10s".parse::<Stage>(),
            Err(StageError::NoTarget("10s".to_owned()))
        );
        assert_eq!(
            "10s:".parse::<Stage>(),
            Err(StageError::NoTarget("10s:".to_owned()))
        );
        assert!(matches!(
            "10s:-1".parse::<Stage>(),
            Err(StageError::Target { .. })
        ));
        assert!(matches!(
            "10s:1.5".parse::<Stage>(),
            Err(StageError::Target { .. })
        ));
        assert!(matches!(
            "10q:1".parse::<Stage>(),
            Err(StageError::Duration { .. })
        ));
    }
}
