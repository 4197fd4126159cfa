//! The small vocabulary of the room: what a metric is, the ids that stand for interned things, the run's zero,
//! and the metrics every run has.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How the samples of a metric add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// The last value, with the least and greatest seen.
    Gauge,
    /// The share of samples that were not zero.
    Rate,
    /// A distribution.
    Trend,
}

impl Kind {
    /// The dialect's word for it, as in the JSON output.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Rate => "rate",
            Kind::Trend => "trend",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the values of a metric are, which decides how they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contains {
    /// Plain numbers.
    Default,
    /// Milliseconds.
    Time,
    /// Bytes.
    Data,
}

impl Contains {
    /// The dialect's word for it, as in the JSON output.
    pub fn as_str(self) -> &'static str {
        match self {
            Contains::Default => "default",
            Contains::Time => "time",
            Contains::Data => "data",
        }
    }
}

/// A metric of the run's [`Registry`](super::Registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricId(pub u16);

/// An interned [`TagSet`](super::TagSet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TagsId(pub u32);

impl TagsId {
    /// The tag set without tags; every registry has it.
    pub const EMPTY: TagsId = TagsId(0);
}

/// An interned request name (the `name` tag, and the `url` tag, which equals it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub u32);

/// A metric as it was defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricDef {
    pub name: Arc<str>,
    pub kind: Kind,
    pub contains: Contains,
}

/// One value of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Nanoseconds since the run's [`Epoch`].
    pub at: u64,
    pub metric: MetricId,
    pub tags: TagsId,
    pub value: f64,
}

/// The run's zero: times in records are nanoseconds since then.
#[derive(Debug, Clone, Copy)]
pub struct Epoch {
    pub instant: Instant,
    pub wall: SystemTime,
}

impl Epoch {
    /// Now is zero.
    pub fn now() -> Epoch {
        Epoch {
            instant: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// Nanoseconds from the epoch to `instant`; zero for anything earlier.
    pub fn nanos(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.instant).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX)
    }

    /// The wall-clock time of a record. It advances with the monotonic clock, so a step of the system's clock
    /// during a run does not tear the run's time axis.
    pub fn wall(&self, nanos: u64) -> SystemTime {
        self.wall + Duration::from_nanos(nanos)
    }
}

/// The metrics that every run has, under fixed ids.
pub mod builtin {
    use super::{Contains, Kind, MetricId};

    macro_rules! builtins {
        ($($(#[$doc:meta])* $id:ident = $name:literal, $kind:ident, $contains:ident;)*) => {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            #[repr(u16)]
            enum Index { $($id),* }
            $($(#[$doc])* pub const $id: MetricId = MetricId(Index::$id as u16);)*
            /// Name, kind and contents of every built-in metric, in the order of the ids.
            pub const ALL: &[(&str, Kind, Contains)] = &[$(($name, Kind::$kind, Contains::$contains)),*];
        };
    }

    builtins! {
        HTTP_REQS = "http_reqs", Counter, Default;
        /// sending + waiting + receiving: without connecting and TLS.
        HTTP_REQ_DURATION = "http_req_duration", Trend, Time;
        HTTP_REQ_BLOCKED = "http_req_blocked", Trend, Time;
        HTTP_REQ_CONNECTING = "http_req_connecting", Trend, Time;
        HTTP_REQ_TLS_HANDSHAKING = "http_req_tls_handshaking", Trend, Time;
        HTTP_REQ_SENDING = "http_req_sending", Trend, Time;
        HTTP_REQ_WAITING = "http_req_waiting", Trend, Time;
        HTTP_REQ_RECEIVING = "http_req_receiving", Trend, Time;
        HTTP_REQ_FAILED = "http_req_failed", Rate, Default;
        CHECKS = "checks", Rate, Default;
        GROUP_DURATION = "group_duration", Trend, Time;
        ITERATION_DURATION = "iteration_duration", Trend, Time;
        ITERATIONS = "iterations", Counter, Default;
        DROPPED_ITERATIONS = "dropped_iterations", Counter, Default;
        VUS = "vus", Gauge, Default;
        VUS_MAX = "vus_max", Gauge, Default;
        DATA_SENT = "data_sent", Counter, Data;
        DATA_RECEIVED = "data_received", Counter, Data;
        WS_SESSIONS = "ws_sessions", Counter, Default;
        WS_MSGS_SENT = "ws_msgs_sent", Counter, Default;
        WS_MSGS_RECEIVED = "ws_msgs_received", Counter, Default;
        WS_CONNECTING = "ws_connecting", Trend, Time;
        WS_SESSION_DURATION = "ws_session_duration", Trend, Time;
        WS_PING = "ws_ping", Trend, Time;
        GRPC_REQ_DURATION = "grpc_req_duration", Trend, Time;
        GRPC_STREAMS = "grpc_streams", Counter, Default;
        GRPC_STREAMS_MSGS_SENT = "grpc_streams_msgs_sent", Counter, Default;
        GRPC_STREAMS_MSGS_RECEIVED = "grpc_streams_msgs_received", Counter, Default;
        /// Ours: from the moment an iteration was due to its start (open models).
        SCHEDULING_LAG = "scheduling_lag", Trend, Time;
        /// Ours: how late the runtime's timer fired (all models).
        TIMER_LAG = "timer_lag", Trend, Time;
        /// Ours: from the moment an iteration was due to its end (open models), so that a stalled server cannot
        /// hide its stall behind iterations that never started.
        ITERATION_DURATION_SCHEDULED = "iteration_duration_scheduled", Trend, Time;
        /// Ours: requests sent and not yet answered.
        HTTP_REQS_IN_FLIGHT = "http_reqs_in_flight", Gauge, Default;
    }

    /// The seven phases an [`HttpRecord`](crate::metrics::HttpRecord) carries, in the order of its array.
    pub const HTTP_TRENDS: [MetricId; 7] = [
        HTTP_REQ_DURATION,
        HTTP_REQ_BLOCKED,
        HTTP_REQ_CONNECTING,
        HTTP_REQ_TLS_HANDSHAKING,
        HTTP_REQ_SENDING,
        HTTP_REQ_WAITING,
        HTTP_REQ_RECEIVING,
    ];

    /// Whether loadgen itself defines this metric.
    pub fn contains(id: MetricId) -> bool {
        usize::from(id.0) < ALL.len()
    }

    /// Metrics about the generator, which the dialect does not have; reports keep them apart.
    pub fn is_ours(id: MetricId) -> bool {
        contains(id) && id >= SCHEDULING_LAG
    }
}
