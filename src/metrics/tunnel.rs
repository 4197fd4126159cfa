//! What a tunnel does, as plain numbers: what `remote` counts, and what pages, progress and reports read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::model::{Contains, Kind, MetricId};
use super::registry::{MetricError, Registry};

/// The round trip through the tunnel, as a metric of the run: it exists in runs through a tunnel only.
pub const ROUND_TRIP: &str = "tunnel_round_trip";

/// The tag of samples that overlap an outage.
pub const OUTAGE: &str = "outage";

/// Defines [`ROUND_TRIP`].
///
/// # Errors
/// The name has another kind already.
pub fn define(registry: &Registry) -> Result<MetricId, MetricError> {
    registry.define(ROUND_TRIP, Kind::Trend, Contains::Time)
}

/// A tunnel at one moment. All counts are since it was opened, over all of its connections to the server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TunnelSample {
    /// The server, as the user calls it.
    pub host: Arc<str>,
    /// Connections to the server that there should be, and that there are.
    pub lanes: u32,
    /// Connections to the server that are up.
    pub lanes_up: u32,
    /// Forwarded connections that are open.
    pub active: u64,
    /// Forwarded connections that were begun.
    pub opened: u64,
    /// Forwarded connections that the server could not make.
    pub refused: u64,
    /// Forwarded connections that were cut when a connection to the server was lost.
    pub cut: u64,
    /// Channels that are open ahead.
    pub warm: u64,
    /// Bytes to the server, without what SSH adds.
    pub bytes_up: u64,
    /// Bytes from the server, without what SSH adds.
    pub bytes_down: u64,
    /// The last round trip through the tunnel; the mean over the connections to the server.
    pub round_trip: Option<Duration>,
    /// The shortest round trip.
    pub round_trip_min: Option<Duration>,
    /// Sum of all round trips that were measured.
    pub round_trip_sum: Duration,
    /// Number of round trips that were measured.
    pub round_trips: u64,
    /// Connections to the server that were made again.
    pub reconnects: u64,
    /// Times that a connection to the server was lost.
    pub outages: u64,
    /// For how long at least one connection to the server was missing.
    pub outage_time: Duration,
}

/// A time during which a connection to the server was missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Which of the connections, from 0.
    pub lane: usize,
    /// When it was lost.
    pub from: Instant,
    /// When it was there again.
    pub until: Option<Instant>,
    /// What was said of it.
    pub reason: String,
}

impl Outage {
    /// Whether something that lasted from `from` to `until` was going on at the same time.
    pub fn overlaps(&self, from: Instant, until: Instant) -> bool {
        until >= self.from && self.until.is_none_or(|end| from <= end)
    }

    /// For how long at least one of them lasted, until `now`.
    pub fn total(outages: &[Outage], now: Instant) -> Duration {
        let mut spans: Vec<(Instant, Instant)> = outages
            .iter()
            .map(|outage| (outage.from, outage.until.unwrap_or(now).max(outage.from)))
            .collect();
        spans.sort_unstable();
        let (mut total, mut covered) = (Duration::ZERO, None::<Instant>);
        for (from, until) in spans {
            let from = covered.map_or(from, |covered| covered.max(from));
            total += until.saturating_duration_since(from);
            covered = Some(covered.map_or(until, |covered| covered.max(until)));
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_overlap_count_once() {
        let zero = Instant::now();
        let at = |seconds| zero + Duration::from_secs(seconds);
        let outage = |from, until: Option<u64>| Outage {
            lane: 0,
            from: at(from),
            until: until.map(at),
            reason: String::new(),
        };
        let total = |outages: &[Outage]| Outage::total(outages, at(20)).as_secs();
        assert_eq!(total(&[]), 0);
        assert_eq!(total(&[outage(5, Some(7)), outage(1, Some(2))]), 3);
        assert_eq!(
            total(&[outage(1, Some(10)), outage(2, Some(3)), outage(9, Some(12))]),
            11
        );
        assert_eq!(total(&[outage(15, None), outage(18, None)]), 5);
    }
}
