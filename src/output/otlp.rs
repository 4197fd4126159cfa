//! Spans to an OTLP collector, over gRPC or HTTP, from a thread of its own; and the way there for metrics, which
//! [`push`](super::push) takes.
//!
//! The exporter takes what virtual users have put into the queue of [`Tracing`](crate::metrics::Tracing) and sends it in
//! batches. Nothing of the load ever waits for it: a collector that is slow, refuses or hangs only makes the queue run full,
//! and what has no room there is counted. Requests whose spans the collector has taken become exemplars
//! ([`Exemplars::offer`](crate::metrics::Exemplars::offer)), so an exemplar never names a trace that nobody has.

mod encode;
mod exporter;
mod send;
mod spec;
mod wire;

#[cfg(test)]
mod tests;

pub use encode::TracedRun;
pub use exporter::OtlpExporter;
pub use spec::{OtlpError, OtlpMetrics, OtlpSpec};

pub(super) use encode::rejected;
pub(super) use send::{Route, Way};
