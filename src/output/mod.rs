//! What leaves while a run is going: the live `/metrics` page, samples to JSON and CSV files, spans to a
//! collector, terminal progress.
//!
//! Nothing here slows the load down: files are written by threads of their own from bounded queues and count what
//! they lose, the page is rendered from the last [`Snapshot`](crate::metrics::Snapshot) when somebody asks for it.

mod api;
mod csv;
mod custom;
mod families;
mod file;
mod json;
mod listen;
mod live;
mod loki;
mod messages;
mod otlp;
mod process;
mod progress;
mod prometheus;
mod push;
mod refusal;
mod remote;
mod server;
mod tails;
mod tell;
mod text;
mod tunnel;

pub use api::{Api, ApiServer};
pub use families::Format;
pub use file::{
    FileOutput, OutputEnd, OutputError, OutputKind, OutputSpec, Rotation, RotationError, parse_size,
};
pub use live::LivePage;
pub use loki::{Loki, LokiError, LokiOptions, LokiQueue};
pub use messages::{CONSOLE, ConsoleFile, Messages, level_name, source};
pub use otlp::{OtlpError, OtlpExporter, OtlpMetrics, OtlpSpec, TracedRun};
pub use process::{ProcessUsage, usage as process_usage};
pub use progress::{
    Header, LogWriter, Mode, Progress, ProgressView, ScenarioCounts, ScenarioLine, ScenarioState, Standing,
    TargetUse, TunnelUse, Work,
};
pub use prometheus::{Breaking, Load, Page, RunInfo, RunState, SaveCounts, ScenarioLoad, render};
pub use push::{PushCounts, PushError, PushOptions, Pusher};
pub use server::{BindError, MetricsServer};
pub use tell::{GRAFANA_TOKEN, TellError, TellOptions, Teller};
