//! One threshold over the course of a run: what it is judged on, and how it stands.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::snapshot::{ThresholdState, Value};
use super::threshold::ThresholdSpec;

/// A threshold and, for one with a sliding window, the past it needs.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) state: ThresholdState,
    pub(super) past: VecDeque<(Duration, Option<Value>)>,
}

/// A sliding window remembers so many earlier states, however long it is: its start is then off by at most a
/// thirty-second part of its length.
pub(super) const PAST: u32 = 32;

/// How a threshold stands on what all matching samples add up to, over so much time. One with a sliding window has no past
/// here: it is judged on the whole.
pub fn judged(spec: ThresholdSpec, value: Option<Value>, over: Duration) -> ThresholdState {
    let mut judge = Judge::new(ThresholdSpec { over: None, ..spec });
    judge.judge(value, over);
    judge.state
}

impl Judge {
    pub(super) fn new(spec: ThresholdSpec) -> Judge {
        let ok = spec.on_empty_pass;
        Judge {
            state: ThresholdState {
                spec: Arc::new(spec),
                value: None,
                ok,
                empty: true,
            },
            past: VecDeque::new(),
        }
    }

    /// Whether the run is to stop for this threshold now: it fails on samples, asks for it, and its delay is over.
    pub(super) fn aborts(&self, elapsed: Duration) -> bool {
        let ThresholdState { spec, ok, empty, .. } = &self.state;
        !ok && !empty && spec.abort_on_fail && elapsed >= spec.delay_abort_eval
    }

    /// Judges what all matching samples add up to now.
    pub(super) fn judge(&mut self, now: Option<Value>, elapsed: Duration) {
        let spec = self.state.spec.clone();
        let (value, span) = match spec.over {
            None => (now, elapsed),
            Some(length) => self.slide(now, elapsed, length),
        };
        self.state.empty = match &value {
            None => true,
            Some(Value::Rate { total, .. }) => *total == 0,
            Some(Value::Trend(trend)) => trend.is_empty(),
            Some(Value::Counter { total }) => *total == 0.0,
            Some(Value::Gauge { .. }) => false,
        };
        let aggregation = spec.expression.aggregation;
        self.state.value = value.and_then(|value| value.aggregate(aggregation, span));
        self.state.ok = match self.state.value {
            Some(value) => spec.expression.holds(value),
            None => spec.on_empty_pass,
        };
    }

    /// What came in the last `length`, and how long that is at the start of a run.
    fn slide(
        &mut self,
        now: Option<Value>,
        elapsed: Duration,
        length: Duration,
    ) -> (Option<Value>, Duration) {
        let from = elapsed.saturating_sub(length);
        // The newest state at or before the window's start stays at the front.
        while self.past.get(1).is_some_and(|(at, _)| *at <= from) {
            self.past.pop_front();
        }
        let (start, before) = match self.past.front() {
            Some((at, value)) if *at <= from => (*at, value.clone()),
            _ => (Duration::ZERO, None),
        };
        let spaced = self
            .past
            .back()
            .is_none_or(|(at, _)| elapsed.saturating_sub(*at) >= length / PAST);
        if spaced {
            self.past.push_back((elapsed, now.clone()));
        }
        let part = match (now, before) {
            (Some(now), Some(before)) => Some(now.minus(&before)),
            (now, _) => now,
        };
        (part, elapsed.saturating_sub(start))
    }
}
