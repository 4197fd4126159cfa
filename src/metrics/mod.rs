//! Metrics, tags and samples: interning, the per-worker recorder, merging, one-second windows, thresholds, and the timeline that outputs, reports and probes share.

pub mod host;

pub use host::{HostSample, ProcessSample, SocketCounts};

pub mod threshold;
