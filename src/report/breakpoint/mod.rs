//! The breaking point: what a step of the search says, the ladder of steps as it is shown, and what gave way.
//!
//! `run/breakpoint` drives the search; here is what follows from its numbers. `docs/breakpoint.md` has methods and sources.

mod answer;
mod judge;
mod ladder;
mod limit;

pub use judge::{Call, Interval, Judgement, Rule, Second, Tape, judge};
pub use ladder::{header, row, rows, section};

pub(in crate::report) use limit::findings;

use super::saved::{SavedBounds, SavedBreakpoint};

/// What the load is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// Virtual users.
    #[default]
    Vus,
    /// Iterations that begin per second.
    Rate,
}

impl By {
    /// Its name in a saved run and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            By::Vus => "vus",
            By::Rate => "rate",
        }
    }

    /// A load in words: `143 VUs`, `500 iterations/s`.
    pub fn load(self, load: u64) -> String {
        match (self, load) {
            (By::Vus, 1) => "1 VU".to_owned(),
            (By::Vus, load) => format!("{load} VUs"),
            (By::Rate, 1) => "1 iteration/s".to_owned(),
            (By::Rate, load) => format!("{load} iterations/s"),
        }
    }
}

impl SavedBreakpoint {
    /// What the load is counted in.
    pub fn by(&self) -> By {
        if self.by == By::Rate.as_str() {
            By::Rate
        } else {
            By::Vus
        }
    }
}

impl SavedBreakpoint {
    /// Whether it was the generator that could not carry out this load.
    fn is_short(&self, load: u64) -> bool {
        let times = |verdict| self.tries(load).filter(|step| step.verdict == verdict).count();
        times("invalid") > times("broke")
    }
}

impl From<Interval> for SavedBounds {
    fn from(interval: Interval) -> SavedBounds {
        let rounded = |value: f64| (value * 1e6).round() / 1e6;
        let bound = |value: f64| value.is_finite().then(|| rounded(value));
        SavedBounds {
            value: rounded(interval.value),
            low: bound(interval.low),
            high: bound(interval.high),
        }
    }
}

#[cfg(test)]
mod tests;
