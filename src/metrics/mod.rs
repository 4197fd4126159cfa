//! Metrics, tags and samples: interning, the per-worker recorder, merging, one-second windows, thresholds, and
//! the timeline that outputs, reports and samplers share.
//!
//! The path of a sample: a worker's [`Recorder`] appends a compact record to its log (no locks, no strings); the
//! log leaves as a [`Batch`] some four times a second; the [`Collector`] adds it to cumulative series, closes
//! one-second [`Window`]s, judges thresholds and hands out [`Snapshot`]s that share what did not change.
//! Nothing here reads a clock or does I/O: times are passed in, so every test can choose them.

mod collector;
mod exemplars;
mod http;
mod judge;
mod model;
mod recorder;
mod registry;
mod remarks;
mod snapshot;
mod spans;
mod tags;
mod template;
mod trend;
mod window;

pub mod host;
pub mod machine;
pub mod target;
pub mod threshold;
pub mod tunnel;
pub mod utc;

pub use collector::Collector;
pub use exemplars::{Exemplar, Exemplars};
pub use host::{
    CpuCounters, DiskCounters, DiskUse, GroupUse, HostCounters, HostSample, ListenDrops, MemoryField,
    NetworkUse, Pressure, PressureCounters, ProcessSample, Repeated, SocketCounts, Uname, Used,
};
pub use http::{HttpKey, HttpRecord, MethodTag, Proto, TlsTag, error_text};
pub use judge::judged;
pub use model::{Contains, Epoch, Kind, MetricDef, MetricId, NameId, Sample, TagsId, builtin};
pub use recorder::{Batch, Recorder};
pub use registry::{MAX_NAMES, MAX_SERIES, MetricError, OTHER_NAME, Registry};
pub use remarks::Remarks;
pub use snapshot::{Losses, Row, Snapshot, ThresholdState, Value, matches};
pub use spans::{
    IterationEnd, IterationSpan, Opened, RequestSpan, Span, SpanDrop, SpanIds, SpanStats, Spans, TracePlan,
    Tracer, Tracing, Trail, Work,
};
pub use tags::{SystemTag, SystemTags, TagSet, UnknownSystemTag};
pub use target::{TargetMetrics, is_target};
pub use template::template;
pub use threshold::{Aggregation, Expression, Filter, Op, ThresholdSpec};
pub use trend::{BucketParts, PartsError, Trend, TrendParts};
pub use tunnel::{Outage, TunnelSample};
pub use window::{
    Cell, Course, Courses, Slice, Strand, Timeline, Window, add_ranges, course_place, course_range,
};
