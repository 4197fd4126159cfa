//! The pure arithmetic of load: durations, stages, staffing, arrivals, execution segments. No clock, no async, no I/O.
//!
//! Everything here answers "when?" and "how many?" from numbers alone, so that a worker thread, a process and a
//! machine all compute the same schedule for themselves and never need to talk to each other:
//!
//! * [`Plan`] is what an executor is driven by: a closed model ([`Staffing`] and [`Budget`]) or an open one
//!   ([`Arrivals`]).
//! * [`Share`] says which of the plan's iterations and virtual users are mine.

mod arrivals;
mod duration;
mod plan;
mod segment;
mod share;
mod staffing;
mod stage;

pub use arrivals::Arrivals;
pub use duration::{DurationError, format_duration, parse_duration};
pub use plan::{Offered, Plan};
pub use segment::{Segment, SegmentError, SegmentSequence};
pub use share::Share;
pub use staffing::{Budget, FOREVER, Staffing};
pub use stage::{Stage, StageError};

/// Nanoseconds of a duration as `u64`; saturates after 584 years.
fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A count of nanoseconds as a duration; saturates after 584 years.
fn from_nanos(nanos: u128) -> std::time::Duration {
    std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod properties;
